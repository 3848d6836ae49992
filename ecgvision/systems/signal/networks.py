"""The networks of signals that are told by a configuration alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecgvision.core.errors import ConfigError
from ecgvision.data.patch_settings import PatchSettings
from ecgvision.systems.base import Config, network_arguments

if TYPE_CHECKING:
    from ecgvision.nn.signal_net import SignalNet
    from ecgvision.systems.patchecg.network import PatchECG


def cut_of(config: Config) -> PatchSettings:
    """How windows are cut for the network: into patches, or not at all."""
    data = config["data"]
    size = step = round(data["signal_rate"] * data["seconds"])
    if config["exp"] == "patchecg":
        size, step = data["patch_length"], data["patch_stride"]
    return PatchSettings(
        seconds=data["seconds"], rate=data["signal_rate"],
        patch_length=size, stride=size if step is None else step,
    )  # fmt: skip


def signal_network(config: Config, labels: int) -> PatchECG | SignalNet:
    """A new network of `+exp=patchecg` or `+exp=signal`.

    Raises:
        ConfigError: for another system.
    """
    if config["exp"] == "patchecg":
        from ecgvision.systems.patchecg.network import PatchECG

        cut = cut_of(config)
        return PatchECG(labels, patches=cut.patches, patch_length=cut.patch_length,
                        **network_arguments(config))  # fmt: skip
    if config["exp"] == "signal":
        from ecgvision.nn.signal_net import SignalNet

        return SignalNet(labels, **network_arguments(config))
    raise ConfigError("no system of signals", value=config["exp"])
