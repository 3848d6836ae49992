"""Interface of the systems: data, network and task, evaluation and export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ecgvision.core.errors import ConfigError
from ecgvision.core.processors import loader_workers
from ecgvision.evaluate.assessment.settings import DEFAULTS, AssessmentSettings
from ecgvision.nn.training.optimizer_settings import OptimizerSettings

if TYPE_CHECKING:  # slow to import, and not needed to check a configuration
    import pandas as pd
    from torch import nn

    from ecgvision.data.cohort import Cohort
    from ecgvision.data.module import EcgDataModule
    from ecgvision.evaluate.metrics.operating_points import OperatingPoints
    from ecgvision.nn.signal_student import SignalStudent
    from ecgvision.nn.student import Student
    from ecgvision.nn.training.task import BaseTask

Config = Mapping[str, Any]

INPUTS = ("signal", "page")

NON_NETWORK_KEYS = ("reader", "reader_frozen", "weights")
"""Keys of the section `model` that are not arguments of the network."""


class Run(NamedTuple):
    """A trained run that was opened; the task has its best weights."""

    config: dict[str, Any]
    data: EcgDataModule
    task: BaseTask
    folder: Path

    def predict(
        self, files: Sequence[str | Path], *, rate: float | None = None, unit: str | None = None,
        orientation: str | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Predict the labels of new pictures or records by the run's bundle.

        Args:
            files: pictures and, of a run that reads signals, records. The package's page reader
                reads its pictures.
            rate, unit, orientation: what records' files leave out; see `read_record`.

        Returns:
            A row for each file: `file`, the probability of each label under its code, `positive`
            (codes of the labels that reach their thresholds, separated by commas), and `error`
            (why it could not be read, else None).

        Raises:
            BundleError: if the run has no bundle, or a damaged one.
        """
        from ecgvision.deploy.open_bundle import open_student
        from ecgvision.deploy.predict import predict_files
        from ecgvision.deploy.predict_signal import reader_for
        from ecgvision.deploy.prediction import as_table

        bundle = open_student(self.folder / "bundle")
        answers = predict_files(bundle, files, reader=reader_for(bundle, files), rate=rate,
                                unit=unit, orientation=orientation)  # fmt: skip
        return as_table(bundle, list(answers))


@dataclass(frozen=True)
class Training:
    """Facts about a finished training that its evaluation needs.

    Attributes:
        folder: the run directory.
        code: digest of the code that makes the result.
        started: `time.monotonic()` at the start of the run.
        history: logged metrics by epoch; None where nothing was logged.
        seen: records that the run has seen, as stored in metrics.json; see `leakage`.
    """

    folder: Path
    code: str
    started: float
    history: pd.DataFrame | None
    seen: list[dict[str, Any]]


@dataclass(frozen=True)
class EvaluationOptions:
    """Options for the re-evaluation of a finished run; defaults are the run's own settings.

    Attributes:
        layouts: names of layouts.
        artefacts: names of page artefacts.
        images: folders of `data_prep.render_images`, one per store, whose pages replace rendered
            ones. Layouts then default to all of the first folder, and artefacts to none.
        fill: method that fills missing samples, for networks that read signals.
        stores, pages, gain, speed: for readers only: other stores, the maximum number of pages,
            and mm/mV and mm/s of all pages.
        accelerator: accelerator of Lightning's trainer.
        assessment: what is computed of labels; policies and scaling other than the defaults are
            fitted on the run's own validation rows. Draws and seed are the run's own.
        robustness: judge the test records in every layout under every artefact and print, and
            nothing else.
        force: evaluate even if the result exists.
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
    assessment: AssessmentSettings = DEFAULTS
    robustness: bool = False
    force: bool = False


class System(ABC):
    """A system of the framework: checks settings, builds data and task, evaluates its runs.

    Builds objects from a run's configuration (plain containers) and holds no state.

    Attributes:
        needs_labels: whether records with unknown labels are left out.
        settings: dataclass of the settings that the system adds to those of all runs; see
            `ecgvision.core.settings`.
    """

    needs_labels = True
    settings: type

    @abstractmethod
    def streams(self, config: Config) -> tuple[str, ...]:
        """Return the streams that are evaluated; empty for runs without labels."""

    def monitor(self, config: Config) -> tuple[str, str] | None:
        """Return the logged metric that selects the checkpoint, and `max` or `min`.

        The default is the validation AUROC of the first stream. None selects the last epoch.
        """
        return f"val/{self.streams(config)[0]}_auroc", "max"

    def needs(self, config: Config, stage: str) -> bool:
        """Return whether this run uses a stage that can be trained before it."""
        return True

    def check_settings(self, config: Config) -> None:
        """Refuse invalid settings, without slow imports.

        Raises:
            ConfigError: for an invalid setting; names it.
            LayoutError: for an unknown layout, or one that does not fit.
        """
        base_arguments(config)

    def check(self, config: Config) -> None:
        """Refuse invalid settings before any stage of the run is trained.

        Raises:
            ConfigError, LayoutError: as `check_settings`, and for errors that only show when parts
                of the system are built.
        """
        self.check_settings(config)

    def check_checkpoints(self, config: Config) -> None:  # noqa: B027, not every system has some
        """Refuse checkpoints that the run starts from or is taught by and that do not fit it.

        Made before any record is packed, and without slow imports; a run that is re-opened needs
        them no more. By default a system has none.

        Raises:
            ConfigError, LabelError: names the checkpoint and what differs.
        """

    @abstractmethod
    def data(self, config: Config, cohort: Cohort) -> EcgDataModule:
        """Return the data module."""

    @abstractmethod
    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> BaseTask:
        """Return a task around a new network.

        Args:
            pretrained: whether to load the weights that training starts from; False for a run that
                is re-opened, which has its own weights.
        """

    def student(
        self, config: Config, network: nn.Module, points: OperatingPoints
    ) -> Student | SignalStudent | None:
        """Return what is exported, in evaluation mode; None if the system has none.

        It is an image-only student, or a network of signals.

        Args:
            points: operating points of the first stream.
        """
        return None

    @abstractmethod
    def judge(
        self, config: Config, task: BaseTask, data: EcgDataModule, training: Training
    ) -> dict[str, Any]:
        """Evaluate the best weights and write the results to the run directory.

        The last file written is metrics.json, whose presence marks the run as finished. Its content
        is returned.
        """

    @abstractmethod
    def summary(self, result: Mapping[str, Any]) -> str:
        """Return a summary of metrics.json in a few lines of text."""

    def keys_without_effect(self, config: Config) -> tuple[str, ...]:
        """Return configuration keys that do not change the result, e.g. `loss.distill`."""
        return ()

    def explanations(self, config: Config) -> tuple[str, ...]:
        """Return the attribution methods of `ecgvision explain`: gradients, occlusion, rollout."""
        return ()

    def can_be_filled(self, config: Config) -> bool:
        """Return whether the network reads full leads, so that missing samples can be filled."""
        return False

    def check_evaluation(self, options: EvaluationOptions, run: str | Path) -> None:
        """Refuse options of `evaluate` that this system does not support; by default it has none.

        Raises:
            ConfigError: for an unsupported option; names the run.
        """
        raise ConfigError("a run without labels cannot be evaluated", file=run)

    def evaluate(self, run: Path, options: EvaluationOptions, *, code: str) -> Path:
        """Re-evaluate a finished run on its test split, without changing the run.

        Args:
            code: digest of the code that evaluates.

        Returns:
            The folder with metrics.json and report.html. An existing result of the same options
            and code is reused.

        Raises:
            ConfigError: if the system cannot be evaluated.
        """
        raise ConfigError("a run without labels cannot be evaluated", file=run)

    def cohort(self, config: Config, *, deferred: bool = False) -> Cohort:
        """Return the records of `data.store`, labelled and split by the configuration.

        Args:
            deferred: read the records only when they are asked for; see `DeferredCohort`.
        """
        from ecgvision.data.cohort import Cohort, DeferredCohort

        data = config["data"]
        return (DeferredCohort if deferred else Cohort)(
            list(names(data["store"])), data["labels"], folds=data["folds"],
            min_likelihood=data["min_likelihood"], unlabelled=data["unlabelled"],
            unknown=not self.needs_labels,
        )  # fmt: skip

    def build_task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> BaseTask:
        """Return `task`, with the label hash for its checkpoints set."""
        task = self.task(config, data, pretrained=pretrained)
        task.label_hash = data.cohort.scheme.hash
        return task

    def open(self, folder: str | Path, config: Config | None = None) -> Run:
        """Open a trained run from its directory; the records are read when they are asked for.

        Args:
            config: replaces the run's own, e.g. with other data; the network must be the same.

        Raises:
            ConfigError, LabelError, StoreError: if a part is missing or does not fit.
        """
        from ecgvision.core.run_folder import BEST, read_config
        from ecgvision.nn.checkpoints import load_weights

        config = dict(read_config(folder) if config is None else config)
        cohort = self.cohort(config, deferred=True)
        data = self.data(config, cohort)
        task = self.build_task(config, data, pretrained=False)
        load_weights(task, Path(folder) / BEST, label_hash=cohort.scheme.hash)
        return Run(config, data, task.eval(), Path(folder))


def names(given: str | Sequence[Any] | None) -> tuple[str, ...]:
    """Return one name or a list of names as a tuple; empty for None."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given)


def reads_pages(config: Config) -> bool:
    """Return whether the input is a page; older runs lack the key and read signals.

    Raises:
        ConfigError: for an input that is neither `signal` nor `page`.
    """
    given = config.get("input", "signal")
    if given not in INPUTS:
        raise ConfigError("input must be signal or page", value=given)
    return given == "page"


def network_arguments(config: Config) -> dict[str, Any]:
    """Return the section `model` without `NON_NETWORK_KEYS`."""
    return {key: value for key, value in config["model"].items() if key not in NON_NETWORK_KEYS}


def base_arguments(config: Config) -> dict[str, Any]:
    """Return the arguments common to all tasks."""
    optimizer = dict(config["optimizer"])
    optimizer["milestones"] = tuple(optimizer["milestones"])
    return {"optimizer": OptimizerSettings(**optimizer), "seed": config["seed"]}


def loader_arguments(config: Config) -> dict[str, Any]:
    """Return the arguments common to all data modules."""
    data = config["data"]
    workers = loader_workers(data["num_workers"], config["trainer"]["devices"])
    return {"batch_size": data["batch_size"], "num_workers": workers, "seed": config["seed"]}
