"""The lead that a rhythm strip repeats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.reader.trace.rhythm_strip import lead_of_strip
from tests.flat_pages import waves


def short_leads() -> dict[str, np.ndarray]:
    """Twelve leads in four columns of 2.5 s."""
    whole = waves().astype(np.float64)
    out = {}
    for k, name in enumerate(LEADS):
        out[name] = np.full(5000, np.nan)
        part = slice(1250 * (k // 3), 1250 * (k // 3 + 1))
        out[name][part] = whole[k, part]
    return out


@settings(max_examples=12, deadline=None)
@given(lead=st.sampled_from(LEADS), level=st.floats(-1, 1))
def test_a_strip_shows_the_lead_that_it_repeats(lead: str, level: float) -> None:
    rng = np.random.default_rng(0)
    strip = waves()[LEADS.index(lead)] + level + rng.normal(0, 0.02, 5000)
    expected = "II" if lead != "II" else "V1"
    assert lead_of_strip(strip, short_leads(), expected) == lead
    assert lead_of_strip(strip, short_leads(), lead) == lead


def test_a_strip_that_repeats_no_lead_is_what_was_expected() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 5000)
    assert lead_of_strip(noise, short_leads(), "II") == "II"
    assert lead_of_strip(np.full(5000, np.nan), short_leads(), "V5") == "V5"
    assert lead_of_strip(noise, {}, "II") == "II"


@pytest.mark.parametrize("samples", [100, 299, 300])
def test_a_moment_is_not_enough(samples: int) -> None:
    strip = np.full(5000, np.nan)
    strip[:samples] = waves()[0, :samples]  # of lead I
    found = lead_of_strip(strip, short_leads(), "II")
    assert (found == "I") == (samples >= 300)


def test_two_leads_that_are_alike_leave_the_expected_one() -> None:
    leads = short_leads()
    rng = np.random.default_rng(2)
    leads["III"] = leads["II"] + rng.normal(0, 0.02, 5000)
    strip = waves()[LEADS.index("II")] + rng.normal(0, 0.05, 5000)
    assert lead_of_strip(strip, leads, "III") == "III"


def test_of_leads_alike_in_shape_their_size_tells() -> None:
    leads = short_leads()
    leads["III"] = 0.7 * leads["II"]
    strip = 0.7 * waves()[LEADS.index("II")].astype(np.float64)
    assert lead_of_strip(strip, leads, "II") == "III"
