"""Challenge metric of a cross-validation.

The run of each fold has operating points of its own, fitted for the metric on its validation rows.
Decisions, unlike scores, have the same meaning for all networks, so pooling them is exact. All
layouts and artefacts of a stream are pooled, as in `ecgvision.evaluate.challenge.report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgvision.evaluate.challenge.points import fit_points
from ecgvision.evaluate.challenge.scores import (
    CHALLENGES,
    Challenge,
    _scaled,
    challenge_metric,
    earned,
)
from ecgvision.evaluate.metrics.bootstrap import patients_of, weight_blocks
from ecgvision.evaluate.metrics.intervals import percentile
from ecgvision.evaluate.predictions import codes_of, logits_of, select, targets_of


@dataclass(frozen=True)
class ChallengeFolds:
    """Challenge metric of one stream.

    Attributes:
        challenge: "cinc2020" or "cinc2021".
        values: (seeds, folds) metric within each fold.
        pooled: (seeds,) metric over the rows of all folds.
        ci95: interval of the mean of `pooled`, over patients; None if no draw is defined.
    """

    challenge: str
    values: NDArray[np.float64]
    pooled: NDArray[np.float64]
    ci95: tuple[float, float] | None


def challenge_folds(
    tables: Sequence[Sequence[pd.DataFrame]], streams: Sequence[str], *, draws: int, seed: int
) -> dict[str, ChallengeFolds]:
    """Compute the metric of each stream; empty if the labels are not a Challenge's.

    Args:
        tables: by seed and fold, predictions tables with validation and test rows.
        streams: streams that every table holds.
        draws, seed: number of draws and seed of the bootstrap over patients.
    """
    codes = codes_of(tables[0][0])
    challenge = next((c for c in CHALLENGES.values() if c.codes == codes), None)
    if challenge is None:
        return {}
    return {stream: _stream(tables, stream, challenge, draws, seed) for stream in streams}


def _stream(
    tables: Sequence[Sequence[pd.DataFrame]], stream: str, challenge: Challenge,
    draws: int, seed: int,
) -> ChallengeFolds:  # fmt: skip
    values, pooled, each = [], [], []
    patients = None
    for of_seed in tables:
        decided = [_decide(table, stream, challenge) for table in of_seed]
        values.append([challenge_metric(y, o, challenge) for _, y, o in decided])
        rows = pd.concat([r for r, _, _ in decided], ignore_index=True)
        y, o = (np.concatenate([part[i] for part in decided]) for i in (1, 2))
        pooled.append(challenge_metric(y, o, challenge))
        order = rows.sort_values(["layout", "artefact", "record_id"]).index.to_numpy()
        each.append(earned(y.astype(bool), o, challenge)[order])  # (N, 3), the same rows each seed
        patients = patients_of(rows.loc[order])
    assert patients is not None  # there is a seed
    samples = [
        np.mean([_scaled(weights @ gained) for gained in each], axis=0)
        for weights in weight_blocks(patients, draws, seed)
    ]
    return ChallengeFolds(
        challenge.name, np.array(values), np.array(pooled), percentile(np.concatenate(samples))
    )


def _decide(
    table: pd.DataFrame, stream: str, challenge: Challenge
) -> tuple[pd.DataFrame, NDArray[np.uint8], NDArray[np.bool_]]:
    """Test rows, their targets, and decisions at the operating points of the validation rows."""
    val, test = (select(table, split=split, stream=stream) for split in ("val", "test"))
    points = fit_points(logits_of(val), targets_of(val), challenge)
    called = points.decisions(points.probabilities(logits_of(test)))
    return test[["layout", "artefact", "record_id", "patient_id"]], targets_of(test), called
