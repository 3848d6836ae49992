"""Pages to read: what is said to be printed is on the page, where it is said to be."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from ecgvision.core.errors import DataError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.network_input import to_network
from ecgvision.data.pages import PageSettings
from ecgvision.data.sampler import EpochSampler
from ecgvision.reader.data.page_variation import PageVariation
from ecgvision.reader.data.pages import ReadingDataset, network_fractions, sample_places
from ecgvision.reader.data.signal_variation import SignalVariation
from ecgvision.render import artefacts
from ecgvision.render.artefacts import Warp
from ecgvision.render.draw import draw
from ecgvision.store.packed import Store

SIZE = (192, 256)
TWELVE = ("3x4", "3x4+II", "3x4+V1+II+V5", "6x2:cabrera", "12x1")


def settings(**given) -> PageSettings:
    return PageSettings(**{"layouts": ("3x4+II",), "image_size": SIZE, "style": "plain"} | given)


def dataset(store: Path, **given) -> ReadingDataset:
    mix = given.pop("settings", None) or settings()
    return ReadingDataset([Store(store)], mix, **given)


def test_an_item_has_the_shapes_it_says(tiny_store: Path) -> None:
    data = dataset(tiny_store, settings=settings(layouts=TWELVE, style="mixed"))
    item = data[(0, 5)]
    assert (item["image"].shape, item["image"].dtype) == ((3, *SIZE), torch.uint8)
    assert (item["signal"].shape, item["signal"].dtype) == ((12, 1000), torch.float32)
    assert (item["printed"].shape, item["printed"].dtype) == ((12, 1000), torch.bool)
    assert (item["place"].shape, item["place"].dtype) == ((12, 1000, 2), torch.float32)
    assert (item["signal"][~item["printed"]] == 0).all()
    assert (item["place"].isfinite().all(-1) == item["printed"]).all()
    assert item["index"] == 5


def same(a: dict, b: dict) -> bool:
    return all(
        a[k] == b[k]
        if isinstance(a[k], str)
        else torch.equal(
            torch.nan_to_num(torch.as_tensor(a[k])), torch.nan_to_num(torch.as_tensor(b[k]))
        )
        for k in a
    )


def test_a_page_is_a_function_of_seed_epoch_and_record(tiny_store: Path) -> None:
    mix = settings(layouts=TWELVE, style="mixed", artefacts=("clean", "scan"))
    a, b = (dataset(tiny_store, settings=mix, seed=3) for _ in range(2))
    b[(1, 7)]  # what came before is of no account
    assert same(a[(2, 4)], b[(2, 4)])
    assert not torch.equal(a[(2, 4)]["image"], a[(3, 4)]["image"])
    other = dataset(tiny_store, settings=mix, seed=4)
    assert not torch.equal(a[(2, 4)]["image"], other[(2, 4)]["image"])
    few = dataset(tiny_store, settings=mix, seed=3, rows=np.arange(4, 60, 10))
    assert same(few[(2, 0)], a[(2, 4)])  # and so is which others there are


def test_evaluation_is_the_same_in_every_run_and_unvaried(tiny_store: Path) -> None:
    mix = settings(layouts=("3x4", "12x1"), style="mixed")
    a = dataset(tiny_store, settings=mix, train=False, seed=0)
    b = dataset(tiny_store, settings=mix, train=False, seed=9)
    assert same(a[(0, 3)], b[(5, 3)])
    assert [a[(0, i)]["layout"] for i in range(4)] == [0, 1, 0, 1]
    item = a[(0, 3)]  # 12x1 on paper that shows it whole
    assert torch.equal(
        item["signal"], torch.from_numpy(Store(tiny_store).read(3)) * item["printed"]
    )


def test_printed_is_what_the_layout_shows(tiny_store: Path) -> None:
    item = dataset(tiny_store, settings=settings(layouts=("3x4+II",), style="kit"))[(0, 0)]
    expected = np.zeros((12, 1000), bool)
    for column in range(4):
        expected[3 * column : 3 * column + 3, 250 * column : 250 * column + 250] = True
    expected[1] = True
    np.testing.assert_array_equal(item["printed"].numpy(), expected)


def test_missing_samples_are_not_printed(tmp_path: Path, make_store) -> None:
    folder = make_store(tmp_path / "short", records=3, seconds=6.0)
    item = dataset(folder, settings=settings(layouts=("12x1",)), train=False)[(0, 0)]
    assert item["printed"][:, :600].all()
    assert not item["printed"][:, 600:].any()


@pytest.mark.parametrize("artefact", ["clean", "photo", "cut"])
@pytest.mark.parametrize("layout", ["3x4+II", "12x1:cabrera", "6x2"])
def test_the_trace_passes_where_the_places_say(
    tiny_store: Path, layout: str, artefact: str
) -> None:
    """Dark ink lies at place + mV x gain, and hardly any at the same places elsewhere."""
    size = (600, 776)
    mix = settings(layouts=(layout,), image_size=size, artefacts=(artefact,), train_dpi=(100.0,))
    still = SignalVariation(amplitude=(1, 1), tempo=(1, 1), recombine=0, flip=0)
    data = dataset(tiny_store, settings=mix, variation=still)
    item = data[(0, 2)]
    grey = item["image"].float().mean(0).numpy()
    place, printed = item["place"].numpy() * np.array([size[1], size[0]]), item["printed"].numpy()
    sign = np.ones((12, 1))
    if "cabrera" in layout:
        sign[3] = -1
    page = Page(get_layout(layout))
    px_per_mv = 10 * size[1] / page.paper_mm[1]
    slope = np.abs(np.gradient(item["signal"].numpy(), axis=1)) < 0.02
    seen = printed & slope & np.roll(slope, 1, 1) & np.roll(slope, -1, 1)
    x = place[seen][:, 0]
    y = place[seen][:, 1] - (sign * item["signal"].numpy())[seen] * px_per_mv
    inside = (x > 4) & (x < size[1] - 4) & (y > 4) & (y < size[0] - 4)
    assert inside.mean() > 0.8
    x, y = x[inside].astype(int), y[inside].astype(int)
    if artefact == "clean":
        reach, dark = 1, 200
    else:  # the picture is turned and bent, so mV no longer count straight up
        reach, dark = 6, np.median(grey) - 40
    lowest = np.min(
        [grey[np.clip(y + d, 0, size[0] - 1), x] for d in range(-reach, reach + 1)], axis=0
    )
    assert (lowest < dark).mean() > 0.93
    away = np.min(
        [grey[np.clip(y + 12 + d, 0, size[0] - 1), x] for d in range(-reach, reach + 1)], axis=0
    )
    assert (away < dark).mean() < 0.5


def test_places_follow_the_strip_where_a_lead_stands_twice() -> None:
    page = Page(get_layout("3x4+II"))
    places = sample_places(page, 1000, 100.0, Warp(page.size, page.size))[0]
    strip = next(c for c in page.cells if c.strip)
    x, y = page.to_pixel(strip, 1.0, 0.0)
    np.testing.assert_allclose(places[1, 100], [x, y])
    assert np.isnan(places[0, 250:]).all()
    assert np.isfinite(places[0, :250]).all()


def test_places_move_with_the_picture(tiny_store: Path) -> None:
    page = Page(get_layout("3x4"), dpi=60)
    image = draw(Store(tiny_store).read(0), 100.0, page).image
    picture = artefacts.apply("photo", image, seed=1, dpi=60)
    moved = sample_places(page, 1000, 100.0, picture.warp)[0]
    still = sample_places(page, 1000, 100.0, Warp(page.size, page.size))[0]
    seen = np.isfinite(still).all(-1)
    np.testing.assert_allclose(moved[seen], picture.warp(still[seen]))
    assert np.abs(moved[seen] - still[seen]).max() > 1


def test_where_the_strip_is_lost_its_lead_stands_in_its_column() -> None:
    page = Page(get_layout("3x4+II"))
    width = page.size[1]
    strip = next(c for c in page.cells if c.strip)
    above = round(page.to_pixel(strip, 0.0, 0.0)[1]) - 10
    whole = sample_places(page, 1000, 100.0, Warp(page.size, page.size))[0]
    upper = sample_places(page, 1000, 100.0, Warp(page.size, (above, width)))
    others = np.arange(12) != 1
    np.testing.assert_array_equal(upper[0, others], whole[others])
    cell = next(c for c in page.cells if c.lead == "II" and not c.strip)
    np.testing.assert_allclose(upper[0, 1, 100], np.stack(page.to_pixel(cell, 1.0, 0.0)))
    np.testing.assert_allclose(upper[1, 1, 100], np.stack(page.to_pixel(cell, 1.0, 1.0)))
    assert np.isnan(upper[:, 1, 250:]).all()


def test_of_a_side_that_is_lost_nothing_is_told(tiny_store: Path) -> None:
    """Neither beyond the picture's edge, in the margins around it, nor of leads that lay there."""
    mix = settings(train_dpi=(60.0,), artefacts=("scan",))
    data = dataset(tiny_store, settings=mix, beyond=PageVariation(cut=0.999))
    whole = dataset(tiny_store, settings=mix)[(0, 1)]
    items = [data[(epoch, 1)] for epoch in range(8)]
    assert min(item["printed"].sum() for item in items) < 0.8 * whole["printed"].sum()
    for item in items:
        printed, place = item["printed"], item["place"]
        assert (place.isfinite().all(-1) == printed).all()
        paper = item["image"].float().mean(0) < 255  # margins are all white
        rows, columns = (paper.any(dim).nonzero().flatten() for dim in (1, 0))
        x, y = (place[printed] * torch.tensor([SIZE[1], SIZE[0]])).T
        assert columns[0] - 1 <= x.min() <= x.max() <= columns[-1] + 2
        assert rows[0] - 1 <= y.min() <= y.max() <= rows[-1] + 2
        assert not item["trace"][0][~paper.any(1)].any()
        assert not item["trace"][0][:, ~paper.any(0)].any()


@pytest.mark.parametrize("shape", [(300, 400), (200, 400), (500, 300), (97, 61)])
def test_fractions_go_the_way_of_the_network(shape: tuple[int, int]) -> None:
    """A black square on a page is found where the fractions say."""
    size = (120, 160)
    page = np.full((*shape, 3), 255, np.uint8)
    page[shape[0] // 4 : shape[0] // 2, shape[1] // 3 : shape[1] * 2 // 3] = 0
    ink = 255.0 - to_network(page, size)[..., 0]
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    centre = np.array([(ink * x).sum() / size[1], (ink * y).sum() / size[0]]) / ink.sum()
    middle = np.array(
        [(shape[1] // 3 + shape[1] * 2 // 3) / 2, (shape[0] // 4 + shape[0] // 2) / 2]
    )
    np.testing.assert_allclose(network_fractions(middle, shape, size), centre, atol=0.004)


def test_records_come_from_all_stores(tiny_store: Path, tmp_path: Path, make_store) -> None:
    other = make_store(tmp_path / "other", records=20, name="other", rate=250.0)
    data = ReadingDataset([Store(tiny_store), Store(other)], settings(),
                          rows=np.arange(1, 80, 10), train=False)  # fmt: skip
    assert [data[(0, i)]["index"] for i in range(len(data))] == [1, 11, 21, 31, 41, 51, 61, 71]
    assert data[(0, 7)]["signal"].shape == (12, 1000)
    few = ReadingDataset([Store(tiny_store), Store(other)], settings(), limit=3)
    assert [few[(0, i)]["index"] for i in range(3)] == [0, 40, 79]


@pytest.mark.parametrize("given", [{"limit": 0}, {"rows": []}])
def test_no_record_is_an_error(tiny_store: Path, given: dict) -> None:
    with pytest.raises(DataError, match="no record"):
        dataset(tiny_store, **given)


def test_no_store_is_an_error() -> None:
    with pytest.raises(DataError, match="no record"):
        ReadingDataset([], settings())


def test_it_serves_a_loader_and_workers(tiny_store: Path) -> None:
    data = dataset(
        tiny_store, settings=settings(layouts=TWELVE, style="mixed"), rows=[0, 1, 10, 11]
    )
    sampler = EpochSampler(len(data), seed=0, shuffle=True)
    batch = next(iter(DataLoader(data, batch_size=4, sampler=sampler)))
    assert batch["image"].shape == (4, 3, *SIZE)
    copy = pickle.loads(pickle.dumps(data))
    assert same(copy[(0, 1)], data[(0, 1)])
    assert len(pickle.dumps(data)) < 100_000
    assert math.isfinite(float(batch["signal"].abs().max()))
