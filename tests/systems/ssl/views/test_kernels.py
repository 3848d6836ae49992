"""The compiled loops against the tensor operations that other devices take, from the same draws."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgvision.systems.ssl.views import signals, tensors
from ecgvision.systems.ssl.views.draws import Draws
from ecgvision.systems.ssl.views.signals import SpectrogramViews, TimeViews

CPU = torch.device("cpu")


@given(st.integers(0, 2**31), st.integers(2, 90))
def test_places(seed, length):
    draws = Draws(seed, CPU)
    kept = 2 + draws.below(torch.full((3, 4), length - 1))
    start = draws.below(length - kept + 1)
    placed = torch.nn.functional.pad(draws.chosen(length - 2, kept - 2), (1, 1), value=True)
    fast, slow = signals._places(placed, start), tensors.places(placed, start)
    for a, b in zip(fast, slow, strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31), st.integers(2, 60))
def test_time_views(seed, length):
    """The whole of `TimeViews` once more, its loops replaced and its noise handed over."""
    signal = torch.randn(3, 12, length, generator=torch.Generator().manual_seed(seed))
    signal[1, 2, ::3] = torch.nan
    silent = TimeViews(noise=(0.0, 0.0))
    draws = Draws(seed, CPU)
    sizes = (silent.global_views, silent.local_views)
    shares = draws.shares(silent.global_crop, silent.local_crop, sizes, 3)
    left, right, part = signals.stretch(draws, shares, length)
    start, end = signals._spans(draws, draws.between(*silent.cut_out, 10, 3, 12), length)
    sigma = draws.between(0.005, 0.025, 10, 3)
    known = signal.nan_to_num(nan=0.0)
    views = torch.zeros(10, 3, 12, length)
    tensors.time_views(known, left, right, part, start, end, sigma, views)
    torch.testing.assert_close(silent(signal, seed), views, atol=1e-6, rtol=1e-5)
    # with noise: the same, plus each view's own generator's numbers at the record's deviation
    noise = torch.stack([torch.empty(3, 12, length).normal_(generator=g)
                         for g in draws.generators(10)])  # fmt: skip
    loud = noise.clone()
    tensors.time_views(known, left, right, part, start, end, sigma, loud)
    torch.testing.assert_close(loud, views + sigma[:, :, None, None] * noise)
    torch.testing.assert_close(TimeViews()(signal, seed), loud, atol=1e-6, rtol=1e-5)


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(0, 3))
def test_spectrogram_views(seed, frames, frequencies):
    whole = torch.rand(3, 4, 5, frames, generator=torch.Generator().manual_seed(seed)) + 1
    views = SpectrogramViews(frequencies=frequencies, cut_out=(0.0, 1.0))
    fast = views(whole, seed)
    processor = signals.on_processor
    try:
        signals.on_processor = lambda _: False
        slow = views(whole, seed)
    finally:
        signals.on_processor = processor
    assert torch.equal(fast, slow)


def test_views_do_not_depend_on_the_number_of_threads():
    signal = torch.randn(8, 12, 100, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(TimeViews()(signal, 5))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


def test_views_of_a_batch_that_is_not_in_one_piece():
    whole = torch.randn(4, 200, 12, generator=torch.Generator().manual_seed(0)).transpose(1, 2)
    assert torch.equal(TimeViews()(whole, 1), TimeViews()(whole.contiguous(), 1))
    images = torch.rand(4, 21, 13, 12).permute(0, 3, 2, 1)
    assert torch.equal(SpectrogramViews()(images, 1), SpectrogramViews()(images.contiguous(), 1))


def test_a_choice_has_its_size_and_prefers_no_place():
    draws = Draws(3, CPU)
    sizes = torch.arange(0, 11).repeat(600, 1)
    chosen = draws.chosen(10, sizes)
    assert torch.equal(chosen.sum(-1), sizes)
    hits = chosen[:, 4].double()  # 4 of 10, 600 times
    assert (hits.mean(0) - 0.4).abs().max() < 5 * np.sqrt(0.24 / 600)
    both = (hits[:, 0] * hits[:, 1]).mean()
    assert abs(float(both) - 4 * 3 / 90) < 5 * np.sqrt(0.12 / 600)
    assert draws.chosen(0, torch.zeros(2, 3, dtype=torch.int64)).shape == (2, 3, 0)


@given(st.integers(0, 2**31), st.integers(1, 40))
def test_a_choice_is_of_the_smallest_lots(seed, count):
    """As a stable sort of the lots gives it, which is what other devices must come to."""
    draws = Draws(seed, CPU)
    sizes = draws.below(torch.full((2, 5), count + 1))
    order = Draws(7, CPU).unit(2, 5, count).argsort(dim=-1, stable=True)
    found = Draws(7, CPU).chosen(count, sizes)
    for v in range(2):
        for b in range(5):
            chosen = order[v, b, : sizes[v, b]].sort().values
            assert torch.equal(found[v, b].nonzero().squeeze(-1), chosen)
