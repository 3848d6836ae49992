"""Collapse checks for self-supervised networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.errors import DataError

Verdict = Literal["healthy", "constant features", "one prototype", "uniform assignment"]

SPREAD = 0.1
"""Collapsed below this `Collapse.spread`: our default.

The spread is near 1 for a healthy network and 0 for constant features (Chen and He 2021, section
4)."""

USED = 0.05
"""Collapsed below this share of the maximum entropy of the mean assignment: our default.

Nearly all records then share one prototype."""

UNSURE = 0.99
"""Collapsed above this share of the maximum entropy of single assignments: our default.

The assignments are then uninformative."""


@dataclass(frozen=True)
class Collapse:
    """Collapse statistics of a batch.

    Attributes:
        spread: mean over dimensions of the standard deviation of unit-length features, times
            the square root of their number: 1 for isotropic features, 0 for constant ones.
        used: entropy of the mean assignment as a share of its maximum for the batch,
            log min(records, prototypes); 0 if one prototype takes all records.
        unsure: mean entropy of the assignments as a share of log(prototypes); 1 if each record
            is assigned to all prototypes equally.
        verdict: `healthy`, or the first of the three checks that failed.
    """

    spread: float
    used: float
    unsure: float
    verdict: Verdict


def feature_std(features: Tensor) -> Tensor:
    """Return the (D,) standard deviations of (N, D) features scaled to unit length."""
    return F.normalize(features.detach().float(), dim=-1).std(0, correction=0)


def entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy of (..., K) probabilities in nats, (...); 0 log 0 is 0."""
    return torch.special.entr(probabilities.detach().float()).sum(-1)


def check_finite(*outputs: Tensor) -> None:
    """Refuse outputs of a network that has diverged.

    Raises:
        DataError: if any value is not finite.
    """
    if not all(bool(x.isfinite().all()) for x in outputs):
        raise DataError(
            "the network's answers are not finite",
            remedy="Training has diverged: lower the rate, clip gradients, warm up longer",
        )


def collapse(features: Tensor, assignments: Tensor) -> Collapse:
    """Check a batch for collapse.

    Larger batches are more reliable; `used` needs 256 records or more.

    Args:
        features: (N, D) features of the backbone.
        assignments: (N, K) probabilities of the teacher (`DINOLoss.probabilities`).

    Raises:
        DataError: for shapes that do not fit, fewer than two records or two prototypes, or values
            that are not finite (divergence, not collapse).
    """
    shapes = (tuple(features.shape), tuple(assignments.shape))
    if features.ndim != 2 or assignments.ndim != 2 or len(features) != len(assignments):
        raise DataError("features must be (N, D) and assignments (N, K)", value=shapes)
    if len(features) < 2 or assignments.shape[1] < 2:
        raise DataError("two records and two prototypes are needed", value=shapes)
    check_finite(features, assignments)
    records, prototypes = assignments.shape
    spread = float(feature_std(features).mean()) * math.sqrt(features.shape[1])
    largest = math.log(min(records, prototypes))
    used = float(entropy(assignments.float().mean(0))) / largest
    unsure = float(entropy(assignments).mean()) / math.log(prototypes)
    verdict: Verdict = "healthy"
    if spread < SPREAD:
        verdict = "constant features"
    elif used < USED:
        verdict = "one prototype"
    elif unsure > UNSURE:
        verdict = "uniform assignment"
    return Collapse(spread, used, unsure, verdict)
