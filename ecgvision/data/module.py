"""Base Lightning data module of all systems; subclasses define the items."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import cv2
import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.data.cohort import Cohort
from ecgvision.data.sampler import EpochSampler
from ecgvision.data.worker_processes import end_with_parent


def _start_worker(worker: int) -> None:
    end_with_parent()
    cv2.setNumThreads(0)  # thread pools in every worker would compete for the cores
    torch.set_num_threads(1)


class EcgDataModule(L.LightningDataModule):
    """Data loaders over a cohort.

    Args:
        cohort: records, targets and splits.
        batch_size: records per step and process.
        num_workers: number of loader processes; 0 loads in the main process.
        seed: seed of the shuffling and of all randomness in items.

    Attributes:
        needs_labels: whether a split without any positive is refused.
        draws_pages: whether the loader processes draw pages, which keeps them busy.
    """

    needs_labels = True
    draws_pages = False

    def __init__(self, cohort: Cohort, *, batch_size: int, num_workers: int, seed: int) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0:
            raise ConfigError("data.batch_size must be at least 1 and data.num_workers at least 0",
                              value=(batch_size, num_workers))  # fmt: skip
        self.cohort, self.seed = cohort, seed
        self.batch_size, self.num_workers = batch_size, num_workers
        self._next_epoch, self._batches_done = 0, 0

    @property
    @abstractmethod
    def layouts(self) -> Sequence[str]:
        """Layouts used to evaluate every record; an item's `layout` is an index into them."""

    @property
    @abstractmethod
    def artefacts(self) -> Sequence[str]:
        """Artefacts used to evaluate every record; an item's `artefact` is an index into them."""

    @abstractmethod
    def dataset(self, split: str) -> Dataset[dict[str, Any]]:
        """Return the dataset of `train`, `val` or `test`."""

    def positions(self, split: str) -> NDArray[np.int64]:
        """Return the positions of a split's records in the cohort.

        Raises:
            DataError: if there are none.
        """
        return self.cohort.positions(split, labelled=self.needs_labels)

    def about(self) -> dict[str, Any]:
        """Return what metrics.json adds under `data` to the counts of records."""
        return {}

    def setup(self, stage: str | None = None) -> None:
        """Check all splits before training, so that unusable data fails early.

        Raises:
            DataError: if a split is empty, or if no checkpoint can be chosen by the validation
                split because no label has both positives and negatives.
        """
        chosen = {split: self.positions(split) for split in ("val", "test")}
        if self.needs_labels:
            share = self.cohort.targets[chosen["val"]].mean(axis=0)
            if not ((share > 0) & (share < 1)).any():
                raise DataError(
                    "the val split has no label with both positives and negatives, so no "
                    "checkpoint can be chosen by it", value=self.cohort.folds["val"],
                    remedy="Choose another data.labels or other data.folds",
                )  # fmt: skip
        self.check_training()

    def check_training(self) -> None:
        """Check that the training split fills at least one batch.

        Raises:
            DataError: naming the number of its records.
        """
        if (found := len(self.positions("train"))) < self.batch_size:
            raise DataError(
                "the training split holds fewer records than one batch",
                value=found,
                remedy=f"Set data.batch_size below {self.batch_size}",
            )

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        return self.loader("train", epoch=self._next_epoch, batches_done=self._batches_done)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        return self.loader("val")

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        return self.loader("test")

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch that a checkpoint's training goes on with, and how far that is."""
        if self.trainer is None:
            return {"epoch": self._next_epoch, "batches": self._batches_done}
        loop: Any = self.trainer.fit_loop
        epochs = loop.epoch_progress.current
        begun = epochs.ready > epochs.processed
        batches = loop.epoch_loop.batch_progress.current.ready if begun else 0
        return {"epoch": epochs.processed, "batches": batches}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume a run at the epoch, and in that at the batch, of its checkpoint.

        Lightning starts the workers of a loader, which draw their first batches at once, before it
        passes the epoch to the sampler. Without this, a resumed run would start with the order of
        epoch 0. Nor does it leave out the batches that were trained on before a checkpoint within
        an epoch.
        """
        self._next_epoch = int(state_dict["epoch"])
        self._batches_done = int(state_dict.get("batches", 0))

    def loader(
        self,
        split: str,
        *,
        shared: bool = True,
        epoch: int = 0,
        batches_done: int = 0,
        dataset: Dataset[dict[str, Any]] | None = None,
    ) -> DataLoader[dict[str, Any]]:
        """Return the loader of one split; training is shuffled and drops the last, smaller batch.

        Args:
            split: `train`, `val` or `test`.
            epoch: epoch whose order the loader starts with; Lightning sets all later ones.
            batches_done: batches of that epoch that are left out, as they were trained on before.
            dataset: used instead of the split's own dataset.
            shared: under distributed training, load only this process's share of the records.
        """
        dataset = self.dataset(split) if dataset is None else dataset
        train = split == "train"
        distributed = (
            shared and torch.distributed.is_available() and torch.distributed.is_initialized()
        )
        sampler = EpochSampler(
            len(dataset),  # type: ignore[arg-type]
            seed=self.seed,
            shuffle=train,
            rank=torch.distributed.get_rank() if distributed else 0,
            world=torch.distributed.get_world_size() if distributed else 1,
        )
        sampler.resume(epoch, batches_done * self.batch_size)
        if train and len(sampler) < self.batch_size:
            raise DataError("a process's share of an epoch is less than one batch",
                            value=len(sampler),
                            remedy=f"Set data.batch_size below {self.batch_size}, or use fewer "
                            "trainer.devices")  # fmt: skip
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=train,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0 and train,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_start_worker,
            # separate, so that starting a loader does not consume the global random state
            generator=torch.Generator(),
        )
