"""Train/test leakage between runs that build on one another.

Each run stores which records it and its upstream runs have seen. A downstream run is refused if it
is evaluated on any of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import read_metrics
from ecgvision.data.cohort import Cohort
from ecgvision.store.record_keys import Keys

SEEN_RECORDS_FILE = "seen.npz"
"""File beside metrics.json with the keys (`record_keys`) of the records that were seen.

Each run has two sorted uint64 arrays. `DIGEST.train` holds the records trained on, `DIGEST.val`
those on which the checkpoint was chosen; 16 bytes a record."""


@dataclass(frozen=True)
class Seen:
    """The records that one run has seen.

    Attributes:
        about: entry of metrics.json under `seen`: `run`, the name; `records`, a hash over the
            record names of each store (`Store.records_hash`); `train` and `val`, the folds;
            `digest`, over the keys. Older runs have neither `run` nor `digest`.
        train, val: sorted keys of the records; None for older runs.
    """

    about: Mapping[str, Any]
    train: Keys | None
    val: Keys | None


def records_seen_by(
    cohort: Cohort, *, chosen: bool, before: Sequence[Path], run: str = ""
) -> list[Seen]:
    """Return what the run and all its upstream runs have seen, without duplicates.

    Args:
        chosen: whether the checkpoint is chosen on the validation folds.
        before: checkpoints that the run starts from or is taught by, each in its run directory.
        run: name of the run, for messages.

    Raises:
        ConfigError: as `seen_of`.
    """
    keys, folds = cohort.keys, {"train": cohort.folds["train"], "val": cohort.folds["val"]}
    if not chosen:
        folds["val"] = []
    train, val = (np.unique(keys[_within(cohort, folds[s])]) for s in ("train", "val"))
    digest = hashlib.blake2b(train.tobytes() + b"\0" + val.tobytes(), digest_size=8).hexdigest()
    stores = [store.records_hash for store in cohort.stores]
    out = [Seen({"run": run, "records": stores, **folds, "digest": digest}, train, val)]
    for checkpoint in before:
        known = [entry.about for entry in out]
        out += [entry for entry in seen_of(checkpoint) if entry.about not in known]
    return out


def write_seen_records(folder: Path, seen: Sequence[Seen]) -> list[dict[str, Any]]:
    """Write `SEEN_RECORDS_FILE` to a run directory; return the entry `seen` of metrics.json."""
    arrays = {}
    for entry in seen:
        if entry.train is not None and entry.val is not None:
            arrays[f"{entry.about['digest']}.train"] = entry.train
            arrays[f"{entry.about['digest']}.val"] = entry.val
    with atomic_file(folder / SEEN_RECORDS_FILE) as part, part.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    return [dict(entry.about) for entry in seen]


def seen_of(checkpoint: Path, who: str = "the run of these weights") -> list[Seen]:
    """Return what the finished run of a checkpoint and its upstream runs have seen.

    Raises:
        ConfigError: if the run has not finished, or has no readable list of seen records.
    """
    folder = checkpoint.parent.parent
    entries: list[dict[str, Any]] | None = read_metrics(folder, who).get("seen")
    if entries is None:
        raise ConfigError(f"{who} does not say which records it has seen: it is of an earlier "
                          "version", file=folder,
                          remedy="Repeat its command with force=true")  # fmt: skip
    if not any("digest" in about for about in entries):
        return [Seen(about, None, None) for about in entries]
    try:
        with np.load(folder / SEEN_RECORDS_FILE, allow_pickle=False) as found:
            keys = dict(found)
        return [_entry(about, keys) for about in entries]
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise ConfigError(f"{who} does not say which records it has seen: the file is missing or "
                          "damaged", file=folder / SEEN_RECORDS_FILE,
                          remedy="Copy the whole run directory, or repeat its command with "
                          "force=true") from error  # fmt: skip


def refuse_leakage(checkpoint: Path, cohort: Cohort, *, who: str, judged: str) -> None:
    """Refuse train/test leakage from upstream runs.

    Records are identified by their names and by their signals, in whichever store they are; see
    `ecgvision.store.record_keys` for the limits. For older runs only a hash over all record names
    of a store is known, so the folds are compared instead of single records.

    Args:
        checkpoint: checkpoint of the upstream run, in its run directory.
        cohort: records of the downstream run.
        who, judged: names of the upstream and the downstream run for the message.

    Raises:
        ConfigError: if the upstream run has not finished; if the downstream run is validated or
            tested on records that the upstream run, or one before it, was trained on; or if it is
            tested on records that one of them was chosen on.
    """
    mine = cohort.folds
    for entry in seen_of(checkpoint, who):
        if entry.train is None or entry.val is None:
            _refuse_folds(checkpoint, cohort, entry.about, who=who, judged=judged)
            continue
        judging, testing = (
            _within(cohort, [*mine["val"], *mine["test"]]),
            _within(cohort, mine["test"]),
        )
        twice = (judging & np.isin(cohort.keys, entry.train).any(1)) | (
            testing & np.isin(cohort.keys, entry.val).any(1)
        )
        if twice.any():
            folds = sorted({int(f) for f in cohort.records["fold"][twice]})
            by = f", seen by {run}" if (run := entry.about["run"]) else ""
            raise ConfigError(
                f"{who} was trained or chosen on {int(twice.sum())} records that {judged} is "
                f"judged on{by}, in folds {folds}", file=checkpoint,
                remedy="Give both the same data.folds, or take the records out of one of them",
            )  # fmt: skip


def _refuse_folds(
    checkpoint: Path, cohort: Cohort, about: Mapping[str, Any], *, who: str, judged: str
) -> None:
    """`refuse_leakage` for an older run, by folds."""
    ours, mine = {store.records_hash for store in cohort.stores}, cohort.folds
    if not ours & set(about["records"]):
        return
    seen = set(about["train"]) & {*mine["val"], *mine["test"]}
    seen |= set(about["val"]) & set(mine["test"])
    if seen:
        raise ConfigError(
            f"{who} was trained or chosen on folds that {judged} is judged on",
            file=checkpoint, value=sorted(seen), remedy="Give both the same data.folds",
        )  # fmt: skip


def _within(cohort: Cohort, folds: Sequence[int]) -> NDArray[np.bool_]:
    """Return the mask of the cohort's records that are in the folds, (N,) bool."""
    return cohort.records["fold"].isin(folds).to_numpy(bool)


def _entry(about: Mapping[str, Any], keys: Mapping[str, Keys]) -> Seen:
    if "digest" not in about:
        return Seen(about, None, None)
    return Seen(about, keys[f"{about['digest']}.train"], keys[f"{about['digest']}.val"])
