"""Imputation by the mean of the nearest training records.

This is scikit-learn's `KNNImputer` with records as rows and their 12 * T samples as features, as in
PatchECG's public code. The distance uses the samples that both records hold, at the same time from
their start, with equal weights. Beats are not aligned, so the mean of five records is smooth; the
baseline is defined that way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

NEIGHBOURS = 5
"""As in PatchECG's public code; also the default of `KNNImputer`."""

ROWS = 64
"""Records filled at once, to bound the memory of their neighbours (240 kB for each record of
12 * 1000 samples). Our default."""


class NearestRecords:
    """Fills unobserved samples with the mean of the nearest training records.

    If the training records have no NaN, the neighbours are the same for all samples of a record.
    One search per record is then enough, and records with the same mask are searched together. The
    result is that of `KNNImputer`, which searches for every sample, in a fraction of its time. If
    the training records have NaN, `KNNImputer` itself is used. In both cases a record without an
    observed sample becomes the mean of all training records, and a sample that no training record
    holds becomes 0.

    Args:
        records: (M, 12, T) float32 mV, NaN where missing; kept, not copied.
        progress: show a progress bar.
    """

    def __init__(self, records: NDArray[np.float32], *, progress: bool = True) -> None:
        self.records = np.ascontiguousarray(records).reshape(len(records), -1)
        self.progress = progress
        self.whole = not np.isnan(self.records).any()

    def __call__(
        self, signals: NDArray[np.float32], observed: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return (N, 12, T) mV, filled; `signals` may have any finite value where unobserved."""
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
                    mean = self.records[near].mean(axis=1)  # (rows, 12 * T) of full records
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
    """Return the row indices of `seen`, grouped by equal masks."""
    _, group = np.unique(np.packbits(seen, axis=1), axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
