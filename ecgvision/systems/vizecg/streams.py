"""The streams of `VizECGNet` by name; imports nothing slow, so that they can be checked first."""

from __future__ import annotations

from typing import Literal, get_args

from ecgvision.core.errors import ConfigError

Streams = Literal["both", "image", "signal"]
VARIANTS = ("A1", "A2")

SIGNAL_AND_IMAGE = "signal+image"
"""Name of the signal stream if it attends to the image; it is not a signal-only baseline."""


def stream_names(*, streams: Streams, variant: str, cmam: bool, fused: bool) -> tuple[str, ...]:
    """Return the output streams of a network with these settings, the deployed one first."""
    if streams != "both":
        return (streams,)
    asked = cmam and variant == "A1"
    named = ("image", SIGNAL_AND_IMAGE if asked else "signal")
    return (*named, "fused") if fused and variant == "A1" else named


def check_streams(streams: str, variant: str) -> None:
    """Refuse unknown streams or an unknown variant.

    Raises:
        ConfigError: for an unknown value; names the setting.
    """
    if variant not in VARIANTS:
        raise ConfigError("model.variant must be A1 or A2", value=variant)
    if streams not in get_args(Streams):
        raise ConfigError("model.streams must be both, image or signal", value=streams)
