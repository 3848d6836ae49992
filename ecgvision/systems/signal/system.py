"""Systems that read signals of which training hides parts: PatchECG, and a plain classifier."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ecgvision.core.errors import ConfigError, told_of
from ecgvision.core.layouts import MANY, get_layout
from ecgvision.data.patch_settings import FLAT_MV, PatchSettings
from ecgvision.nn.encoder_names import (
    PATCH_ENCODERS,
    check_signal_encoder,
    lead_names,
    unknown_patch_encoder,
)
from ecgvision.nn.losses.names import check_masked_loss
from ecgvision.systems.base import (
    Config,
    System,
    base_arguments,
    loader_arguments,
    names,
    reads_pages,
)
from ecgvision.systems.signal.networks import cut_of, signal_network
from ecgvision.systems.vizecg.system import page_settings

if TYPE_CHECKING:
    from torch import nn

    from ecgvision.data.cohort import Cohort
    from ecgvision.data.module import EcgDataModule
    from ecgvision.data.patches import PatchDataModule
    from ecgvision.evaluate.metrics.operating_points import OperatingPoints
    from ecgvision.nn.signal_net import SignalNet
    from ecgvision.nn.student import Student
    from ecgvision.systems.signal.task import MaskedTask


def patch_settings(config: Config) -> PatchSettings:
    """How records are cut and hidden; a patch as long as the window leaves the signal whole."""
    data = config["data"]
    return replace(
        cut_of(config),
        layouts=names(data["layouts"]),
        train_mask=data["train_mask"],
        fractions=tuple(data["fractions"]),
        noise=data["noise"],
        normalise=data["normalise"],
    )


def patch_data(config: Config, cohort: Cohort) -> PatchDataModule:
    """The loaders of patches."""
    from ecgvision.data.patches import PatchDataModule

    return PatchDataModule(cohort, patch_settings(config), augment=config["data"]["augment"],
                           **loader_arguments(config))  # fmt: skip


def fit_scale(network: SignalNet, data: EcgDataModule, config: Config) -> None:
    """Give a network with one scale for all leads the training set's mean and spread."""
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


class _OfSignals(System):
    """Both systems: one stream, of signals or of what is read off pages."""

    stream: str

    def streams(self, config: Config) -> tuple[str, ...]:
        return (self.stream,)

    def needs(self, config: Config, stage: str) -> bool:
        key = {"reading": "reader", "signals": "weights"}.get(stage)
        return key is None or config["model"][key] is None

    def check_settings(self, config: Config) -> None:
        super().check_settings(config)
        check_masked_loss(config["loss"]["name"])
        if not reads_pages(config):
            patch_settings(config)
            _refuse_teacher(config)
            return
        cut_of(config)
        if "reader" in config:  # adopted; until then the pages are not known
            page_settings(config, images=True)
        else:
            with told_of("data.layouts"):
                for name in names(config["data"]["layouts"]):
                    if name not in MANY:
                        get_layout(name)

    def data(self, config: Config, cohort: Cohort) -> EcgDataModule:
        from ecgvision.systems.page_input.build import page_data

        return (page_data if reads_pages(config) else patch_data)(config, cohort)

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> MaskedTask:
        return _task(config, data, self.stream, pretrained=pretrained)

    def student(
        self, config: Config, network: nn.Module, points: OperatingPoints
    ) -> Student | None:
        if not reads_pages(config):
            return None
        from ecgvision.systems.page_input.build import page_student

        return page_student(config, network, points, self.stream)


class PatchECGSystem(_OfSignals):
    """`+exp=patchecg`."""

    stream = "patches"

    def check_settings(self, config: Config) -> None:
        super().check_settings(config)
        given = config["model"]["patch_encoder"]
        if given not in PATCH_ENCODERS and not Path(given).is_file():
            raise unknown_patch_encoder(given)


class SignalSystem(_OfSignals):
    """`+exp=signal`."""

    stream = "signal"

    def check_settings(self, config: Config) -> None:
        super().check_settings(config)
        check_signal_encoder(config["model"]["encoder"], "model.encoder")
        lead_names(config["model"]["leads"])


def _task(config: Config, data: EcgDataModule, stream: str, *, pretrained: bool) -> MaskedTask:
    """The task around a network of signals, or around it and the reader before it."""
    from ecgvision.nn.signal_net import SignalNet
    from ecgvision.systems.page_input.build import page_lesson, page_network
    from ecgvision.systems.signal.task import MaskedTask, PageTask
    from ecgvision.systems.warm_start import start_from_weights

    network = signal_network(config, len(data.cohort.scheme.codes))
    if pretrained:
        if isinstance(network, SignalNet):
            fit_scale(network, data, config)
        start_from_weights(network, config, data.cohort)
    loss = dict(config["loss"])
    further = {key: loss.pop(key) for key in ("distill", "kd_temperature", "tokens") if key in loss}
    common = {**loss, **base_arguments(config)}
    given = config.get("teacher", {}).get("checkpoint")
    if not reads_pages(config):
        _refuse_teacher(config)
        return MaskedTask(network, stream, **common)
    whole = page_network(config, network, data.cohort, cut=cut_of(config), pretrained=pretrained)
    if given is None or not pretrained:  # of a run that is opened again nothing is taught
        return PageTask(whole, stream, **common)
    return PageTask(whole, stream, lesson=page_lesson(config, data, network, stream, **further),
                    **common)  # fmt: skip


def _refuse_teacher(config: Config) -> None:
    given = config.get("teacher", {}).get("checkpoint")
    if given is not None:
        raise ConfigError("a teacher needs a student that reads pages", value=given,
                          remedy="Set input=page")  # fmt: skip
