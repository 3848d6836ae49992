"""Every way to spoil a page."""

from __future__ import annotations

import numpy as np

from ecgvision.reader.data.unreadable import WAYS, spoil


def test_every_way_to_spoil_a_page() -> None:
    page = np.random.default_rng(0).integers(0, 256, (80, 120, 3), dtype=np.uint8)
    seen = set()
    for seed in range(80):
        found = spoil(page, np.random.default_rng(seed))
        assert found.dtype == np.uint8
        assert not np.array_equal(found, page)
        turned = [k for k in (1, 2, 3) if np.array_equal(np.rot90(page, k), found)]
        mirrored = np.array_equal(page[:, ::-1], found)
        two = found.size >= 2 * page.size
        seen.add(turned[0] if turned else "mirrored" if mirrored else "two" if two else "other")
        if two:
            windows = np.lib.stride_tricks.sliding_window_view(found[..., 0], (80, 120))
            assert (windows == page[..., 0]).all((2, 3)).sum() == 2  # on the sheet, twice
    assert seen == {1, 2, 3, "mirrored", "two", "other"}


def test_two_pages_are_twice_as_frequent_as_another_way() -> None:
    page = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    pairs = sum(
        spoil(page, np.random.default_rng(seed)).size >= 2 * page.size for seed in range(700)
    )
    assert 160 < pairs < 240
    assert len(WAYS) == 6
