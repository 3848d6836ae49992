"""Data modules of pretraining: training folds only, without labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import DataError
from ecgvision.data.crops import CropDataModule
from ecgvision.data.module import EcgDataModule
from ecgvision.data.paired import PairedDataModule


class TrainingOnly(EcgDataModule):
    """Data module that refuses validation and test, so that none of their records can be seen."""

    needs_labels = False

    def positions(self, split: str) -> NDArray[np.int64]:
        """Return the positions of the training split, labelled or not.

        Raises:
            DataError: for another split, or an empty one.
        """
        if split != "train":
            raise DataError("pretraining sees the training folds only", value=split)
        return super().positions(split)

    def setup(self, stage: str | None = None) -> None:
        self.check_training()

    def val_dataloader(self) -> Any:
        return []

    def test_dataloader(self) -> Any:
        return []


class CropsForPretraining(TrainingOnly, CropDataModule):
    """Crops of signals for pretraining."""


class PagesForPretraining(TrainingOnly, PairedDataModule):
    """Pages for pretraining."""
