"""Wear and bends of flat pages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.reader.data.flat.wear import BENDS_MM, bend, smooth_field, wear


def cross(x: float, y: float) -> np.ndarray:
    """A page with a dark spot."""
    j, i = np.mgrid[:120, :160] + 0.5
    spot = np.exp(-((i - x) ** 2 + (j - y) ** 2) / 8)
    return np.repeat((255 - 250 * spot).astype(np.uint8)[..., None], 3, axis=2)


@given(seed=st.integers(0, 2**16), x=st.floats(25, 135), y=st.floats(25, 95))
def test_points_move_with_the_print(seed: int, x: float, y: float) -> None:
    image, points = cross(x, y), np.array([[x, y], [np.nan, y], [x, np.nan]])
    bent, moved = bend(np.random.default_rng(seed), image, points, 8.0)
    ink = 255.0 - bent[..., 0]
    j, i = np.mgrid[:120, :160] + 0.5
    found = np.array([(ink * i).sum(), (ink * j).sum()]) / ink.sum()
    assert moved[0] == pytest.approx(found, abs=0.8)  # the spot is spread over 8 pixels
    assert np.isnan(moved[1, 0])
    assert np.isnan(moved[2, 1])
    assert np.abs(moved[0] - [x, y]).max() < 5 * max(BENDS_MM) * 8


@given(seed=st.integers(0, 2**16), px_per_mm=st.sampled_from([4.0, 6.0]))
def test_wear_moves_nothing_and_is_determined_by_its_seed(seed: int, px_per_mm: float) -> None:
    rng = np.random.default_rng(seed)
    page = np.full((96, 128, 3), 255, np.uint8)
    page[40:44] = 0
    before = page.copy()
    worn = wear(rng, page, px_per_mm)
    assert worn.shape == page.shape
    assert worn.dtype == np.uint8
    np.testing.assert_array_equal(page, before)  # the page that is given stays as it is
    np.testing.assert_array_equal(worn, wear(np.random.default_rng(seed), before, px_per_mm))


def test_the_print_stays_darker_than_the_paper_where_it_was() -> None:
    page = np.full((96, 128, 3), 255, np.uint8)
    page[46:50] = 0
    darker = []
    for seed in range(40):
        worn = wear(np.random.default_rng(seed), page, 4.0).astype(float).mean(2)
        rows = np.median(worn, axis=1)
        darker.append(40 < rows[30:66].argmin() + 30 < 56)
    assert np.mean(darker) > 0.9


def test_a_field_is_smooth_and_of_unit_size() -> None:
    field = smooth_field(np.random.default_rng(0), (400, 600), 20.0)
    assert field.shape == (400, 600)
    assert 0.4 < field.std() < 1.3
    assert np.abs(np.diff(field, axis=1)).max() < 0.5
