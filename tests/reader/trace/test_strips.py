"""Heights of curves from densities that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.reader.layout.rows import Row
from ecgvision.reader.trace.strips import HEIGHT, MULTIPLE, PX_PER_MM, cut, heights, read_curves
from tests.flat_pages import dark_ink


def bell(y: np.ndarray, width: float) -> np.ndarray:
    """(HEIGHT, W) log-density of a normal law about y, in pixels from the top."""
    return (-0.5 * ((np.arange(HEIGHT)[:, None] + 0.5 - y) / width) ** 2).astype(np.float32)


@given(y=st.lists(st.floats(15, HEIGHT - 15), min_size=1, max_size=8), width=st.floats(0.6, 1.6))
def test_a_height_is_found_to_a_fraction_of_a_pixel(y: list[float], width: float) -> None:
    mean, spread = heights(bell(np.array(y), width))
    assert mean == pytest.approx(y, abs=0.01)
    assert spread == pytest.approx(np.full(len(y), width), rel=0.02)


def test_the_height_is_the_mean_of_the_density_and_the_spread_its_deviation() -> None:
    y = np.array([100.3])
    density = 0.7 * np.exp(bell(y, 1.0)) + 0.3 * np.exp(bell(y + 80, 1.0))
    mean, spread = heights(np.log(density + 1e-30).astype(np.float32))
    assert mean == pytest.approx(y + 0.3 * 80, abs=0.01)
    assert spread == pytest.approx([np.sqrt(0.7 * 0.3 * 80**2 + 1.0)], rel=0.01)


def test_near_an_edge_what_lies_beyond_counts_for_nothing() -> None:
    for row in (0, 1, HEIGHT - 1):
        logit = np.full((HEIGHT, 1), -50.0, np.float32)
        logit[row] = 0
        mean, spread = heights(logit)
        assert mean == pytest.approx([row + 0.5], abs=1e-6)
        assert spread == pytest.approx([0.0], abs=1e-6)


def test_a_constant_added_to_a_column_changes_nothing() -> None:
    logit = bell(np.array([50.2, 60.9]), 1.0)
    raised = logit + np.array([300.0, -700.0], np.float32)
    np.testing.assert_allclose(heights(logit), heights(raised), rtol=1e-4)


@pytest.mark.parametrize("top", [-319, -250, -50, 0, 30, 99])
def test_a_strip_is_continued_by_the_pages_edges(top: int) -> None:
    page = np.random.default_rng(0).integers(0, 256, (100, 70, 3), dtype=np.uint8)
    wanted = np.pad(page, ((HEIGHT, HEIGHT), (0, 58), (0, 0)), mode="edge")
    np.testing.assert_array_equal(cut(page, top, 128), wanted[top + HEIGHT : top + 2 * HEIGHT])


@pytest.mark.parametrize("width", [MULTIPLE, MULTIPLE + 1, 333])
@pytest.mark.parametrize("level", [6.0, 20.0, 33.5])
def test_a_line_is_read_where_it_is_beyond_the_edges_too(width: int, level: float) -> None:
    """The strip reaches over the page's edge above, below and to the right."""
    flat = np.full((round(40 * PX_PER_MM), width, 3), 255, np.uint8)
    x = np.arange(width)
    line = level * PX_PER_MM + 20 * np.sin(x / 23)
    middles = np.arange(len(flat))[:, None] + 0.5
    cover = np.clip(1.5 - np.abs(middles - line), 0, 1)
    flat[:] = (255 * (1 - cover))[..., None].round()
    flat[:, width // 2] = 255  # a gap
    (curve,) = read_curves(flat, [Row(level + 1, 0, 10)], dark_ink)
    assert curve.y.shape == curve.spread.shape == curve.printed.shape == (width,)
    shown = curve.printed > 0.5
    assert np.flatnonzero(~shown).tolist() == [width // 2]
    assert curve.y[shown] * PX_PER_MM == pytest.approx(line[shown], abs=0.15)
    assert (curve.spread[shown] * PX_PER_MM < 2).all()


def test_a_tracer_sees_strips_of_the_width_it_takes() -> None:
    seen = []

    def tracer(strips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert strips.dtype == np.uint8
        assert strips.flags["C_CONTIGUOUS"]
        seen.append(strips.shape)
        return dark_ink(strips)

    flat = np.full((500, 100, 3), 255, np.uint8)
    found = read_curves(flat, [Row(20.0, 0, 10), Row(60.0, 0, 10)], tracer)
    assert seen == [(1, 3, HEIGHT, 128)] * 2
    assert len(found) == 2
    assert read_curves(flat, [], tracer) == []
