"""Pairs: synchronized, deterministic whatever the workers, and true to the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from data_prep import render_images
from ecgvision.core.errors import ConfigError, DataError, LayoutError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.cohort import Cohort
from ecgvision.data.drawn_pages import DrawnPages
from ecgvision.data.network_input import to_network
from ecgvision.data.pages import PageSettings
from ecgvision.data.paired import PairedDataModule
from ecgvision.render.draw import draw
from ecgvision.render.papers.named import get_style

FOLDS = {"train": [1, 2, 3, 4, 5, 6, 7, 8], "val": [9], "test": [10]}


def module(
    store, *, augment=True, workers=0, batch=8, seed=0, folders=(), **settings
) -> PairedDataModule:
    chosen = {"layouts": ("3x4+II", "6x2"), "image_size": (96, 128)} | settings
    cohort = Cohort([store], "superdiagnostic", folds=FOLDS)
    return PairedDataModule(
        cohort, PageSettings(**chosen), augment=augment, batch_size=batch, num_workers=workers,
        seed=seed, folders=folders,
    )  # fmt: skip


def epoch(data: PairedDataModule, number: int) -> list[dict[str, torch.Tensor]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


@pytest.fixture(scope="module")
def few(make_store, tmp_path_factory) -> Path:
    """A third of the records, for tests that draw several epochs."""
    return make_store(tmp_path_factory.mktemp("stores") / "few", records=20)


def equal(a, b) -> bool:
    return all(torch.equal(x[k], y[k]) for x, y in zip(a, b, strict=True) for k in x)


def test_batch_contract(tiny_store):
    (batch, *_) = epoch(module(tiny_store), 0)
    shapes = {k: (tuple(v.shape), v.dtype) for k, v in batch.items()}
    assert shapes == {
        "image": ((8, 3, 96, 128), torch.uint8),
        "signal": ((8, 12, 1000), torch.float32),
        "observed": ((8, 12, 1000), torch.bool),
        "printed": ((8, 12, 1000), torch.bool),
        "target": ((8, 5), torch.float32),
        "index": ((8,), torch.int64),
        "layout": ((8,), torch.int64),
        "artefact": ((8,), torch.int64),
    }
    assert not batch["signal"].isnan().any()
    assert (batch["signal"][~batch["observed"]] == 0).all()


def test_workers_do_not_change_a_byte(few):
    alone, two = (epoch(module(few, workers=w), 3) for w in (0, 2))
    assert equal(alone, two)


def test_a_spawned_worker_draws_the_same(tiny_store):
    dataset = module(tiny_store).dataset("train")
    loader = DataLoader(dataset, batch_size=None, sampler=[(3, 0), (3, 5)], num_workers=1,
                        multiprocessing_context="spawn")  # fmt: skip
    for item, key in zip(loader, loader.sampler, strict=True):
        assert torch.equal(item["image"], dataset[key]["image"])
        assert torch.equal(item["signal"], dataset[key]["signal"])


def test_epochs_and_seeds_differ(few):
    first = epoch(module(few), 0)
    assert equal(first, epoch(module(few), 0))
    assert not equal(first, epoch(module(few), 1))
    assert not equal(first, epoch(module(few, seed=1), 0))


def test_evaluation_shows_every_record_in_every_layout(tiny_store):
    data = module(tiny_store)
    batches = list(data.test_dataloader())
    seen = [(int(i), int(k)) for b in batches for i, k in zip(b["index"], b["layout"], strict=True)]
    expected = data.cohort.index[data.cohort.positions("test")]
    assert sorted(seen) == sorted((int(i), k) for i in expected for k in (0, 1))
    assert equal(batches, list(data.test_dataloader()))


def test_evaluation_shows_every_record_in_every_layout_and_artefact(tiny_store):
    data = module(tiny_store, artefacts=("clean", "fax"))
    batches = list(data.test_dataloader())
    keys = ("index", "layout", "artefact")
    seen = [
        tuple(int(v) for v in row)
        for b in batches
        for row in zip(*(b[k] for k in keys), strict=True)
    ]
    expected = data.cohort.index[data.cohort.positions("test")]
    assert sorted(seen) == sorted((int(i), k, a) for i in expected for k in (0, 1) for a in (0, 1))


def test_pictures_do_not_depend_on_the_run(tiny_store):
    one, other = (
        module(tiny_store, artefacts=("photo",), style="mixed", seed=s).dataset("test")
        for s in (0, 1)
    )
    assert all(torch.equal(one[(0, i)]["image"], other[(0, i)]["image"]) for i in range(4))


def test_artefacts_are_the_same_in_every_worker(few):
    alone, two = (
        epoch(module(few, workers=w, artefacts=("photo", "fax"), style="mixed"), 1) for w in (0, 2)
    )
    assert equal(alone, two)
    assert {int(a) for b in alone for a in b["artefact"]} == {0, 1}


def test_an_artefact_changes_the_page_and_nothing_else(tiny_store):
    plain = module(tiny_store, layouts=("3x4",)).dataset("test")[(0, 0)]
    faxed = module(tiny_store, layouts=("3x4",), artefacts=("fax",)).dataset("test")[(0, 0)]
    assert not torch.equal(plain["image"], faxed["image"])
    assert torch.equal(plain["signal"], faxed["signal"])


def test_a_paper_decides_what_is_printed(tiny_store):
    data = module(tiny_store, layouts=("6x2",), style="cardiovit50", signal_window="printed")
    observed = data.dataset("test")[(0, 0)]["observed"]
    assert observed[:, :250].sum() == 6 * 250  # 50 mm/s: the limb leads' first 2.5 s, then the
    assert observed[6:, 250:500].all()  # chest leads' next
    assert not observed[:, 500:].any()


def draw_folder(store, out, *more: str) -> str:
    words = [str(store), "--out", str(out), "--dpi", "40", "--layouts", "3x4+II,6x2", *more]
    assert render_images.main(words) == 0
    return str(out)


def test_pages_of_a_folder_stand_beside_their_signals(tiny_store, tmp_path):
    folder = draw_folder(tiny_store, tmp_path / "pages")
    data = module(tiny_store, folders=[folder], signal_window="printed")
    item = data.dataset("test")[(0, 1)]
    position = int(data.positions("test")[1])
    store, row = data.cohort.place(position)
    page = DrawnPages(folder).page(row, "3x4+II")
    assert store == 0
    assert np.array_equal(item["image"].permute(1, 2, 0).numpy(), to_network(page, (96, 128)))
    expected = Page(get_layout("3x4+II")).observed(1000, 100)
    assert np.array_equal(item["observed"].numpy(), expected)
    signal, _ = data.cohort.read(position)
    for split in ("test", "train"):  # a page that is drawn already allows no other signal
        dataset = data.dataset(split)
        dataset.positions = np.array([position])
        seen = dataset[(2, 0)]
        np.testing.assert_allclose(
            seen["signal"].numpy()[seen["observed"]], signal[seen["observed"]], atol=1e-6
        )


def test_records_that_were_not_drawn_are_left_out(tiny_store, tmp_path):
    folder = draw_folder(tiny_store, tmp_path / "pages", "--limit", "30")
    data = module(tiny_store, folders=[folder])
    kept = [data.cohort.place(int(p))[1] for p in data.positions("train")]
    everyone = [data.cohort.place(int(p))[1] for p in data.cohort.positions("train")]
    assert kept == [row for row in everyone if row < 30]


def test_pages_of_another_store_are_refused(tiny_store, make_store, tmp_path):
    folder = draw_folder(make_store(tmp_path / "other", records=20), tmp_path / "pages")
    with pytest.raises(DataError, match="one folder of pages for each store"):
        module(tiny_store, folders=[folder])


def test_layouts_that_were_not_drawn_are_refused(tiny_store, tmp_path):
    folder = draw_folder(tiny_store, tmp_path / "pages")
    with pytest.raises(LayoutError, match="12x1"):
        module(tiny_store, folders=[folder], layouts=("12x1",))


def test_evaluation_draws_the_plain_page_of_the_record(tiny_store):
    data = module(tiny_store, layouts=("6x2",), style="plain")
    item = data.dataset("test")[(0, 1)]
    signal, rate = data.cohort.read(int(data.cohort.positions("test")[1]))
    page = Page(get_layout("6x2"), dpi=100)
    drawn = draw(signal, rate, page, get_style("plain")).image
    assert np.array_equal(item["image"].permute(1, 2, 0).numpy(), to_network(drawn, (96, 128)))
    np.testing.assert_allclose(item["signal"].numpy(), signal, atol=1e-6)


def ink_columns(image: np.ndarray) -> np.ndarray:
    return np.flatnonzero((image.min(2) < 100).any(0))


def test_page_and_signal_come_from_the_same_window(make_store, tmp_path):
    """One spike a second: its place on a page of one lead follows its place in the signal."""
    store = make_store(tmp_path / "long", seconds=14, records=20)
    data = module(store, augment=False, layouts=("1x1:I",), image_size=(425, 550), train_dpi=(100,))
    starts = set()
    for number in range(4):
        item = data.dataset("train")[(number, 3)]
        signal = item["signal"][0].numpy()
        page = Page(get_layout("1x1:I"), dpi=50)
        image = item["image"].permute(1, 2, 0).numpy()
        peaks = np.flatnonzero(signal > 0.75 * signal.max())
        first = peaks[(peaks > 120) & (peaks < 780)][0]
        x, y = page.to_pixel(page.cells[0], first / 100, float(signal[first]))
        near = image[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4]
        assert near.min() < 120
        starts.add(int(first) % 100)
    assert len(starts) > 1


def test_printed_window_hides_what_the_page_hides(tiny_store):
    data = module(tiny_store, layouts=("3x4",), signal_window="printed")
    item = data.dataset("test")[(0, 0)]
    expected = Page(get_layout("3x4"), dpi=100).observed(1000, 100)
    assert np.array_equal(item["observed"].numpy(), expected)
    assert (item["signal"].numpy()[~expected] == 0).all()


def test_short_records_are_padded_as_unobserved(make_store, tmp_path):
    data = module(make_store(tmp_path / "short", seconds=3, records=20))
    item = data.dataset("test")[(0, 0)]
    assert item["observed"][:, :300].all()
    assert not item["observed"][:, 300:].any()


def test_stores_of_another_rate_are_resampled(make_store, tmp_path):
    data = module(make_store(tmp_path / "fast", rate=500, records=20))
    item = data.dataset("test")[(0, 0)]
    signal, _ = data.cohort.read(int(data.cohort.positions("test")[0]))
    assert item["signal"].shape == (12, 1000)
    assert np.corrcoef(item["signal"][0].numpy(), signal[0, ::5])[0, 1] > 0.95


def test_a_small_page_looks_like_a_large_one_brought_down(tiny_store):
    signal, rate = module(tiny_store).cohort.read(0)
    small, large = (
        to_network(
            draw(signal, rate, Page(get_layout("3x4+II"), dpi=d), get_style("kit")).image,
            (192, 256),
        )
        for d in (100, 200)
    )
    difference = np.abs(small.astype(float) - large.astype(float))
    assert difference.mean() < 4
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.97


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"layouts": ()}, ConfigError),
        ({"artefacts": ()}, ConfigError),
        ({"artefacts": ("sandstorm",)}, ConfigError),
        ({"layouts": ("5x5",)}, LayoutError),
        ({"image_size": (16, 128)}, ConfigError),
        ({"image_size": (96,)}, ConfigError),
        ({"signal_rate": 0}, ConfigError),
        ({"signal_window": "half"}, ConfigError),
    ],
)
def test_wrong_settings_are_refused_at_once(tiny_store, wrong, kind):
    with pytest.raises(kind):
        module(tiny_store, **wrong)


def test_fewer_records_than_a_batch_are_refused(tiny_store):
    with pytest.raises(DataError, match=r"data\.batch_size"):
        module(tiny_store, batch=1000).setup()


def test_a_share_of_less_than_a_batch_is_refused(tiny_store, monkeypatch):
    data = module(tiny_store, batch=32)  # of 48 records
    assert len(data.loader("train")) == 1
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.raises(DataError, match=r"share.*24.*trainer\.devices"):
        data.loader("train")
    assert len(data.loader("val")) == 1


def test_a_validation_that_cannot_choose_is_refused(make_store, tmp_path):
    data = module(make_store(tmp_path / "s", records=20), batch=4)
    data.setup()
    data.cohort.targets[data.positions("val")] = [0, 1, 0, 0, 1]
    with pytest.raises(DataError, match=r"both positives and negatives.*\[9\]"):
        data.setup()
