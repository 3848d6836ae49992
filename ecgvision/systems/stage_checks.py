"""What a stage of pretraining must be for the run that starts from it; imports nothing slow."""

from __future__ import annotations

from ecgvision.core.errors import ConfigError
from ecgvision.systems.base import Config


def check_stage(config: Config, stage: str, modality: str, encoder: str | None = None) -> None:
    """Refuse a stage of pretraining whose encoder could not be loaded once it is trained.

    Args:
        stage: its section.
        encoder: key of `model` that both must agree on.

    Raises:
        ConfigError: naming the key.
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
