"""Integrated gradients of one label's logit, using Captum (Sundararajan et al. 2017).

The attribution of a sample is its difference from the baseline, in mV, times the mean gradient of
the logit along the path, in logits per mV. It is in logits, and the sum over all observed samples
is the change of the logit (completeness).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.systems.patchecg.network import PatchECG

STEPS = 64
"""Points of the Gauss-Legendre quadrature. Our default: within `TOLERANCE` on smooth networks."""

TOLERANCE = (0.05, 0.01)
"""Largest deviation of the sum from the change of the logit: a share of it, plus a constant.

The constant is in logits. Our default: too small to be visible in a figure."""


def integrated_gradients(
    logits: Callable[..., Tensor],
    signal: Tensor,
    label: int,
    *,
    observed: Tensor | None = None,
    inputs: tuple[Tensor, ...] = (),
    baseline: float = 0.0,
    steps: int = STEPS,
    batch_size: int = 64,
    tolerance: tuple[float, float] = TOLERANCE,
) -> Tensor:
    """Return the attribution of a logit to every observed sample.

    Args:
        logits: differentiable function of (signal, *inputs) with result (B, C). Rows must be
            independent, so a module must be in eval mode.
        signal: (B, ...) float mV, such as (B, 12, T).
        label: column of the logits.
        observed: bool, the signal's shape; None for all. Other samples are constant along the path
            (NaN becomes 0) and get attribution 0. For a model that reads filled leads, only the
            observed samples are attributed.
        inputs: further arguments of `logits`, (B, ...) each.
        baseline: mV at the start of the path. Our default: 0, a flat trace.
        steps: points on the path.
        batch_size: rows per call of `logits`, at least B.
        tolerance: see `TOLERANCE`.

    Returns:
        The signal's shape, in logits; exactly 0 where not observed.

    Raises:
        ConfigError: if Captum is missing, a model is in training mode, steps, batch_size or label
            are invalid, or the sum exceeds the tolerance.
        DataError: for a mask of another shape or type, or an observed sample that is not finite.
    """
    captum = _captum()
    if isinstance(logits, nn.Module) and logits.training:
        raise ConfigError("gradients need the model in eval mode", remedy="Call model.eval()")
    if steps < 1 or batch_size < 1:
        raise ConfigError("steps and batch_size must be at least 1", value=(steps, batch_size))
    seen = torch.ones_like(signal, dtype=torch.bool) if observed is None else observed
    if seen.shape != signal.shape or seen.dtype != torch.bool:
        raise DataError(
            "the mask must be bool and of the signal's shape",
            value=(tuple(seen.shape), str(seen.dtype)),
        )
    if not signal[seen].isfinite().all():
        raise DataError(
            "an observed sample is not finite", remedy="Mark samples that are NaN as not observed"
        )
    end = torch.where(seen, signal, signal.nan_to_num(0.0)).detach()
    start = torch.where(seen, torch.full_like(end, baseline), end)
    with torch.no_grad():
        before, after = logits(start, *inputs), logits(end, *inputs)
    if before.ndim != 2 or not 0 <= label < before.shape[1]:
        raise ConfigError("no such label in the logits", value=(label, tuple(before.shape)))
    found = captum(logits, multiply_by_inputs=True).attribute(
        end,
        baselines=start,
        target=label,
        additional_forward_args=inputs or None,
        n_steps=steps,
        internal_batch_size=max(batch_size, len(end)),
    )
    found = found.to(end.dtype).masked_fill(~seen, 0.0)
    change = (after - before)[:, label]
    gap = (found.flatten(1).sum(1, dtype=torch.float64) - change).abs()
    if (wrong := gap > tolerance[0] * change.abs() + tolerance[1]).any():
        raise ConfigError(
            f"the attribution of batch row {int(wrong.nonzero()[0])} misses the change of the "
            f"logit by {float(gap[wrong][0]):.3g}",
            value=steps,
            remedy="Take more steps",
        )
    return found


def patch_gradients(
    model: PatchECG, value: Tensor, observed: Tensor, label: int, **settings: Any
) -> Tensor:
    """Integrated gradients of PatchECG over the observed samples of its patches.

    The set of present patches is constant along the path, which starts with flat patches.

    Args:
        model: in eval mode.
        value: (B, leads, patches, patch_length) float mV; any value where not observed.
        observed: the same shape, bool.
        label: column of the logits.
        settings: baseline, steps, batch_size and tolerance of `integrated_gradients`.

    Returns:
        (B, leads, patches, patch_length) in logits, 0 where not observed. A sample in overlapping
        patches has a separate attribution in each.

    Raises:
        ConfigError, DataError: as `integrated_gradients` and `PatchECG.forward`.
    """
    if model.training:
        raise ConfigError("gradients need the model in eval mode", remedy="Call model.eval()")

    def logits(samples: Tensor, mask: Tensor) -> Tensor:
        return model(samples, mask, packed=False)["patches"]

    return integrated_gradients(
        logits, value, label, observed=observed, inputs=(observed,), **settings
    )


def _captum() -> Any:
    try:
        from captum.attr import IntegratedGradients
    except ModuleNotFoundError as error:
        raise ConfigError(
            "integrated gradients need the package captum",
            value=error.name,
            remedy="in the checkout, pip install '.[train]', or use attention rollout",
        ) from error
    return IntegratedGradients
