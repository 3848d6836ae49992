"""No sample that a layout or a mask hides reaches a network, through the resampling either."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.layouts import RANDOM_LAYOUTS, any_layout, get_layout, pick_layout
from ecgvision.core.page import Page
from ecgvision.data.cohort import Cohort
from ecgvision.data.crops import CropDataset, CropSettings
from ecgvision.data.masks import TrainMask
from ecgvision.data.pages import OnTheFly, PageSettings
from ecgvision.data.paired import PairedDataset
from ecgvision.data.patch_settings import PatchSettings
from ecgvision.data.patches import PatchDataset
from ecgvision.data.resample import fit_length, resample, resample_shown

FOLDS = {"train": [1, 2, 3], "val": [9], "test": [10]}
RATES = (100, 250, 500)
NETWORK = (100, 250, 128)


class Held:
    """A store of one signal."""

    def __init__(self, signal: np.ndarray, rate: float) -> None:
        self.signal, self.rate = signal, rate

    def length(self, row: int) -> int:
        return self.signal.shape[1]

    def read(self, row: int, start: int = 0, length: int | None = None) -> np.ndarray:
        return self.signal[:, start : None if length is None else start + length].copy()


def item(kind: str, store: Path, signal: np.ndarray, own: float, **given) -> dict:
    """The first item of a loader whose every record is `signal`."""
    cohort = Cohort([store], "superdiagnostic", folds=FOLDS)
    cohort.stores = [Held(signal, own)]  # type: ignore[list-item]
    split = given.pop("split", "test")
    where, common = cohort.positions(split), {"train": split == "train", "seed": 3}
    rate = given.pop("rate")
    if kind == "patches":
        length = given.pop("patch_length", 10)
        chosen = PatchSettings(rate=rate, patch_length=length, stride=length, **given)
        return PatchDataset(cohort, where, chosen, **common)[(1, 0)]
    if kind == "crops":
        return CropDataset(cohort, where, CropSettings(rate=rate, **given), **common)[(1, 0)]
    pages = PageSettings(image_size=(32, 32), images=False, signal_rate=rate,
                         signal_window="printed", **given)  # fmt: skip
    return PairedDataset(cohort, where, pages, OnTheFly(pages), **common)[(1, 0)]


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(
        torch.as_tensor(a[k]).numpy().tobytes() == torch.as_tensor(b[k]).numpy().tobytes()
        for k in a
    )


def recording(seed: int, own: float) -> np.ndarray:
    """(12, 10 s) of noise with some gaps."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 1, (12, round(10 * own))).astype(np.float32)
    signal[rng.integers(12), rng.integers(signal.shape[1] - 90) :][:90] = np.nan
    return signal


def altered(signal: np.ndarray, seen: np.ndarray, seed: int) -> np.ndarray:
    """The signal with other values, some of them missing, wherever it is not seen."""
    rng = np.random.default_rng([seed, 1])
    other = rng.normal(0, 100, signal.shape).astype(np.float32)
    other[rng.random(signal.shape) < 0.1] = np.nan
    return np.where(seen, signal, other)


@given(
    kind=st.sampled_from(["patches", "crops", "pages"]), own=st.sampled_from(RATES),
    rate=st.sampled_from(NETWORK), name=st.sampled_from([*RANDOM_LAYOUTS, "random", "any"]),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_what_a_layout_hides_has_no_influence(tiny_store, kind, own, rate, name, seed):
    cohort = Cohort([tiny_store], "superdiagnostic", folds=FOLDS)
    index = int(cohort.index[cohort.positions("test")[0]])
    page = Page(get_layout(pick_layout(name, np.random.default_rng([index]))), seconds=10.0)
    signal = recording(seed, own)
    seen = page.observed(signal.shape[1], own)
    one, other = (
        item(kind, tiny_store, s, own, rate=rate, layouts=(name,))
        for s in (signal, altered(signal, seen, seed))
    )
    assert same(one, other)
    if kind == "pages":  # which shows all that the page shows and the record holds
        whole = fit_length(resample(signal, own, rate), round(10 * rate))
        expected = page.observed(round(10 * rate), rate)
        missing = np.isnan(whole) & expected
        got = one["observed"].numpy()
        assert not (got & ~expected).any()
        assert (expected & ~got & ~missing).sum() == 0


@given(
    mode=st.sampled_from(["blocks", "layouts", "both"]), own=st.sampled_from(RATES),
    noise=st.sampled_from([0.0, 0.1]), normalise=st.sampled_from(["none", "record"]),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_what_a_training_mask_hides_has_no_influence(tiny_store, mode, own, noise, normalise, seed):
    signal, more = recording(seed, own), {"noise": noise, "normalise": normalise}
    more |= {"rate": 100, "split": "train", "train_mask": mode}
    one = item("patches", tiny_store, signal, own, **more)
    observed = one["observed"].numpy().reshape(12, 1000)
    seen = observed[:, np.arange(signal.shape[1]) * 100 // own]
    assert not seen.all()
    # next to a gap of the record a shown sample is not observed, and may have a say
    gap = np.isnan(signal)
    for _ in range(5):
        gap[:, 1:] |= gap[:, :-1]
        gap[:, :-1] |= gap[:, 1:]
    other = item("patches", tiny_store, altered(signal, seen | gap, seed), own, **more)
    assert same(one, other)


@pytest.mark.parametrize("kind", ["patches", "crops", "pages"])
@pytest.mark.parametrize("own", [250, 500])
def test_a_qrs_just_after_the_window_is_not_foretold(tiny_store, kind, own):
    """Lead I of 3x4 ends after 2.5 s, with a beat of 2 mV from that very sample on."""
    signal = np.zeros((12, 10 * own), np.float32)
    signal[0, round(2.5 * own) : round(2.56 * own)] = 2.0
    got = item(kind, tiny_store, signal, own, rate=100, layouts=("3x4",))
    assert all((got[key] == 0).all() for key in ("value", "signal") if key in got)


@pytest.mark.parametrize("kind", ["patches", "pages"])
@pytest.mark.parametrize("own", RATES)
@pytest.mark.parametrize("gaps", [False, True])
def test_a_layout_that_hides_nothing_changes_nothing(tiny_store, kind, own, gaps):
    signal = recording(5, own)
    if not gaps:
        signal = np.nan_to_num(signal)
    got = item(kind, tiny_store, signal, own, rate=100, layouts=("12x1",))
    expected = fit_length(resample(signal, own, 100), 1000)
    value = got["value" if kind == "patches" else "signal"].numpy().reshape(12, 1000)
    assert np.array_equal(got["observed"].numpy().reshape(12, 1000), ~np.isnan(expected))
    assert value.tobytes() == np.nan_to_num(expected).tobytes()


@pytest.mark.parametrize("own", [250, 500])
def test_windows_keep_their_shape_to_the_edge(own):
    """An offset of 2 mV under slow waves: no step at an edge, so no ringing within."""
    time = np.arange(10 * own) / own
    signal = (2 + 0.5 * np.sin(2 * np.pi * np.arange(1, 13)[:, None] * 0.3 * time)).astype("f4")
    page = Page(get_layout("3x4"))
    got, observed = resample_shown(signal, own, 100, 1000, page.observed)
    whole = resample(signal, own, 100)
    assert np.array_equal(observed, page.observed(1000, 100))
    assert np.abs(got - whole)[observed].max() < 0.03


def test_a_mask_is_the_same_at_every_rate():
    for mode in ("blocks", "layouts", "both"):
        for seed in range(5):
            drawn = TrainMask(mode).choose(np.random.default_rng(seed), 1000, 100)
            at = drawn.at(1000, 100)
            assert np.array_equal(at, TrainMask(mode).draw(np.random.default_rng(seed), 1000, 100))
            assert np.array_equal(drawn.at(5000, 500), at.repeat(5, 1))
            assert np.array_equal(drawn.at(500, 50), at[:, ::2])
    rng = np.random.default_rng(0)
    odd = Page(get_layout(any_layout(rng)))
    drawn = TrainMask("layouts", pages=(odd,)).choose(rng, 1000, 100)
    assert np.array_equal(drawn.at(2500, 250), odd.observed(2500, 250))
