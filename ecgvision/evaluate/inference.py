"""Inference: runs a trained network over a split and returns its predictions table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from ecgvision.core.errors import ConfigError
from ecgvision.data.module import EcgDataModule
from ecgvision.evaluate import predictions
from ecgvision.nn.training.task import BaseTask, Batch


class _Prepared:
    """Loader that applies `prepare` to every batch."""

    def __init__(self, loader: Any, prepare: Callable[[Batch], Batch]) -> None:
        self.loader, self.prepare = loader, prepare

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.prepare, self.loader)


def one_device(
    accelerator: str, limit: float | int = 1.0, *, callbacks: Sequence[L.Callback] = ()
) -> L.Trainer:
    """Return a Trainer for inference: one device in float32, whatever the training used.

    Args:
        accelerator: as Lightning names it: auto, cpu, gpu, …
        limit: number of batches (int) or fraction of them (float).
        callbacks: added to the progress bar.

    Raises:
        ConfigError: if this machine lacks the accelerator.
    """
    try:
        return L.Trainer(
            accelerator=accelerator,
            devices=1,
            precision="32-true",
            limit_predict_batches=limit,
            logger=False,
            callbacks=[TQDMProgressBar(), *callbacks],
            enable_checkpointing=False,
            enable_model_summary=False,
            inference_mode=True,
        )
    except MisconfigurationException as error:
        raise ConfigError("no such accelerator here", value=accelerator,
                          remedy=str(error)) from error  # fmt: skip


def predict(
    task: BaseTask, data: EcgDataModule, split: str, *, accelerator: str = "auto",
    limit: float | int = 1.0, prepare: Callable[[Batch], Batch] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return the predictions table of one split: each record in each layout and artefact.

    Runs in float32 whatever the training's precision, because the exported model is float32.

    Args:
        task: the trained network.
        data: holds the split's records, layouts and artefacts.
        split: "val" or "test".
        accelerator, limit: see `one_device`.
        prepare: applied to each batch before the network, e.g. to fill unobserved samples.
    """
    trainer = one_device(accelerator, limit)
    loader: Any = data.loader(split, shared=False)
    if prepare is not None:
        loader = _Prepared(loader, prepare)
    batches: Any = trainer.predict(task, loader)
    whole = {key: torch.cat([b[key] for b in batches]).cpu().numpy() for key in batches[0]}
    row_of = pd.Series(np.arange(len(data.cohort.index)), index=data.cohort.index)
    records = data.cohort.records.iloc[row_of.loc[whole["index"]].to_numpy()]
    layouts = [data.layouts[i] for i in whole["layout"]]
    artefacts = [data.artefacts[i] for i in whole["artefact"]]
    tables = [
        predictions.build(
            records, split=split, stream=stream, layout=layouts, artefact=artefacts,
            logits=whole[stream], targets=whole["target"].astype(np.uint8),
            codes=data.cohort.scheme.codes,
        )
        for stream in task.streams
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)
