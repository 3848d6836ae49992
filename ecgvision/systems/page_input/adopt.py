"""Reader settings that a run of `input=page` adopts; imports nothing slow."""

from __future__ import annotations

from typing import Any

from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import checkpoint_file, read_config
from ecgvision.systems.base import reads_pages

ADOPTED_KEYS = ("image_size", "artefacts", "style", "dpi", "train_dpi", "speed", "gain")
"""Keys of the section `data` that a run adopts from its reader unless it sets them itself."""


def adopt_reader(config: dict[str, Any]) -> None:
    """Copy the reader's settings into a run of `input=page`, so that it opens without the reader.

    Page settings are the reader's; the layouts are those of this run.

    Raises:
        ConfigError: if no reader is given, the given run is not a reader, or its sampling rate,
            window or page size differ; if `data.normalise` is set; or if a reader is given for a
            run that does not read pages.
    """
    given = config["model"].get("reader") if "reader" in config["model"] else None
    if config.get("input", "signal") == "signal" and given is None:
        return
    if not reads_pages(config):
        raise ConfigError("a reader needs pages", value=given, remedy="Set input=page")
    if "reader" not in config["model"]:
        raise ConfigError("this system does not read pages through a reader", value=config["exp"],
                          remedy="patchecg and signal do")  # fmt: skip
    if given is None:
        raise ConfigError("input=page needs a reader", remedy="Set model.reader=RUN of +exp=read")
    path = checkpoint_file(given).resolve()
    if not path.is_file():
        raise ConfigError("model.reader is no file", file=path,
                          remedy="Give a checkpoint or a run directory of +exp=read")  # fmt: skip
    theirs = read_config(path.parent.parent)
    if theirs["exp"] != "read":
        raise ConfigError("model.reader is no run of +exp=read", file=path, value=theirs["exp"])
    data = config["data"]
    for key in ("signal_rate", "seconds"):
        if theirs["data"][key] != data[key]:
            raise ConfigError(f"the reader was trained with another data.{key}", file=path,
                              value=theirs["data"][key],
                              remedy=f"This run has {data[key]}")  # fmt: skip
    if data.get("normalise", "none") != "none":
        raise ConfigError("what is read of a page stays in mV", value=data["normalise"],
                          remedy="Set data.normalise=none")  # fmt: skip
    if data.get("image_size", theirs["data"]["image_size"]) != theirs["data"]["image_size"]:
        raise ConfigError("the reader was trained on pages of another data.image_size", file=path,
                          value=theirs["data"]["image_size"])  # fmt: skip
    for key in ADOPTED_KEYS:
        data.setdefault(key, theirs["data"][key])
    data.setdefault("images", None)
    data.setdefault("signal_window", "record")
    config["model"]["reader"] = str(path)
    config["reader"] = {
        "model": {**theirs["model"], "pretrained": False},
        "data": {key: theirs["data"][key] for key in ("image_size", "signal_rate", "seconds")},
    }
