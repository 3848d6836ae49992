"""Attention rollout: contribution of each patch to the CLS token through PatchECG's attention.

Abnar & Zuidema 2020 (arXiv 2005.00928). The attention weights of a layer are averaged over heads
and averaged with the identity for the residual path. The matrices of all layers are multiplied.
Rollout shows where the model attends, not for or against which label.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from ecgvision.core.errors import ConfigError
from ecgvision.systems.patchecg.masked_transformer import MaskedAttention
from ecgvision.systems.patchecg.network import PatchECG

RESIDUAL = 0.5
"""Weight of the identity (Abnar & Zuidema 2020, section 3)."""


@torch.no_grad()
def attention_rollout(model: PatchECG, value: Tensor, observed: Tensor) -> Tensor:
    """Return the share of every patch in the attention of the CLS token.

    Args:
        model: in eval mode, without S3.
        value: (B, leads, patches, patch_length) float mV, as for `PatchECG.forward`.
        observed: the same shape, bool.

    Returns:
        (B, leads, patches) float, not negative. Sums to 1 over patches with an observed sample;
        exactly 0 in all others. The share of CLS itself is left out.

    Raises:
        ConfigError: for a model in training mode, or one with S3, which mixes tokens before the
            attention so that they no longer correspond to patches.
        DataError: as `PatchECG.forward`.
    """
    if model.training:
        raise ConfigError("rollout needs the model in eval mode", remedy="Call model.eval()")
    if model.s3 != "none":
        raise ConfigError(
            "rollout cannot tell patches apart that S3 has mixed",
            value=model.s3,
            remedy="Use integrated gradients, or a model with model.s3=none",
        )
    layers: list[Tensor] = []

    def keep(attention: MaskedAttention, args: tuple[Any, ...]) -> None:
        layers.append(attention.weights(*args).mean(1))  # (B, N, N)

    with ExitStack() as hooks:
        for block in model.transformer.blocks:
            hook = block.get_submodule("attention").register_forward_pre_hook(keep)
            hooks.callback(hook.remove)
        model(value, observed, packed=False)
    row = torch.zeros_like(layers[0][:, :1])
    row[..., 0] = 1.0
    for weights in reversed(layers):
        row = RESIDUAL * row + (1 - RESIDUAL) * row @ weights
    present = observed.any(-1)
    share = row[:, 0, 1:].unflatten(1, present.shape[1:]).masked_fill(~present, 0.0)
    return share / share.sum((1, 2), keepdim=True)
