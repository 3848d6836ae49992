"""Joining, labelling and splitting stores; what is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from ecgvision.core.errors import DataError, LabelError, StoreError
from ecgvision.data import cohort as module
from ecgvision.data.cohort import Cohort, DeferredCohort
from ecgvision.store.packed import StoreWriter

FOLDS = {"train": [1, 2, 3, 4, 5, 6, 7, 8], "val": [9], "test": [10]}


def test_splits_are_the_folds(tiny_store):
    cohort = Cohort([tiny_store], "superdiagnostic", folds=FOLDS)
    split = {name: cohort.positions(name) for name in FOLDS}
    assert sum(len(p) for p in split.values()) == 60
    for name, positions in split.items():
        assert set(cohort.records["fold"].iloc[positions]) == set(FOLDS[name])
    assert cohort.targets.shape == (60, 5)
    assert (cohort.targets.sum(1) == 1).all()


def test_two_stores_with_rates_of_their_own(tiny_store, make_store, tmp_path):
    other = make_store(tmp_path / "b", records=10, name="b", rate=250, seed=1)
    cohort = Cohort([tiny_store, other], "superdiagnostic", folds=FOLDS)
    assert len(cohort.index) == 70
    assert list(cohort.index) == list(range(70))
    signal, rate = cohort.read(65)
    assert (signal.shape, rate) == ((12, 2500), 250)
    assert np.array_equal(signal, cohort.stores[1].read(5))
    swapped = Cohort([other, tiny_store], "superdiagnostic", folds=FOLDS)
    assert cohort.hash != swapped.hash


def test_empty_split_is_refused(tiny_store):
    cohort = Cohort([tiny_store], "superdiagnostic", folds=FOLDS | {"test": [11]})
    with pytest.raises(DataError, match=r"test split is empty.*\[11\].*data\.folds\.test"):
        cohort.positions("test")


def test_a_fold_in_two_splits_is_refused(tiny_store):
    with pytest.raises(DataError, match="fold 9 stands in both"):
        Cohort([tiny_store], "superdiagnostic", folds=FOLDS | {"train": [1, 9]})


def test_the_same_record_twice_is_refused(tiny_store):
    with pytest.raises(DataError, match="stands twice"):
        Cohort([tiny_store, tiny_store], "superdiagnostic", folds=FOLDS)


def store_of(folder, rows):
    with StoreWriter(folder, rate=100, source="x", label_columns=["A", "B"]) as writer:
        for i, (patient, fold, codes, columns) in enumerate(rows):
            writer.add(np.zeros((12, 100), np.float32), record_id=f"x/{i}", patient_id=patient,
                       fold=fold, scp_codes=codes, columns=columns, age=None, sex=None, device=None,
                       site=None, flags=[])  # fmt: skip
    return folder


def test_a_patient_in_two_splits_is_refused(tmp_path):
    ab = {"A": 1, "B": 0}
    store = store_of(
        tmp_path / "s", [("p1", 1, None, ab), ("p2", 9, None, ab), ("p1", 10, None, ab)]
    )
    with pytest.raises(DataError, match=r"more than one split.*p1"):
        Cohort([store], "columns", folds=FOLDS)


def test_no_positive_in_a_split_is_refused(tmp_path):
    none, one = {"A": 0, "B": 0}, {"A": 1, "B": 0}
    store = store_of(
        tmp_path / "s", [("p1", 1, None, one), ("p2", 9, None, none), ("p3", 10, None, one)]
    )
    cohort = Cohort([store], "columns", folds=FOLDS, unlabelled="keep")
    with pytest.raises(DataError, match="val split has no positive"):
        cohort.positions("val")
    assert cohort.without_positives("train") == ["B"]


def test_unlabelled_records_are_counted(tmp_path):
    ab = {"A": 1, "B": 0}
    rows = [
        ("p1", 1, {"NORM": 100.0}, ab),
        ("p2", 1, {"SR": 0.0}, ab),
        ("p3", 9, {"IMI": 50.0}, ab),
    ]
    store = store_of(tmp_path / "s", rows)
    cohort = Cohort([store], "superdiagnostic", folds=FOLDS)
    assert (len(cohort.index), cohort.dropped) == (2, 1)
    assert list(cohort.index) == [0, 2]
    assert len(Cohort([store], "superdiagnostic", folds=FOLDS, unlabelled="keep").index) == 3
    stricter = Cohort([store], "superdiagnostic", folds=FOLDS, min_likelihood=80)
    assert stricter.dropped == 2


def test_unknown_scheme_and_no_stores(tiny_store):
    with pytest.raises(LabelError, match="supercalifragilistic"):
        Cohort([tiny_store], "supercalifragilistic", folds=FOLDS)
    with pytest.raises(DataError, match="no store"):
        Cohort([], "superdiagnostic", folds=FOLDS)


def test_records_can_be_read_later(tiny_store, monkeypatch, tmp_path):
    """Scheme and missing stores are known at once; the table is read when it is asked for."""
    opened = []
    real = module.Store
    monkeypatch.setattr(module, "Store", lambda path: opened.append(path) or real(path))
    cohort = DeferredCohort([tiny_store], "superdiagnostic", folds=FOLDS)
    whole = Cohort([tiny_store], "superdiagnostic", folds=FOLDS)
    assert cohort.scheme.hash == whole.scheme.hash
    assert len(opened) == 1  # of the whole one
    again = pickle.loads(pickle.dumps(cohort))
    assert not hasattr(cohort, "no_such_thing")
    assert len(opened) == 1
    for one in (cohort, again):
        assert one.hash == whole.hash
        assert np.array_equal(one.positions("test"), whole.positions("test"))
        assert np.array_equal(one.read(3)[0], whole.read(3)[0])
    assert len(opened) == 3
    with pytest.raises(StoreError, match="no store"):
        DeferredCohort([tmp_path / "none"], "superdiagnostic", folds=FOLDS)
    with pytest.raises(DataError, match="no store given"):
        DeferredCohort([], "superdiagnostic", folds=FOLDS)
    columns = store_of(tmp_path / "c", [("p", 1, None, {"A": 1, "B": 0})])
    assert DeferredCohort([columns], "columns", folds=FOLDS).scheme.codes == ("A", "B")
    twice = DeferredCohort([tiny_store, tiny_store], "superdiagnostic", folds=FOLDS)
    for _ in range(2):  # an error does not leave it half read
        with pytest.raises(DataError, match="stands twice"):
            twice.positions("test")
