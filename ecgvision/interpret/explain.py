"""Attribution of one prediction of a trained run to leads and samples."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import ConfigError, DataError, LabelError
from ecgvision.core.run_folder import read_metrics
from ecgvision.data.module import EcgDataModule
from ecgvision.data.paired import PairedDataModule, PairedDataset
from ecgvision.data.patches import PatchDataModule, PatchDataset
from ecgvision.deploy.bundle import Bundle
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.interpret.cells import SECONDS, Logits
from ecgvision.interpret.checks import curves, randomised, similarity
from ecgvision.interpret.figure import attribution_figure, save_figure
from ecgvision.interpret.gradients import integrated_gradients, patch_gradients
from ecgvision.interpret.occlusion import occlusion
from ecgvision.interpret.options import check_options
from ecgvision.interpret.pictures import explain_page
from ecgvision.interpret.rollout import attention_rollout
from ecgvision.interpret.samples import to_samples
from ecgvision.render.artefacts import CLEAN
from ecgvision.systems.patchecg.network import PatchECG
from ecgvision.trained_runs.build import build_data, open_run

MEANING = {"gradients": "logits per sample", "occlusion": "logits per sample",
           "rollout": "share of attention per patch"}  # fmt: skip


def explain(
    run: str | Path, record: str, *, label: str | None, layout: str, method: str, out: Path,
    checks: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Attribute the logit of one label for one record, and save a figure.

    Args:
        run: directory of a finished run of `+exp=patchecg`, `+exp=signal` or `+exp=vizecg`.
        record: record_id of the record.
        label: a code; None for the label with the largest probability.
        layout: layout that determines the observed samples.
        method: `gradients` (integrated gradients), `occlusion`, or `rollout` for PatchECG.
        out: path of the figure.
        checks: also test the explanation; see `ecgvision.interpret.checks`.

    Returns:
        label, probability (as deployed), threshold, and `leads`: each lead's share of the sum of
        absolute attributions. With `checks` also `checks`: `deletion_gain` and `insertion_gain`
        over random orders, in logits, and `randomised`, the rank correlation with the explanation
        of a network whose weights are permuted.

    Raises:
        ConfigError: for a run of another kind, or one that is not finished.
        DataError: if the run's stores do not contain the record.
        LabelError: for a label that the run does not have.
    """
    check_options(run, layout=layout, method=method, out=out)
    opened = open_run(run)
    config, task = opened.config, opened.task
    shown = copy.deepcopy(config)
    shown["data"]["layouts"] = [layout]
    if isinstance(opened.data, PairedDataModule):
        return _explain_page(run, shown, opened.data, record, label=label, out=out, checks=checks)
    data: Any = build_data(shown, opened.data.cohort)
    stream = task.streams[0]
    points = OperatingPoints.from_dict(read_metrics(run)["operating_points"][stream])
    if label is not None and label not in points.codes:
        raise LabelError("the run has no such label", value=label,
                         remedy=f"It has {', '.join(points.codes)}")  # fmt: skip
    value, observed, samples = _item(data, record)
    model: Any = task.model
    with torch.no_grad():
        p = points.probabilities(model(value, observed)[stream].numpy())[0]
    column = points.codes.index(label) if label is not None else int(p.argmax())
    mask = _whole(observed[0].float().numpy(), data)
    attribution = _attribution(model, stream, value, observed, column, method, data)
    ecg = Ecg(np.where(mask > 0, samples, np.nan).astype(np.float32), data.settings.rate, record)
    code = points.codes[column]
    title = f"{record} as {layout}: {code}, probability {p[column]:.2f}"
    save_figure(attribution_figure(ecg, attribution, title=title, meaning=MEANING[method]), out)
    size = np.nansum(np.abs(attribution), axis=1)
    total = float(size.sum()) or 1.0
    found: dict[str, Any] = {}
    if checks:
        found["checks"] = _checks(model, stream, value, observed, column, method, data, attribution)
    return found | {
        "label": code,
        "probability": float(p[column]),
        "threshold": points.thresholds[column],
        "leads": {lead: float(s) / total for lead, s in zip(LEADS, size, strict=True)},
    }


def _explain_page(
    run: str | Path, config: dict[str, Any], opened: PairedDataModule, record: str, *,
    label: str | None, out: Path, checks: bool,
) -> dict[str, Any]:  # fmt: skip
    """Explain the answer of a run's bundle to the clean page of a record."""
    if checks:
        raise ConfigError("--checks is of networks that read signals", file=run)
    config["data"] |= {"artefacts": [CLEAN], "images": []}
    data: Any = build_data(config, opened.cohort)
    where = np.array([_position(data, record)])
    dataset = PairedDataset(data.cohort, where, data.settings, data.source, train=False,
                            seed=data.seed)  # fmt: skip
    image, page = dataset.drawn_page(0)
    return explain_page(Bundle.open(Path(run) / "bundle"), image, page, label=label, out=out)


def _position(data: EcgDataModule, record: str) -> int:
    where = np.flatnonzero((data.cohort.records["record_id"] == record).to_numpy())
    if not len(where):
        some = ", ".join(map(str, data.cohort.records["record_id"].iloc[:3]))
        raise DataError("the run's stores hold no labelled record of that id", value=record,
                        remedy=f"They hold e.g. {some}")  # fmt: skip
    return int(where[0])


def _item(data: PatchDataModule, record: str) -> tuple[Tensor, Tensor, NDArray[np.float32]]:
    """Return patches and mask of the record as in evaluation, and the signal they are cut from.

    Shape:
        result: patches and mask as a batch of one, and (12, T) mV.
    """
    where = np.array([_position(data, record)])
    dataset = PatchDataset(data.cohort, where, data.settings, train=False, seed=data.seed)
    item = dataset[(0, 0)]
    samples, _ = dataset.printed(dataset.asked((0, 0)))
    return item["value"][None], item["observed"][None], samples


def _attribution(
    model: Any, stream: str, value: Tensor, observed: Tensor, column: int, method: str,
    data: PatchDataModule,
) -> np.ndarray:  # fmt: skip
    if method == "rollout":
        return _whole(attention_rollout(model, value, observed)[0].numpy(), data)
    if method == "occlusion":
        logits = _logits(model, stream, observed)
        seen = occlusion(logits, value[0], column, observed=observed[0], width=_width(data))
        return _whole(seen.numpy(), data)
    if isinstance(model, PatchECG):
        found = patch_gradients(model, value, observed, column)
    else:
        found = integrated_gradients(
            lambda samples, mask: model(samples, mask)[stream], value, column,
            observed=observed, inputs=(observed,),
        )  # fmt: skip
    return _whole(found[0].numpy(), data)


def _logits(model: Any, stream: str, observed: Tensor) -> Logits:
    """Return the logits of signals under one mask."""

    def logits(signals: Tensor) -> Tensor:
        return model(signals, observed.expand(len(signals), *observed.shape[1:]))[stream]

    return logits


def _width(data: PatchDataModule) -> int:
    """Return the samples of a cell."""
    return max(1, round(SECONDS * data.settings.rate))


def _checks(
    model: Any, stream: str, value: Tensor, observed: Tensor, column: int, method: str,
    data: PatchDataModule, attribution: np.ndarray,
) -> dict[str, float]:  # fmt: skip
    """Return the checks of an attribution; see `explain`."""
    length = value[0, 0].numel()
    shape, width = value.shape[1:], _width(data)
    own = torch.from_numpy(np.nan_to_num(attribution[:, :length])).reshape(shape)
    found = curves(_logits(model, stream, observed), value[0], column, own, observed=observed[0],
                   width=width)  # fmt: skip
    other = _attribution(randomised(model), stream, value, observed, column, method, data)
    drawn = torch.from_numpy(np.nan_to_num(other[:, :length])).reshape(shape)
    return {"deletion_gain": found.deletion_gain, "insertion_gain": found.insertion_gain,
            "randomised": similarity(own, drawn, observed[0], width=width)}  # fmt: skip


def _whole(grid: np.ndarray, data: PatchDataModule) -> np.ndarray:
    """Convert values on the grid of patches to (12, T); NaN after the last patch.

    Raises:
        ConfigError: for values per sample where patches overlap.
    """
    settings = data.settings
    shares = {"patch_length": settings.patch_length, "stride": settings.stride,
              "length": settings.length}  # fmt: skip
    if grid.ndim == 3 and settings.stride < settings.patch_length:
        raise ConfigError("patches that overlap are not drawn", value=settings.stride)
    return to_samples(grid, **shares)
