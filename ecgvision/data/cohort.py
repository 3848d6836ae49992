"""Records of one or several stores as one table with targets and splits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgvision.core.errors import DataError
from ecgvision.data.folds import SPLITS, check_folds
from ecgvision.data.resample import fit_length, resample
from ecgvision.labels.schemes import LabelScheme, column_scheme, get_scheme, targets
from ecgvision.store.packed import Store, check_store
from ecgvision.store.record_keys import Keys, record_keys


class Columns(NamedTuple):
    """The label columns that a store declares."""

    label_columns: Sequence[str]


def scheme_for(
    name: str, stores: Sequence[Store | Columns], *, min_likelihood: float, unlabelled: str | None
) -> LabelScheme:
    """Return a pinned scheme by name, or for `columns` the label columns that the stores declare.

    `unlabelled` None keeps the scheme's own policy. Pinned schemes drop records without a label; in
    `columns`, a row of zeros is a negative of every label.

    Raises:
        LabelError: if the name is unknown.
        DataError: for `columns`, if the stores declare no label columns, or different ones.
    """
    policy: dict[str, Any] = {} if unlabelled is None else {"unlabelled": unlabelled}
    if name != "columns":
        return get_scheme(name, min_likelihood=min_likelihood, **policy)
    declared = {tuple(store.label_columns) for store in stores}
    if len(declared) != 1 or not next(iter(declared)):
        raise DataError(
            "data.labels=columns needs stores that declare the same label columns",
            value=sorted(declared),
            remedy="Pack them from manifests with equal label columns, or name a pinned scheme",
        )
    return column_scheme(next(iter(declared)), **policy)


class Cohort:
    """Joined, labelled and split records of one or several stores.

    Args:
        paths: paths of the stores.
        scheme_name, min_likelihood, unlabelled: see `scheme_for`.
        folds: folds of each split.
        unknown: if `unlabelled` is keep, also keep records with unknown labels, with targets of 0;
            for tasks that use no labels.

    Attributes:
        stores: in the order given.
        scheme: the label scheme.
        records: table of the kept records with the columns of the stores and `store`, `row`.
        targets: (N, C) uint8.
        index: (N,) int64, the row of each kept record over all stores.
        dropped: number of records without a label that the scheme's policy left out.

    Raises:
        DataError: if a record_id occurs in two stores, or a patient in two splits.
    """

    def __init__(
        self, paths: Sequence[str | Path], scheme_name: str, *, folds: Mapping[str, Sequence[int]],
        min_likelihood: float = 0.0, unlabelled: str | None = None, unknown: bool = False,
    ) -> None:  # fmt: skip
        if not paths:
            raise DataError("no store given", remedy="Set data.store=[FOLDER, …]")
        self.stores = [Store(path) for path in paths]
        self.scheme = scheme_for(
            scheme_name, self.stores, min_likelihood=min_likelihood, unlabelled=unlabelled
        )
        tables, rows, wanted = [], [], []
        base = 0
        for number, store in enumerate(self.stores):
            labels, labelled = targets(store.records, self.scheme)
            if unknown and self.scheme.unlabelled == "keep":
                labelled[:] = True
            table = store.records.assign(store=number, row=np.arange(len(store)))
            tables.append(table[labelled])
            wanted.append(labels[labelled])
            rows.append(base + np.flatnonzero(labelled))
            base += len(store)
        self.records = pd.concat(tables, ignore_index=True)
        self.targets: NDArray[np.uint8] = np.concatenate(wanted)
        self.index: NDArray[np.int64] = np.concatenate(rows).astype(np.int64)
        self.dropped = base - len(self.index)
        self.folds = {split: [int(f) for f in folds[split]] for split in SPLITS}
        self._check()

    @property
    def hash(self) -> str:
        """16 hex digits over the stores' contents, in order."""
        return hashlib.sha256(" ".join(s.hash for s in self.stores).encode()).hexdigest()[:16]

    @cached_property
    def keys(self) -> Keys:
        """(N, 2) uint64 keys that identify each kept record across stores; see `record_keys`."""
        return np.concatenate([record_keys(store) for store in self.stores])[self.index]

    def positions(self, split: str, *, labelled: bool = True) -> NDArray[np.int64]:
        """Return the positions (rows of `records`) of a split.

        Args:
            labelled: whether labels are needed; a split without any positive is then refused.

        Raises:
            DataError: if the split is empty, or holds no positive label at all.
        """
        chosen = np.flatnonzero(self.records["fold"].isin(self.folds[split]).to_numpy())
        present = sorted({int(f) for f in self.records["fold"].dropna()})
        if len(chosen) == 0:
            raise DataError(
                f"the {split} split is empty: no labelled record stands in its folds",
                value=self.folds[split],
                remedy=f"These stores hold folds {present}: set data.folds.{split}",
            )
        if labelled and not self.targets[chosen].any():
            raise DataError(
                f"the {split} split has no positive of any label of {self.scheme.name}",
                value=self.folds[split],
                remedy="Choose another data.labels or other data.folds",
            )
        return chosen

    def without_positives(self, split: str) -> list[str]:
        """Return the labels without any positive in the split."""
        counts = self.targets[self.positions(split)].sum(axis=0, dtype=int).tolist()
        return [code for code, n in zip(self.scheme.codes, counts, strict=True) if n == 0]

    def place(self, position: int) -> tuple[int, int]:
        """Return the index of the record's store, and its row there."""
        return int(self._store[position]), int(self._row[position])

    def read(self, position: int) -> tuple[NDArray[np.float32], float]:
        """Return the (12, T) signal in mV at its store's own rate, and that rate in Hz."""
        store, row = self.place(position)
        return self.stores[store].read(row), self.stores[store].rate

    def window(
        self, position: int, seconds: float, rng: np.random.Generator | None = None
    ) -> tuple[NDArray[np.float32], float]:
        """Return `seconds` of a record, NaN where it is shorter, and its rate in Hz.

        In a longer record the window starts at random; without `rng` it is the first.
        """
        number, row = self.place(position)
        store = self.stores[number]
        length = round(seconds * store.rate)
        spare = store.length(row) - length
        start = int(rng.integers(spare + 1)) if rng is not None and spare > 0 else 0
        return fit_length(store.read(row, start, length), length), store.rate

    def signal(self, position: int, seconds: float, rate: float) -> NDArray[np.float32]:
        """Return (12, seconds * rate) mV: the first `window` of a record, at `rate` Hz."""
        window, own = self.window(position, seconds)
        return fit_length(resample(window, own, rate), round(seconds * rate))

    def _check(self) -> None:
        twice = self.records["record_id"][self.records["record_id"].duplicated()]
        if len(twice):
            raise DataError("a record stands twice in the stores", value=twice.iloc[0])
        splits = self.records["fold"].map(check_folds(self.folds))
        spread = splits.groupby(self.records["patient_id"]).nunique()
        if (spread > 1).any():
            raise DataError(
                f"{int((spread > 1).sum())} patients stand in more than one split, "
                "so test figures would leak",
                value=str(spread[spread > 1].index[0]),
                remedy="Fix patient_id or the folds of the stores",
            )
        self._store = self.records["store"].to_numpy()
        self._row = self.records["row"].to_numpy()


class DeferredCohort(Cohort):
    """A cohort that opens its stores when a record is first asked for.

    A run is opened with it: its network needs the label scheme alone, while the table of a large
    store takes seconds to read and label.

    Args, Attributes: see `Cohort`.

    Raises:
        StoreError: if a store is missing or incomplete, as far as its files tell.
        DataError: see `scheme_for`; what only the records reveal is raised when they are read.
    """

    def __init__(
        self, paths: Sequence[str | Path], scheme_name: str, *, folds: Mapping[str, Sequence[int]],
        min_likelihood: float = 0.0, unlabelled: str | None = None, unknown: bool = False,
    ) -> None:  # fmt: skip
        if not paths:
            raise DataError("no store given", remedy="Set data.store=[FOLDER, …]")
        self.scheme = scheme_for(
            scheme_name, [Columns(check_store(path)["label_columns"]) for path in paths],
            min_likelihood=min_likelihood, unlabelled=unlabelled,
        )  # fmt: skip
        self._deferred: dict[str, Any] | None = {
            "paths": list(paths), "scheme_name": scheme_name, "folds": folds,
            "min_likelihood": min_likelihood, "unlabelled": unlabelled, "unknown": unknown,
        }  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        """Read the records for an attribute that only they can give."""
        arguments = self.__dict__.get("_deferred")
        if name not in _OF_RECORDS or arguments is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._deferred = None
        try:
            Cohort.__init__(self, **arguments)
        except BaseException:
            for part in _OF_RECORDS:
                self.__dict__.pop(part, None)
            self._deferred = arguments
            raise
        return self.__dict__[name]


_OF_RECORDS = frozenset(
    {"stores", "records", "targets", "index", "dropped", "folds", "_store", "_row"}
)
