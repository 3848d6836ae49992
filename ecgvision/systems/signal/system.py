"""Systems that classify partly masked signals, and `+exp=signal`, the plain classifier."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError, about_setting
from ecgvision.core.layouts import WILDCARD_LAYOUTS, get_layout
from ecgvision.data.patch_settings import FLAT_MV, PatchSettings
from ecgvision.nn.encoder_names import check_signal_encoder, lead_names
from ecgvision.systems.base import (
    Config,
    base_arguments,
    loader_arguments,
    names,
    network_arguments,
    reads_pages,
)
from ecgvision.systems.checkpoint_checks import check_teacher, check_weights
from ecgvision.systems.labelled import LabelledSystem
from ecgvision.systems.pages import page_data, page_settings
from ecgvision.systems.signal.settings import SignalSettings

if TYPE_CHECKING:
    from torch import nn

    from ecgvision.data.cohort import Cohort
    from ecgvision.data.module import EcgDataModule
    from ecgvision.evaluate.metrics.operating_points import OperatingPoints
    from ecgvision.nn.signal_net import SignalNet
    from ecgvision.nn.signal_student import SignalStudent
    from ecgvision.nn.student import Student
    from ecgvision.nn.token_network import TokenNetwork
    from ecgvision.systems.signal.task import MaskedTask


def fit_scale(network: SignalNet, data: EcgDataModule, config: Config) -> None:
    """Set mean and standard deviation of the training set in a network with a global scale."""
    if network.input.scale != "global":
        return
    import numpy as np

    from ecgvision.data.patches import network_signal

    count, total, squares = 0, 0.0, 0.0
    for position in data.positions("train"):
        signal = network_signal(data.cohort, int(position), config["data"])
        seen = signal[network.pick].astype(np.float64)
        seen = seen[np.isfinite(seen)]
        count, total, squares = count + seen.size, total + seen.sum(), squares + (seen**2).sum()
    mean = total / count
    network.input.set_scale(mean, max(np.sqrt(max(squares / count - mean**2, 0.0)), FLAT_MV))


class MaskedSystem(LabelledSystem):
    """A system of one stream that reads signals, or the output of a page reader.

    Attributes:
        stream: name of the stream.
    """

    stream: str

    @abstractmethod
    def network(self, config: Config, labels: int) -> TokenNetwork:
        """Return a new network that reads signals."""

    def cut(self, config: Config) -> PatchSettings:
        """Return how windows are cut into patches; by default one patch is the full window."""
        data = config["data"]
        size = round(data["signal_rate"] * data["seconds"])
        return PatchSettings(
            seconds=data["seconds"], rate=data["signal_rate"], patch_length=size, stride=size
        )

    def leads(self, config: Config) -> tuple[str, ...]:
        """Return the names of the leads that the network uses; by default all twelve."""
        return LEADS

    def patches(self, config: Config) -> PatchSettings:
        """Return how records are cut into patches and masked."""
        data = config["data"]
        return replace(
            self.cut(config),
            layouts=names(data["layouts"]),
            train_mask=data["train_mask"],
            fractions=tuple(data["fractions"]),
            noise=data["noise"],
            normalise=data["normalise"],
        )

    def streams(self, config: Config) -> tuple[str, ...]:
        return (self.stream,)

    def needs(self, config: Config, stage: str) -> bool:
        key = {"reading": "reader", "signals": "weights"}.get(stage)
        return key is None or config["model"][key] is None

    def keys_without_effect(self, config: Config) -> tuple[str, ...]:
        if reads_pages(config):
            return ()
        return ("input", "model.reader_frozen", "loss.distill", "loss.kd_temperature",
                "loss.tokens")  # fmt: skip

    def check_settings(self, config: Config) -> None:
        super().check_settings(config)
        if not reads_pages(config):
            self.patches(config)
            _refuse_teacher(config)
            return
        self.cut(config)
        if "reader" in config:  # reader settings were adopted; before, the pages are unknown
            page_settings(config, images=True)
        else:
            with about_setting("data.layouts"):
                for name in names(config["data"]["layouts"]):
                    if name not in WILDCARD_LAYOUTS:
                        get_layout(name)

    def check_checkpoints(self, config: Config) -> None:
        if config["model"].get("weights") is not None:  # a teacher's stage lacks these keys
            check_weights(config)
        if (teacher := config.get("teacher", {}).get("checkpoint")) is not None:
            check_teacher(teacher, config, exp=config["exp"])

    def data(self, config: Config, cohort: Cohort) -> EcgDataModule:
        if reads_pages(config):
            return page_data(config, cohort)
        from ecgvision.data.patches import PatchDataModule

        return PatchDataModule(cohort, self.patches(config), augment=config["data"]["augment"],
                               **loader_arguments(config))  # fmt: skip

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> MaskedTask:
        """Return the task around a signal network, or around it and the reader before it."""
        from ecgvision.systems.page_input.build import distillation_from_signals, page_network
        from ecgvision.systems.signal.task import MaskedTask, PageTask
        from ecgvision.systems.warm_start import start_from_weights

        network = self.network(config, len(data.cohort.scheme.codes))
        if pretrained:
            self.fit_input(network, data, config)
            start_from_weights(network, config, data.cohort)
        loss = dict(config["loss"])
        taught = ("distill", "kd_temperature", "tokens")
        further = {key: loss.pop(key) for key in taught if key in loss}
        common = {**loss, **base_arguments(config)}
        if not reads_pages(config):
            _refuse_teacher(config)
            return MaskedTask(network, self.stream, **common)
        behind = page_network(config, network, data.cohort, cut=self.cut(config),
                              pretrained=pretrained)  # fmt: skip
        given = config.get("teacher", {}).get("checkpoint")
        if given is None or not pretrained:  # a re-opened run needs no teacher
            return PageTask(behind, self.stream, **common)
        distillation = distillation_from_signals(config, data, network, self.stream,
                                                 build=self.network, **further)  # fmt: skip
        return PageTask(behind, self.stream, distillation=distillation, **common)

    def fit_input(self, network: TokenNetwork, data: EcgDataModule, config: Config) -> None:
        """Fit the network's input standardisation to the training split; by default a no-op."""

    def student(
        self, config: Config, network: nn.Module, points: OperatingPoints
    ) -> Student | SignalStudent | None:
        if not reads_pages(config):
            from ecgvision.nn.signal_student import SignalStudent

            return SignalStudent(
                network, self.stream, cut=self.patches(config), leads=self.leads(config),
                temperature=points.temperature, thresholds=points.thresholds,
            ).eval()  # fmt: skip
        from ecgvision.systems.page_input.build import page_student

        return page_student(config, network, points, self.stream)


class SignalSystem(MaskedSystem):
    """`+exp=signal`: a plain signal classifier."""

    stream = "signal"
    settings = SignalSettings

    def network(self, config: Config, labels: int) -> SignalNet:
        from ecgvision.nn.signal_net import SignalNet

        return SignalNet(labels, **network_arguments(config))

    def fit_input(self, network: Any, data: EcgDataModule, config: Config) -> None:
        fit_scale(network, data, config)

    def leads(self, config: Config) -> tuple[str, ...]:
        return lead_names(config["model"]["leads"])

    def explanations(self, config: Config) -> tuple[str, ...]:
        return () if reads_pages(config) else ("gradients", "occlusion")

    def can_be_filled(self, config: Config) -> bool:
        return not reads_pages(config)

    def check_settings(self, config: Config) -> None:
        super().check_settings(config)
        check_signal_encoder(config["model"]["encoder"], "model.encoder")
        lead_names(config["model"]["leads"])


def _refuse_teacher(config: Config) -> None:
    given = config.get("teacher", {}).get("checkpoint")
    if given is not None:
        raise ConfigError("a teacher needs a student that reads pages", value=given,
                          remedy="Set input=page")  # fmt: skip
