"""Systems that read signals of which training hides parts: PatchECG, and a plain classifier."""

from __future__ import annotations

import numpy as np

from ecgvision.data.cohort import Cohort
from ecgvision.data.module import EcgDataModule
from ecgvision.data.patches import PatchDataModule, network_signal
from ecgvision.data.patching import FLAT_MV, PatchSettings
from ecgvision.models.patchecg import PatchECG
from ecgvision.models.signal_net import SignalNet
from ecgvision.systems.base import Config, System, base_arguments, loader_arguments, names
from ecgvision.tasks.masked import MaskedTask


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

    def data(self, config: Config, cohort: Cohort) -> PatchDataModule:
        data = config["data"]
        return patch_data(
            config, cohort, patch_length=data["patch_length"],
            stride=data["patch_length"] if data["patch_stride"] is None else data["patch_stride"],
        )  # fmt: skip

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> MaskedTask:
        assert isinstance(data, PatchDataModule)
        network = PatchECG(
            len(data.cohort.scheme.codes),
            patches=data.settings.patches,
            patch_length=data.settings.patch_length,
            **config["model"],
        )
        return MaskedTask(network, "patches", **config["loss"], **base_arguments(config))


class SignalSystem(System):
    """`+exp=signal`."""

    def streams(self, config: Config) -> tuple[str, ...]:
        return ("signal",)

    def data(self, config: Config, cohort: Cohort) -> PatchDataModule:
        length = round(config["data"]["seconds"] * config["data"]["signal_rate"])
        return patch_data(config, cohort, patch_length=length, stride=length)

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> MaskedTask:
        network = SignalNet(len(data.cohort.scheme.codes), **config["model"])
        if pretrained:
            fit_scale(network, data, config)
        return MaskedTask(network, "signal", **config["loss"], **base_arguments(config))
