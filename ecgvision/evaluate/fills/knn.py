"""Fill with the mean of the nearest training records.

The rule is scikit-learn's `KNNImputer` over records as rows and their 12 * T samples as features,
as in PatchECG's public code: near is near in the samples that both records hold, all of them
alike, at the same time after the start. Beats are not aligned, so that the mean of five records
is smooth; that is how the baseline is meant.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

NEIGHBOURS = 5
"""PatchECG's public code, and the default of `KNNImputer`."""

ROWS = 64
"""Records filled at once, so that their neighbours (240 kB a record of 12 * 1000 samples) stay few.
Our default."""


class NearestRecords:
    """The mean over the nearest training records of every sample that is not observed.

    Where every training record is whole, which records are nearest is the same for all samples of
    a record, so that one search a record does, and records that show the same samples are searched
    together: the result of `KNNImputer`, which searches anew for every sample, in a fraction of
    its time. With NaN in training records `KNNImputer` itself does the work. Either way a record
    of which nothing is observed takes the mean of all training records, and a sample that no
    training record holds takes 0.

    Args:
        records: (M, 12, T) float32 mV, NaN where missing; kept, not copied.
        progress: show a bar.
    """

    def __init__(self, records: NDArray[np.float32], *, progress: bool = True) -> None:
        self.records = np.ascontiguousarray(records).reshape(len(records), -1)
        self.progress = progress
        self.whole = not np.isnan(self.records).any()

    def __call__(
        self, signals: NDArray[np.float32], observed: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(N, 12, T) mV, filled; `signals` may hold anything finite where not observed."""
        flat, seen = signals.reshape(len(signals), -1), observed.reshape(len(signals), -1)
        fill = self._by_search if self.whole else self._by_imputer
        with tqdm(
            total=len(flat), desc="fill knn", unit="record", disable=not self.progress
        ) as bar:
            return fill(flat, seen, bar).reshape(signals.shape)

    def _by_search(
        self, flat: NDArray[np.float32], seen: NDArray[np.bool_], bar: tqdm
    ) -> NDArray[np.float32]:
        from sklearn.neighbors import NearestNeighbors

        out = flat.copy()
        count = min(NEIGHBOURS, len(self.records))
        for rows in _same_mask(seen):
            mask = seen[rows[0]]
            if not mask.any():
                out[rows] = self.records.mean(axis=0, dtype=np.float64)
            elif not mask.all():
                search = NearestNeighbors(n_neighbors=count, algorithm="brute")
                search.fit(self.records[:, mask])
                for start in range(0, len(rows), ROWS):
                    some = rows[start : start + ROWS]
                    near = search.kneighbors(flat[np.ix_(some, mask)], return_distance=False)
                    mean = self.records[near].mean(axis=1)  # (rows, 12 * T) of whole records
                    out[some] = np.where(mask, out[some], mean)
                    bar.update(len(some))
                continue
            bar.update(len(rows))
        return out

    def _by_imputer(
        self, flat: NDArray[np.float32], seen: NDArray[np.bool_], bar: tqdm
    ) -> NDArray[np.float32]:
        from sklearn.impute import KNNImputer

        imputer = KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True).fit(self.records)
        out = np.where(seen, flat, np.float32(np.nan))
        for start in range(0, len(flat), ROWS):
            some = slice(start, start + ROWS)
            out[some] = imputer.transform(out[some])
            bar.update(len(out[some]))
        return out


def _same_mask(seen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Rows of `seen` in groups of equal rows."""
    _, group = np.unique(np.packbits(seen, axis=1), axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
