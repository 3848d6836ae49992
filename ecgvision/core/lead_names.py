"""Names that files give to leads. A new spelling of a lead is a word in `ALIASES`.

Case, spaces, NULs and the words of `PREFIXES` and `SUFFIXES` do not matter. A minus before the name
(`-aVR`, as Cabrera's order prints it) or a word of `NEGATIVE` says that the samples have the
opposite sign.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError

ALIASES: dict[str, tuple[str, ...]] = {
    "I": ("I", "DI", "D1", "L1", "LI"),
    "II": ("II", "DII", "D2", "L2", "LII"),
    "III": ("III", "DIII", "D3", "L3", "LIII"),
    "aVR": ("aVR",),
    "aVL": ("aVL",),
    "aVF": ("aVF",),
    "V1": ("V1", "C1"),  # C1 to C6: the electrodes' names of IEC 60601-2-25
    "V2": ("V2", "C2"),
    "V3": ("V3", "C3"),
    "V4": ("V4", "C4"),
    "V5": ("V5", "C5"),
    "V6": ("V6", "C6"),
}
"""Spellings of each of the twelve leads, in any case."""

OTHER_LEADS: dict[str, tuple[str, ...]] = {
    "vx": ("VX", "X"),  # Frank's orthogonal leads
    "vy": ("VY", "Y"),
    "vz": ("VZ", "Z"),
    "V7": ("V7", "C7"),
    "V8": ("V8", "C8"),
    "V9": ("V9", "C9"),
    "V2R": ("V2R", "rV2", "C2R"),
    "V3R": ("V3R", "rV3", "C3R"),
    "V4R": ("V4R", "rV4", "C4R"),
    "V5R": ("V5R", "rV5", "C5R"),
    "V6R": ("V6R", "rV6", "C6R"),
    "V7R": ("V7R", "rV7", "C7R"),
}
"""Leads beside the twelve that devices record too, and their spellings."""

PREFIXES = ("mdc ecg lead", "mdc ecg elec potl", "ecg lead", "ekg lead", "lead", "ecg", "ekg",
            "derivation", "dérivation", "derivación", "derivação", "ableitung")  # fmt: skip
"""Words before a name (ISO 11073-10101 writes MDC_ECG_LEAD_I); `_` stands for a space."""

SUFFIXES = ("(einthoven)", "(goldberger)", "(wilson)", ", augmented voltage, right",
            ", augmented voltage, left", ", augmented voltage, foot")  # fmt: skip
"""Words behind a name, as DICOM's context group 3001 has them."""

NEGATIVE = ("minus", "negative", "neg", "inverted", "inv")
"""Words before or behind a name that mean the opposite sign."""

_FOUND = {
    word.lower(): lead
    for table in (ALIASES, OTHER_LEADS)
    for lead, words in table.items()
    for word in words
}
_WORDS = "|".join(NEGATIVE)
_SIGN = re.compile(rf"(?:(?P<sign>[-+])|(?:{_WORDS})(?![a-z])\.?|\((?:-|{_WORDS})\))[ _]*")
_BEHIND = re.compile(rf"[ _]+(?:{_WORDS})\.?$|[ _]*\((?:{_WORDS}|-)\)$")
_PREFIX = re.compile(rf"(?:{'|'.join(p.replace(' ', '[ _]') for p in PREFIXES)})(?P<gap>[ _:./-]*)")
_INNER = re.compile(r"(?<=[avdcl])[ _-]+(?=[avrlfi\d])")
_MINUS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))


class LeadName(NamedTuple):
    """A lead, and the sign (1 or -1) by which stored samples become its own."""

    lead: str
    sign: int


def read_lead_name(text: str) -> LeadName:
    """Return the lead, one of `LEADS` or `OTHER_LEADS`, that a file means by a name.

    `AVR`, `Lead aVR (Goldberger)` and `MDC_ECG_LEAD_AVR` are aVR; `-aVR` is aVR with sign -1.

    Raises:
        RecordError: if the name is in neither table, or its sign is unclear.
    """
    printable = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isprintable())
    name, minus = printable.translate(_MINUS).lower().strip(" _'\""), 0
    if before := _SIGN.match(name):
        minus += before["sign"] != "+"
        name = name[before.end() :]
    if (prefix := _PREFIX.match(name)) and prefix.end() < len(name):
        # A hyphen alone joins the words (lead-aVR); behind another separator it is a minus, and
        # with spaces on both sides (lead - aVR) it may be either.
        gap = prefix["gap"]
        minus += 2 if "-" in gap.rstrip("-") else gap.endswith("-") and gap != "-"
        name = name[prefix.end() :]
        if not gap.endswith("-") and (before := _SIGN.match(name)):
            minus += before["sign"] != "+"
            name = name[before.end() :]
    if name.startswith("(") and name.endswith(")"):  # -(aVR)
        name = name[1:-1]
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix).rstrip(" _")
    if behind := _BEHIND.search(name):
        minus += 1
        name = name[: behind.start()]
    lead = _FOUND.get(_INNER.sub("", name))
    if lead is None or minus > 1:
        raise RecordError("unknown lead", value=text, remedy=f"Known leads: {', '.join(LEADS)}")
    return LeadName(lead, -1 if minus else 1)
