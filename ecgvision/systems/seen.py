"""Which records a run has seen, with all the runs that it builds on; and whether another run that
builds on it is judged on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgvision.data.cohort import Cohort
from ecgvision.ecg import ConfigError
from ecgvision.rundir import read_metrics

Seen = Mapping[str, Any]
"""`records`, what tells apart the records of each store (`Store.records_hash`); `train`, the folds
of them that were learned from; `val`, those that a checkpoint was chosen on."""


def seen_by(cohort: Cohort, *, chosen: bool, before: Sequence[Path]) -> list[Seen]:
    """What metrics.json says under `seen`: of the run itself, and of all that came before it.

    Args:
        chosen: whether its checkpoint is chosen on the validation folds.
        before: the checkpoints that the run starts from or is taught by, each in its directory.

    Raises:
        ConfigError: as `seen_of`.
    """
    out: list[Seen] = [{
        "records": [store.records_hash for store in cohort.stores],
        "train": cohort.folds["train"], "val": cohort.folds["val"] if chosen else [],
    }]  # fmt: skip
    for checkpoint in before:
        out += [entry for entry in seen_of(checkpoint) if entry not in out]
    return out


def seen_of(checkpoint: Path, who: str = "the run of these weights") -> list[Seen]:
    """What the finished run of a checkpoint has seen.

    Raises:
        ConfigError: if the run has not finished, or does not say.
    """
    folder = checkpoint.parent.parent
    seen: list[Seen] | None = read_metrics(folder, who).get("seen")
    if seen is None:
        raise ConfigError(f"{who} does not say which records it has seen: it is of an earlier "
                          "version", file=folder,
                          remedy="Repeat its command with force=true")  # fmt: skip
    return seen


def refuse_seen(checkpoint: Path, cohort: Cohort, *, who: str, judged: str) -> None:
    """What a run has learnt from, or been chosen on, is not what another is tested on.

    Stores are told apart by the names of their records: the same records at another rate are the
    same; a selection of them is another store, which is not noticed.

    Args:
        checkpoint: of the run that comes first, in its directory.
        cohort: of the run that builds on it.
        who, judged: names of both for the message.

    Raises:
        ConfigError: if the first run has not finished, or the second is validated or tested on
            folds that the first, or one that it builds on, was trained on, or tested on folds that
            it was chosen on.
    """
    ours, mine = {store.records_hash for store in cohort.stores}, cohort.folds
    for entry in seen_of(checkpoint, who):
        if not ours & set(entry["records"]):
            continue
        seen = set(entry["train"]) & {*mine["val"], *mine["test"]}
        seen |= set(entry["val"]) & set(mine["test"])
        if seen:
            raise ConfigError(
                f"{who} was trained or chosen on folds that {judged} is judged on",
                file=checkpoint, value=sorted(seen), remedy="Give both the same data.folds",
            )  # fmt: skip
