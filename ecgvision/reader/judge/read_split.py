"""Evaluation of a trained reader on the pages of a split, by page and lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.evenly_spaced import evenly_spaced
from ecgvision.data.module import EcgDataModule
from ecgvision.data.resample import fit_length, resample
from ecgvision.evaluate.inference import one_device
from ecgvision.nn.training.task import BaseTask
from ecgvision.reader.confidence import RIGHT_MV, found_samples, lead_confidence
from ecgvision.reader.deployed import laplace_scale
from ecgvision.reader.judge import snr_kaggle
from ecgvision.reader.judge.digitisation import FIGURES, digitisation

JUDGED_RATE = 500.0
"""Sampling rate in Hz at which the SNR is computed. It is that of the Challenge's records: at 100
Hz, an alignment by entire samples would be too coarse for a steep QRS. The reference is the record
as stored, not resampled to the network's rate."""

COLUMNS = ("record_id", "patient_id", "layout", "artefact", "paper", "gain", "speed", "lead",
           "printed", "raw_confidence", "right", *snr_kaggle.COLUMNS)  # fmt: skip
"""Columns of the table of readings, before its `FIGURES`."""

EXAMPLES = 6
"""Number of example pages to keep, evenly spaced over the split."""


def read_split(
    task: BaseTask, data: EcgDataModule, split: str, *, rate: float, accelerator: str = "auto",
    limit: float | int = 1.0,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:  # fmt: skip
    """Read every page of a split once, in float32 whatever the training's precision.

    Args:
        task: a `ReadTask`.
        data: a `ReadingDataModule` or `FolderPages`.
        rate: sampling rate of its signals in Hz.
        accelerator, limit: see `inference.one_device`.

    Returns:
        A table and some example pages.

        The table has a row for each page and lead that was printed or found: record_id, patient_id
        ("" where unknown), layout, artefact, the paper's name ("" where unknown), mm/mV and mm/s of
        the page (NaN where unknown), lead, whether it was printed, the raw confidence (see
        `reader.confidence`), the share of the samples found with an error of at most `RIGHT_MV`
        (NaN where none was found), the powers of `snr_kaggle.COLUMNS`, and for printed leads the
        `FIGURES` at the Challenge's 500 Hz.

        The examples have `image` (3, H, W), `trace` (12, T, 2), `found` (12, T), `record_id`,
        `layout` and `artefact`.
    """
    judge = _BatchJudge(data, rate)
    trainer = one_device(accelerator, limit, callbacks=[judge])
    loader: Any = data.loader(split, shared=False)
    trainer.predict(task, loader, return_predictions=False)
    return pd.concat(judge.tables, ignore_index=True), judge.examples


class _BatchJudge(L.Callback):
    """Evaluates each batch as soon as it is read, so that only one batch is in memory.

    Attributes:
        tables, examples: see `read_split`.
    """

    def __init__(self, data: EcgDataModule, rate: float) -> None:
        self.data, self.rate = data, rate
        self.tables: list[pd.DataFrame] = []
        self.examples: list[dict[str, Any]] = []
        self._read, self._shown = 0, set[int]()
        cohort = data.cohort
        self._position = pd.Series(range(len(cohort.index)), index=cohort.index)
        self._whose = cohort.records[["record_id", "patient_id"]].fillna("")

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        loader: Any = trainer.predict_dataloaders
        batches = int(trainer.num_predict_batches[0])
        pages = min(batches * self.data.batch_size, len(loader.dataset))
        self._shown = set(evenly_spaced(EXAMPLES, pages).tolist())

    def on_predict_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        positions = self._position.loc[batch["index"].cpu().numpy()].to_numpy()
        whose = self._whose.iloc[positions]
        views = [_view(self.data, batch, i) for i in range(len(positions))]
        printed = batch["printed"][..., : outputs["signal"].shape[-1]].cpu().numpy()
        true = np.stack([self._record(int(position), shown)
                         for position, shown in zip(positions, printed, strict=True)])  # fmt: skip
        self.tables.append(_judge(outputs, true, printed, whose, views, self.rate))
        for i, view in enumerate(views):
            if self._read + i in self._shown:
                self.examples.append({
                    "image": batch["image"][i].cpu().numpy(),
                    "trace": outputs["trace"][i].cpu().numpy(),
                    "found": found_samples(outputs["presence"][i].cpu().sigmoid(), self.rate),
                    "record_id": str(whose["record_id"].iloc[i]),
                    "layout": view["layout"], "artefact": view["artefact"],
                })  # fmt: skip
        self._read += len(views)

    def _record(self, position: int, printed: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return (12, T) mV at `JUDGED_RATE`: the printed samples of the record as stored."""
        seconds = printed.shape[-1] / self.rate
        window, own = self.data.cohort.window(position, seconds)
        true = fit_length(resample(window, own, JUDGED_RATE), round(seconds * JUDGED_RATE))
        nearest = np.round(np.arange(true.shape[-1]) * self.rate / JUDGED_RATE).astype(int)
        shown = printed[:, np.minimum(nearest, printed.shape[-1] - 1)]
        return np.where(shown, true, np.float32(np.nan))


def _view(data: EcgDataModule, batch: Mapping[str, Any], item: int) -> dict[str, Any]:
    """Return the properties of a page.

    For pages drawn beforehand, only layout and artefact are known.
    """
    drawn = {key: batch[key][item] for key in ("paper", "gain", "speed") if key in batch}
    return {
        "layout": data.layouts[batch["layout"][item]],
        "artefact": data.artefacts[batch["artefact"][item]],
        "paper": drawn.get("paper", ""),
        **{key: float(drawn.get(key, np.nan)) for key in ("gain", "speed")},
    }


def _judge(
    answer: Mapping[str, torch.Tensor], true: NDArray[np.float32], printed: NDArray[np.bool_],
    whose: pd.DataFrame, views: Sequence[Mapping[str, Any]], rate: float,
) -> pd.DataFrame:  # fmt: skip
    """Return a table with a row for each page and lead.

    `true`, (B, 12, T), has `JUDGED_RATE`, the others have `rate`.
    """
    presence = answer["presence"].cpu().sigmoid().numpy()
    found = found_samples(presence, rate)  # as `ecgvision digitize` writes it
    signal = np.where(found, answer["signal"].cpu().numpy(), np.float32(np.nan))
    read = np.stack([resample(page, rate, JUDGED_RATE) for page in signal])
    scale = laplace_scale(answer["log_scale"]).cpu().numpy()
    sure = lead_confidence(presence, scale, rate) * answer["gain"].amax(1).cpu().numpy()[:, None]
    count = np.isfinite(read).sum(-1)
    right = (np.abs(read - true) <= RIGHT_MV).sum(-1) / np.where(count > 0, count, np.nan)
    figures = digitisation(true, read, JUDGED_RATE, printed=printed, found=found)
    powers = dict(zip(snr_kaggle.COLUMNS, snr_kaggle.powers(true, read, JUDGED_RATE), strict=True))
    shown: NDArray[np.bool_] = np.any(printed, axis=-1)
    rows = []
    for i, lead in zip(*np.nonzero(shown | found.any(-1)), strict=True):
        told = bool(shown[i, lead])
        values = {name: float(f[i, lead]) if told else np.nan for name, f in figures.items()}
        rows.append({**whose.iloc[i], **views[i], "lead": LEADS[lead], "printed": told,
                     "raw_confidence": float(sure[i, lead]), "right": float(right[i, lead]),
                     **{key: float(power[i, lead]) for key, power in powers.items()},
                     **values})  # fmt: skip
    return pd.DataFrame(rows, columns=[*COLUMNS, *FIGURES])
