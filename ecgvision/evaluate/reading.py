"""How well a trained reader reads the pages of a split: by lead, layout and artefact."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ecgvision.data.module import EcgDataModule
from ecgvision.data.resample import fit_length, resample
from ecgvision.data.spread import spread
from ecgvision.deploy.confidence import found_samples, lead_confidence, page_confidence
from ecgvision.ecg import LEADS
from ecgvision.evaluate.bootstrap import patients_of
from ecgvision.evaluate.digitisation import FIGURES, digitisation
from ecgvision.evaluate.inference import one_device
from ecgvision.evaluate.reading_report import write_reading_report
from ecgvision.models.reading import laplace_scale
from ecgvision.rundir import METRICS
from ecgvision.tasks.base import BaseTask
from ecgvision.whole import whole_file, write_json

JUDGED_RATE = 500.0
"""Hz that curves are brought to before their SNR is taken: the Challenge's records have it, and its
alignment by whole samples would be as coarse as a QRS is steep at 100 Hz. What was read is held
against the record as its store has it, not as the network's rate would leave it."""

COLUMNS = ("record_id", "patient_id", "layout", "artefact", "confidence", "lead")
"""Of the table that says how each page was read, before its `FIGURES`."""

DRAWS = 1000
"""Of the bootstrap; our default."""

EXAMPLES = 6
"""Pages that are kept to be shown, spread over the split."""


def read_split(
    task: BaseTask, data: EcgDataModule, split: str, *, rate: float, accelerator: str = "auto",
    limit: float | int = 1.0,
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:  # fmt: skip
    """Read every page of a split once, in float32 whatever the training's precision.

    Args:
        task: a `ReadTask`; data: a `ReadingDataModule` or `FolderPages`.
        rate: Hz of its signals.
        accelerator, limit: as `inference.one_device` takes them.

    Returns:
        A table with a row for each page and lead of which anything was printed: record_id,
        patient_id ("" where unknown), layout, artefact, the `confidence` of the page as `digitize`
        tells it, lead, and the `FIGURES` at the Challenge's 500 Hz; and some pages to look at, with
        `image` (3, H, W), `trace` (12, T, 2), `found` (12, T), `record_id`, `layout`, `artefact`.
    """
    judge = _BatchJudge(data, rate)
    trainer = one_device(accelerator, limit, callbacks=[judge])
    loader: Any = data.loader(split, shared=False)
    trainer.predict(task, loader, return_predictions=False)
    return pd.concat(judge.tables, ignore_index=True), judge.examples


class _BatchJudge(L.Callback):
    """Judges each batch as soon as it is read, so that no more than a batch is held.

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
        self._shown = set(spread(EXAMPLES, pages).tolist())

    def on_predict_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        positions = self._position.loc[batch["index"].cpu().numpy()].to_numpy()
        whose = self._whose.iloc[positions]
        views = [(self.data.layouts[a], self.data.artefacts[b])
                 for a, b in zip(batch["layout"], batch["artefact"], strict=True)]  # fmt: skip
        printed = batch["printed"][..., : outputs["signal"].shape[-1]].cpu().numpy()
        true = np.stack([self._record(int(position), shown)
                         for position, shown in zip(positions, printed, strict=True)])  # fmt: skip
        self.tables.append(_judge(outputs, true, printed, whose, views, self.rate))
        for i, (layout, artefact) in enumerate(views):
            if self._read + i in self._shown:
                self.examples.append({
                    "image": batch["image"][i].cpu().numpy(),
                    "trace": outputs["trace"][i].cpu().numpy(),
                    "found": found_samples(outputs["presence"][i].cpu().sigmoid(), self.rate),
                    "record_id": str(whose["record_id"].iloc[i]),
                    "layout": layout, "artefact": artefact,
                })  # fmt: skip
        self._read += len(views)

    def _record(self, position: int, printed: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(12, T) mV at `JUDGED_RATE`: of the record what was printed, as its store has it."""
        seconds = printed.shape[-1] / self.rate
        window, own = self.data.cohort.window(position, seconds)
        true = fit_length(resample(window, own, JUDGED_RATE), round(seconds * JUDGED_RATE))
        nearest = np.round(np.arange(true.shape[-1]) * self.rate / JUDGED_RATE).astype(int)
        shown = printed[:, np.minimum(nearest, printed.shape[-1] - 1)]
        return np.where(shown, true, np.float32(np.nan))


def _judge(
    answer: dict[str, torch.Tensor], true: NDArray[np.float32], printed: NDArray[np.bool_],
    whose: pd.DataFrame, views: list[tuple[str, str]], rate: float,
) -> pd.DataFrame:  # fmt: skip
    """A row for each page and printed lead; `true` (B, 12, T) has `JUDGED_RATE`, others `rate`."""
    presence = answer["presence"].cpu().sigmoid().numpy()
    found = found_samples(presence, rate)  # what `ecgvision digitize` would write
    signal = np.where(found, answer["signal"].cpu().numpy(), np.float32(np.nan))
    read = np.stack([resample(page, rate, JUDGED_RATE) for page in signal])
    scale = laplace_scale(answer["log_scale"]).cpu().numpy()
    sure = page_confidence(lead_confidence(presence, scale, rate))
    figures = digitisation(true, read, JUDGED_RATE, printed=printed, found=found)
    rows = []
    for i, (layout, artefact) in enumerate(views):
        for lead in np.flatnonzero(printed[i].any(-1)):
            values = {name: float(figure[i, lead]) for name, figure in figures.items()}
            rows.append({**whose.iloc[i], "layout": layout, "artefact": artefact,
                         "confidence": float(sure[i]), "lead": LEADS[lead], **values})  # fmt: skip
    return pd.DataFrame(rows, columns=[*COLUMNS, *FIGURES])


def summarise(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Of all rows (`all`), of each layout (`layout:…`), artefact (`artefact:…`), lead (`lead:…`)
    and, where there are several layouts and artefacts, pair of them (`view:LAYOUT, ARTEFACT`): the
    pages, and of each figure its median over leads and pages with a 95 % interval over patients
    (`ci95`), mean, 10th and 90th percentile. A figure that no row has is None."""
    groups: dict[str, pd.DataFrame] = {"all": table}
    for key in ("layout", "artefact", "lead"):
        groups |= {f"{key}:{name}": part for name, part in table.groupby(key, sort=False)}
    if table["layout"].nunique() > 1 and table["artefact"].nunique() > 1:
        pairs = table.groupby(["layout", "artefact"], sort=False)
        groups |= {f"view:{layout}, {artefact}": part for (layout, artefact), part in pairs}
    return {name: _figures(part) for name, part in groups.items()}


def _figures(part: pd.DataFrame) -> dict[str, Any]:
    pages = part[["record_id", "layout", "artefact"]].drop_duplicates()
    out: dict[str, Any] = {"pages": len(pages), "leads": len(part)}
    intervals = _intervals(part)
    for name in FIGURES:
        values = part[name].dropna().to_numpy()
        if not len(values):
            out[name] = dict.fromkeys(("median", "ci95", "mean", "p10", "p90"))
            continue
        p10, median, p90 = (round(float(v), 4) for v in np.percentile(values, [10, 50, 90]))
        out[name] = {"median": median, "ci95": intervals[name],
                     "mean": round(float(values.mean()), 4), "p10": p10, "p90": p90}  # fmt: skip
    return out


def _intervals(part: pd.DataFrame) -> dict[str, list[float]]:
    """Of each figure's median the percentile interval of a bootstrap over patients: leads of one
    page, and pages of one patient, are read well or badly together."""
    values = part[list(FIGURES)].to_numpy(np.float64)
    rows = list(part.groupby(patients_of(part)).indices.values())
    rng = np.random.default_rng(0)
    medians = np.empty((DRAWS, len(FIGURES)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a figure that nothing drawn has
        for draw in range(DRAWS):
            chosen = rng.integers(len(rows), size=len(rows))
            medians[draw] = np.nanmedian(values[np.concatenate([rows[i] for i in chosen])], axis=0)
        low, high = np.nanpercentile(medians, [2.5, 97.5], axis=0)
    return {name: [round(float(a), 4), round(float(b), 4)]
            for name, a, b in zip(FIGURES, low, high, strict=True)}  # fmt: skip


def write_reading(
    folder: Path, metrics: Mapping[str, Any], judged: pd.DataFrame, *, config: Mapping[str, Any],
    history: pd.DataFrame | None, examples: Sequence[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Write reading.parquet, report.html and, as the last, metrics.json.

    Args:
        metrics: the object of metrics.json.
        judged, examples: as `read_split` gives them.
        config, history: as `write_reading_report` takes them.
    """
    with whole_file(folder / "reading.parquet") as part:
        judged.to_parquet(part, index=False)
    write_reading_report(folder / "report.html", config=config, metrics=metrics, judged=judged,
                         history=history, examples=examples)  # fmt: skip
    write_json(folder / METRICS, metrics)
