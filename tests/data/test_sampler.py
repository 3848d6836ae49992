"""Order as a function of seed and epoch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecgvision.data.sampler import EpochSampler


@given(st.integers(1, 50), st.integers(0, 5), st.integers(0, 3), st.integers(1, 4), st.booleans())
def test_shares_are_disjoint_and_whole(length, seed, epoch, world, shuffle):
    shares = []
    for rank in range(world):
        sampler = EpochSampler(length, seed=seed, shuffle=shuffle, rank=rank, world=world)
        sampler.set_epoch(epoch)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler)
    positions = [position for share in shares for _, position in share]
    assert len(set(positions)) == len(positions)
    if shuffle:
        assert len({len(share) for share in shares}) == 1
        assert len(positions) == length - length % world
    else:
        assert sorted(positions) == list(range(length))
    assert {e for share in shares for e, _ in share} <= {epoch if shuffle else 0}


def test_epochs_differ_and_repeat():
    sampler = EpochSampler(30, seed=1, shuffle=True)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert [p for _, p in first] != [p for _, p in second]
    sampler.set_epoch(0)
    assert list(sampler) == first
