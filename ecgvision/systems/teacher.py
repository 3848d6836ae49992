"""A finished signal run as a teacher of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import nn

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import checkpoint_file, load_weights, read_config, weights_hash
from ecgvision.data.module import EcgDataModule
from ecgvision.nn.signal_net import SignalNet
from ecgvision.nn.training.teacher import Teacher
from ecgvision.systems.base import Config, reads_pages
from ecgvision.systems.leakage import refuse_leakage


def load_teacher(
    checkpoint: str | Path | None, config: Config, data: EcgDataModule, *, leads: Sequence[str],
    build: Callable[[Config, int], nn.Module], exp: str = "signal",
) -> Teacher:  # fmt: skip
    """The network of a checkpoint of `+exp=signal` or, where it is asked for, `+exp=patchecg`.

    Args:
        checkpoint: a `.ckpt` in a run directory, or the run directory (then its best).
        config: of the run that is taught; `teacher.cache` keeps answers.
        data: what it is taught on.
        leads: that the taught network reads.
        build: a new network of a configuration of that system, and the number of labels.
        exp: the system that the teacher must be of.

    Raises:
        ConfigError: if there is none, it has not finished or is not of that system, reads
            another rate, length, scale or patches, lacks a lead of the student's, has seen records
            that the student is judged on, is another than a run was trained with, or
            `teacher.cache` is set where records vary.
        LabelError: if it was trained for other labels; both hashes are named.
    """
    if checkpoint is None:
        raise ConfigError("there is no teacher", remedy="Set teacher.checkpoint=RUN/checkpoints/…")
    path = checkpoint_file(checkpoint)
    theirs = read_config(path.parent.parent)
    if theirs["exp"] != exp:
        raise ConfigError(f"a teacher is a run of +exp={exp}", file=path, value=theirs["exp"])
    same = {"signal_rate": None, "seconds": None, "normalise": "none"}
    if exp == "patchecg":
        same |= {"patch_length": None, "patch_stride": None}
    for key, default in same.items():
        ours = config["data"].get(key, default)
        if theirs["data"].get(key, default) != ours:
            raise ConfigError(
                f"the teacher was trained with another data.{key}", file=path,
                value=theirs["data"].get(key, default), remedy=f"The student has {ours}",
            )  # fmt: skip
    refuse_leakage(path, data.cohort, who="the teacher", judged="its student")
    known = config["teacher"].get("weights")
    if known is not None and known != weights_hash(path):
        raise ConfigError("the teacher's weights are others than this run was trained with",
                          file=path, remedy="Put the checkpoint back, or train again")  # fmt: skip
    scheme = data.cohort.scheme
    if reads_pages(theirs):
        raise ConfigError("a teacher reads signals, this run reads pages", file=path)
    network = build(theirs, len(scheme.codes))
    known_leads = network.leads if isinstance(network, SignalNet) else LEADS
    if missing := [lead for lead in leads if lead not in known_leads]:
        raise ConfigError("the teacher does not read every lead of the student", file=path,
                          value=missing, remedy=f"It reads {', '.join(known_leads)}")  # fmt: skip
    load_weights(network, path, label_hash=scheme.hash, prefix="model.")
    return Teacher(network, remember=_remembered(config, data))


def _remembered(config: Config, data: EcgDataModule) -> int:
    """How many records' answers are kept: all, where `teacher.cache` asks for it."""
    if not config["teacher"].get("cache"):
        return 0
    section, cohort = config["data"], data.cohort
    varied = [key for key in ("augment", "noise") if section.get(key)]
    if section.get("train_mask", "none") != "none":
        varied.append("train_mask")
    if len(data.layouts) > 1:
        varied.append("layouts")
    longest = max(float(store.records["length"].max()) / store.rate for store in cohort.stores)
    if longest > section["seconds"] + 1e-9:  # windows are drawn by lot
        varied.append("seconds")
    if varied:
        raise ConfigError("teacher.cache needs records that always look the same",
                          value=[f"data.{key}" for key in varied],
                          remedy="Set teacher.cache=false")  # fmt: skip
    return int(cohort.index.max()) + 1
