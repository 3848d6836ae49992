"""What a run of `input=page` takes over from its reader; imports nothing slow."""

from __future__ import annotations

from typing import Any

from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import checkpoint_file, read_config
from ecgvision.systems.base import reads_pages

TAKEN = ("image_size", "artefacts", "style", "dpi", "train_dpi", "speed", "gain")
"""Of the section `data`, what a run takes over from its reader unless it says otherwise."""


def adopt_reader(config: dict[str, Any]) -> None:
    """Give a run of `input=page` its reader's settings, so that it can be opened without it.

    The pages are the reader's, in the layouts of this run.

    Raises:
        ConfigError: if there is no reader, it is none, or it reads another rate or window; or if a
            reader is named where no page is read.
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
    for key in TAKEN:
        data.setdefault(key, theirs["data"][key])
    data.setdefault("images", None)
    data.setdefault("signal_window", "record")
    config["model"]["reader"] = str(path)
    config["reader"] = {
        "model": {**theirs["model"], "pretrained": False},
        "data": {key: theirs["data"][key] for key in ("image_size", "signal_rate", "seconds")},
    }
