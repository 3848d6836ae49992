"""Presets: which artefacts affect a page, how often and how strongly.

All values are our defaults, chosen by eye on pages of PTB-XL so that they stay readable at moderate
strength.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Use:
    """One of `names` (equally likely), applied with `chance` and a strength from [low, high]."""

    names: str | tuple[str, ...]
    chance: float = 1.0
    low: float = 0.2
    high: float = 0.8


@dataclass(frozen=True)
class Preset:
    """A sequence of devices that a page passes through.

    Attributes:
        what: short description.
        passes: the artefacts of each device. Within a device, drawing on the paper comes first,
            then all geometric changes at once, then light, then faults of the image, each in order.
    """

    what: str
    passes: tuple[tuple[Use, ...], ...] = ()


_NOTES = (
    Use("handwriting", 0.25, 0.3, 0.9),
    Use("stamp", 0.12, 0.3, 0.9),
    Use("staple", 0.15, 0.7, 1.0),
    Use("punch_hole", 0.12, 1.0, 1.0),
)
_PHONE = (
    Use(("perspective", "table"), 0.9, 0.2, 0.9),
    Use("lens", 0.5, 0.1, 0.8),
    Use("crop", 0.1, 0.2, 0.8),
    Use("uneven_light", 0.9, 0.2, 0.8),
    Use("shadow", 0.4, 0.2, 0.8),
    Use("moire", 0.12, 0.1, 0.5),
    Use("blur", 0.5, 0.05, 0.5),
    Use("motion", 0.2, 0.1, 0.5),
    Use("white_balance", 0.6, 0.05, 0.5),
    Use("noise", 0.8, 0.05, 0.5),
    Use("jpeg", 0.9, 0.1, 0.6),
)
_COPIER = (
    Use("skew", 0.6, 0.1, 0.6),
    Use("copy", 1.0, 0.4, 1.0),
    Use("toner", 0.7, 0.1, 0.8),
    Use("black_edges", 0.6, 0.2, 1.0),
    Use("streaks", 0.3, 0.1, 0.6),
    Use("dust", 0.5, 0.1, 0.8),
)
_FAX = (
    Use("skew", 0.6, 0.1, 0.6),
    Use("streaks", 0.2, 0.1, 0.6),
    Use("dust", 0.4, 0.1, 0.6),
    Use(("fax_text", "fax_text", "fax_photo"), 1.0, 0.3, 1.0),
)

CLEAN = "clean"
"""The preset without any artefact."""

PRESETS: dict[str, Preset] = {
    CLEAN: Preset("as drawn"),
    "scan": Preset(
        "a flat-bed or sheet-fed scanner",
        (
            (
                *_NOTES,
                Use("fold", 0.15, 0.1, 0.5),
                Use("skew", 0.8, 0.1, 1.0),
                Use("blur", 0.3, 0.05, 0.3),
                Use("streaks", 0.25, 0.1, 0.8),
                Use("dust", 0.5, 0.05, 0.6),
                Use("tone", 0.7, 0.1, 0.8),
                Use("noise", 0.4, 0.03, 0.25),
                Use("jpeg", 0.7, 0.05, 0.6),
            ),
        ),
    ),
    "fax": Preset("a fax machine", ((*_NOTES, *_FAX),)),
    "photocopy": Preset("a copier", ((*_NOTES, Use("fold", 0.2, 0.2, 0.7), *_COPIER),)),
    "photo": Preset(
        "photographed with a phone",
        ((*_NOTES, Use("fold", 0.25, 0.1, 0.7), Use("curl", 0.4, 0.1, 0.8), *_PHONE),),
    ),
    "crumpled": Preset(
        "folded, crumpled, spilt on, and photographed from above",
        (
            (
                *_NOTES,
                Use("stain", 0.5, 0.2, 0.9),
                Use("fold", 0.7, 0.3, 1.0),
                Use("crumple", 1.0, 0.4, 1.0),
                Use("table", 0.6, 0.1, 0.5),
                Use("uneven_light", 0.7, 0.1, 0.6),
                Use("blur", 0.3, 0.05, 0.3),
                Use("noise", 0.6, 0.05, 0.3),
                Use("jpeg", 0.7, 0.1, 0.5),
            ),
        ),
    ),
    "hard": Preset(
        "a copy, crumpled, and photographed in poor light",
        (
            (*_NOTES, *_COPIER),
            (Use("stain", 0.4, 0.2, 0.9), Use("fold", 0.5, 0.2, 0.9), Use("crumple", 0.6, 0.3, 0.9))
            + _PHONE,
        ),
    ),
}
