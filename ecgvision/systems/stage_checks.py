"""Checks that a pretraining stage fits the run that starts from it; imports nothing slow."""

from __future__ import annotations

from ecgvision.core.errors import ConfigError
from ecgvision.systems.base import Config


def check_stage(config: Config, stage: str, modality: str, encoder: str | None = None) -> None:
    """Refuse a pretraining stage whose encoder this run could not load after the training.

    Args:
        stage: section of the stage in the configuration.
        modality: `time`, `spectrogram` or `image`.
        encoder: key of `model` on which both must agree.

    Raises:
        ConfigError: for a setting that differs; names its key.
    """
    theirs = config[stage]
    if theirs["exp"] == "read" and modality == "image":
        for section, key in (("model", "image_encoder"), ("data", "image_size")):
            given, ours = theirs[section].get(key, config[section][key]), config[section][key]
            if given != ours:
                raise ConfigError(f"{stage}.{section}.{key} must be {ours} here", value=given)
        return
    wanted = [(f"{stage}.exp", theirs["exp"], "ssl_pretrain"),
              (f"{stage}.model.modality", theirs["model"]["modality"], modality)]  # fmt: skip
    if encoder is not None:
        ours = config["model"][encoder]
        wanted.append((f"{stage}.model.{encoder}", theirs["model"][encoder], ours))
    if modality != "image":
        ours = config["data"]["signal_rate"]
        rate = theirs["data"].get("signal_rate", ours)
        wanted.append((f"{stage}.data.signal_rate", rate, ours))
    for key, given, needed in wanted:
        if given != needed:
            raise ConfigError(f"{key} must be {needed} here", value=given)
