"""Integrated gradients as a plain loop, with the interface of Captum."""

from __future__ import annotations

import numpy as np
import torch


class PlainIntegratedGradients:
    """What the project uses of `captum.attr.IntegratedGradients`."""

    def __init__(self, forward_func, multiply_by_inputs: bool = True) -> None:
        self.forward = forward_func
        assert multiply_by_inputs

    def attribute(
        self, inputs, *, baselines, target, additional_forward_args, n_steps, internal_batch_size
    ):
        assert internal_batch_size >= len(inputs)
        at, weight = np.polynomial.legendre.leggauss(n_steps)
        total = torch.zeros_like(inputs)
        for a, w in zip((at + 1) / 2, weight / 2, strict=True):
            point = (baselines + a * (inputs - baselines)).requires_grad_()
            answer = self.forward(point, *(additional_forward_args or ()))[:, target].sum()
            total += w * torch.autograd.grad(answer, point)[0]
        return total * (inputs - baselines)
