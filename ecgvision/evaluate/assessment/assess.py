"""Assessment of a predictions table: every table of figures that the report shows.

Operating points come from validation rows; test rows are read once. A policy that was tuned on test
rows is computed only where it is asked for, and its name begins with `oracle_`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ecgvision.core.errors import DataError
from ecgvision.evaluate.assessment import calibrated, decisions
from ecgvision.evaluate.assessment.answers import Answers
from ecgvision.evaluate.assessment.settings import BUDGETS, POLICIES, SUBGROUPS, AssessmentSettings
from ecgvision.evaluate.assessment.subgroups import groups_of, subgroup_table
from ecgvision.evaluate.metrics import delong, operating_points
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.metrics.policies import ORACLE, Policy
from ecgvision.evaluate.predictions import codes_of, logits_of, select, targets_of

WITHOUT_VALIDATION = "fixed:0.5"


@dataclass(frozen=True)
class Assessment:
    """Tables of figures, each with a column `stream`.

    Attributes:
        tables: by name: operating_points, budgets, calibration, reliability, net_benefit,
            prevalence, risk_coverage, delong and subgroups. A table without rows is left out.
        points: operating points of each stream, by the first policy.
        notes: sentences on what was chosen or left out, for the report.
    """

    tables: Mapping[str, pd.DataFrame]
    points: Mapping[str, OperatingPoints]
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as lists of rows, and the notes, without NaNs, for JSON."""
        rows = {name: rows_of(table) for name, table in self.tables.items()}
        return {"notes": list(self.notes), "tables": rows}


def fit_points(
    table: pd.DataFrame, settings: AssessmentSettings
) -> tuple[dict[str, OperatingPoints], tuple[str, ...]]:
    """Return the operating points of each stream by the first policy, and notes on them.

    Args:
        table: a predictions table with validation and test rows.
        settings: policies and scaling.

    Raises:
        ConfigError: for an unknown policy.
        DataError: for a policy that needs validation rows where a stream has none.
    """
    lacking = _without_validation(table)
    policy = Policy.parse(policies_of(table, settings)[0])
    if not lacking:
        return operating_points.fit_from_table(
            table, policy=policy, scaling=settings.scaling  # type: ignore[arg-type]
        ), ()  # fmt: skip
    if policy.fitted:
        raise _no_validation(policy, lacking)
    codes = codes_of(table)
    level = float(policy.level or 0.0)
    fixed = OperatingPoints(1.0, (level,) * len(codes), codes, policy=policy.name)
    points = {str(s): fixed for s in table["stream"].unique()}
    note = ("There are no validation rows: probabilities are taken as they are, and every "
            f"threshold is {level:g}.")  # fmt: skip
    return points, (note,)


def policies_of(table: pd.DataFrame, settings: AssessmentSettings) -> tuple[str, ...]:
    """Return the policies to compute: those asked for, or the defaults; see the settings."""
    if settings.policies:
        return settings.policies
    return (WITHOUT_VALIDATION,) if _without_validation(table) else POLICIES


def assess(
    table: pd.DataFrame, settings: AssessmentSettings, *,
    points: Mapping[str, OperatingPoints] | None = None, records: pd.DataFrame | None = None,
    notes: tuple[str, ...] = (),
) -> Assessment:  # fmt: skip
    """Assess the test rows of every stream.

    Args:
        table: a predictions table. Its `p_` columns are not read.
        settings: what to compute.
        points: operating points of each stream, from validation; None fits them here. With points
            and without validation rows, no policy is added that was not asked for.
        records: facts of the records with the column record_id, for subgroups; None: there are
            none but layout and artefact.
        notes: sentences for the report, before those made here.

    Raises:
        ConfigError: for an unknown policy.
        DataError: if there is no test row, or a policy lacks its validation rows.
    """
    if select(table, split="test").empty:
        raise DataError("no test row to assess", remedy="Give rows whose split is test")
    lacking = _without_validation(table)
    given = points is not None and bool(lacking)
    texts = settings.policies if given else policies_of(table, settings)
    policies = [Policy.parse(text) for text in texts]
    if points is None:
        points, more = fit_points(table, settings)
        notes += more
    if lacking and (needy := [p for p in policies if p.fitted]):
        raise _no_validation(needy[0], lacking)
    found: dict[str, list[pd.DataFrame]] = {}
    for stream, chosen in points.items():
        rows = select(table, split="test", stream=stream)
        if rows.empty:
            continue
        answers = Answers.of(rows, chosen, draws=settings.draws, seed=settings.seed)
        validation = select(table, split="val", stream=stream)
        made = {
            "operating_points": _policies(answers, validation, policies, settings),
            "budgets": _budgets(answers, validation),
            "calibration": calibrated.calibration_table(answers),
            "reliability": calibrated.reliability_table(answers),
            "net_benefit": decisions.net_benefit(answers),
            "prevalence": decisions.prevalence(answers, settings.prevalences),
            "risk_coverage": decisions.risk_coverage(answers),
            "delong": _delong(answers),
            "subgroups": subgroup_table(answers, _groups(rows, records, settings)),
        }
        for name, frame in made.items():
            if len(frame):
                frame.insert(0, "stream", stream)
                found.setdefault(name, []).append(frame)
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in found.items()}
    notes += tuple(f"{s}: {note}." for s, chosen in points.items() for note in chosen.notes)
    return Assessment(tables, points, notes)


def _policies(
    answers: Answers, validation: pd.DataFrame, policies: list[Policy],
    settings: AssessmentSettings,
) -> pd.DataFrame:  # fmt: skip
    """Return the rates of every policy, its thresholds from validation rows alone."""
    frames = [decisions.rates(answers, answers.called, answers.points.policy,
                              answers.points.thresholds)]  # fmt: skip
    for policy in policies:
        if policy.name == answers.points.policy:
            continue
        thresholds = _thresholds(answers, validation, policy)
        frames.append(_rates_at(answers, thresholds, policy.name))
    fitted = [p for p in policies if p.fitted] or [Policy.parse(text) for text in POLICIES]
    for policy in fitted if settings.oracle else ():
        thresholds = _chosen(policy, answers.p, answers.y)
        frames.append(_rates_at(answers, thresholds, f"{ORACLE}{policy.name}"))
    return pd.concat(frames, ignore_index=True)


def _budgets(answers: Answers, validation: pd.DataFrame) -> pd.DataFrame:
    """Return sensitivity within budgets of alerts; no rows without validation rows."""
    if validation.empty:
        return pd.DataFrame()
    frames = []
    for budget in BUDGETS:
        policy = Policy("alerts", budget / 1000)
        found = _rates_at(answers, _thresholds(answers, validation, policy), policy.name)
        found.insert(2, "budget", budget)
        frames.append(found)
    return pd.concat(frames, ignore_index=True)


def _thresholds(answers: Answers, validation: pd.DataFrame, policy: Policy) -> list[float]:
    """Return (C,) thresholds of a policy on validation rows, or fixed ones."""
    if not policy.fitted or validation.empty:
        return [float(policy.level or 0.0)] * len(answers.codes)
    p = answers.points.probabilities(logits_of(validation))
    return _chosen(policy, p, targets_of(validation))


def _chosen(policy: Policy, p: np.ndarray, y: np.ndarray) -> list[float]:
    each = [policy.threshold(p[:, c], y[:, c]) for c in range(p.shape[1])]
    return [operating_points.FALLBACK_THRESHOLD if t is None else t for t in each]


def _rates_at(answers: Answers, thresholds: list[float], name: str) -> pd.DataFrame:
    return decisions.rates(answers, answers.p >= np.asarray(thresholds), name, thresholds)


def _delong(answers: Answers) -> pd.DataFrame:
    """Return the AUROC of each label with DeLong's interval, over patients and over records."""
    rows = []
    for c, code in enumerate(answers.codes):
        clustered = delong.areas(answers.z[:, c], answers.y[:, c], answers.patients)
        alone = delong.areas(answers.z[:, c], answers.y[:, c])
        if clustered is None or alone is None:
            continue
        low, high = clustered.interval()
        record_low, record_high = alone.interval()
        rows.append({"label": code, "auroc": float(clustered.values[0]), "auroc_low": low,
                     "auroc_high": high, "records_low": record_low,
                     "records_high": record_high})  # fmt: skip
    return pd.DataFrame(rows)


def _groups(
    rows: pd.DataFrame, records: pd.DataFrame | None, settings: AssessmentSettings
) -> pd.DataFrame:
    """Return the groups of each answer, from its own columns and from facts of its record.

    Raises:
        DataError: for a column that is asked for and is not there.
    """
    whole = rows[["record_id", "layout", "artefact"]].copy()
    if records is not None:
        facts = records.drop(columns=["layout", "artefact"], errors="ignore")
        facts = facts.assign(record_id=facts["record_id"].astype(str)).drop_duplicates("record_id")
        whole = whole.astype({"record_id": str}).merge(facts, on="record_id", how="left")
    if lacking := [name for name in settings.subgroups if name not in whole.columns]:
        raise DataError("no such column to make subgroups of", value=lacking,
                        remedy=f"There are {', '.join(map(str, whole.columns[1:]))}")  # fmt: skip
    return groups_of(whole, settings.subgroups or SUBGROUPS)


def _without_validation(table: pd.DataFrame) -> list[str]:
    return [str(s) for s in table["stream"].unique()
            if select(table, split="val", stream=s).empty]  # fmt: skip


def _no_validation(policy: Policy, lacking: list[str]) -> DataError:
    return DataError(
        f"the policy {policy.name} needs validation rows, and a stream has none", value=lacking,
        remedy="Give rows whose split is val, or --policy fixed:0.5; test rows are never used",
    )  # fmt: skip


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table; NaN becomes None."""
    return [
        {
            str(key): None if isinstance(value, float) and not np.isfinite(value) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]
