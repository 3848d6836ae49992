"""Settings of an assessment. Imports nothing slow, so that a command line can show them."""

from __future__ import annotations

from dataclasses import dataclass

SCALINGS = ("temperature", "per_class", "intercept", "none")
BUDGETS = (20, 50, 100, 200)
"""Alerts per 1,000 records (our default)."""

PREVALENCES = (0.01, 0.05, 0.2)
"""Our default: screening, a general ward, and a cardiology ward."""

SUBGROUPS = ("sex", "age", "device", "site", "validated_by_human", "quality", "flags",
             "layout", "artefact")  # fmt: skip
"""Columns that make subgroups where a table of records has them."""

POLICIES = ("max_f1", "youden", "sensitivity>=0.95", "specificity>=0.95")


@dataclass(frozen=True)
class AssessmentSettings:
    """What an assessment computes.

    Attributes:
        policies: policies of operating points (see `metrics.policies`); the first one's thresholds
            make the decisions of all other tables. Empty: `POLICIES` where there are validation
            rows, else fixed:0.5.
        scaling: how logits become probabilities: `temperature`, `per_class`, `intercept` or `none`.
        prevalences: prevalences at which predictive values are computed.
        oracle: also thresholds tuned on the test rows, named `oracle_…`, as an upper bound.
        subgroups: columns of the records that make subgroups; empty: those of `SUBGROUPS` that
            are there.
        draws: bootstrap draws.
        seed: of the draws.
    """

    policies: tuple[str, ...] = ()
    scaling: str = "temperature"
    prevalences: tuple[float, ...] = PREVALENCES
    oracle: bool = False
    subgroups: tuple[str, ...] = ()
    draws: int = 1000
    seed: int = 0


DEFAULTS = AssessmentSettings()
