"""Policies: rules that choose a label's threshold from its validation records.

    max_f1             largest F1
    youden             largest sensitivity + specificity - 1 (Youden 1950)
    sensitivity>=0.95  the highest threshold that reaches the sensitivity
    specificity>=0.9   the lowest threshold that reaches the specificity
    alerts<=50/1000    the lowest threshold that calls no more of 1,000 records
    fixed:0.5          that threshold, without validation

A threshold stands half-way between two neighbouring probabilities, so that rounding in an exported
graph does not flip a validation record.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError, did_you_mean

PLAIN = ("max_f1", "youden")
WRITTEN = ("max_f1", "youden", "sensitivity>=0.95", "specificity>=0.9", "alerts<=50/1000",
           "fixed:0.5")  # fmt: skip
"""One example of each policy."""

ORACLE = "oracle_"
"""Begins the name of what is tuned on test records."""

_BOUND = re.compile(r"(sensitivity|specificity)>=([\d.]+)")
_ALERTS = re.compile(r"alerts<=([\d.]+)/1000")
_FIXED = re.compile(r"fixed:([\d.]+)")


@dataclass(frozen=True)
class Policy:
    """Rule that chooses a threshold; create it with `Policy.parse`.

    Attributes:
        kind: max_f1, youden, sensitivity, specificity, alerts or fixed.
        level: sensitivity, specificity, share of records called, or threshold; None for the rest.
    """

    kind: str
    level: float | None = None

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Parse a policy as the module describes it.

        Raises:
            ConfigError: for anything else, or a level that is no share.
        """
        word = text.strip().replace(" ", "")
        found: Policy | None = None
        if word in PLAIN:
            found = cls(word)
        elif match := _BOUND.fullmatch(word):
            found = cls(match[1], _number(match[2]))
        elif match := _ALERTS.fullmatch(word):
            found = cls("alerts", _number(match[1]) / 1000)
        elif match := _FIXED.fullmatch(word):
            found = cls("fixed", _number(match[1]))
        if found is None or not (found.level is None or 0 <= found.level <= 1):
            hint = did_you_mean(word, WRITTEN)
            raise ConfigError("no such policy", value=text,
                              remedy=f"{hint} Write {', '.join(WRITTEN)}".strip())  # fmt: skip
        return found

    @property
    def name(self) -> str:
        """The policy as it is written."""
        if self.level is None:
            return self.kind
        if self.kind == "alerts":
            return f"alerts<={1000 * self.level:g}/1000"
        return f"fixed:{self.level:g}" if self.kind == "fixed" else f"{self.kind}>={self.level:g}"

    @property
    def fitted(self) -> bool:
        """Whether the policy needs validation records."""
        return self.kind != "fixed"

    def threshold(self, p: NDArray[np.float64], y: NDArray[Any]) -> float | None:
        """Return the threshold of one label on validation records.

        Args:
            p: (N,) probabilities.
            y: (N,) of 0 and 1.

        Returns:
            None where the records do not determine one: no positives, no negatives, or
            probabilities of 1 that no threshold excludes. Ties between F1 or Youden's index go to
            the threshold nearest to 0.5 (our default: the least extreme).
        """
        if self.kind == "fixed":
            return self.level
        positives = int(np.count_nonzero(y))
        negatives = len(y) - positives
        if positives == 0 or negatives == 0:
            return None
        at, called, hits = _candidates(p, y)
        sensitivity, specificity = hits / positives, 1 - (called - hits) / negatives
        level = math.nan if self.level is None else self.level
        slack = 1e-12  # of shares that are exact but for rounding
        if self.kind == "sensitivity":  # candidates run from the highest threshold to the lowest
            return float(at[np.flatnonzero(sensitivity >= level - slack)[0]])
        if self.kind in ("specificity", "alerts"):
            kept = (specificity >= level - slack if self.kind == "specificity"
                    else called / len(y) <= level + slack)  # fmt: skip
            reached = np.flatnonzero(kept)
            return float(at[reached[-1]]) if len(reached) else None
        worth = 2 * hits / (called + positives) if self.kind == "max_f1" \
            else sensitivity + specificity - 1  # fmt: skip
        best = np.flatnonzero(worth >= worth.max() - slack)
        return float(at[best[np.argmin(np.abs(at[best] - 0.5))]])


MAX_F1 = Policy("max_f1")


def _candidates(
    p: NDArray[np.float64], y: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return thresholds from the highest to the lowest, records called and positives called.

    The first calls no record, unless one has the probability 1; the last calls all.
    """
    order = np.argsort(-p, kind="stable")
    scores, hits = p[order], np.cumsum(y[order] != 0)
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # end of each run of ties
    below = np.append(scores[last[:-1] + 1], 0.0)
    at = (scores[last] + below) / 2
    called, found = last + 1, hits[last]
    if scores[0] < 1:
        at = np.append((1 + scores[0]) / 2, at)
        called, found = np.append(0, called), np.append(0, found)
    return at, called, found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
