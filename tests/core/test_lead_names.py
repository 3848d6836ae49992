"""Names of leads as devices write them: every spelling, every decoration, and their sign."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.core.lead_names import ALIASES, OTHER_LEADS, PREFIXES, SUFFIXES, read_lead_name

SPELLINGS = [
    (w, lead) for table in (ALIASES, OTHER_LEADS) for lead, ws in table.items() for w in ws
]
CASES = (str, str.lower, str.upper, str.title)
MINUS = ("-", "\u2212", "\u2013", "minus ", "Inverted ", "- ")


def test_the_tables_hold_every_lead_once():
    assert tuple(ALIASES) == LEADS
    words = [word.lower() for word, _ in SPELLINGS]
    assert len(set(words)) == len(words)


@given(
    spelling=st.sampled_from(SPELLINGS),
    case=st.sampled_from(CASES),
    prefix=st.sampled_from(["", *PREFIXES]),
    gap=st.sampled_from([" ", "_", ": ", "-", "  "]),
    suffix=st.sampled_from(["", *SUFFIXES]),
    end=st.sampled_from(["", "\0", "\0\0\0", " ", "_", "\ufeff", "\r"]),
    sign=st.sampled_from([("", 1), ("+", 1), *((minus, -1) for minus in MINUS)]),
    inside=st.booleans(),
)
def test_every_spelling_is_read_with_its_sign(
    spelling, case, prefix, gap, suffix, end, sign, inside
):
    word, lead = spelling
    mark, wanted = sign
    head = f"{prefix}{gap}" if prefix else ""
    if inside and head and head[-1] != "-" and mark != "- ":
        name = f"{head}{mark}{word}"
    else:
        name = f"{mark}{head}{word}"
    name += f" {suffix}" if suffix else ""
    assert read_lead_name(case(name) + end) == (lead, wanted)


@pytest.mark.parametrize("written", ["MDC_ECG_LEAD_AVR", "Lead aVR (Goldberger)", "lead-avr", "aV R",
                                     "'aVR'", "ECG_aVR", "aVR, augmented voltage, right",
                                     "Derivación aVR", "(aVR)"])  # fmt: skip
def test_avr_as_devices_write_it(written):
    assert read_lead_name(written) == ("aVR", 1)


@pytest.mark.parametrize("written", ["-aVR", "Lead -aVR", "MDC_ECG_LEAD_-AVR", "aVR (inverted)",
                                     "aVR inverted", "aVR (-)", "neg aVR", "neg. aVR", "MINUS_AVR",
                                     "(-)aVR", "(neg) aVR", "-(aVR)", "aVR neg.",
                                     "-aVR, augmented voltage, right"])  # fmt: skip
def test_a_negative_lead_has_sign_minus_one(written):
    assert read_lead_name(written) == ("aVR", -1)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "MLII",
        "IV",
        "I-II",
        "I II",
        "Lead 1",
        "-",
        "aVR-",
        "-aVR inverted",
        "V10",
        "lead",
        "lead - aVR",
    ],
)
def test_what_is_no_lead_or_may_be_two_is_refused(written):
    with pytest.raises(RecordError, match="unknown lead"):
        read_lead_name(written)
