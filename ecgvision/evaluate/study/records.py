"""Answers of a study's arms on the same records, in the same order.

Arms are compared on the same records and patients only. A record that one arm lacks is an error,
unless the study is restricted to common records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.evaluate.metrics.bootstrap import patient_index
from ecgvision.evaluate.predictions import codes_of, logits_of, select, targets_of, validate


@dataclass(frozen=True)
class Arm:
    """One arm of a study: the same run from several seeds.

    Attributes:
        name: name in the reports.
        tables: predictions tables, one for each seed, with the same order of seeds in every arm.
        stream: stream of the tables to take.
        x: position of the arm on a curve (a share of labels, a number of pages).
        group: line of the curve to which the arm belongs.
    """

    name: str
    tables: Sequence[pd.DataFrame]
    stream: str
    x: float | None = None
    group: str | None = None


@dataclass(frozen=True)
class View:
    """Answers of every arm in one view of the records.

    Attributes:
        name: `layout`, or `layout@artefact` if the study has several artefacts.
        records: N record ids in order.
        patients: (N,) index of each record's patient among those of the study.
        targets: (N, C) of 0 and 1.
        logits: by arm and seed, (N, C) raw logits.
        left_out: number of records that some table lacks.
    """

    name: str
    records: tuple[str, ...]
    patients: NDArray[np.int64]
    targets: NDArray[np.uint8]
    logits: list[list[NDArray[np.float64]]]
    left_out: int


@dataclass(frozen=True)
class Matched:
    """Answers of all arms: label codes, number of patients and views in order."""

    codes: tuple[str, ...]
    patients: int
    views: list[View]
    several_artefacts: bool


def match(arms: Sequence[Arm], *, views: Sequence[str] | None, split: str, common: bool) -> Matched:
    """Bring the tables of all arms into the same order of records.

    Args:
        arms: arms with tables as built by `predictions.build`.
        views: names of views in order; None takes all, and every table must hold them.
        split: split of the rows to take.
        common: take only the records that all tables hold. By default, a record that a table lacks
            is an error.

    Raises:
        ConfigError: if there are no arms, an arm has no table, or two share a name or a position.
        DataError: where labels, views, records, patients or targets differ.
    """
    _check(arms)
    tables = [_rows(arm, i, split) for arm in arms for i in range(len(arm.tables))]
    titles = [_title(arm, i) for arm in arms for i in range(len(arm.tables))]
    codes = codes_of(tables[0])
    for title, table in zip(titles, tables, strict=True):
        if codes_of(table) != codes:
            raise DataError(f"{title} holds other labels", value=(codes_of(table), codes))
    several = len({str(a) for table in tables for a in table["artefact"].unique()}) > 1
    split_up = [_by_view(table, several) for table in tables]
    names = _view_names(split_up, titles, views)
    rows, left_out = {}, {}
    for name in names:
        held = [parts[name] for parts in split_up]
        rows[name], left_out[name] = _same_records(held, titles, name, common)
    patient = _agreed_patients(rows, titles)
    truth = _agreed_targets(rows, titles)
    everyone = np.unique(np.concatenate([t[0].index.to_numpy(object) for t in rows.values()]))
    number = pd.Series(patient_index(patient[everyone].to_numpy(object), everyone), everyone)
    return Matched(
        codes,
        int(number.max()) + 1,
        [
            View(
                name,
                tuple(map(str, held[0].index)),
                number[held[0].index].to_numpy(np.int64),
                truth.loc[held[0].index].to_numpy(np.uint8),
                _by_arm(arms, [logits_of(table) for table in held]),
                left_out[name],
            )
            for name, held in rows.items()
        ],
        several,
    )


def _check(arms: Sequence[Arm]) -> None:
    if not arms:
        raise ConfigError("a study needs at least one arm")
    names, places = [a.name for a in arms], [(a.group, a.x) for a in arms if a.x is not None]
    if twice := [n for n in names if names.count(n) > 1]:
        raise ConfigError("two arms share a name", value=twice[0])
    if again := [p for p in places if places.count(p) > 1]:
        raise ConfigError("two arms of one group share their x", value=again[0])
    for arm in arms:
        if not len(arm.tables):
            raise ConfigError("an arm has no predictions table", value=arm.name)
        if arm.x is not None and not np.isfinite(arm.x):
            raise ConfigError(f"x of arm {arm.name!r} must be a finite number", value=arm.x)


def _title(arm: Arm, i: int) -> str:
    return f"table {i + 1} of {len(arm.tables)} of arm {arm.name!r}"


def _rows(arm: Arm, i: int, split: str) -> pd.DataFrame:
    table = arm.tables[i]
    validate(table, file=_title(arm, i))
    rows = select(table, split=split, stream=arm.stream)
    if rows.empty:
        held = sorted({f"{s}:{t}" for s, t in zip(table["split"], table["stream"], strict=True)})
        raise DataError(
            f"{_title(arm, i)} has no {split} row of stream {arm.stream!r}",
            value=held[:8],
            remedy="Name a split and stream that it holds",
        )
    return rows


def _by_view(table: pd.DataFrame, several: bool) -> dict[str, pd.DataFrame]:
    """Rows by view, in order of first appearance, each sorted by record id."""
    names = table["layout"].astype(str)
    if several:
        names = names + "@" + table["artefact"].astype(str)
    table = table.assign(record_id=table["record_id"].astype(str))
    return {
        str(name): part.set_index("record_id").sort_index()
        for name, part in table.groupby(names.to_numpy(object), sort=False)
    }


def _view_names(
    tables: Sequence[dict[str, pd.DataFrame]], titles: Sequence[str], views: Sequence[str] | None
) -> list[str]:
    shared = [n for n in tables[0] if all(n in parts for parts in tables)]
    wanted = list(dict.fromkeys(n for parts in tables for n in parts) if views is None else views)
    if not wanted or len(set(wanted)) < len(wanted):
        raise ConfigError("views must be one or more different names", value=wanted)
    for name in wanted:
        for title, parts in zip(titles, tables, strict=True):
            if name not in parts:
                raise DataError(
                    f"{title} has no view {name!r}",
                    value=list(parts),
                    remedy=f"All tables hold the views {', '.join(shared) or '(none)'}",
                )
    return wanted


def _same_records(
    held: Sequence[pd.DataFrame], titles: Sequence[str], view: str, common: bool
) -> tuple[list[pd.DataFrame], int]:
    first = held[0].index
    keys, union = first, first
    for title, table in zip(titles, held, strict=True):
        if table.index.equals(first):
            continue
        if not common:
            raise DataError(
                f"{title} holds {len(table)} records of view {view!r} and "
                f"{titles[0]} {len(first)}; the first that only one of them holds is given",
                value=str(first.symmetric_difference(table.index)[0]),
                remedy="Ask for the common records to leave such records out",
            )
        keys, union = keys.intersection(table.index), union.union(table.index)
    if keys.empty:
        raise DataError("the tables have no record in common", value=view)
    keys = keys.sort_values()
    return [table.loc[keys] for table in held], len(union) - len(keys)


def _each(
    rows: dict[str, list[pd.DataFrame]], titles: Sequence[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    for name, held in rows.items():
        for title, table in zip(titles, held, strict=True):
            yield f"{title}, view {name!r}", table


def _agreed_patients(rows: dict[str, list[pd.DataFrame]], titles: Sequence[str]) -> pd.Series:
    """The patient of each record from the tables that know it; "" if none does."""
    told = pd.concat([t["patient_id"].fillna("").astype(str) for _, t in _each(rows, titles)])
    told = told.iloc[np.argsort((told == "").to_numpy(), kind="stable")]  # known ones first
    agreed = told[~told.index.duplicated()]
    for title, table in _each(rows, titles):
        own = table["patient_id"].fillna("").astype(str).to_numpy(object)
        if (wrong := (own != "") & (own != agreed[table.index].to_numpy(object))).any():
            raise DataError(
                f"patients of a record differ ({title})", value=str(table.index[wrong][0])
            )
    return agreed


def _agreed_targets(rows: dict[str, list[pd.DataFrame]], titles: Sequence[str]) -> pd.DataFrame:
    codes = codes_of(next(iter(rows.values()))[0])
    firsts = pd.concat([held[0] for held in rows.values()])[[f"y_{code}" for code in codes]]
    agreed = firsts[~firsts.index.duplicated()]
    for title, table in _each(rows, titles):
        wrong = (targets_of(table) != agreed.loc[table.index].to_numpy(np.uint8)).any(axis=1)
        if wrong.any():
            raise DataError(
                f"targets of {int(wrong.sum())} records differ ({title})",
                value=[str(r) for r in table.index[wrong][:3]],
            )
    return agreed


def _by_arm(
    arms: Sequence[Arm], logits: list[NDArray[np.float64]]
) -> list[list[NDArray[np.float64]]]:
    rest = iter(logits)
    return [[next(rest) for _ in arm.tables] for arm in arms]
