"""Loading a finished signal run as a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import read_config
from ecgvision.data.module import EcgDataModule
from ecgvision.nn.checkpoints import load_weights, weights_hash
from ecgvision.nn.signal_net import SignalNet
from ecgvision.nn.training.teacher import Teacher
from ecgvision.systems.base import Config
from ecgvision.systems.checkpoint_checks import check_teacher
from ecgvision.systems.leakage import refuse_leakage


def load_teacher(
    checkpoint: str | Path | None, config: Config, data: EcgDataModule, *, leads: Sequence[str],
    build: Callable[[Config, int], nn.Module], exp: str = "signal",
) -> Teacher:  # fmt: skip
    """Load the teacher network from a checkpoint of a signal run.

    Args:
        checkpoint: a `.ckpt` in a run directory, or the run directory (its best checkpoint).
        config: configuration of the student's run; `teacher.cache` caches the teacher's outputs.
        data: data of the student's run.
        leads: leads that the student reads.
        build: creates a network from a configuration of the system and the number of labels.
        exp: system of the teacher, `signal` or `patchecg`.

    Raises:
        ConfigError: as `check_teacher`; if it lacks a lead of the student; if it has seen records
            that the student is evaluated on; if its weights differ from those the run was trained
            with; or if `teacher.cache` is set where records vary.
        LabelError: if it was trained for other labels.
    """
    if checkpoint is None:
        raise ConfigError("there is no teacher", remedy="Set teacher.checkpoint=RUN/checkpoints/…")
    path = check_teacher(checkpoint, config, exp=exp)
    theirs = read_config(path.parent.parent)
    refuse_leakage(path, data.cohort, who="the teacher", judged="its student")
    known = config["teacher"].get("weights")
    if known is not None and known != weights_hash(path):
        raise ConfigError("the teacher's weights are others than this run was trained with",
                          file=path, remedy="Put the checkpoint back, or train again")  # fmt: skip
    scheme = data.cohort.scheme
    network = build(theirs, len(scheme.codes))
    known_leads = network.leads if isinstance(network, SignalNet) else LEADS
    if missing := [lead for lead in leads if lead not in known_leads]:
        raise ConfigError("the teacher does not read every lead of the student", file=path,
                          value=missing, remedy=f"It reads {', '.join(known_leads)}")  # fmt: skip
    load_weights(network, path, label_hash=scheme.hash, prefix="model.")
    return Teacher(network, remember=_remembered(config, data))


def _remembered(config: Config, data: EcgDataModule) -> int:
    """Return the number of records to cache: all of them if `teacher.cache` is set, else 0.

    Raises:
        ConfigError: if `teacher.cache` is set where records vary between epochs.
    """
    if not config["teacher"].get("cache"):
        return 0
    section, cohort = config["data"], data.cohort
    varied = [key for key in ("augment", "noise") if section.get(key)]
    if section.get("train_mask", "none") != "none":
        varied.append("train_mask")
    if len(data.layouts) > 1:
        varied.append("layouts")
    longest = max(float(store.records["length"].max()) / store.rate for store in cohort.stores)
    if longest > section["seconds"] + 1e-9:  # windows are drawn at random
        varied.append("seconds")
    if varied:
        raise ConfigError("teacher.cache needs records that always look the same",
                          value=[f"data.{key}" for key in varied],
                          remedy="Set teacher.cache=false")  # fmt: skip
    return int(cohort.index.max()) + 1
