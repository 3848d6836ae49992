"""Places spread evenly over all."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.evenly_spaced import evenly_spaced


@given(count=st.integers(0, 60), total=st.integers(0, 500))
def test_places_are_distinct_in_order_and_as_far_apart(count: int, total: int) -> None:
    places = evenly_spaced(count, total).tolist()
    assert len(places) == min(count, total)
    assert places == sorted(set(places))
    assert places[:1] == [0] * bool(places)
    if len(places) > 1:
        assert places[-1] == total - 1
        steps = [b - a for a, b in itertools.pairwise(places)]
        assert max(steps) - min(steps) <= 1
