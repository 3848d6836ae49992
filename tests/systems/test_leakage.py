"""What a run has seen, and all that came before it, judges nothing that builds on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgvision.core.errors import ConfigError
from ecgvision.data.cohort import Cohort
from ecgvision.store.packed import Store, StoreWriter
from ecgvision.store.record_keys import KEYS, record_keys
from ecgvision.systems.leakage import (
    SEEN_RECORDS_FILE,
    Seen,
    records_seen_by,
    refuse_leakage,
    seen_of,
    write_seen_records,
)

Stores = Callable[..., Path]


def cohort(store: Path, train: list[int], val: list[int], test: list[int]) -> Cohort:
    folds = {"train": train, "val": val, "test": test}
    return Cohort([store], "superdiagnostic", folds=folds)


def finished(folder: Path, seen: list[Seen]) -> Path:
    """A run of which only its word on what it has seen is left."""
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps({"seen": write_seen_records(folder, seen)}))
    return folder / "checkpoints" / "best.ckpt"


def refuse(checkpoint: Path, later: Cohort) -> None:
    refuse_leakage(checkpoint, later, who="the reader", judged="this run")


def test_folds_of_the_same_records(tiny_store: Path, tmp_path: Path) -> None:
    run = finished(
        tmp_path / "a",
        records_seen_by(cohort(tiny_store, [1, 2], [3], [4]), chosen=True, before=()),
    )
    refuse(run, cohort(tiny_store, [1, 5], [3], [4]))
    refuse(run, cohort(tiny_store, [1], [3], [5]))
    for later, said in (
        (cohort(tiny_store, [1], [2], [5]), r"\[2\]"), (cohort(tiny_store, [5], [6], [1]), r"\[1\]"),
        (cohort(tiny_store, [5], [6], [3]), r"\[3\]"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=f"the reader was trained or chosen.*{said}"):
            refuse(run, later)
    unchosen = records_seen_by(cohort(tiny_store, [1, 2], [3], [4]), chosen=False, before=())
    refuse(finished(tmp_path / "b", unchosen), cohort(tiny_store, [5], [6], [3]))


def test_what_came_before_counts_wherever_it_lies(
    tiny_store: Path, make_store: Stores, tmp_path: Path
) -> None:
    other = make_store(tmp_path / "other", records=20, name="other", seed=1)
    first = finished(
        tmp_path / "a",
        records_seen_by(cohort(tiny_store, [1, 2], [3], [4]), chosen=True, before=()),
    )
    second = records_seen_by(cohort(other, [5], [6], [7]), chosen=True, before=[first, first])
    assert len(second) == 2
    (tmp_path / "a" / "metrics.json").unlink()  # by now the second run's word is enough
    run = finished(tmp_path / "b", second)
    refuse(run, cohort(tiny_store, [1], [3], [4]))
    refuse(run, cohort(other, [1], [2], [3]))
    with pytest.raises(ConfigError, match=r"\[1\]"):
        refuse(run, cohort(tiny_store, [4], [5], [1]))
    with pytest.raises(ConfigError, match=r"\[5\]"):
        refuse(run, cohort(other, [4], [5], [1]))


def test_the_same_records_at_another_rate(make_store: Stores, tmp_path: Path) -> None:
    slow, fast = (make_store(tmp_path / f"{rate}", records=20, rate=rate) for rate in (100, 200))
    run = finished(
        tmp_path / "a", records_seen_by(cohort(slow, [1], [2], [3]), chosen=True, before=())
    )
    with pytest.raises(ConfigError, match=r"\[1\]"):
        refuse(run, cohort(fast, [4], [5], [1]))


def test_a_run_that_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigError, match="has not finished"):
        seen_of(tmp_path / "a/checkpoints/best.ckpt")
    (tmp_path / "a" / "metrics.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"earlier version.*force=true"):
        seen_of(tmp_path / "a/checkpoints/best.ckpt")


def packed(folder: Path, source: Path, rows: list[int], name: str = "tiny", **change) -> Path:
    """A store of some records of another, in folds of their own: the n-th in fold n + 1."""
    given = Store(source)
    with StoreWriter(folder, rate=given.rate, source=name) as writer:
        for fold, row in enumerate(rows, 1):
            signal = change.get("do", lambda x: x)(given.read(row))
            record = str(given.records["record_id"][row]).replace("tiny", name)
            writer.add(signal, record_id=record, patient_id=record, fold=fold,
                       scp_codes={"NORM": 100.0})  # fmt: skip
    return folder


@pytest.mark.parametrize("name", ["tiny", "renamed"])
def test_a_selection_of_the_same_records_is_noticed(
    tiny_store: Path, tmp_path: Path, name: str
) -> None:
    """Rows 0, 10 and 20 stand in fold 1 of the whole, 5 in fold 6; here in folds 1-4."""
    few = packed(tmp_path / "few", tiny_store, [0, 10, 20, 5], name)
    whole = finished(
        tmp_path / "a",
        records_seen_by(cohort(tiny_store, [1], [2], [3]), chosen=True, before=(), run="r/1"),
    )
    said = r"chosen on 2 records that this run.*seen by r/1.*\[2, 3\].*data\.folds"
    with pytest.raises(ConfigError, match=said):
        refuse(whole, cohort(few, [4], [2], [3]))
    refuse(whole, cohort(few, [1, 2, 3], [], [4]))
    part = finished(
        tmp_path / "b", records_seen_by(cohort(few, [1], [4], [2]), chosen=True, before=())
    )
    with pytest.raises(ConfigError, match=r"1 records.*\[1\]"):
        refuse(part, cohort(tiny_store, [2], [3], [1]))
    with pytest.raises(ConfigError, match=r"1 records.*\[6\]"):  # that it was chosen on
        refuse(part, cohort(tiny_store, [2], [3], [6]))
    refuse(part, cohort(tiny_store, [1], [6], [2]))


def test_folds_of_other_records_are_nobody_s_business(
    tiny_store: Path, make_store: Stores, tmp_path: Path
) -> None:
    other = make_store(tmp_path / "other", records=20, name="other", seed=1)
    run = finished(
        tmp_path / "a", records_seen_by(cohort(tiny_store, [1], [2], [3]), chosen=True, before=())
    )
    refuse(run, cohort(other, [4], [2], [1]))


def test_keys_are_the_recording_s(tiny_store: Path, tmp_path: Path) -> None:
    keys, rows = record_keys(Store(tiny_store)), [3, 1, 2]
    assert len(np.unique(keys)) == 120  # a name's is never a signal's
    others = {
        "as it is": lambda x: x, "twice as high": lambda x: 2 * x, "upside down": lambda x: -x,
        "flat": lambda x: 0 * x, "absent": lambda x: x + np.nan,
    }  # fmt: skip
    found = {
        what: record_keys(Store(packed(tmp_path / what, tiny_store, rows, "other", do=do)))
        for what, do in others.items()
    }
    assert np.array_equal(found["as it is"][:, 1], keys[rows, 1])
    assert np.array_equal(found["twice as high"][:, 1], keys[rows, 1])  # not on the 1 uV grid
    assert not np.isin(found["upside down"][:, 1], keys).any()
    for what in ("flat", "absent"):  # which would all be the same recording
        assert np.array_equal(found[what][:, 0], found[what][:, 1])
    assert all(np.array_equal(f[:, 0], found["flat"][:, 0]) for f in found.values())


def test_keys_are_kept_beside_the_store_and_never_taken_for_another_s(
    tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(packed(tmp_path / "s", tiny_store, [0, 1]))
    assert not (store.path / KEYS).exists()
    before, digest = record_keys(store), store.hash
    assert [p.name for p in store.path.iterdir() if p.name.endswith(".npz")] == [KEYS]
    Store(store.path).verify()
    assert Store(store.path).hash == digest
    with monkeypatch.context() as patch:
        patch.setattr(Store, "steps", lambda *_: pytest.fail("read again"))
        assert np.array_equal(record_keys(Store(store.path)), before)
    other = Store(packed(tmp_path / "t", tiny_store, [2, 3]))
    for content in ((store.path / KEYS).read_bytes(), b"", b"PK damaged"):
        (other.path / KEYS).write_bytes(content)
        assert not np.isin(record_keys(other)[:, 1], before).any()
    (store.path / KEYS).unlink()

    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr("ecgvision.core.atomic_io.tempfile.mkstemp", refused)
    assert np.array_equal(record_keys(Store(store.path)), before)
    assert not (store.path / KEYS).exists()


def test_runs_of_earlier_versions_are_told_apart_by_whole_stores(
    tiny_store: Path, tmp_path: Path
) -> None:
    told = {"records": [Store(tiny_store).records_hash], "train": [1, 2], "val": [3]}
    run = finished(tmp_path / "a", [Seen(told, None, None)])
    for folds, said in (([5], [2], [6]), r"\[2\]"), (([5], [6], [3]), r"\[3\]"):
        with pytest.raises(ConfigError, match=f"on folds that this run is judged on.*{said}"):
            refuse(run, cohort(tiny_store, *folds))
    refuse(run, cohort(tiny_store, [1], [3], [4]))
    later = records_seen_by(cohort(tiny_store, [4], [5], [6]), chosen=True, before=[run])
    again = seen_of(finished(tmp_path / "b", later))
    assert [entry.about for entry in again] == [entry.about for entry in later]
    assert again[1].train is None
    assert np.array_equal(again[0].val, later[0].val)


def test_a_run_without_its_file_is_named(tiny_store: Path, tmp_path: Path) -> None:
    run = finished(
        tmp_path / "a", records_seen_by(cohort(tiny_store, [1], [2], [3]), chosen=True, before=())
    )
    for damage in (lambda f: f.write_bytes(b"PK"), lambda f: f.unlink()):
        damage(tmp_path / "a" / SEEN_RECORDS_FILE)
        with pytest.raises(ConfigError, match=r"seen\.npz.*missing or damaged.*force=true"):
            seen_of(run)


def test_what_is_written_down_is_small(tiny_store: Path, tmp_path: Path) -> None:
    seen = records_seen_by(cohort(tiny_store, [*range(1, 9)], [9], [10]), chosen=True, before=())
    told = write_seen_records(tmp_path, seen)
    assert len(json.dumps(told)) < 300
    assert (tmp_path / SEEN_RECORDS_FILE).stat().st_size < 16 * 54 + 1000
