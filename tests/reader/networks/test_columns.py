"""Where leads begin and end: ragged edges made straight, and nothing else."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.reader.networks.columns import PARTS, snap_to_columns


@given(
    columns=st.sampled_from([1, 2, 3, 4, 6, 12]), length=st.sampled_from([240, 1000]),
    data=st.data(),
)  # fmt: skip
def test_edges_that_are_off_by_a_sixth_of_a_second_are_straightened(
    columns: int, length: int, data: st.DataObject
) -> None:
    """Of a window of ten seconds; each lead in one column, its edges moved at random. Of twelve
    columns either edge takes its share of the one part that a lead has."""
    time = (torch.arange(length) + 0.5) / length
    column = torch.arange(12) % columns
    off = torch.tensor(data.draw(st.lists(st.floats(-0.016, 0.016), min_size=24, max_size=24)))
    off = off / 2 if columns == PARTS else off
    first, last = column / columns, (column + 1) / columns
    true = (time >= first[:, None]) & (time < last[:, None])
    ragged = (time >= (first + off[:12])[:, None]) & (time < (last + off[12:])[:, None])
    found = snap_to_columns(torch.where(ragged, 0.9, 0.05)[None])[0]
    assert torch.equal(found > 0.5, true)
    same = ragged == true
    torch.testing.assert_close(found[same], torch.where(ragged, 0.9, 0.05)[same])


def test_what_ends_inside_a_column_stays() -> None:
    presence = torch.full((1, 12, 600), 0.9)
    presence[..., 325:] = 0.02  # half of a part
    torch.testing.assert_close(snap_to_columns(presence), presence)


@pytest.mark.parametrize("length", [2, PARTS - 1, PARTS + 1])
def test_short_windows(length: int) -> None:
    presence = torch.rand(2, 12, length, generator=torch.Generator().manual_seed(0))
    assert snap_to_columns(presence).isfinite().all()
