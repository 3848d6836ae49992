"""Re-evaluation of a finished labelled run with other layouts or artefacts, or with a fill."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import BEST, METRICS, read_config, read_metrics
from ecgvision.data.drawn_pages import DrawnPages
from ecgvision.data.module import EcgDataModule
from ecgvision.data.patches import network_signal
from ecgvision.evaluate import predictions
from ecgvision.evaluate.assessment.assess import assess, fit_points
from ecgvision.evaluate.assessment.settings import AssessmentSettings
from ecgvision.evaluate.fills.fills import make_fill
from ecgvision.evaluate.inference import predict
from ecgvision.evaluate.metrics import operating_points
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.report.folder import TABLE, write_evaluation
from ecgvision.evaluate.report.summary import describe
from ecgvision.nn.checkpoints import weights_hash
from ecgvision.nn.training.task import Batch
from ecgvision.render.artefacts import CLEAN
from ecgvision.systems.base import EvaluationOptions, System
from ecgvision.systems.model_card import run_card

FOLDER = "evaluations"


def evaluate_labels(system: System, run: Path, options: EvaluationOptions, *, code: str) -> Path:
    """Evaluate a labelled run; see `LabelledSystem.evaluate`."""
    stored = read_metrics(run)
    points = {stream: OperatingPoints.from_dict(p)
              for stream, p in stored["operating_points"].items()}  # fmt: skip
    config: dict[str, Any] = copy.deepcopy(read_config(run))
    settings = change_views(system, config, options) | {"assessment": asdict(options.assessment)}
    digest = evaluation_id({**settings, "weights": weights_hash(run / BEST)}, code)
    kind = f"fill-{options.fill}" if options.fill else "layouts"
    folder = run / FOLDER / f"{kind}-{digest}"
    if (folder / METRICS).is_file() and not options.force:
        return folder
    opened = system.open(run, config)
    data, task = opened.data, opened.task
    settings_of = replace(options.assessment, draws=config["draws"], seed=config["seed"])
    validation = _validation(run)
    if options.assessment.policies or options.assessment.scaling != AssessmentSettings.scaling:
        points = fit_points(validation, settings_of)[0]
    prepare = None
    if options.fill is not None:
        prepare = _Filled(options.fill, data, config, seed=config["seed"])
    table = predict(task, data, "test", accelerator=options.accelerator, prepare=prepare)
    table = operating_points.apply(table, points)
    result = describe(config, data, table, points, code=code)
    result |= {"evaluation": settings, "run": run.name, "run_code": stored.get("code")}
    assessment = assess(pd.concat([validation, table], ignore_index=True), settings_of,
                        points=points, records=data.cohort.records)  # fmt: skip
    card = run_card(config, result, run.name)
    write_evaluation(folder, metrics=result, table=table, assessment=assessment, config=config,
                     card=card)  # fmt: skip
    return folder


def _validation(run: Path) -> pd.DataFrame:
    """Return the validation rows of a run's own predictions.

    Raises:
        DataError: if they are missing.
    """
    table = predictions.load(run / TABLE)
    return predictions.select(table[[c for c in table.columns if not str(c).startswith("p_")]],
                              split="val")  # fmt: skip


def evaluation_id(judged: Mapping[str, Any], code: str) -> str:
    """Return 8 hex digits that identify the evaluated settings and the code."""
    text = json.dumps({**judged, "code": code}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def change_views(
    system: System, config: dict[str, Any], options: EvaluationOptions
) -> dict[str, Any]:
    """Set the requested layouts and artefacts in a configuration; return the evaluated settings.

    Raises:
        ConfigError: for a fill where the network takes none, or artefacts or drawn pages where it
            reads no pages.
        DataError: if a folder holds no drawn pages.
    """
    data, model, fill = config["data"], config["model"], options.fill
    if fill is not None and not system.can_be_filled(config):
        raise ConfigError("this network is not filled: it leaves out what is missing, or reads no "
                          "signal", value=config["exp"], remedy="Leave --fill out")  # fmt: skip
    pages = [*options.artefacts, *options.images]
    if pages and ("artefacts" not in data or model.get("streams") == "signal"):
        raise ConfigError("a network that reads signals alone meets no artefact and no picture",
                          value=pages)  # fmt: skip
    drawn = choose_views(data, options.layouts, options.artefacts, options.images)
    if drawn:
        data["images"] = list(options.images)
    if "signal_window" in data:
        data["signal_window"] = "printed"
    settings = {"layouts": list(data["layouts"]), "artefacts": data.get("artefacts"), "fill": fill}
    return settings | ({"images": [folder.hash for folder in drawn]} if drawn else {})


def choose_views(
    data: dict[str, Any], layouts: Sequence[str], artefacts: Sequence[str], images: Sequence[str]
) -> list[DrawnPages]:
    """Set layouts and artefacts in the section `data`; return the folders of drawn pages.

    Raises:
        DataError: if a folder holds no drawn pages.
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
        """Return the unmasked signals of the training split as the network input, (M, 12, T)."""
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
