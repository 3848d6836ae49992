"""Which records a run has seen, with all the runs that it builds on; and whether another run that
builds on it is judged on them."""

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
"""Beside metrics.json: keys (`record_keys`) of the records that were learned from, and
of those that a checkpoint was chosen on: for each run two sorted uint64 arrays, `DIGEST.train` and
`DIGEST.val`; 16 bytes a record."""


@dataclass(frozen=True)
class Seen:
    """What one run has seen.

    Attributes:
        about: as metrics.json has it under `seen`: `run`, its name; `records`, what tells apart the
            records of each store as a whole (`Store.records_hash`); `train` and `val`, the folds;
            `digest`, over the keys. Runs of earlier versions have neither `run` nor `digest`.
        train, val: sorted keys of the records; None of runs of earlier versions.
    """

    about: Mapping[str, Any]
    train: Keys | None
    val: Keys | None


def records_seen_by(
    cohort: Cohort, *, chosen: bool, before: Sequence[Path], run: str = ""
) -> list[Seen]:
    """Of the run itself, and of all that came before it, each once.

    Args:
        chosen: whether its checkpoint is chosen on the validation folds.
        before: the checkpoints that the run starts from or is taught by, each in its directory.
        run: its name, for messages.

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
    """Write `SEEN_RECORDS_FILE` to a run directory; returns what metrics.json says under `seen`."""
    arrays = {}
    for entry in seen:
        if entry.train is not None and entry.val is not None:
            arrays[f"{entry.about['digest']}.train"] = entry.train
            arrays[f"{entry.about['digest']}.val"] = entry.val
    with atomic_file(folder / SEEN_RECORDS_FILE) as part, part.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    return [dict(entry.about) for entry in seen]


def seen_of(checkpoint: Path, who: str = "the run of these weights") -> list[Seen]:
    """What the finished run of a checkpoint has seen.

    Raises:
        ConfigError: if the run has not finished, or does not say.
    """
    folder = checkpoint.parent.parent
    told: list[dict[str, Any]] | None = read_metrics(folder, who).get("seen")
    if told is None:
        raise ConfigError(f"{who} does not say which records it has seen: it is of an earlier "
                          "version", file=folder,
                          remedy="Repeat its command with force=true")  # fmt: skip
    if not any("digest" in about for about in told):
        return [Seen(about, None, None) for about in told]
    try:
        with np.load(folder / SEEN_RECORDS_FILE, allow_pickle=False) as found:
            keys = dict(found)
        return [_entry(about, keys) for about in told]
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise ConfigError(f"{who} does not say which records it has seen: the file is missing or "
                          "damaged", file=folder / SEEN_RECORDS_FILE,
                          remedy="Copy the whole run directory, or repeat its command with "
                          "force=true") from error  # fmt: skip


def refuse_leakage(checkpoint: Path, cohort: Cohort, *, who: str, judged: str) -> None:
    """What a run has learnt from, or been chosen on, is not what another is tested on.

    Records are told apart by their names and by their signals, in whatever store they lie; see
    `ecgvision.store.record_keys` for what is not noticed. Of a run of an earlier version only the
    names of all records of a store together are known, and so no selection of them.

    Args:
        checkpoint: of the run that comes first, in its directory.
        cohort: of the run that builds on it.
        who, judged: names of both for the message.

    Raises:
        ConfigError: if the first run has not finished, or the second is validated or tested on
            records that the first, or one that it builds on, was trained on, or tested on records
            that it was chosen on.
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
    """As `refuse_leakage`, of a run of an earlier version."""
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
    """(N,) bool, which of the cohort's records stand in folds."""
    return cohort.records["fold"].isin(folds).to_numpy(bool)


def _entry(about: Mapping[str, Any], keys: Mapping[str, Keys]) -> Seen:
    if "digest" not in about:
        return Seen(about, None, None)
    return Seen(about, keys[f"{about['digest']}.train"], keys[f"{about['digest']}.val"])
