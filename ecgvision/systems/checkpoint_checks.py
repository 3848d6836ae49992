"""Checks that a run fits the checkpoints that it starts from or is taught by.

They compare configurations alone: nothing slow is imported, and no record has to be packed. Whether
records were seen before is known later; see `leakage`.
"""

from __future__ import annotations

from pathlib import Path

from ecgvision.core.errors import ConfigError, LabelError
from ecgvision.core.run_folder import checkpoint_file, read_config, read_metrics
from ecgvision.systems.base import Config, reads_pages


def existing_checkpoint(key: str, given: str | Path) -> Path:
    """Return the checkpoint at a path.

    Args:
        key: setting that names it, for the message.

    Raises:
        ConfigError: if there is none.
    """
    path = checkpoint_file(given)
    if not path.is_file():
        raise ConfigError(f"{key} is no file", file=path,
                          remedy="Give a checkpoint or a run directory")  # fmt: skip
    return path


def check_backbone(key: str, given: str | Path, modality: str, config: Config) -> Path:
    """Refuse a pretraining, or a reader, whose encoder is not that of this run.

    Args:
        key: setting that names the checkpoint.
        modality: `time`, `spectrogram` or `image`; an image encoder may be a reader's.

    Returns:
        The checkpoint.

    Raises:
        ConfigError: if there is no checkpoint; if its run is of another kind, modality, sampling
            rate, encoder or page size, or has not finished.
    """
    path = existing_checkpoint(key, given)
    theirs = read_config(path.parent.parent)
    if theirs["exp"] == "read" and modality == "image":
        _check_reader(theirs, config, path)
        read_metrics(path.parent.parent, "the reader")
        return path
    if theirs["exp"] != "ssl_pretrain":
        also = " or of +exp=read" if modality == "image" else ""
        raise ConfigError(f"this is no run of +exp=ssl_pretrain{also}", file=path,
                          value=theirs["exp"])  # fmt: skip
    if theirs["model"]["modality"] != modality:
        raise ConfigError(
            f"the run pretrained another encoder than that of {modality}", file=path,
            value=theirs["model"]["modality"],
        )  # fmt: skip
    rates = [c["data"]["signal_rate"] for c in (theirs, config)]
    if modality != "image" and rates[0] != rates[1]:
        raise ConfigError("the encoder was pretrained at another data.signal_rate", file=path,
                          value=rates[0], remedy=f"This run has {rates[1]}")  # fmt: skip
    if modality != "spectrogram":
        encoder = f"{modality}_encoder"
        pair = [c["model"][encoder] for c in (theirs, config)]
        if pair[0] != pair[1]:
            raise ConfigError(f"the run pretrained another model.{encoder} than this run's",
                              file=path, value=pair[0],
                              remedy=f"Add model.{encoder}={pair[0]}")  # fmt: skip
    read_metrics(path.parent.parent, "the pretraining")
    return path


def _check_reader(theirs: Config, config: Config, path: Path) -> None:
    """Refuse a reader with another image encoder or page size than this run.

    Raises:
        ConfigError: names the setting that differs.
    """
    encoder, size = theirs["model"]["image_encoder"], list(theirs["data"]["image_size"])
    add = f"Add model.image_encoder={encoder} 'data.image_size={size}'".replace(", ", ",")
    if encoder != config["model"]["image_encoder"]:
        raise ConfigError("the reader has another model.image_encoder than this run", file=path,
                          value=encoder, remedy=add)  # fmt: skip
    if size != list(config["data"]["image_size"]):
        raise ConfigError("the reader's encoder saw pages of another data.image_size than this "
                          "run's", file=path, value=size, remedy=add)  # fmt: skip


def check_teacher(given: str | Path, config: Config, *, exp: str = "signal") -> Path:
    """Refuse a teacher that this run cannot learn from.

    Args:
        given: `teacher.checkpoint`.
        exp: system of the teacher, `signal` or `patchecg`.

    Returns:
        The checkpoint.

    Raises:
        ConfigError: if there is no checkpoint; if its run has not finished, is of another system or
            reads pages; or if its sampling rate, length, normalisation or patches differ.
        LabelError: if it was trained for other labels.
    """
    path = existing_checkpoint("teacher.checkpoint", given)
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
    if reads_pages(theirs):
        raise ConfigError("a teacher reads signals, this run reads pages", file=path)
    if theirs["data"]["labels"] != config["data"]["labels"]:
        raise LabelError("the teacher was trained for other labels", file=path,
                         value=theirs["data"]["labels"],
                         remedy="Use the data.labels it was trained with")  # fmt: skip
    read_metrics(path.parent.parent, "the teacher")
    return path


def check_weights(config: Config) -> Path:
    """Refuse weights (`model.weights`) that are not of a finished run of the same system.

    Returns:
        The checkpoint.

    Raises:
        ConfigError: if there is no checkpoint, or its run is of another system or not finished.
    """
    path = existing_checkpoint("model.weights", config["model"]["weights"])
    theirs = read_config(path.parent.parent)
    if theirs["exp"] != config["exp"]:
        raise ConfigError("model.weights are of another system", file=path, value=theirs["exp"],
                          remedy=f"This run is {config['exp']}")  # fmt: skip
    read_metrics(path.parent.parent, "the run of model.weights")
    return path
