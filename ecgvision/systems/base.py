"""What a run asks of a system: its data, its network in a task, and what can be deployed of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import ConfigError
from ecgvision.core.processors import loader_workers
from ecgvision.nn.training.optimizer_settings import OptimizerSettings

if TYPE_CHECKING:  # slow to import, and of no use to who checks a configuration
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


class System(ABC):
    """From a run's configuration (plain containers) to objects. Holds no state.

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
