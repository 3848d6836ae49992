"""Systems that read signals of which training hides parts: PatchECG, and a plain classifier."""

from __future__ import annotations

import numpy as np
from torch import nn

from ecgvision.data.cohort import Cohort
from ecgvision.data.module import EcgDataModule
from ecgvision.data.patches import PatchDataModule, network_signal
from ecgvision.data.patching import FLAT_MV, PatchSettings
from ecgvision.evaluate.operating_points import OperatingPoints
from ecgvision.models.patchecg import PatchECG
from ecgvision.models.signal_net import SignalNet
from ecgvision.models.student import Student
from ecgvision.systems.base import (
    Config,
    System,
    base_arguments,
    loader_arguments,
    names,
    network_arguments,
    reads_pages,
)
from ecgvision.systems.page_input import page_data, page_network, page_student
from ecgvision.systems.start import start_from_weights
from ecgvision.tasks.masked import MaskedTask, PageTask


def patch_data(
    config: Config, cohort: Cohort, *, patch_length: int, stride: int
) -> PatchDataModule:
    """The loaders of patches; a patch as long as the window leaves the signal whole."""
    data = config["data"]
    settings = PatchSettings(
        patch_length=patch_length,
        stride=stride,
        rate=data["signal_rate"],
        seconds=data["seconds"],
        layouts=names(data["layouts"]),
        train_mask=data["train_mask"],
        fractions=tuple(data["fractions"]),
        noise=data["noise"],
        normalise=data["normalise"],
    )
    return PatchDataModule(cohort, settings, augment=data["augment"], **loader_arguments(config))


def fit_scale(network: SignalNet, data: EcgDataModule, config: Config) -> None:
    """Give a network with one scale for all leads the training set's mean and spread."""
    if network.input.scale != "global":
        return
    count, total, squares = 0, 0.0, 0.0
    for position in data.positions("train"):
        signal = network_signal(data.cohort, int(position), config["data"])
        seen = signal[network.pick].astype(np.float64)
        seen = seen[np.isfinite(seen)]
        count, total, squares = count + seen.size, total + seen.sum(), squares + (seen**2).sum()
    mean = total / count
    network.input.set_scale(mean, max(np.sqrt(max(squares / count - mean**2, 0.0)), FLAT_MV))


class PatchECGSystem(System):
    """`+exp=patchecg`."""

    def streams(self, config: Config) -> tuple[str, ...]:
        return ("patches",)

    def data(self, config: Config, cohort: Cohort) -> EcgDataModule:
        data = config["data"]
        if reads_pages(config):
            return page_data(config, cohort)
        return patch_data(
            config, cohort, patch_length=data["patch_length"],
            stride=data["patch_length"] if data["patch_stride"] is None else data["patch_stride"],
        )  # fmt: skip

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> MaskedTask:
        section = config["data"]
        size, step = section["patch_length"], section["patch_stride"]
        cut = PatchSettings(size, size if step is None else step, section["signal_rate"],
                            section["seconds"])  # fmt: skip
        network = PatchECG(
            len(data.cohort.scheme.codes), patches=cut.patches, patch_length=cut.patch_length,
            **network_arguments(config),
        )  # fmt: skip
        return _task(config, network, "patches", cut, data.cohort, pretrained=pretrained)

    def student(
        self, config: Config, network: nn.Module, points: OperatingPoints
    ) -> Student | None:
        return page_student(config, network, points, "patches") if reads_pages(config) else None


class SignalSystem(System):
    """`+exp=signal`."""

    def streams(self, config: Config) -> tuple[str, ...]:
        return ("signal",)

    def data(self, config: Config, cohort: Cohort) -> EcgDataModule:
        if reads_pages(config):
            return page_data(config, cohort)
        length = round(config["data"]["seconds"] * config["data"]["signal_rate"])
        return patch_data(config, cohort, patch_length=length, stride=length)

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> MaskedTask:
        section = config["data"]
        network = SignalNet(len(data.cohort.scheme.codes), **network_arguments(config))
        if pretrained:
            fit_scale(network, data, config)
        length = round(section["seconds"] * section["signal_rate"])
        whole = PatchSettings(length, length, section["signal_rate"], section["seconds"])
        return _task(config, network, "signal", whole, data.cohort, pretrained=pretrained)

    def student(
        self, config: Config, network: nn.Module, points: OperatingPoints
    ) -> Student | None:
        return page_student(config, network, points, "signal") if reads_pages(config) else None


def _task(
    config: Config, network: PatchECG | SignalNet, stream: str, cut: PatchSettings,
    cohort: Cohort, *, pretrained: bool,
) -> MaskedTask:  # fmt: skip
    """The task around a network of signals, or around it and the reader before it."""
    if pretrained:
        start_from_weights(network, config, cohort)
    common = {**config["loss"], **base_arguments(config)}
    if not reads_pages(config):
        return MaskedTask(network, stream, **common)
    whole = page_network(config, network, cohort, patch_length=cut.patch_length,
                         stride=cut.stride, pretrained=pretrained)  # fmt: skip
    return PageTask(whole, stream, **common)
