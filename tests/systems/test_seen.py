"""What a run has seen, and all that came before it, judges nothing that builds on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ecgvision.data.cohort import Cohort
from ecgvision.ecg import ConfigError
from ecgvision.systems.seen import refuse_seen, seen_by, seen_of

Stores = Callable[..., Path]


def cohort(store: Path, train: list[int], val: list[int], test: list[int]) -> Cohort:
    folds = {"train": train, "val": val, "test": test}
    return Cohort([store], "superdiagnostic", folds=folds)


def finished(folder: Path, seen: list) -> Path:
    """A run of which only its word on what it has seen is left."""
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps({"seen": seen}))
    return folder / "checkpoints" / "best.ckpt"


def refuse(checkpoint: Path, later: Cohort) -> None:
    refuse_seen(checkpoint, later, who="the reader", judged="this run")


def test_folds_of_the_same_records(tiny_store: Path, tmp_path: Path) -> None:
    run = finished(
        tmp_path / "a", seen_by(cohort(tiny_store, [1, 2], [3], [4]), chosen=True, before=())
    )
    refuse(run, cohort(tiny_store, [1, 5], [3], [4]))
    refuse(run, cohort(tiny_store, [1], [3], [5]))
    for later, said in (
        (cohort(tiny_store, [1], [2], [5]), r"\[2\]"), (cohort(tiny_store, [5], [6], [1]), r"\[1\]"),
        (cohort(tiny_store, [5], [6], [3]), r"\[3\]"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=f"the reader was trained or chosen.*{said}"):
            refuse(run, later)
    unchosen = seen_by(cohort(tiny_store, [1, 2], [3], [4]), chosen=False, before=())
    refuse(finished(tmp_path / "b", unchosen), cohort(tiny_store, [5], [6], [3]))


def test_what_came_before_counts_wherever_it_lies(
    tiny_store: Path, make_store: Stores, tmp_path: Path
) -> None:
    other = make_store(tmp_path / "other", records=20, name="other")
    first = finished(
        tmp_path / "a", seen_by(cohort(tiny_store, [1, 2], [3], [4]), chosen=True, before=())
    )
    second = seen_by(cohort(other, [5], [6], [7]), chosen=True, before=[first, first])
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
    run = finished(tmp_path / "a", seen_by(cohort(slow, [1], [2], [3]), chosen=True, before=()))
    with pytest.raises(ConfigError, match=r"\[1\]"):
        refuse(run, cohort(fast, [4], [5], [1]))


def test_a_run_that_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigError, match="has not finished"):
        seen_of(tmp_path / "a/checkpoints/best.ckpt")
    (tmp_path / "a" / "metrics.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"earlier version.*force=true"):
        seen_of(tmp_path / "a/checkpoints/best.ckpt")
