"""Patch encoders: one patch of one lead to one token, (M, L) values to (M, width)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError
from ecgvision.nn.checkpoints import read_weights
from ecgvision.nn.encoder_names import unknown_patch_encoder
from ecgvision.nn.signal_encoders.net1d import Net1D


class ConvPatches(nn.Module):
    """`Net1D` over two channels: the values and the mask of observed samples.

    Shape:
        value: (M, L) mV, 0 where not observed; observed: (M, L) bool; result: (M, width).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = Net1D(2, width)

    def forward(self, value: Tensor, observed: Tensor) -> Tensor:
        return self.net(torch.stack([value, observed.to(value.dtype)], dim=1))


class LinearPatches(nn.Module):
    """One linear layer over the values (the "projection" of PatchECG's public code).

    Shape:
        value: (M, L) mV, 0 where not observed; observed: (M, L) bool; result: (M, width).
    """

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(length, width)

    def forward(self, value: Tensor, observed: Tensor) -> Tensor:
        return self.project(value)


class FrozenPatches(nn.Module):
    """A frozen pretrained single-lead network with a trained linear layer.

    Shape:
        value: (M, L), 0 where not observed; observed: (M, L) bool; result: (M, width).
    """

    def __init__(self, net: Net1D, width: int) -> None:
        super().__init__()
        self.net = net.requires_grad_(False)
        self.net.dense = nn.Linear(net.features, width)  # new, so it is trained

    def train(self, mode: bool = True) -> FrozenPatches:
        super().train(mode)
        self.net.eval()
        return self

    def forward(self, value: Tensor, observed: Tensor) -> Tensor:
        return self.net(value.unsqueeze(1))


def patch_encoder(name: str, length: int, width: int) -> nn.Module:
    """Create a patch encoder.

    Args:
        name: `net1d`, `linear`, or the file of a pretrained single-lead Net1D (see `load_net1d`).
        length: samples L of a patch.
        width: features of a token.

    Raises:
        ConfigError: for an unknown name, or a file that does not hold such a network.
    """
    if name == "net1d":
        return ConvPatches(width)
    if name == "linear":
        return LinearPatches(length, width)
    if not Path(name).is_file():
        raise unknown_patch_encoder(name)
    net = load_net1d(name)
    if net.first_conv.in_channels != 1:
        raise ConfigError(
            "the pretrained patch encoder must read a single lead",
            file=name,
            value=net.first_conv.in_channels,
        )
    return FrozenPatches(net, width)


def load_net1d(path: str | Path) -> Net1D:
    """Load a Net1D from a file of tensors; its structure is inferred from their shapes.

    Reads the format of the public Net1D (ECGFounder among others): a state dict, alone or under
    `state_dict`. Batch norm is used only if the first one has seen a batch in training
    (`num_batches_tracked`), since the public code keeps unused batch norms in its states. The
    stride is 2 throughout, as in every published network of this kind. The linear layer of the file
    is ignored; the returned network has a new one with a single output.

    Raises:
        ConfigError: if the file cannot be read as tensors only, or holds another network.
    """
    loaded = read_weights(path).state
    state = {_our_name(str(key)): value for key, value in loaded.items()}
    seen = state.get("first_bn.num_batches_tracked")
    normalise = seen is not None and bool(seen > 0)
    state = {
        key: value
        for key, value in state.items()
        if not key.startswith("dense.") and (normalise or not re.search(r"(^|[._])bn", key))
    }
    try:
        net = Net1D(**_structure(state), normalise=normalise, outputs=1)
        missing, unknown = net.load_state_dict(state, strict=False)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise ConfigError(
            "does not hold the weights of a Net1D", file=path, value=str(error)[:200]
        ) from error
    left = [key for key in missing if not key.startswith("dense.")]
    if left or unknown:
        raise ConfigError(
            "does not hold the weights of a Net1D", file=path, value=(left[:3], unknown[:3])
        )
    return net


def _our_name(key: str) -> str:
    key = key.removeprefix("module.").replace(".conv.", ".").replace(".block_list.", ".")
    return re.sub(r"^stage_list\.", "stages.", key)


def _structure(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the arguments of the Net1D with these weights."""
    base, inputs, kernel = state["first_conv.weight"].shape
    depth: dict[int, int] = {}
    for key in state:
        if found := re.match(r"stages\.(\d+)\.(\d+)\.", key):
            stage, block = int(found[1]), int(found[2])
            depth[stage] = max(depth.get(stage, 0), block + 1)
    grouped = [state[f"stages.{stage}.0.conv2.weight"] for stage in range(len(depth))]
    return {
        "inputs": inputs,
        "base": base,
        "kernel": kernel,
        "filters": [weight.shape[0] for weight in grouped],
        "blocks": [depth[stage] for stage in range(len(depth))],
        "group_width": min((weight.shape[1] for weight in grouped), default=1),
    }
