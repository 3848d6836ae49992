"""Multi-label distillation loss between teacher and student logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError
from ecgvision.nn.losses.pair_settings import REDUCTIONS, Reduction


def bernoulli_kl(
    teacher: Tensor, student: Tensor, *, temperature: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    """Mean over the batch of `T^2 KL(Bern(sigmoid(t / T)) || Bern(sigmoid(s / T)))`.

    Each label is a separate Bernoulli variable (multi-label), so the softmax form of Hinton et al.
    (2015) does not apply. The factor `T^2` keeps gradients comparable over temperatures, as there.
    The teacher gets no gradient. Computed from logits in float32, hence finite for any logit.

    Args:
        reduction: over labels. `mean` keeps weight and gradient independent of their number.
            `sum` is half the sum over labels. At T = 1 it equals the loss of MVKT-ECG's public
            code (Qin et al. 2023), which sums over labels an element-wise mean over the batch and
            the two outcomes, hence the half. That code divides probabilities by T, which does not
            give a distribution, so other temperatures have no counterpart there.

    Shape:
        teacher, student: (B, C) logits; result: scalar.

    Raises:
        ConfigError: for an unknown reduction.
    """
    if reduction not in REDUCTIONS:
        raise ConfigError(f"the reduction over labels must be one of {REDUCTIONS}", value=reduction)
    t = teacher.detach().float() / temperature
    s = student.float() / temperature
    p = t.sigmoid()
    kl = p * (F.logsigmoid(t) - F.logsigmoid(s)) + (1 - p) * (F.logsigmoid(-t) - F.logsigmoid(-s))
    if reduction == "sum":
        return temperature**2 * kl.mean(0).sum() / 2
    return temperature**2 * kl.mean()
