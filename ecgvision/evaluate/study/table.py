"""Table of a study: arms and seeds, judged on the same bootstrap draws of the same patients.

There are three kinds of figure, all of macro AUROC averaged over the seeds of an arm:

    view    in one view of the records (a layout, or layout@artefact)
    mean    mean over the views
    range   largest minus smallest over the views: how much the layout matters

Intervals are percentiles of the bootstrap over patients, with the same draws for every arm, seed
and view. They describe how the figures of these trained networks would vary with other patients.
The standard deviation over seeds describes the variation between trainings.

Resampling adds noise to the largest and the smallest value, so ranges of draws are too large,
especially if the views differ little. `Entry.bias` estimates by how much (mean of the draws minus
the value: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 10).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.evaluate.metrics.bootstrap import Scores, macro, weight_blocks
from ecgvision.evaluate.metrics.intervals import percentile
from ecgvision.evaluate.metrics.kernels import METRICS
from ecgvision.evaluate.metrics.paired import p_value
from ecgvision.evaluate.metrics.strata import strata_of
from ecgvision.evaluate.study.records import Arm, Matched, match
from ecgvision.evaluate.study.values import Difference, Entry, Kind, StudyTable, measures_of

__all__ = ["Arm", "StudyTable", "study_table"]

AUROC = METRICS.index("auroc")


def study_table(
    arms: Sequence[Arm],
    *,
    reference: str | None,
    views: Sequence[str] | None = None,
    draws: int = 1000,
    seed: int = 0,
    split: str = "test",
    common: bool = False,
) -> StudyTable:
    """Compute the macro AUROC of every arm in every view, with intervals and differences.

    Args:
        arms: arms of the study.
        reference: name of the arm with which the others are compared; None for no comparison.
        views: names of views in order; None takes all.
        draws, seed: number of draws and seed of the bootstrap. For one view and one training seed
            per arm, the figures are those of `compare.paired` with the same values.
        split: split of the rows to take.
        common: leave out records that some table lacks, and count them. By default, they are an
            error.

    Raises:
        ConfigError: for an unknown reference, no draws, or invalid arms.
        DataError: if the arms do not hold the same records, or no label is defined in a view.
    """
    if reference is not None and reference not in [a.name for a in arms]:
        raise ConfigError(
            "the reference is no arm",
            value=reference,
            remedy=f"Arms are {', '.join(a.name for a in arms)}",
        )
    if draws < 1:
        raise ConfigError("draws must be 1 or more", value=draws)
    matched = match(arms, views=views, split=split, common=common)
    each, samples, skipped = _measure(matched, draws, seed)
    names = tuple(view.name for view in matched.views)
    at = None if reference is None else [a.name for a in arms].index(reference)
    entries: dict[tuple[str, Kind, str], Entry] = {}
    for i, measure in enumerate(measures_of(names)):
        seeds = [_figures(of_arm)[i] for of_arm in each]
        values = [float(_figures(_mean(of_arm))[i]) for of_arm in each]
        drawn = [_figures(of_arm)[i] for of_arm in samples]
        for a, arm in enumerate(arms):
            difference = None
            if at is not None and a != at:
                difference = _difference(
                    (values[a], values[at]), (drawn[a], drawn[at]), (seeds[a], seeds[at])
                )
            entries[(arm.name, *measure)] = _entry(values[a], drawn[a], seeds[a], difference)
    return StudyTable(
        arms=tuple(a.name for a in arms),
        streams={a.name: a.stream for a in arms},
        xs={a.name: None if a.x is None else float(a.x) for a in arms},
        groups={a.name: a.group for a in arms},
        seeds={a.name: len(a.tables) for a in arms},
        views=names,
        records={v.name: len(v.records) for v in matched.views},
        left_out={v.name: v.left_out for v in matched.views},
        skipped=skipped,
        codes=matched.codes,
        same_records=len({v.records for v in matched.views}) == 1,
        several_artefacts=matched.several_artefacts,
        patients=matched.patients,
        reference=reference,
        draws=draws,
        seed=seed,
        split=split,
        entries=entries,
    )


def _figures(auroc: NDArray[np.float64]) -> NDArray[np.float64]:
    """The measures (M, ...) in order, from macro AUROC (V, ...) by view."""
    if len(auroc) == 1:
        return auroc
    return np.concatenate([auroc, auroc.mean(axis=0)[None], np.ptp(auroc, axis=0)[None]])


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis, the seeds; sorted, so that their order changes no bit of it."""
    return np.sort(values, axis=-1).mean(axis=-1)


def _measure(
    matched: Matched, draws: int, seed: int
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64], dict[str, tuple[str, ...]]]:
    """Macro AUROC by arm, (V, S) over views and seeds; draws of means (arms, V, draws); skipped."""
    scores = [[[Scores(z, v.targets) for z in arm] for arm in v.logits] for v in matched.views]
    skipped = {}
    for view, of_view in zip(matched.views, scores, strict=True):
        missing = np.isnan(of_view[0][0].value()[:, AUROC])
        if missing.all():
            raise DataError("no label has positives and negatives", value=view.name)
        skipped[view.name] = tuple(itertools.compress(matched.codes, missing))
    count = len(matched.views[0].logits)
    each = [
        np.array([[macro(s.value())[AUROC] for s in of_view[a]] for of_view in scores])
        for a in range(count)
    ]
    samples = np.empty((count, len(scores), draws))
    start = 0
    # patients, not records, are drawn: a view that lacks some of them takes part in the same draws
    strata = strata_of(np.concatenate([view.patients for view in matched.views]),
                       np.concatenate([view.targets for view in matched.views]))  # fmt: skip
    for block in weight_blocks(np.arange(matched.patients), draws, seed, strata):
        part = slice(start, start := start + len(block))
        for v, view in enumerate(matched.views):
            weights = np.ascontiguousarray(block[:, view.patients])
            for a, of_arm in enumerate(scores[v]):
                drawn = [macro(s.measure(weights))[:, AUROC] for s in of_arm]
                samples[a, v, part] = _mean(np.stack(drawn, axis=-1))
    return each, samples, skipped


def _sd(values: NDArray[np.float64]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _entry(
    value: float,
    drawn: NDArray[np.float64],
    seeds: NDArray[np.float64],
    difference: Difference | None,
) -> Entry:
    defined = drawn[~np.isnan(drawn)]
    bias = float(defined.mean() - value) if len(defined) else None
    each = tuple(map(float, seeds))
    return Entry(value, percentile(drawn), each, _sd(seeds), bias, difference)


def _difference(
    values: tuple[float, float],
    drawn: tuple[NDArray[np.float64], NDArray[np.float64]],
    seeds: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> Difference:
    d = drawn[0] - drawn[1]
    sd = _sd(seeds[0] - seeds[1]) if len(seeds[0]) == len(seeds[1]) else None
    return Difference(values[0] - values[1], percentile(d), p_value(d), sd)
