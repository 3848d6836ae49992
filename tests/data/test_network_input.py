"""The one way from page to network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ImageError
from ecgvision.data.network_input import to_network


@given(st.integers(1, 300), st.integers(1, 300), st.integers(32, 96), st.integers(32, 96))
def test_aspect_is_kept_and_the_rest_is_paper(h, w, height, width):
    out = to_network(np.zeros((h, w, 3), np.uint8), (height, width))
    assert out.shape == (height, width, 3)
    assert out.dtype == np.uint8
    rows, columns = np.flatnonzero((out == 0).any((1, 2))), np.flatnonzero((out == 0).any((0, 2)))
    scale = min(height / h, width / w)
    assert abs(len(rows) - max(1, h * scale)) <= 1
    assert abs(len(columns) - max(1, w * scale)) <= 1
    assert abs((rows[0] + rows[-1] + 1) / 2 - height / 2) <= 1
    assert abs((columns[0] + columns[-1] + 1) / 2 - width / 2) <= 1
    outside = np.ones((height, width), bool)
    outside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = False
    assert (out[outside] == 255).all()


def test_shrinking_by_whole_numbers_is_the_mean_of_each_block():
    page = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    expected = page.reshape(30, 4, 50, 4, 3).mean((1, 3))
    error = np.abs(to_network(page, (30, 50)).astype(float) - expected)
    assert error.max() <= 1  # rounded twice: after halving and at the end


def test_a_page_of_the_right_size_is_untouched():
    page = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    assert np.array_equal(to_network(page, (64, 96)), page)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((4, 4, 4), np.uint8)],
)
def test_anything_but_rgb_bytes_is_refused(wrong):
    with pytest.raises(ImageError, match="uint8 RGB"):
        to_network(wrong, (32, 32))
