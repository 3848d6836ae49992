"""What a run asks of a system: its data, its network in a task, and what can be deployed of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ecgvision.core.errors import ConfigError
from ecgvision.core.processors import loader_workers
from ecgvision.nn.training.optimizer_settings import OptimizerSettings

if TYPE_CHECKING:  # slow to import, and of no use to who checks a configuration
    import pandas as pd
    from torch import nn

    from ecgvision.data.cohort import Cohort
    from ecgvision.data.module import EcgDataModule
    from ecgvision.evaluate.metrics.operating_points import OperatingPoints
    from ecgvision.nn.student import Student
    from ecgvision.nn.training.task import BaseTask

Config = Mapping[str, Any]

INPUTS = ("signal", "page")

KEYS = ("reader", "reader_frozen", "weights")
"""Of the section `model`, what is not the network's."""


class Run(NamedTuple):
    """A trained run, opened: its configuration, data, and the task with the best weights."""

    config: dict[str, Any]
    data: EcgDataModule
    task: BaseTask


@dataclass(frozen=True)
class Training:
    """A training that has ended, as its judge needs to know of it.

    Attributes:
        folder: the run directory.
        code: digest of the code that makes the result.
        started: `time.monotonic()` at the start of the run.
        history: logged figures by epoch; None where nothing was logged.
        seen: what metrics.json says of the records that the run has seen, see `leakage`.
    """

    folder: Path
    code: str
    started: float
    history: pd.DataFrame | None
    seen: list[dict[str, Any]]


@dataclass(frozen=True)
class EvaluationOptions:
    """How a finished run is evaluated again; what is not given is the run's own.

    Attributes:
        layouts: names of layouts.
        artefacts: names of artefacts of pages.
        images: folders of `data_prep.render_images`, one for each store, whose pages are taken
            instead of drawn ones. The layouts are then all of the first folder, unless given, and
            the artefacts none.
        fill: a way to fill what is not printed, for networks that read signals.
        stores, pages, gain, speed: of a reader: stores of other records, the most pages, mm/mV
            and mm/s of all pages.
        accelerator: of Lightning's trainer.
        force: evaluate again although it has been done.
    """

    layouts: Sequence[str] = ()
    artefacts: Sequence[str] = ()
    images: Sequence[str] = ()
    fill: str | None = None
    stores: Sequence[str] = ()
    pages: int | None = None
    gain: float | None = None
    speed: float | None = None
    accelerator: str = "auto"
    force: bool = False


class System(ABC):
    """One system of the framework: its settings, its parts, and the life of its runs.

    It turns a run's configuration (plain containers) into objects, and holds no state.

    Attributes:
        needs_labels: whether records whose labels are unknown are of no use.
    """

    needs_labels = True

    @abstractmethod
    def streams(self, config: Config) -> tuple[str, ...]:
        """The streams that are judged; none where a run has no labels to be judged by."""

    def monitor(self, config: Config) -> tuple[str, str] | None:
        """The logged figure that chooses the checkpoint, and `max` or `min`; None: the last epoch.

        By default the validation AUROC of the first stream.
        """
        return f"val/{self.streams(config)[0]}_auroc", "max"

    def needs(self, config: Config, stage: str) -> bool:
        """Whether a stage that could be trained first has a part in this run."""
        return True

    def check_settings(self, config: Config) -> None:
        """Refuse what can be seen to be wrong without anything that is slow to import.

        Raises:
            ConfigError: naming the setting.
            LayoutError: for an unknown layout, or one that does not fit.
        """
        base_arguments(config)

    def check(self, config: Config) -> None:
        """Refuse what can be seen to be wrong before any stage of the run is trained.

        Raises:
            ConfigError, LayoutError: as `check_settings`, and for what only those can tell that
                are built.
        """
        self.check_settings(config)

    @abstractmethod
    def data(self, config: Config, cohort: Cohort) -> EcgDataModule:
        """The loaders."""

    @abstractmethod
    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> BaseTask:
        """A task around a new network.

        Args:
            pretrained: whether to fetch the weights that training starts from; a run that is
                opened again has its own.
        """

    def student(
        self, config: Config, network: nn.Module, points: OperatingPoints
    ) -> Student | None:
        """What reads a picture by itself, in evaluation mode; None where nothing does.

        Args:
            points: the operating points of the first stream.
        """
        return None

    @abstractmethod
    def judge(
        self, config: Config, task: BaseTask, data: EcgDataModule, training: Training
    ) -> dict[str, Any]:
        """Judge the best weights, and write what a finished run holds into its folder.

        Its last file is metrics.json, whose content is returned: a run with one is finished.
        """

    @abstractmethod
    def summary(self, result: Mapping[str, Any]) -> str:
        """The findings of metrics.json in a few lines for people."""

    def keys_without_effect(self, config: Config) -> tuple[str, ...]:
        """Keys that do not change what this system's run finds, e.g. `loss.distill`."""
        return ()

    def explanations(self, config: Config) -> tuple[str, ...]:
        """Methods by which `ecgvision explain` attributes an answer: gradients, rollout."""
        return ()

    def can_be_filled(self, config: Config) -> bool:
        """Whether the network reads full leads, so that a fill of what is missing serves it."""
        return False

    def check_evaluation(self, options: EvaluationOptions, run: str | Path) -> None:
        """Refuse options of `evaluate` that this system does not take; by default it takes none.

        Raises:
            ConfigError: naming the run.
        """
        raise ConfigError("a run without labels cannot be evaluated", file=run)

    def evaluate(self, run: Path, options: EvaluationOptions, *, code: str) -> Path:
        """Evaluate a finished run again on its test split; nothing of the run is changed.

        Args:
            code: digest of the code that evaluates.

        Returns:
            The folder with metrics.json and report.html. What was evaluated so before is not
            computed twice.

        Raises:
            ConfigError: if the system has nothing to be evaluated by.
        """
        raise ConfigError("a run without labels cannot be evaluated", file=run)

    def cohort(self, config: Config) -> Cohort:
        """The stores of `data.store`, labelled and split as the configuration says."""
        from ecgvision.data.cohort import Cohort

        data = config["data"]
        return Cohort(
            list(names(data["store"])), data["labels"], folds=data["folds"],
            min_likelihood=data["min_likelihood"], unlabelled=data["unlabelled"],
            unknown=not self.needs_labels,
        )  # fmt: skip

    def build_task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> BaseTask:
        """`task`, with the labels that its checkpoints are for."""
        task = self.task(config, data, pretrained=pretrained)
        task.label_hash = data.cohort.scheme.hash
        return task

    def open(self, folder: str | Path, config: Config | None = None) -> Run:
        """Open a trained run from its directory.

        Args:
            config: instead of the run's own, e.g. with other data; the network must stay what it
                was.

        Raises:
            ConfigError, LabelError, StoreError: if a part is missing or does not fit.
        """
        from ecgvision.core.run_folder import BEST, load_weights, read_config

        config = dict(read_config(folder) if config is None else config)
        cohort = self.cohort(config)
        data = self.data(config, cohort)
        task = self.build_task(config, data, pretrained=False)
        load_weights(task, Path(folder) / BEST, label_hash=cohort.scheme.hash)
        return Run(config, data, task.eval())


def names(given: str | Sequence[Any] | None) -> tuple[str, ...]:
    """One name, or a list of them; none for null."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given)


def reads_pages(config: Config) -> bool:
    """Whether the input is a page; runs of earlier versions have no such key.

    Raises:
        ConfigError: for an input that is neither.
    """
    given = config.get("input", "signal")
    if given not in INPUTS:
        raise ConfigError("input must be signal or page", value=given)
    return given == "page"


def network_arguments(config: Config) -> dict[str, Any]:
    """The section `model` without what is the reader's."""
    return {key: value for key, value in config["model"].items() if key not in KEYS}


def base_arguments(config: Config) -> dict[str, Any]:
    """What every task takes."""
    optimizer = dict(config["optimizer"])
    optimizer["milestones"] = tuple(optimizer["milestones"])
    return {"optimizer": OptimizerSettings(**optimizer), "seed": config["seed"]}


def loader_arguments(config: Config) -> dict[str, Any]:
    """What every data module takes."""
    data = config["data"]
    workers = loader_workers(data["num_workers"], config["trainer"]["devices"])
    return {"batch_size": data["batch_size"], "num_workers": workers, "seed": config["seed"]}
