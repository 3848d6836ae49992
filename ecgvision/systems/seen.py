"""Whether a run that another one builds on has seen records which that one is judged on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ecgvision.data.cohort import Cohort
from ecgvision.ecg import ConfigError
from ecgvision.store import Store
from ecgvision.systems.base import Config


def refuse_seen(
    theirs: Config, checkpoint: Path, cohort: Cohort, *, who: str, judged: str,
    chosen_on: Sequence[str] = ("val",),
) -> None:  # fmt: skip
    """What a run has learnt from, or been chosen on, is not what another is tested on.

    Stores are told apart by content; records that stand in two different stores are not noticed.

    Args:
        theirs: configuration of the run that comes first.
        checkpoint: in its directory.
        cohort: of the run that builds on it.
        who, judged: names of both for the message.
        chosen_on: splits, beside training, that the first run's checkpoint was chosen on.

    Raises:
        ConfigError: if the first run has not finished, or the second is validated or tested on
            folds that the first was trained on, or tested on folds that it was chosen on.
    """
    file = checkpoint.parent.parent / "metrics.json"
    if not file.is_file():
        raise ConfigError(f"{who}'s run has not finished", file=file,
                          remedy="Repeat its command, which goes on where it stopped")  # fmt: skip
    ours = {store.hash for store in cohort.stores}
    data = json.loads(file.read_text(encoding="utf-8"))["data"]
    if data["hash"] == cohort.hash:
        shared = ours
    elif "stores" in data:  # a shipped run: its stores stayed where it was trained
        shared = ours & set(data["stores"])
    else:
        stores = [Path(store) for store in theirs["data"]["store"]]
        shared = ours & {Store(store).hash for store in stores if store.is_dir()}
    if not shared:
        return
    folds, mine = theirs["data"]["folds"], cohort.folds
    seen = set(folds["train"]) & {*mine["val"], *mine["test"]}
    seen |= {fold for split in chosen_on for fold in folds[split]} & set(mine["test"])
    if seen:
        raise ConfigError(
            f"{who} was trained or chosen on folds that {judged} is judged on", file=checkpoint,
            value=sorted(seen), remedy="Give both the same data.folds",
        )  # fmt: skip
