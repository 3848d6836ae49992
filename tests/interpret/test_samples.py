"""Patches are brought back to the samples they were cut from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import DataError
from ecgvision.data.patch_settings import to_patches
from ecgvision.interpret.samples import to_samples


@given(st.integers(1, 9), st.data())
def test_by_plain_loops(size, data):
    stride, length = data.draw(st.integers(1, size)), data.draw(st.integers(size, 40))
    rng = np.random.default_rng(length)
    places = to_patches(np.tile(np.arange(length), (12, 1)), size, stride)  # (12, P, L)
    shares, each = rng.standard_normal(places.shape), rng.standard_normal(places.shape[:2])
    added, values = np.zeros((12, length)), [[[] for _ in range(length)] for _ in range(12)]
    for lead, p, i in np.ndindex(places.shape):
        added[lead, places[lead, p, i]] += shares[lead, p, i]
        values[lead][places[lead, p, i]].append(each[lead, p])
    mean = np.array([[np.mean(v) if v else np.nan for v in row] for row in values])
    grid = {"patch_length": size, "stride": stride, "length": length}
    np.testing.assert_allclose(to_samples(each, **grid), mean, atol=1e-5)
    got = to_samples(shares, **grid)
    np.testing.assert_allclose(got, np.where(np.isnan(mean), np.nan, added), atol=1e-5)
    assert np.nansum(got, dtype=float) == pytest.approx(shares.sum(), abs=1e-3)


@pytest.mark.parametrize("shape", [(12, 14), (12, 15, 63), (12,), (12, 16, 64)])
def test_another_grid_is_refused(shape):
    with pytest.raises(DataError, match=r"\(leads, 15\)"):
        to_samples(np.zeros(shape), patch_length=64, stride=64, length=1000)
