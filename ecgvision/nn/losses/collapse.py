"""Whether a self-supervised network still tells records apart."""

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
"""Features vary less than this share of what directions without preference would: our default. A
healthy network lies near 1, one whose features are all alike at 0 (Chen and He 2021, section 4)."""

USED = 0.05
"""The mean assignment has less than this share of its largest entropy, so nearly all records share
one prototype: our default."""

UNSURE = 0.99
"""Single assignments have more than this share of the largest entropy, so they say nothing: our
default."""


@dataclass(frozen=True)
class Collapse:
    """What a batch shows.

    Attributes:
        spread: mean over dimensions of the standard deviation of unit-length features, times
            the root of their number: 1 for directions without preference, 0 for one vector.
        used: entropy of the mean assignment, as a share of the largest that a batch of so many
            records can have, log min(records, prototypes); 0 if one prototype takes all.
        unsure: mean entropy of the assignments, as a share of log(prototypes); 1 if each record
            is given to all prototypes alike.
        verdict: `healthy`, or the first of the three that is wrong.
    """

    spread: float
    used: float
    unsure: float
    verdict: Verdict


def feature_std(features: Tensor) -> Tensor:
    """(N, D) features to the (D,) standard deviations of their unit vectors."""
    return F.normalize(features.detach().float(), dim=-1).std(0, correction=0)


def entropy(probabilities: Tensor) -> Tensor:
    """(..., K) probabilities to (...) nats; 0 log 0 is 0."""
    return torch.special.entr(probabilities.detach().float()).sum(-1)


def check_finite(*outputs: Tensor) -> None:
    """Refuse what a network gives that has diverged.

    Raises:
        DataError: for a value that is not finite.
    """
    if not all(bool(x.isfinite().all()) for x in outputs):
        raise DataError(
            "the network's answers are not finite",
            remedy="Training has diverged: lower the rate, clip gradients, warm up longer",
        )


def collapse(features: Tensor, assignments: Tensor) -> Collapse:
    """Judge a batch; the more records the better, 256 or more to trust `used`.

    Args:
        features: (N, D) of the backbone.
        assignments: (N, K) the teacher's probabilities (`DINOLoss.probabilities`) for them.

    Raises:
        DataError: for shapes that do not fit, fewer than two records, or values that are not
            finite (which is worse than collapse).
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
