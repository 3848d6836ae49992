"""Names of encoders and leads, checked; imports nothing slow, so that it can be done first of all.

What the names stand for is in `signal_encoders` and `image_encoder`.
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
LEADNET = "leadnet"
OWN = (TRACENET, READNET, LEADNET)
"""Image encoders of this project; all others are timm's."""

PATCH_ENCODERS = ("net1d", "linear")
"""Encoders of patches that are no file."""

STRIDE = 16
"""Pixels of a cell of readnet; rows of a 12x1 page of 576 pixels are two and a half cells apart."""

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


def check_signal_encoder(name: str, key: str = "model.signal_encoder") -> None:
    """Refuse a name that is not in `SIGNAL_ENCODERS`.

    Args:
        key: that names it in the configuration.

    Raises:
        ConfigError: naming those there are.
    """
    if name not in SIGNAL_ENCODERS:
        raise ConfigError(f"unknown {key}", value=name,
                          remedy=f"Known: {', '.join(SIGNAL_ENCODERS)}")  # fmt: skip


def unknown_patch_encoder(name: str) -> ConfigError:
    """The error about a patch encoder that does not exist."""
    remedy = f"Known: {', '.join(PATCH_ENCODERS)}, or an existing file with a pretrained network"
    return ConfigError("unknown model.patch_encoder", value=name, remedy=remedy)


def check_image_encoder(
    name: str, size: Sequence[int] | None = None, *, pretrained: bool = False
) -> None:
    """Refuse an image encoder that is neither our own nor one of timm's, or cannot be had so.

    timm itself is slow to import: its files are looked through for a network of that name, so
    that a name which stands there as something else is refused only when it is built.

    Args:
        size: (height, width) of the pages in pixels, where it is known.
        pretrained: whether it is to start from the hub's weights.

    Raises:
        ConfigError: naming what there is.
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
    """Refuse pages (height, width) that readnet cannot cut into cells.

    Raises:
        ConfigError: with the size.
    """
    if size[0] % STRIDE or size[1] % STRIDE or min(size) < 2 * STRIDE:
        raise ConfigError(f"readnet takes pages whose data.image_size is multiples of {STRIDE}",
                          value=list(size))  # fmt: skip


def check_page_reader(name: str, size: Sequence[int], *, pretrained: bool = False) -> None:
    """Refuse an encoder or pages (height, width) that cannot be had of a page reader.

    Raises:
        ConfigError: naming the setting.
    """
    if size[0] % STRIDE or size[1] % STRIDE:
        raise ConfigError(f"a reader's data.image_size must be multiples of {STRIDE}",
                          value=list(size))  # fmt: skip
    if name in (TRACENET, LEADNET):
        raise ConfigError(
            f"{name} keeps no rows apart and cannot learn to read", value=name,
            remedy="Set model.image_encoder=readnet or a timm network",
        )  # fmt: skip
    if name == READNET and pretrained:
        raise ConfigError("there are no pretrained weights", value=name,
                          remedy="Set model.pretrained=false")  # fmt: skip
    check_image_encoder(name, size, pretrained=pretrained)


def unknown_image_encoder(name: str) -> ConfigError:
    """The error about an image encoder that does not exist."""
    remedy = "leadnet, tracenet, readnet or any name of timm.list_models() will do"
    return ConfigError("unknown model.image_encoder", value=name, remedy=remedy)


def _timm_may_know(name: str) -> bool:
    """Whether timm's files define a network of that name, or name it as one of old."""
    spec = find_spec("timm")
    if spec is None or spec.origin is None or not re.fullmatch(r"\w+", name):
        return False
    written = re.compile(rf"^def {name}\(|['\"]{name}['\"]\s*:".encode(), re.MULTILINE)
    files = (Path(spec.origin).parent / "models").rglob("*.py")
    texts = (file.read_bytes() for file in files)
    return any(name.encode() in text and written.search(text) for text in texts)


def lead_names(given: Sequence[str] | str | None) -> tuple[str, ...]:
    """Checked names of leads, in the order given; all twelve for None.

    Raises:
        ConfigError: for an unknown lead, one named twice, or none.
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
