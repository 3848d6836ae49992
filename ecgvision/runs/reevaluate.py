"""A trained run judged anew: in other layouts, with other artefacts, or with gaps filled."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ecgvision.core.atomic_io import write_json
from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import BEST, METRICS, read_config, read_metrics, weights_hash
from ecgvision.core.source_digest import source_digest
from ecgvision.data.drawn_pages import DrawnPages
from ecgvision.data.module import EcgDataModule
from ecgvision.data.patches import network_signal
from ecgvision.evaluate import predictions
from ecgvision.evaluate.fills.fills import can_be_filled, make_fill
from ecgvision.evaluate.inference import predict
from ecgvision.evaluate.metrics import operating_points
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.report.run import write_report
from ecgvision.evaluate.report.summary import describe
from ecgvision.nn.training.task import Batch
from ecgvision.render.artefacts import CLEAN
from ecgvision.runs.build import open_run

FOLDER = "evaluations"
JUDGES = "ecgvision.runs.command"
"""The module whose code decides what an evaluation finds."""


def evaluate_run(
    run: str | Path, *, layouts: Sequence[str] = (), artefacts: Sequence[str] = (),
    images: Sequence[str] = (), fill: str | None = None, accelerator: str = "auto",
    force: bool = False,
) -> Path:  # fmt: skip
    """Judge a finished run on its test split, every record in every layout with every artefact.

    No stream sees what the page does not show. Temperature and thresholds stay those that the run
    fitted on its own validation. Nothing of the run is changed; what is found goes to
    `RUN/evaluations/<layouts and fill by hash>/`, and is not computed twice.

    Args:
        run: a run directory.
        layouts: names from the registry, or `random`; none given are the run's own.
        artefacts: of pages; likewise.
        images: folders of `data_prep.render_images`, one for each store, whose pages are taken
            instead of drawn ones; then layouts are all of the first folder, and artefacts what
            pages pass through besides (none), unless given.
        fill: one of `FILLS`, put before a network that reads signals: it then takes what is
            missing for observed.
        force: judge again although it has been done.

    Returns:
        The folder with evaluation.json, predictions.parquet, metrics.json and report.html.

    Raises:
        ConfigError: if the run is not finished, or has no such view or no signal to fill.
        LayoutError: for an unknown layout.
    """
    run = Path(run)
    points = _points(run)
    config: dict[str, Any] = copy.deepcopy(read_config(run))
    settings = _settings(config, layouts, artefacts, images, fill)
    digest = evaluation_id({**settings, "weights": weights_hash(run / BEST)})
    folder = run / FOLDER / (f"fill-{fill}-{digest}" if fill else f"layouts-{digest}")
    if (folder / METRICS).is_file() and not force:
        return folder
    _, data, task = open_run(run, config)
    prepare = None
    if fill is not None:
        prepare = _Filled(fill, data, config, seed=config["seed"])
    table = predict(task, data, "test", accelerator=accelerator, prepare=prepare)
    table = operating_points.apply(table, points)
    result = describe(config, data, table, points, code=source_digest(JUDGES))
    result |= {"evaluation": settings, "run": run.name, "run_code": read_metrics(run).get("code")}
    predictions.save(table, folder / "predictions.parquet")
    write_report(folder / "report.html", config=config, metrics=result, predictions=table,
                 history=None, examples=())  # fmt: skip
    write_json(folder / METRICS, result)
    return folder


def evaluation_id(judged: Mapping[str, Any]) -> str:
    """8 hex digits over what is judged, and by which code."""
    told = {**judged, "code": source_digest(JUDGES)}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]


def _points(run: Path) -> dict[str, OperatingPoints]:
    stored = read_metrics(run)["operating_points"]
    return {stream: OperatingPoints.from_dict(p) for stream, p in stored.items()}


def _settings(
    config: dict[str, Any], layouts: Sequence[str], artefacts: Sequence[str],
    images: Sequence[str], fill: str | None,
) -> dict[str, Any]:  # fmt: skip
    """What is judged; the configuration is changed to it."""
    data, model = config["data"], config["model"]
    if fill is not None and not can_be_filled(config):
        raise ConfigError("this network is not filled: it leaves out what is missing, or reads no "
                          "signal", value=config["exp"], remedy="Leave --fill out")  # fmt: skip
    if (artefacts or images) and ("artefacts" not in data or model.get("streams") == "signal"):
        raise ConfigError("a network that reads signals alone meets no artefact and no picture",
                          value=[*artefacts, *images])  # fmt: skip
    drawn = choose_views(data, layouts, artefacts, images)
    if drawn:
        data["images"] = list(images)
    if "signal_window" in data:
        data["signal_window"] = "printed"
    settings = {"layouts": list(data["layouts"]), "artefacts": data.get("artefacts"), "fill": fill}
    return settings | ({"images": [folder.hash for folder in drawn]} if drawn else {})


def choose_views(
    data: dict[str, Any], layouts: Sequence[str], artefacts: Sequence[str], images: Sequence[str]
) -> list[DrawnPages]:
    """The folders that pages are taken from; a configuration's data is changed to what is judged.

    Raises:
        DataError: if a folder is none of pages.
    """
    drawn = [DrawnPages(folder) for folder in images]
    if drawn:
        data |= {"layouts": list(drawn[0].layouts), "artefacts": [CLEAN]}
    data["layouts"] = list(layouts) or data["layouts"]
    if artefacts:
        data["artefacts"] = list(artefacts)
    return drawn


class _Filled:
    """Fills the signals of a batch and marks all of them as observed."""

    def __init__(
        self, fill: str, data: EcgDataModule, config: Mapping[str, Any], *, seed: int
    ) -> None:
        self.data, self.config = data, config
        self.fill = make_fill(fill, train=self._training_signals, seed=seed)

    def _training_signals(self) -> NDArray[np.float32]:
        """(M, 12, T) of the training split, whole, scaled as the network gets them."""
        return np.stack([
            network_signal(self.data.cohort, int(p), self.config["data"])
            for p in self.data.positions("train")
        ])  # fmt: skip

    def __call__(self, batch: Batch) -> Batch:
        key = "signal" if "signal" in batch else "value"
        given, observed = batch[key], batch["observed"]
        flat = (len(given), given.shape[1], -1)
        filled = self.fill(given.reshape(flat).numpy(), observed.reshape(flat).numpy())
        return batch | {
            key: torch.from_numpy(filled).reshape(given.shape),
            "observed": torch.ones_like(observed),
        }
