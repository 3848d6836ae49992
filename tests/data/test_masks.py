"""Training masks against the paper's figures and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import RANDOM_LAYOUTS, get_layout
from ecgvision.core.page import Page
from ecgvision.data.masks import FRACTIONS, MODES, TrainMask, blocks, layout_mask, noise_blocks

LIMB, CHEST, ALL = range(6), range(6, 12), range(12)
THREES = [(range(k, k + 3), 250 * n, 250 * (n + 1)) for n, k in enumerate((0, 3, 6, 9))]
HALVES = [(LIMB, 0, 500), (CHEST, 500, 1000)]
FULL_II, FULL_V1 = ([1], 0, 1000), ([6], 0, 1000)
WINDOWS = {  # of ten seconds at 100 Hz, by hand: (leads, first sample, end)
    "3x4": THREES,
    "3x4+II": [*THREES, FULL_II],
    "3x4+II+V1": [*THREES, FULL_II, FULL_V1],
    "6x2": HALVES,
    "6x2+II": [*HALVES, FULL_II],
    "12x1": [(ALL, 0, 1000)],
}


def hidden_run(lead: np.ndarray) -> tuple[int, int]:
    """Start and length of a lead's hidden block; fails where there are two."""
    hidden = np.flatnonzero(~lead)
    if len(hidden) == 0:
        return 0, 0
    assert hidden[-1] - hidden[0] + 1 == len(hidden)
    return int(hidden[0]), len(hidden)


def tokens(seen: np.ndarray, length: int = 64) -> tuple[int, int]:
    """Patches of which any sample is seen, and of which all are: a plain loop."""
    some = whole = 0
    for lead in seen:
        for first in range(0, len(lead) - length + 1, length):
            count = sum(bool(v) for v in lead[first : first + length])
            some, whole = some + (count > 0), whole + (count == length)
    return some, whole


@given(
    st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 300),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4),
)  # fmt: skip
def test_every_lead_loses_one_block_of_an_allowed_size(seed, leads, length, fractions):
    seen = blocks(np.random.default_rng(seed), leads, length, fractions)
    assert seen.shape == (leads, length)
    assert seen.dtype == bool
    for lead in seen:
        assert hidden_run(lead)[1] in {round(f * length) for f in fractions}
    again = blocks(np.random.default_rng(seed), leads, length, fractions)
    assert np.array_equal(seen, again)


def test_fractions_and_starts_are_uniform_and_leads_independent():
    rng = np.random.default_rng(0)
    runs = np.array([[hidden_run(lead) for lead in blocks(rng, 12, 100)] for _ in range(1500)])
    start, size = runs[..., 0], runs[..., 1]
    counts = np.bincount(size.ravel() // 10, minlength=9)
    assert np.abs(counts / counts.sum() - 1 / 9).max() < 4 * np.sqrt(8 / 81 / size.size)
    for fraction in (10, 80):  # from the first sample to the last place where the block fits
        places = start[size == fraction]
        assert (places.min(), places.max()) == (0, 100 - fraction)
        spread = np.sqrt(((101 - fraction) ** 2 - 1) / 12 / len(places))
        assert abs(places.mean() - (100 - fraction) / 2) < 4 * spread
    between = np.corrcoef(size.T) - np.eye(12)
    assert np.abs(between).max() < 4.5 / np.sqrt(len(size))


def expected_tokens() -> tuple[float, float]:
    """Mean tokens of twelve leads over every fraction and every start, by enumeration."""
    some = whole = 0.0
    for size in range(0, 900, 100):
        starts = range(1000 - size + 1)
        weight = 12 / 9 / len(starts)
        for start in starts:
            for first in range(0, 960, 64):
                hidden = min(first + 64, start + size) - max(first, start)
                some += weight * (hidden < 64)
                whole += weight * (hidden <= 0)
    return some, whole


def test_block_masks_keep_what_the_paper_s_keep():
    """60 % of the samples, and of 180 tokens about 116 seen in part and 96 whole."""
    expected = expected_tokens()
    assert [round(v) for v in expected] == [116, 96]
    rng = np.random.default_rng(1)
    masks = [blocks(rng, 12, 1000) for _ in range(600)]
    counts = np.array([tokens(mask) for mask in masks])
    error = counts.std(0) / np.sqrt(len(masks))
    assert (np.abs(counts.mean(0) - expected) < 4 * error).all()
    assert (error < 0.7).all()
    # of 7200 leads a share of standard deviation 0.26 is known to 0.003
    assert np.mean(masks) == pytest.approx(0.6, abs=0.012)


@pytest.mark.parametrize("name", RANDOM_LAYOUTS)
def test_a_layout_shows_its_windows_at_their_true_time(name):
    expected = np.zeros((12, 1000), bool)
    for leads, first, end in WINDOWS[name]:
        for lead in leads:
            expected[lead, first:end] = True
    assert np.array_equal(layout_mask(get_layout(name), 1000, 100), expected)
    assert np.array_equal(layout_mask(get_layout(name), 5000, 500), expected.repeat(5, 1))


def test_a_page_shows_no_more_than_fits_on_it():
    page = Page(get_layout("12x1"), speed=50)
    seen = layout_mask(page, 1000, 100)
    end = round(page.window[1] * 100)
    assert 0 < end < 1000
    assert seen[:, :end].all()
    assert not seen[:, end:].any()


def draws(mask: TrainMask, number: int = 200) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [mask.draw(rng, 1000, 100) for _ in range(number)]


def test_none_hides_nothing():
    assert all(mask.all() for mask in draws(TrainMask("none"), 3))


def test_layouts_are_all_drawn_and_nothing_else_is():
    known = {layout_mask(get_layout(n), 1000, 100).tobytes(): n for n in RANDOM_LAYOUTS}
    found = [known[mask.tobytes()] for mask in draws(TrainMask("layouts"))]
    assert {name: found.count(name) > 10 for name in RANDOM_LAYOUTS} == dict.fromkeys(
        RANDOM_LAYOUTS, True
    )


def test_both_shows_what_neither_hides():
    page = Page(get_layout("3x4+II"))
    shown = page.observed(1000, 100)
    holes = 0
    for mask in draws(TrainMask("both", (0.5,), (page,)), 50):
        assert not (mask & ~shown).any()
        hidden_run(mask[1])  # lead II runs through: of it a block alone is missing
        assert mask[1].sum() == 500
        holes += int((shown & ~mask).sum())
    assert holes / 50 == pytest.approx(shown.sum() / 2, rel=0.1)


@pytest.mark.parametrize("mode", MODES)
def test_a_mask_is_a_function_of_the_generator(mode):
    one, same, other = (
        TrainMask(mode).draw(np.random.default_rng(seed), 1000, 100) for seed in (5, 5, 6)
    )
    assert np.array_equal(one, same)
    assert mode == "none" or not np.array_equal(one, other)


def test_noise_lies_on_one_block_and_nowhere_else():
    rng = np.random.default_rng(4)
    signal = np.zeros((4000, 100), np.float32)
    signal[:, 50] = np.nan
    signal.flags.writeable = False  # a mask or noise in place would fail here
    out = noise_blocks(rng, signal)
    assert out.dtype == np.float32
    assert np.array_equal(np.isnan(out), np.isnan(signal))
    noisy = out != 0
    assert out[noisy & ~np.isnan(out)].std() == pytest.approx(0.1, rel=0.02)
    for lead in noisy[:200]:
        places = np.flatnonzero(lead)  # NaN != 0, so the missing sample may stand alone
        inner = places[places != 50]
        if len(inner) > 1:
            gap = inner[0] < 50 < inner[-1]
            assert inner[-1] - inner[0] == len(inner) - (0 if gap else 1)
    share = (noisy.sum(1) - 1) / 99
    assert share.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * 4000))
    assert share.max() == 1
    assert share.min() == 0


@pytest.mark.parametrize("fractions", [(), (1.0,), (0.5, -0.1), (float("nan"),), (2,)])
def test_fractions_that_make_no_sense_are_refused(fractions):
    with pytest.raises(ConfigError, match="fractions"):
        TrainMask("blocks", fractions)
    with pytest.raises(ConfigError, match="fractions"):
        blocks(np.random.default_rng(0), 12, 1000, fractions)


def test_unknown_modes_and_no_pages_are_refused():
    with pytest.raises(ConfigError, match=r"squares.*Known: none, blocks, layouts, both"):
        TrainMask("squares")
    with pytest.raises(ConfigError, match="page"):
        TrainMask("layouts", FRACTIONS, ())
