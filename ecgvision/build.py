"""Data, model and task from a run's configuration, so that any run can be opened again.

A configuration is a plain dict, as `config.yaml` of a run directory holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from ecgvision.data.cohort import Cohort
from ecgvision.data.pages import PageSettings
from ecgvision.data.paired import PairedDataModule
from ecgvision.ecg import ConfigError, LabelError
from ecgvision.evaluate.operating_points import OperatingPoints
from ecgvision.models.student import Student
from ecgvision.models.vizecg import VizECGNet
from ecgvision.render.artefacts import CLEAN
from ecgvision.tasks.vizecg import VizECGTask

Config = Mapping[str, Any]

CONFIG_FILE = "config.yaml"
BEST = "checkpoints/best.ckpt"


def build_cohort(config: Config) -> Cohort:
    """The stores of `data.store`, labelled and split as the configuration says."""
    data = config["data"]
    paths = data["store"]
    return Cohort(
        [paths] if isinstance(paths, str) else list(paths or []),
        data["labels"],
        folds=data["folds"],
        min_likelihood=data["min_likelihood"],
        unlabelled=data["unlabelled"],
    )


def _names(given: str | Sequence[Any]) -> tuple[str, ...]:
    """One name, or a list of them."""
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given)


def build_data(config: Config, cohort: Cohort) -> PairedDataModule:
    """The data module of the configuration's system."""
    data, images = config["data"], config["model"]["streams"] != "signal"
    return PairedDataModule(
        cohort,
        PageSettings(
            layouts=_names(data["layouts"]),
            artefacts=_names(data["artefacts"]) if images else (CLEAN,),
            image_size=tuple(data["image_size"]),
            style=data["style"],
            dpi=data["dpi"],
            train_dpi=tuple(data["train_dpi"]),
            speed=data["speed"],
            gain=data["gain"],
            seconds=data["seconds"],
            signal_rate=data["signal_rate"],
            signal_window=data["signal_window"],
            images=images,
        ),
        folders=_names(data["images"] or ()),
        augment=data["augment"],
        batch_size=data["batch_size"],
        num_workers=data["num_workers"],
        seed=config["seed"],
    )


def streams_of(config: Config) -> tuple[str, ...]:
    """The streams that the configuration's network answers with, the student's first."""
    model = config["model"]
    if model["streams"] != "both":
        return (model["streams"],)
    fused = model["cmam"] and model["variant"] == "A1"
    return ("image", "signal", "fused") if fused else ("image", "signal")


def build_task(config: Config, labels: int, *, signal_length: int, pretrained: bool) -> VizECGTask:
    """The task of the configuration's system around a new network.

    Args:
        labels: number of labels C.
        signal_length: samples of the signal stream.
        pretrained: whether to fetch the weights that training starts from; a run that is opened
            again has its own.
    """
    model, loss, optimizer = config["model"], config["loss"], config["optimizer"]
    network = VizECGNet(
        labels,
        image_size=config["data"]["image_size"],
        signal_length=signal_length,
        pretrained=pretrained,
        **{key: model[key] for key in (
            "image_encoder", "signal_encoder", "width", "heads", "dropout", "variant", "smam",
            "cmam", "streams",
        )},
    )  # fmt: skip
    return VizECGTask(
        network,
        streams_of(config),
        kd_weight=loss["kd_weight"],
        kd_temperature=loss["kd_temperature"],
        kd_direction=loss["kd_direction"],
        kd_kind=loss["kd_kind"],
        lr=optimizer["lr"],
        weight_decay=optimizer["weight_decay"],
        warmup=optimizer["warmup"],
        seed=config["seed"],
    )


def build_student(config: Config, network: VizECGNet, points: OperatingPoints) -> Student:
    """The image path of a trained network with its operating points, in evaluation mode."""
    return Student(
        network.image_tower,
        network.image_head,
        image_size=config["data"]["image_size"],
        temperature=points.temperature,
        thresholds=points.thresholds,
    ).eval()


def read_config(folder: str | Path) -> dict[str, Any]:
    """The configuration of a run directory.

    Raises:
        ConfigError: if the folder is no run directory.
    """
    file = Path(folder) / CONFIG_FILE
    if not file.is_file():
        raise ConfigError("not a run directory: there is no configuration", file=file,
                          remedy="Give the folder that experiments.run printed")  # fmt: skip
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def load_weights(task: VizECGTask, file: str | Path, *, label_hash: str) -> None:
    """Fill a task from a checkpoint, as containers of tensors only (`weights_only`).

    Raises:
        ConfigError: if there is no checkpoint.
        LabelError: if it was trained for other labels.
    """
    if not Path(file).is_file():
        raise ConfigError("there is no checkpoint", file=file, remedy="Has the run been trained?")
    state = torch.load(file, map_location="cpu", weights_only=True)
    stored = state.get("label_hash")
    if stored != label_hash:
        raise LabelError(
            f"the checkpoint's labels have hash {stored}, the data's {label_hash}", file=file,
            remedy="Use the data.labels it was trained with",
        )  # fmt: skip
    task.load_state_dict(state["state_dict"])


class Run(NamedTuple):
    """A run opened again: its configuration, data, and the task with the best weights."""

    config: dict[str, Any]
    data: PairedDataModule
    task: VizECGTask


def open_run(folder: str | Path) -> Run:
    """Open a trained run from its directory.

    Raises:
        ConfigError, LabelError, StoreError: if a part is missing or does not fit.
    """
    config = read_config(folder)
    cohort = build_cohort(config)
    data = build_data(config, cohort)
    task = build_task(
        config,
        len(cohort.scheme.codes),
        signal_length=data.settings.signal_length,
        pretrained=False,
    )
    load_weights(task, Path(folder) / BEST, label_hash=cohort.scheme.hash)
    return Run(config, data, task.eval())
