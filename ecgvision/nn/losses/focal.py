"""Multi-label focal loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError


def focal(logits: Tensor, target: Tensor, *, alpha: float = 1.0, gamma: float = 2.0) -> Tensor:
    """Mean over labels and batch of `-alpha (1 - p_t)^gamma log p_t` (Lin et al. 2017, eq. 4-5).

    `p_t` is the predicted probability of the true value of a label. `alpha` is one factor for all
    terms, not a weight of the positives. A target between 0 and 1 mixes the two terms by its
    value. At `gamma` 0 this is binary cross-entropy. `(1 - p_t)^gamma` is computed as the
    exponential of a log-sigmoid, in float32, so loss and gradient are finite for any finite logit.

    Args:
        alpha, gamma: default 1 and 2, as in PatchECG (arXiv 2508.09165, its public code).

    Shape:
        logits: (B, C); target: (B, C) in [0, 1], bool, integer or float; result: scalar.

    Raises:
        ConfigError: if the shapes differ, alpha is not positive or gamma is negative.
    """
    if not alpha > 0:
        raise ConfigError("loss.focal_alpha must be positive", value=alpha)
    if not gamma >= 0:
        raise ConfigError("loss.focal_gamma must not be negative", value=gamma)
    if logits.shape != target.shape:
        raise ConfigError(
            "focal loss needs logits and target of one shape",
            value=(tuple(logits.shape), tuple(target.shape)),
        )
    yes, no = F.logsigmoid(logits.float()), F.logsigmoid(-logits.float())
    t = target.float()
    terms = t * (gamma * no).exp() * yes + (1 - t) * (gamma * yes).exp() * no
    return -alpha * terms.mean()
