"""Views of signals and spectrograms, against numpy's interpolation and their own description."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.systems.ssl.views.draws import Draws
from ecgvision.systems.ssl.views.signals import SpectrogramViews, TimeViews, stretch

NO_CUTS = {"cut_out": (0.0, 0.0)}
CLEAN = TimeViews(noise=(0.0, 0.0), **NO_CUTS)


def records(seed: int = 0, batch: int = 4, length: int = 250) -> torch.Tensor:
    return torch.randn(batch, 12, length, generator=torch.Generator().manual_seed(seed))


def spectra(batch: int = 4) -> torch.Tensor:
    """No value is 0, and each tells where it stood."""
    shape = (batch, 12, 13, 21)
    return torch.arange(1.0, 1 + np.prod(shape)).view(shape)


# --- time ---------------------------------------------------------------------------------------


@given(st.integers(0, 2**31), st.integers(2, 90), st.floats(0, 1))
def test_a_stretched_crop_is_numpys_interpolation(seed, length, share):
    shares = torch.full((2, 3), share)
    left, right, part = stretch(Draws(seed, shares.device), shares, length)
    signal = records(seed, 3, length).double().numpy()
    kept = max(2, int(np.float32(share) * np.float32(length)))
    for v in range(2):
        for b in range(3):
            at = left[v, b].numpy()
            placed = np.flatnonzero(part[v, b].numpy() == 0)
            assert len(placed) == kept
            assert (placed[0], placed[-1]) == (0, length - 1)
            assert np.array_equal(at[placed], np.arange(at[0], at[0] + kept))  # a run of samples
            assert at[0] >= 0
            assert at[-1] < length
            moment = at + part[v, b].numpy()
            assert (np.diff(moment) >= 0).all()
            for lead in range(12):
                x = signal[b, lead]
                expected = np.interp(np.arange(length), placed, x[at[placed]])
                p = part[v, b].double().numpy()
                found = x[at] * (1 - p) + x[right[v, b].numpy()] * p
                np.testing.assert_allclose(found, expected, atol=1e-6)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**31))
def test_views_stay_within_their_crop_and_keep_leads_together(seed):
    """Every lead a multiple of one ramp: views rise, within the ramp, all leads at one moment."""
    ramp = torch.arange(250.0)
    signal = (ramp * torch.arange(1.0, 13).view(12, 1)).expand(3, 12, 250)
    views = CLEAN(signal, seed)
    assert views.shape == (10, 3, 12, 250)
    moment = views[:, :, 0]
    assert (moment.diff(dim=-1) >= -1e-4).all()
    assert moment.min() >= 0
    assert moment.max() <= 249
    torch.testing.assert_close(views, moment.unsqueeze(2) * torch.arange(1.0, 13).view(12, 1))
    kept = moment[..., -1] - moment[..., 0] + 1
    assert ((kept[:2] >= 125) & (kept[:2] <= 250)).all()
    assert ((kept[2:] >= 25) & (kept[2:] <= 125)).all()


def test_crops_have_the_sizes_and_places_of_their_range():
    draws, device = Draws(0, torch.device("cpu")), torch.device("cpu")
    shares = draws.shares((0.5, 1.0), (0.1, 0.5), (2, 8), 2000)
    assert shares.device == device
    for part, low, high in ((shares[:2], 0.5, 1.0), (shares[2:], 0.1, 0.5)):
        assert part.min() >= low
        assert part.max() < high
        # mean and spread of a uniform variable, within five standard errors
        n = part.numel()
        assert abs(float(part.mean()) - (low + high) / 2) < 5 * (high - low) / (12 * n) ** 0.5
    left, _, _ = stretch(draws, torch.full((1, 6000), 0.5), 10)  # keeps 5: starts 0 to 5
    starts = torch.bincount(left[0, :, 0], minlength=6)
    assert len(starts) == 6
    assert (starts - 1000).abs().max() < 5 * 1000**0.5
    inner = (stretch(draws, torch.full((1, 6000), 0.5), 10)[2] == 0)[0, :, 1:-1].sum(0)
    assert (inner - 6000 * 3 / 8).abs().max() < 5 * (6000 * 3 / 8) ** 0.5  # 3 of 8, anywhere


def test_cut_outs_are_one_run_for_each_lead_of_the_size_asked_for():
    settings_ = dataclasses.replace(CLEAN, cut_out=(0.2, 0.4))
    views = settings_(torch.ones(40, 12, 250), 3)
    gone = views == 0
    count = gone.sum(-1)
    assert (count >= 50).all()
    assert (count <= 100).all()
    assert abs(float(count.float().mean()) - 74.5) < 1  # whole samples below U(50, 100)
    edges = gone.float().diff(dim=-1).abs().sum(-1)
    assert (edges <= 2).all()  # a single run
    first = gone.float().argmax(-1)
    assert (first[:, :, 0] != first[:, :, 1]).float().mean() > 0.9  # each lead by itself
    # a start is uniform over what is free, so the middle is hit more often than the ends
    hit = gone.float().mean((0, 1, 2))
    assert hit[125] > 0.35
    assert hit[0] < 0.05
    assert hit[-1] < 0.05
    assert hit[0] > 0
    assert hit[-1] > 0


def test_noise_has_the_standard_deviation_asked_for():
    views = dataclasses.replace(CLEAN, noise=(0.005, 0.025))(torch.zeros(64, 12, 250), 4)
    sigma = views.flatten(2).std(-1)
    assert sigma.min() > 0.0045
    assert sigma.max() < 0.0255
    assert sigma.min() < 0.006
    assert sigma.max() > 0.024
    fixed = dataclasses.replace(CLEAN, noise=(0.5, 0.5))(torch.zeros(64, 12, 250), 4)
    assert float(fixed.std()) == pytest.approx(0.5, rel=0.01)
    assert abs(float(fixed.mean())) < 0.005


def test_what_was_not_observed_counts_as_0():
    signal = records()
    holes = signal.clone()
    holes[:, 2, 50:90] = torch.nan
    signal[:, 2, 50:90] = 0
    assert torch.equal(TimeViews()(holes, 0), TimeViews()(signal, 0))
    assert holes.isnan().sum() == 4 * 40  # the input stays as it was


# --- spectrogram --------------------------------------------------------------------------------


@given(st.integers(0, 2**31))
def test_a_spectrogram_crop_stands_in_the_middle_of_zeros(seed):
    given_ = spectra()
    views = SpectrogramViews(**NO_CUTS, frequencies=0)(given_, seed)
    assert views.shape == (10, 4, 12, 13, 21)
    for v in range(10):
        for b in range(4):
            shown = np.flatnonzero(views[v, b, 0, 0].numpy())
            kept = len(shown)
            low, high = (12, 21) if v < 2 else (6, 12)  # whole frames of 0.6-1 and 0.3-0.6 of 21
            assert low <= kept <= high
            first = (21 - kept) // 2
            assert np.array_equal(shown, np.arange(first, first + kept))
            start = int(views[v, b, 0, 0, first]) - int(given_[b, 0, 0, 0])
            crop = given_[b, :, :, start : start + kept]
            assert torch.equal(views[v, b, :, :, first : first + kept], crop)
            assert float(views[v, b].count_nonzero()) == crop.numel()


def test_one_run_of_frames_and_one_frequency_are_gone_in_each_lead():
    views = SpectrogramViews(global_crop=(1.0, 1.0), local_crop=(1.0, 1.0))(spectra(60), 5)
    gone = views == 0
    frames = gone.all(-2)  # (V, B, leads, frames): no frequency is left
    bins = gone.all(-1)
    assert (bins.sum(-1) == 1).all()
    count = frames.sum(-1)
    assert (count.min(), count.max()) == (2, 7)  # whole frames of 0.1-0.35 of 21
    assert (frames.float().diff(dim=-1).abs().sum(-1) <= 2).all()
    assert torch.equal(gone, frames.unsqueeze(-2) | bins.unsqueeze(-1))
    which = bins.float().argmax(-1).flatten()
    expected = len(which) / 13
    assert (torch.bincount(which, minlength=13) - expected).abs().max() < 5 * expected**0.5
    assert (which.view(-1, 12)[:, 0] != which.view(-1, 12)[:, 1]).float().mean() > 0.8


def test_cut_outs_in_time_lie_within_the_crop():
    """A share of the crop is cut out, not of the view."""
    views = SpectrogramViews(local_crop=(0.5, 0.5), cut_out=(0.3, 0.3), frequencies=0)
    gone = (views(spectra(30), 6)[2:] == 0).all(-2)
    assert (gone.sum(-1) == 21 - 10 + 3).all()


# --- both ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("views", "batch"), [(TimeViews(), records()),
                                              (SpectrogramViews(), spectra())])  # fmt: skip
class TestBoth:
    def test_a_seed_and_a_generator_give_the_same_views_again(self, views, batch):
        first = views(batch, 7)
        assert torch.equal(first, views(batch, 7))
        assert torch.equal(first, views(batch, torch.Generator().manual_seed(7)))
        assert not torch.equal(first, views(batch, 8))
        generator = torch.Generator().manual_seed(7)
        views(batch, generator)
        assert not torch.equal(first, views(batch, generator))

    def test_the_global_generator_is_left_alone(self, views, batch):
        torch.manual_seed(0)
        before = torch.get_rng_state()
        views(batch, 7)
        assert torch.equal(before, torch.get_rng_state())

    def test_no_record_leaks_into_another(self, views, batch):
        changed = batch.clone()
        changed[1] = -5 * changed[1] + 3
        before, after = views(batch, 9), views(changed, 9)
        assert torch.equal(before[:, [0, 2, 3]], after[:, [0, 2, 3]])
        assert not torch.equal(before[:, 1], after[:, 1])

    def test_places_of_a_batch_are_treated_alike_but_independently(self, views, batch):
        same = batch[:1].expand(len(batch), *batch.shape[1:])
        found = views(same, 10)
        assert not torch.equal(found[:, 0], found[:, 1])
        # what is done depends on the seed and the place in the batch, not on who stands there
        swapped = views(torch.stack([batch[1], batch[0], *batch[2:]]), 10)
        assert torch.equal(swapped[:, 2:], views(batch, 10)[:, 2:])

    def test_views_differ_and_the_input_stays(self, views, batch):
        kept = batch.clone()
        found = views(batch, 11)
        assert torch.equal(batch, kept)
        assert found.is_contiguous()
        assert found.dtype == torch.float32
        for a in range(10):
            for b in range(a):
                assert not torch.equal(found[a], found[b])

    def test_numbers_of_views_are_as_asked(self, views, batch):
        found = dataclasses.replace(views, global_views=1, local_views=3)(batch, 0)
        assert len(found) == 4

    @pytest.mark.parametrize("wrong", [
        {"global_views": 0}, {"global_views": 1, "local_views": 0}, {"global_crop": (0.8, 0.5)},
        {"local_crop": (-0.1, 0.5)}, {"cut_out": (0.2, 1.1)}, {"cut_out": (float("nan"), 1.0)},
    ])  # fmt: skip
    def test_wrong_settings_are_named(self, views, batch, wrong):
        name = "global view" if "global_views" in wrong else next(iter(wrong))
        with pytest.raises(ConfigError, match=name):
            dataclasses.replace(views, **wrong)

    def test_wrong_shapes_are_refused(self, views, batch):
        with pytest.raises(DataError, match="views need"):
            views(batch[0], 0)
        with pytest.raises(ConfigError, match="different devices"):
            views(batch.to("meta"), torch.Generator())


def test_wrong_noise_and_too_many_frequencies_are_refused():
    for wrong in ((-0.1, 0.1), (0.0, float("inf"))):
        with pytest.raises(ConfigError, match="noise"):
            TimeViews(noise=wrong)
    with pytest.raises(ConfigError, match="frequencies"):
        SpectrogramViews(frequencies=-1)
    with pytest.raises(DataError, match="more than 13 bins"):
        SpectrogramViews(frequencies=13)(spectra(), 0)
    with pytest.raises(DataError, match="two samples"):
        TimeViews()(torch.zeros(1, 12, 1), 0)
