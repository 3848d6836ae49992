"""Cross-validation: every record is judged once, by the network that has not seen its fold.

Each fold has a network of its own, whose logits have a scale of their own. There are two kinds of
figure:

    mean of folds   macro AUROC within each fold, then mean and standard deviation over folds;
                    scores of different networks are never ranked against one another
    pooled          macro AUROC over the test rows of all folds together, with a 95 % interval from
                    the bootstrap over patients

Pooling is an approximation, because it ranks the scores of different networks against one another.
To put them on one scale, the logits of each fold are divided by the temperature fitted on its own
validation rows; this does not change the AUROC within a fold. Differences that remain lower (seldom
raise) the pooled figure compared with the mean of folds (Forman and Scholz 2010, Apples-to-apples
in cross-validation studies, SIGKDD Explorations 12:49). The interval covers other patients, but not
other trainings. Because training sets of folds overlap, the standard deviation over folds is not a
standard error either (Bengio and Grandvalet 2004, No unbiased estimator of the variance of k-fold
cross-validation, JMLR 5:1089).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgvision.core.errors import DataError
from ecgvision.evaluate.metrics import operating_points
from ecgvision.evaluate.predictions import codes_of, logits_of, select, validate
from ecgvision.evaluate.study.folds_challenge import ChallengeFolds, challenge_folds
from ecgvision.evaluate.study.records import Arm
from ecgvision.evaluate.study.table import study_table
from ecgvision.evaluate.study.values import Measure, StudyTable


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation.

    Attributes:
        test, val: folds of the data for testing and for validation.
    """

    test: tuple[int, ...]
    val: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name in the report: "3", or "5+6"."""
        return "+".join(map(str, self.test))


@dataclass(frozen=True)
class CrossValidation:
    """Result of `cross_validate`.

    Attributes:
        pooled: figures with the streams as arms, on the test rows of all folds.
        folds: the folds in order.
        records: number of test records of each fold.
        skipped: for each fold, label codes left out of its macro figure because they have no
            positives or no negatives.
        values: by stream and measure, (seeds, folds) macro AUROC within each fold.
        challenge: by stream, the Challenge metric; empty if the labels are not a Challenge's.
    """

    pooled: StudyTable
    folds: tuple[Fold, ...]
    records: tuple[int, ...]
    skipped: tuple[tuple[str, ...], ...]
    values: dict[tuple[str, Measure], NDArray[np.float64]]
    challenge: dict[str, ChallengeFolds]

    @property
    def total(self) -> int:
        """Number of records, each judged once."""
        return sum(self.records)

    def by_fold(self, stream: str, measure: Measure) -> NDArray[np.float64]:
        """Return (folds,) means over seeds."""
        return mean_of_seeds(self.values[stream, measure])

    def spread(self, stream: str, measure: Measure) -> tuple[float, float]:
        """Return mean and standard deviation (n - 1) over folds of the means over seeds."""
        found = self.by_fold(stream, measure)
        return float(found.mean()), float(found.std(ddof=1))


def mean_of_seeds(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (...,) means of (seeds, ...)."""
    return np.asarray(values.mean(axis=0))


def cross_validate(
    tables: Sequence[Sequence[pd.DataFrame]], folds: Sequence[Fold], *,
    draws: int = 1000, seed: int = 0,
) -> CrossValidation:  # fmt: skip
    """Compute the figures of a cross-validation, by fold and pooled.

    Args:
        tables: by seed and fold, predictions tables with validation and test rows. Tables of one
            fold hold the same records for all seeds.
        folds: two or more folds in the order of the tables.
        draws, seed: number of draws and seed of the bootstrap over patients.

    Raises:
        DataError: if a table holds rows of another fold than it should, a record is judged twice,
            streams, records or labels differ, or a fold has no label with positives and negatives.
    """
    for of_seed in tables:
        for table, fold in zip(of_seed, folds, strict=True):
            _check_folds(table, fold)
    streams = tuple(dict.fromkeys(map(str, tables[0][0]["stream"])))
    scaled = [[_scaled(table) for table in of_seed] for of_seed in tables]
    arms = [
        Arm(name, [pd.concat(parts, ignore_index=True) for parts in scaled], name)
        for name in streams
    ]  # a record judged twice is refused there
    pooled = study_table(arms, reference=None, draws=draws, seed=seed)
    within, skipped, records = [], [], []
    for k, fold in enumerate(folds):
        # as a study of one fold, whose records are matched and whose macro figures are computed
        # as those of the pooled table; its bootstrap is not used
        parts = [Arm(a, [of_seed[k] for of_seed in scaled], a) for a in streams]
        try:
            within.append(study_table(parts, reference=None, views=pooled.views, draws=1))
        except DataError as error:
            raise DataError(f"fold {fold.name}: {error.what}", value=error.value) from error
        left = set(itertools.chain(*within[-1].skipped.values()))
        skipped.append(tuple(c for c in pooled.codes if c in left))
        records.append(int(select(scaled[0][k], split="test")["record_id"].nunique()))
    values = {
        (stream, measure): np.array([found.entry(stream, measure).seeds for found in within]).T
        for stream in streams
        for measure in pooled.measures
    }
    return CrossValidation(
        pooled, tuple(folds), tuple(records), tuple(skipped), values,
        challenge_folds(tables, streams, draws=draws, seed=seed),
    )  # fmt: skip


def _check_folds(table: pd.DataFrame, fold: Fold) -> None:
    """Refuse rows of a fold that does not belong to their split."""
    validate(table)
    wanted: Mapping[str, tuple[int, ...]] = {"test": fold.test, "val": fold.val}
    for split, numbers in wanted.items():
        rows = select(table, split=split)
        if rows.empty:
            raise DataError(f"the run of fold {fold.name} has no {split} row")
        strange = ~rows["fold"].isin(numbers).to_numpy(bool)
        if strange.any():
            first = rows.loc[strange].iloc[0]
            raise DataError(
                f"the run of fold {fold.name} holds a {split} record of fold {first['fold']}",
                value=str(first["record_id"]),
                remedy=f"Its {split} rows must be of {list(numbers)}",
            )


def _scaled(table: pd.DataFrame) -> pd.DataFrame:
    """Test rows, with the logits of each stream divided by its temperature on validation rows."""
    points = operating_points.fit_from_table(table)
    codes = codes_of(table)
    rows = select(table, split="test")
    kept = rows[[c for c in rows.columns if not str(c).startswith("p_")]].copy()
    names = [f"z_{code}" for code in codes]
    scale = kept["stream"].map({s: p.temperature for s, p in points.items()}).to_numpy(np.float64)
    kept[names] = logits_of(kept) / scale[:, None]
    return kept
