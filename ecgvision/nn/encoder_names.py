"""Names of encoders and leads, and checks of them.

The networks themselves are in `signal_encoders` and `image_encoder`. This module imports nothing
slow, so a configuration can be checked before anything else is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError

TRACENET = "tracenet"
READNET = "readnet"
OWN = (TRACENET, READNET)
"""Image encoders of this project; all others are timm's."""

PATCH_ENCODERS = ("net1d", "linear")
"""Built-in patch encoders; any other value is the path of a file with a pretrained network."""

STRIDE = 16
"""Pixels per readnet cell; rows of a 12x1 page of 576 pixels are two and a half cells apart."""

SIGNAL_ENCODERS = (
    "resnet1d_wang",
    "resnet1d_lite",
    "resnet1d18",
    "xresnet1d18",
    "xresnet1d34",
    "xresnet1d50",
    "xresnet1d101",
    "xresnet1d18_wide",
    "xresnet1d34_wide",
    "xresnet1d50_wide",
    "xresnet1d101_wide",
    "inception1d",
    "net1d",
    "lstm",
    "lstm_bidir",
)


def signal_encoders() -> tuple[str, ...]:
    """Return the known names, with those that were added at run time."""
    return SIGNAL_ENCODERS


def check_signal_encoder(name: str, key: str = "model.signal_encoder") -> None:
    """Refuse a name that is not in `SIGNAL_ENCODERS`.

    Args:
        key: configuration key of the name, for the error message.

    Raises:
        ConfigError: for an unknown name; lists the known ones.
    """
    if name not in SIGNAL_ENCODERS:
        raise ConfigError(f"unknown {key}", value=name,
                          remedy=f"Known: {', '.join(SIGNAL_ENCODERS)}")  # fmt: skip


def unknown_patch_encoder(name: str) -> ConfigError:
    """Return the error for an unknown patch encoder."""
    remedy = f"Known: {', '.join(PATCH_ENCODERS)}, or an existing file with a pretrained network"
    return ConfigError("unknown model.patch_encoder", value=name, remedy=remedy)


def check_image_encoder(
    name: str, size: Sequence[int] | None = None, *, pretrained: bool = False
) -> None:
    """Refuse an image encoder that is unknown or that does not support the given settings.

    Known encoders are those in `OWN` and timm's. timm is slow to import, so its source files are
    searched for the name instead. A name that occurs there as something other than a network is
    therefore refused only when the network is built.

    Args:
        size: (height, width) of the pages in pixels, where known.
        pretrained: whether the network starts from the hub's weights.

    Raises:
        ConfigError: for an unknown name, missing pretrained weights or an unsupported size.
    """
    if name not in OWN:
        if not _timm_may_know(name.split(".")[0]):
            raise unknown_image_encoder(name)
        return
    if pretrained:
        raise ConfigError("there are no pretrained weights", value=name,
                          remedy="Set model.pretrained=false or choose a timm network")  # fmt: skip
    if name == READNET and size is not None:
        check_readnet_size(size)


def check_readnet_size(size: Sequence[int]) -> None:
    """Refuse a page size (height, width) that readnet cannot divide into cells.

    Raises:
        ConfigError: for sides that are not multiples of `STRIDE`, or below two cells.
    """
    if size[0] % STRIDE or size[1] % STRIDE or min(size) < 2 * STRIDE:
        raise ConfigError(f"readnet takes pages whose data.image_size is multiples of {STRIDE}",
                          value=list(size))  # fmt: skip


def check_page_reader(name: str, size: Sequence[int], *, pretrained: bool = False) -> None:
    """Refuse an encoder or a page size (height, width) that a page reader cannot use.

    Raises:
        ConfigError: for sides that are not multiples of `STRIDE`, or an encoder that cannot read.
    """
    if size[0] % STRIDE or size[1] % STRIDE:
        raise ConfigError(f"a reader's data.image_size must be multiples of {STRIDE}",
                          value=list(size))  # fmt: skip
    if name == TRACENET:
        raise ConfigError(
            f"{name} keeps no rows apart and cannot learn to read", value=name,
            remedy="Set model.image_encoder=readnet or a timm network",
        )  # fmt: skip
    if name == READNET and pretrained:
        raise ConfigError("there are no pretrained weights", value=name,
                          remedy="Set model.pretrained=false")  # fmt: skip
    check_image_encoder(name, size, pretrained=pretrained)


def unknown_image_encoder(name: str) -> ConfigError:
    """Return the error for an unknown image encoder."""
    remedy = "tracenet, readnet or any name of timm.list_models() will do"
    return ConfigError("unknown model.image_encoder", value=name, remedy=remedy)


def _timm_may_know(name: str) -> bool:
    """Return whether timm's source files define a function of this name or list it as a key.

    Deprecated names are keys of a dictionary there.
    """
    spec = find_spec("timm")
    if spec is None or spec.origin is None or not re.fullmatch(r"\w+", name):
        return False
    written = re.compile(rf"^def {name}\(|['\"]{name}['\"]\s*:".encode(), re.MULTILINE)
    files = (Path(spec.origin).parent / "models").rglob("*.py")
    texts = (file.read_bytes() for file in files)
    return any(name.encode() in text and written.search(text) for text in texts)


def lead_names(given: Sequence[str] | str | None) -> tuple[str, ...]:
    """Check names of leads and return them in the order given; None stands for all twelve.

    Raises:
        ConfigError: for an unknown lead, a repeated lead, or an empty list.
    """
    if given is None:
        return LEADS
    if not isinstance(given, Sequence):
        raise ConfigError("leads must be a list of names", value=given)
    chosen = (given,) if isinstance(given, str) else tuple(str(lead) for lead in given)
    unknown = [lead for lead in chosen if lead not in LEADS]
    if unknown or not chosen or len(set(chosen)) < len(chosen):
        raise ConfigError("leads must be some of the twelve, none twice", value=list(chosen),
                          remedy=f"Known: {', '.join(LEADS)}")  # fmt: skip
    return chosen
