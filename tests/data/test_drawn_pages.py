"""Reading a folder of drawn pages, and refusing what is none."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from data_prep.render_images import main
from ecgvision.core.errors import DataError, ImageError, LayoutError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.drawn_pages import DrawnPages, page_stem
from ecgvision.render.draw import draw
from ecgvision.store.packed import Store


@pytest.fixture
def pages(tiny_store: Path, tmp_path: Path) -> Path:
    out = tmp_path / "pages"
    words = [
        str(tiny_store),
        "--out",
        str(out),
        "--dpi",
        "40",
        "--limit",
        "3",
        "--layouts",
        "3x4,6x2",
    ]
    assert main(words) == 0
    return out


def test_pages_come_back_as_they_were_drawn(pages: Path, tiny_store: Path) -> None:
    found = DrawnPages(pages)
    assert found.layouts == ("3x4", "6x2")
    assert found.store_hash == Store(tiny_store).hash
    assert len(found) == 6
    assert found.skipped == []
    seed = found.geometry(2, "6x2")["seed"]
    page = Page(get_layout("6x2"), dpi=40)
    wanted = draw(Store(tiny_store).read(2), 100, page, seed=seed).image
    image = found.page(2, "6x2")
    assert image.dtype == np.uint8
    assert image.shape == (340, 440, 3)
    assert np.array_equal(image, wanted)


def test_it_pickles_as_a_path(pages: Path) -> None:
    found = DrawnPages(pages)
    held = pickle.dumps(found)
    assert len(held) < 500
    assert np.array_equal(pickle.loads(held).page(1, "3x4"), found.page(1, "3x4"))


def test_rows_and_layouts_that_are_not_there(pages: Path) -> None:
    found = DrawnPages(pages)
    with pytest.raises(LayoutError, match="12x1"):
        found.page(0, "12x1")
    for row in (-1, 3):
        assert not found.has(row, "3x4")
        with pytest.raises(DataError, match="no page"):
            found.page(row, "3x4")
        with pytest.raises(DataError, match="no page"):
            found.geometry(row, "3x4")


def test_damaged_pages(pages: Path) -> None:
    found = DrawnPages(pages)
    file = pages / f"{page_stem(1, '3x4')}.png"
    file.write_bytes(b"not a picture")
    with pytest.raises(ImageError, match="no readable picture"):
        found.page(1, "3x4")
    file.write_bytes(b"")
    with pytest.raises(ImageError, match="no readable picture"):
        found.page(1, "3x4")
    file.unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        found.page(1, "3x4")
    with pytest.raises(DataError, match="is missing"):
        DrawnPages(pages)


def test_a_missing_geometry(pages: Path) -> None:
    found = DrawnPages(pages)
    file = pages / f"{page_stem(1, '3x4')}.json"
    file.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        found.geometry(1, "3x4")
    file.unlink()
    with pytest.raises(DataError, match="is missing"):
        DrawnPages(pages)


def test_a_damaged_index(pages: Path) -> None:
    (pages / "pages.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="index cannot be read"):
        DrawnPages(pages)
    (pages / "pages.parquet").unlink()
    with pytest.raises(DataError, match="index cannot be read"):
        DrawnPages(pages)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"complete": False}, "unfinished"),
        ({"version": 9}, "another format version"),
        ({"format": "ecgvision-store"}, "not the manifest"),
        ({"counts": {"records": 3, "pages": 5, "skipped": 0}}, "another number of pages"),
        ({"counts": {}}, "lacks an entry"),
        ({"settings": {"layouts": ["3x4"]}}, "altered"),
        ({"skipped": None}, "lacks an entry"),
    ],
)
def test_manifests_that_do_not_fit(pages: Path, change: dict, message: str) -> None:
    file = pages / "images.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(DataError, match=message):
        DrawnPages(pages)


def test_what_is_no_folder_of_pages(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        DrawnPages(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"images\.json is missing"):
        DrawnPages(tmp_path)
    (tmp_path / "images.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        DrawnPages(tmp_path)
