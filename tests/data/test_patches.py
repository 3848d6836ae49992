"""Patches: the right samples, no leak from under a mask, the same whatever the workers."""

from __future__ import annotations

import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ConfigError, DataError, LayoutError
from ecgvision.core.layouts import RANDOM_LAYOUTS, get_layout, pick_layout
from ecgvision.core.page import Page
from ecgvision.data.cohort import Cohort
from ecgvision.data.masks import Drawn, layout_mask
from ecgvision.data.patch_settings import PatchSettings, normalise_record, to_patches
from ecgvision.data.patches import PatchDataModule, PatchDataset
from ecgvision.data.signals import NO_LAYOUT

FOLDS = {"train": [1, 2, 3, 4, 5, 6, 7, 8], "val": [9], "test": [10]}
TOKENS = {  # of 180: seen at least in part, and whole
    "3x4": (54, 36),
    "3x4+II": (65, 48),
    "3x4+II+V1": (75, 60),
    "6x2": (96, 84),
    "6x2+II": (103, 92),
    "12x1": (180, 180),
}


def module(store, *, workers=0, batch=8, seed=0, **settings) -> PatchDataModule:
    cohort = Cohort([store], "superdiagnostic", folds=FOLDS)
    return PatchDataModule(
        cohort, PatchSettings(**settings), batch_size=batch, num_workers=workers, seed=seed
    )


def recording(seconds: float = 10, rate: float = 100) -> np.ndarray:
    """(12, T) float32 of which every value is another, none of them 0; nobody may write to it."""
    signal = 1 + np.arange(12 * round(seconds * rate), dtype=np.float32).reshape(12, -1) / 1000
    signal.flags.writeable = False
    return signal


class Held:
    """A store of one signal, which it gives without a copy."""

    def __init__(self, signal: np.ndarray, rate: float) -> None:
        self.signal, self.rate = signal, rate

    def length(self, row: int) -> int:
        return self.signal.shape[1]

    def read(self, row: int, start: int = 0, length: int | None = None) -> np.ndarray:
        return self.signal[:, start : None if length is None else start + length]


def holding(data: PatchDataModule, signal: np.ndarray, rate: float = 100) -> PatchDataModule:
    """The module with every record replaced by one, read without a copy."""
    data.cohort.stores = [Held(signal, rate) for _ in data.cohort.stores]
    return data


def epoch(data: PatchDataModule, number: int) -> list[dict[str, torch.Tensor]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


def by_index(batches: list[dict[str, torch.Tensor]]) -> dict[int, np.ndarray]:
    """The observed mask of each record."""
    return {
        int(i): o.numpy() for b in batches for i, o in zip(b["index"], b["observed"], strict=True)
    }


def equal(a, b) -> bool:
    return all(torch.equal(x[k], y[k]) for x, y in zip(a, b, strict=True) for k in x)


# what an item is --------------------------------------------------------------------------------


@pytest.mark.parametrize("loader", ["train_dataloader", "val_dataloader"])
def test_batch_contract(tiny_store, loader):
    batch = next(iter(getattr(module(tiny_store), loader)()))
    shapes = {k: (tuple(v.shape), v.dtype) for k, v in batch.items()}
    assert shapes == {
        "value": ((8, 12, 15, 64), torch.float32),
        "observed": ((8, 12, 15, 64), torch.bool),
        "target": ((8, 5), torch.float32),
        "index": ((8,), torch.int64),
        "layout": ((8,), torch.int64),
        "artefact": ((8,), torch.int64),
    }
    assert not batch["value"].isnan().any()
    assert (batch["value"][~batch["observed"]] == 0).all()
    assert (batch["value"][batch["observed"]] != 0).float().mean() > 0.9


@pytest.mark.parametrize("name", RANDOM_LAYOUTS)
def test_tokens_of_a_layout_are_the_paper_s(tiny_store, name):
    item = module(tiny_store, layouts=(name,)).dataset("test")[(0, 0)]
    observed = item["observed"]
    assert (int(observed.any(-1).sum()), int(observed.all(-1).sum())) == TOKENS[name]


@given(st.data())
def test_patches_are_the_samples_in_their_places(data):
    length = data.draw(st.integers(1, 200))
    patch = data.draw(st.integers(1, length))
    stride = data.draw(st.integers(1, patch))
    samples = recording()[:3, :length]
    got = to_patches(samples, patch, stride)
    expected = [
        [list(lead[first : first + patch]) for first in range(0, length - patch + 1, stride)]
        for lead in samples
    ]
    assert np.array_equal(got, np.array(expected))
    settings = PatchSettings(patch_length=patch, stride=stride, rate=length / 10)
    assert settings.patches == got.shape[1]


@given(st.integers(1, 1000), st.integers(1, 1000), st.sampled_from(RANDOM_LAYOUTS))
def test_items_hold_the_observed_samples_and_zeros(tiny_store, patch, stride, layout):
    stride = min(stride, patch)
    data = module(tiny_store, patch_length=patch, stride=stride, layouts=(layout,))
    signal = recording()
    shown = layout_mask(get_layout(layout), 1000, 100)
    item = holding(data, signal).dataset("test")[(0, 0)]
    value, observed = item["value"].numpy(), item["observed"].numpy()
    count = len(range(0, 1000 - patch + 1, stride))
    assert value.shape == observed.shape == (12, count, patch)
    for lead in range(12):
        for p in range(count):
            at = slice(p * stride, p * stride + patch)
            assert np.array_equal(observed[lead, p], shown[lead, at])
            assert np.array_equal(value[lead, p], np.where(shown[lead, at], signal[lead, at], 0))


def test_units_are_those_of_the_record(tiny_store):
    data = module(tiny_store, layouts=("12x1",))
    position = int(data.positions("test")[2])
    signal, _ = data.cohort.read(position)
    item = data.dataset("test")[(0, 2)]
    assert item["index"] == data.cohort.index[position]
    assert np.array_equal(item["target"].numpy(), data.cohort.targets[position])
    assert np.array_equal(item["value"].numpy().reshape(12, 960), signal[:, :960])


def test_samples_that_the_record_lacks_are_unobserved(tiny_store):
    signal = recording().copy()
    signal[4], signal[5, 100:300] = np.nan, np.nan
    data = holding(module(tiny_store, layouts=("12x1",), train_mask="none"), signal)
    expected = to_patches(~np.isnan(signal), 64, 64)
    for split in ("train", "test"):
        item = data.dataset(split)[(0, 0)]
        assert np.array_equal(item["observed"].numpy(), expected)
        assert (item["value"].numpy()[~expected] == 0).all()


def test_short_records_end_and_are_not_repeated(tiny_store):
    data = holding(module(tiny_store, layouts=("12x1",)), recording(seconds=3))
    observed = data.dataset("test")[(0, 0)]["observed"].numpy().reshape(12, 960)
    assert observed[:, :300].all()
    assert not observed[:, 300:].any()


def test_other_rates_are_resampled_and_windows_cut_to_their_share(make_store, tmp_path):
    store = make_store(tmp_path / "fast", rate=500, records=20)
    data = module(store, layouts=("12x1", "6x2"), seconds=5, patch_length=50, stride=50)
    signal, _ = data.cohort.read(int(data.positions("test")[0]))
    dataset = data.dataset("test")
    whole, halves = dataset[(0, 0)], dataset[(0, len(data.positions("test")))]
    assert whole["value"].shape == (12, 10, 50)
    near = np.corrcoef(whole["value"][0].numpy().ravel(), signal[0, :2500:5])[0, 1]
    assert near > 0.95
    observed = halves["observed"].numpy().reshape(12, 500)  # a page of five seconds
    assert observed[:6, :250].all()
    assert observed[6:, 250:].all()
    assert observed.sum() == 12 * 250


# nothing leaks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("normalise", ["none", "record"])
def test_values_under_the_mask_change_nothing(tiny_store, split, normalise):
    data = module(tiny_store, layouts=("3x4+II",), normalise=normalise, train_mask="both")
    signal = recording()
    item = holding(data, signal).dataset(split)[(0, 0)]
    cut = item["observed"].numpy()
    seen = np.ones((12, 1000), bool)  # the last 40 samples may be observed, so they stay
    seen[:, :960] = cut.reshape(12, 960)
    other = np.where(seen, signal, np.float32(1e6))
    again = holding(data, other).dataset(split)[(0, 0)]
    assert all(torch.equal(torch.as_tensor(item[k]), torch.as_tensor(again[k])) for k in item)
    assert (item["value"].numpy()[~cut] == 0).all()


def test_normalised_records_have_mean_zero_and_deviation_one_over_all_leads(tiny_store):
    settings = {"layouts": ("3x4",), "patch_length": 50, "stride": 50}
    plain = module(tiny_store, **settings).dataset("test")[(0, 0)]
    item = module(tiny_store, normalise="record", **settings).dataset("test")[(0, 0)]
    raw = plain["value"][plain["observed"]].numpy().astype(np.float64)
    np.testing.assert_allclose(
        item["value"][item["observed"]].numpy(), (raw - raw.mean()) / raw.std(), atol=1e-5
    )
    assert (item["value"][~item["observed"]] == 0).all()


def test_a_flat_record_is_centred_only():
    flat = np.full((12, 20), 3, np.float32)
    assert (normalise_record(flat, np.ones((12, 20), bool)) == 0).all()


# training ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", ["blocks", "layouts", "both"])
def test_workers_do_not_change_a_byte(tiny_store, mask):
    """Nor over two epochs of the same workers."""
    runs = []
    for workers in (0, 2):
        data = module(tiny_store, workers=workers, train_mask=mask, noise=0.1)
        loader = data.train_dataloader()
        runs.append([])
        for number in (3, 4):
            loader.sampler.set_epoch(number)
            runs[-1] += list(loader)
    assert equal(*runs)
    assert not equal(runs[0][: len(runs[0]) // 2], runs[0][len(runs[0]) // 2 :])


def test_a_pickled_dataset_reads_the_same(tiny_store):
    """What a spawned worker gets, and it is small: paths, no signals."""
    dataset = module(tiny_store).dataset("train")
    text = pickle.dumps(dataset)
    assert len(text) < 200_000
    there = pickle.loads(text)
    for key in ((3, 0), (3, 5)):
        assert torch.equal(there[key]["value"], dataset[key]["value"])


def test_epochs_and_seeds_differ(tiny_store):
    first = epoch(module(tiny_store), 0)
    assert equal(first, epoch(module(tiny_store), 0))
    one, next_epoch = by_index(first), by_index(epoch(module(tiny_store), 1))
    both = one.keys() & next_epoch.keys()
    assert len(both) > 30
    assert not any(np.array_equal(one[i], next_epoch[i]) for i in both)
    dataset, other = (module(tiny_store, seed=s).dataset("train") for s in (0, 1))
    assert not torch.equal(dataset[(0, 0)]["observed"], other[(0, 0)]["observed"])


def test_an_item_depends_on_its_record_and_not_on_its_place(tiny_store):
    data = module(tiny_store)
    dataset, turned = data.dataset("train"), data.dataset("train")
    turned.positions = turned.positions[::-1]
    last = len(dataset) - 1
    assert torch.equal(dataset[(2, 0)]["value"], turned[(2, last)]["value"])


def test_masks_do_not_accumulate(tiny_store):
    """Eight epochs over a record that cannot be written to keep 60 % of it in each."""
    data = holding(module(tiny_store), recording())
    kept = [
        float(np.mean([item["observed"].float().mean() for item in epoch(data, number)]))
        for number in range(8)
    ]
    # 40 records of 12 leads, of which the kept share has a standard deviation of 0.26
    assert np.abs(np.array(kept) - 0.6).max() < 4 * 0.27 / np.sqrt(40 * 12)


def test_training_names_no_layout(tiny_store):
    assert all((b["layout"] == NO_LAYOUT).all() for b in epoch(module(tiny_store), 0))


def test_layout_masks_in_training_are_all_of_the_six(tiny_store):
    batches = epoch(module(tiny_store, train_mask="layouts"), 0)
    known = {to_patches(layout_mask(get_layout(n), 1000, 100), 64, 64).tobytes(): n
             for n in RANDOM_LAYOUTS}  # fmt: skip
    assert {known[o.tobytes()] for o in by_index(batches).values()} == set(RANDOM_LAYOUTS)


def test_noise_is_for_training_alone(tiny_store):
    data = module(tiny_store, noise=0.1, train_mask="none", layouts=("12x1",))
    signal = recording()
    holding(data, signal)
    plain = to_patches(signal, 64, 64)
    difference = data.dataset("train")[(0, 0)]["value"].numpy() - plain
    assert difference[difference != 0].std() == pytest.approx(0.1, rel=0.1)
    assert np.array_equal(data.dataset("test")[(0, 0)]["value"].numpy(), plain)


def test_windows_of_longer_records_are_drawn_in_training_alone(tiny_store):
    signal = recording(seconds=14)
    data = holding(module(tiny_store, train_mask="none", layouts=("12x1",)), signal)
    train, test = data.dataset("train"), data.dataset("test")
    starts = []
    for number in range(10):
        value = train[(number, 0)]["value"].numpy().reshape(12, 960)
        starts.append(int(np.flatnonzero(signal[0] == value[0, 0])[0]))
        assert np.array_equal(value, signal[:, starts[-1] : starts[-1] + 960])
    assert len(set(starts)) > 5
    assert max(starts) <= 400
    value = test[(0, 0)]["value"].numpy().reshape(12, 960)
    assert np.array_equal(value, signal[:, :960])


# evaluation -------------------------------------------------------------------------------------


def test_evaluation_shows_every_record_in_every_layout_in_order(tiny_store):
    """18 items in batches of 8: the last, of two, is kept."""
    data = module(tiny_store, layouts=("3x4", "12x1", "random"))
    batches = list(data.test_dataloader())
    assert [len(b["index"]) for b in batches] == [8, 8, 2]
    seen = [(int(k), int(i)) for b in batches for i, k in zip(b["index"], b["layout"], strict=True)]
    records = data.cohort.index[data.positions("test")]
    assert seen == [(k, int(i)) for k in range(3) for i in records]
    assert equal(batches, list(data.test_dataloader()))
    assert sum(len(b["index"]) for b in data.val_dataloader()) == 3 * len(data.positions("val"))


def test_training_is_shuffled_and_evaluation_is_not(tiny_store):
    data = module(tiny_store, layouts=("12x1",))
    order = [[int(i) for b in epoch(data, n) for i in b["index"]] for n in (0, 1)]
    assert order[0] != sorted(order[0])
    assert order[0] != order[1]
    assert len(set(order[0])) == len(order[0]) == 48
    for loader in (data.val_dataloader(), data.test_dataloader()):
        found = [int(i) for b in loader for i in b["index"]]
        assert found == sorted(found)


@pytest.mark.parametrize("many", ["random", "any"])
def test_what_is_drawn_depends_on_the_record_alone(tiny_store, many):
    one = module(tiny_store, layouts=(many,)).dataset("test")
    other = module(tiny_store, layouts=("3x4", "6x2", many), seed=9, train_mask="none")
    later = other.dataset("test")
    first = 2 * len(other.positions("test"))
    for i in range(len(one)):
        assert torch.equal(one[(0, i)]["observed"], later[(4, first + i)]["observed"])
        assert later[(0, first + i)]["layout"] == 2


def test_random_is_each_of_the_six_about_equally_often(make_store, tmp_path):
    data = module(make_store(tmp_path / "many", records=600), layouts=("random",))
    known = {TOKENS[name]: name for name in RANDOM_LAYOUTS}
    dataset = PatchDataset(data.cohort, data.positions("train"), data.settings, train=False, seed=0)
    counts = Counter()
    for i in range(480):
        observed = dataset[(0, i)]["observed"]
        counts[known[int(observed.any(-1).sum()), int(observed.all(-1).sum())]] += 1
    assert set(counts) == set(RANDOM_LAYOUTS)
    assert all(abs(n - 80) < 4 * np.sqrt(480 * 5 / 36) for n in counts.values())


# bad input --------------------------------------------------------------------------------------


def test_a_record_of_which_nothing_is_observed_is_named(tiny_store):
    signal = recording().copy()
    signal[:, :960] = np.nan  # the last 40 samples fill no patch
    data = holding(module(tiny_store, layouts=("12x1",)), signal)
    name = data.cohort.records["record_id"].iloc[data.positions("train")[0]]
    with pytest.raises(DataError, match=f"holds no sample within its patches.*{name}"):
        data.dataset("train")[(0, 0)]
    name = data.cohort.records["record_id"].iloc[data.positions("test")[0]]
    with pytest.raises(DataError, match=f"12x1 shows nothing.*{name}"):
        data.dataset("test")[(0, 0)]


def test_a_layout_that_shows_nothing_of_a_record_is_named(tiny_store):
    signal = np.full((12, 1000), np.nan, np.float32)
    signal[6, :64] = 1  # V1's first samples: on paper only where it runs through
    data = holding(module(tiny_store, layouts=("3x4+II+V1", "3x4")), signal)
    dataset, records = data.dataset("test"), len(data.positions("test"))
    assert int(dataset[(0, 0)]["observed"].sum()) == 64
    with pytest.raises(DataError, match=r"layout 3x4 shows nothing"):
        dataset[(0, records)]


def test_random_names_the_layout_that_it_was(tiny_store):
    signal = np.full((12, 1000), np.nan, np.float32)
    signal[6, :64] = 1
    data = holding(module(tiny_store, layouts=("random",)), signal)
    dataset = data.dataset("test")
    messages = []
    for i in range(len(dataset)):
        try:
            dataset[(0, i)]
        except DataError as error:
            messages.append(str(error))
    assert messages
    assert all("(drawn as random)" in message for message in messages)


def test_training_draws_again_where_a_mask_hides_all(tiny_store):
    """64 samples in one lead: layouts show them a third of the time, yet every item has them."""
    signal = np.full((12, 1000), np.nan, np.float32)
    signal[6, :64] = 1
    data = holding(module(tiny_store, train_mask="layouts"), signal)
    dataset = data.dataset("train")
    assert {int(dataset[(n, 0)]["observed"].sum()) for n in range(40)} == {64}


def test_masks_that_never_show_a_record_are_given_up(tiny_store, monkeypatch):
    data = holding(module(tiny_store), recording())
    hidden = Drawn(100, None, np.zeros((12, 1000), bool))
    monkeypatch.setattr(type(data.settings.mask), "choose", lambda *_: hidden)
    with pytest.raises(DataError, match="32 masks have hidden all of it"):
        data.dataset("train")[(0, 0)]


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"patch_length": 0}, ConfigError),
        ({"patch_length": 64.0}, ConfigError),
        ({"patch_length": 1001, "stride": 1}, ConfigError),
        ({"stride": 0}, ConfigError),
        ({"stride": 65}, ConfigError),
        ({"rate": 0.0}, ConfigError),
        ({"rate": float("inf")}, ConfigError),
        ({"rate": 33.33333}, ConfigError),
        ({"seconds": -1.0}, ConfigError),
        ({"seconds": float("nan")}, ConfigError),
        ({"seconds": 0.5}, ConfigError),
        ({"seconds": 11.0}, LayoutError),
        ({"layouts": ()}, ConfigError),
        ({"layouts": ("3x4", "3x4")}, ConfigError),
        ({"layouts": ("5x5",)}, LayoutError),
        ({"train_mask": "squares"}, ConfigError),
        ({"fractions": (1.0,)}, ConfigError),
        ({"noise": -0.1}, ConfigError),
        ({"noise": float("nan")}, ConfigError),
        ({"normalise": "lead"}, ConfigError),
    ],
)
def test_wrong_settings_are_refused_at_once(tiny_store, wrong, kind):
    with pytest.raises(kind):
        module(tiny_store, **wrong)


def test_fewer_records_than_a_batch_are_refused(tiny_store):
    with pytest.raises(DataError, match=r"data\.batch_size"):
        module(tiny_store, batch=1000).setup()


def test_any_shows_what_a_page_of_its_layout_shows(tiny_store):
    data = module(tiny_store, layouts=("any",)).dataset("test")
    seen = set()
    for number, position in enumerate(data.positions):
        name = pick_layout("any", np.random.default_rng([int(data.cohort.index[position])]))
        item = data[(0, number)]
        length = data.settings.length
        wanted = Page(get_layout(name)).observed(length, data.settings.rate)
        mask = item["observed"]
        assert mask.any(-1).any(-1).numpy().tolist() == wanted.any(-1).tolist()
        seen.add(name)
    assert len(seen) > len(data.positions) // 2
