"""Pages of a folder, as a reader is judged on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep import render_images
from ecgvision.core.errors import ConfigError
from ecgvision.data.cohort import Cohort
from ecgvision.data.drawn_pages import DrawnPages
from ecgvision.data.network_input import to_network
from ecgvision.data.pages import PageSettings
from ecgvision.reader.data.folders import FolderPages
from ecgvision.reader.data.pages import ReadingDataset

LAYOUTS = ("3x4+II", "6x2", "12x1")
FOLDS = {"train": [1, 2], "val": [3], "test": [4, 5]}


@pytest.fixture(scope="module")
def folder(tiny_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = str(tmp_path_factory.mktemp("drawn") / "pages")
    words = [str(tiny_store), "--out", out, "--dpi", "40", "--layouts", ",".join(LAYOUTS)]
    assert render_images.main(words) == 0
    return out


def module(store: Path, folder: str, pages: int | None = None, **more) -> FolderPages:
    settings = PageSettings(layouts=LAYOUTS, image_size=(96, 128), dpi=40.0, **more)
    cohort = Cohort([store], "superdiagnostic", folds=FOLDS)
    return FolderPages(cohort, settings, folders=[folder], pages=pages, batch_size=4,
                       num_workers=0, seed=0)  # fmt: skip


def test_an_item_is_a_page_with_what_it_shows(tiny_store: Path, folder: str) -> None:
    """As of a page drawn on the fly, of the same record, layout and paper."""
    data = module(tiny_store, folder)
    drawn = ReadingDataset(data.cohort.stores, data.settings,
                           rows=data.cohort.index[data.positions("test")], train=False)  # fmt: skip
    held, pages = data.dataset("test"), DrawnPages(folder)
    assert len(held) == 3 * len(drawn) == 36
    by_view = {(item["index"], item["layout"]): item
               for item in (held[(0, i)] for i in range(len(held)))}  # fmt: skip
    assert len(by_view) == 36
    for i in range(len(drawn)):
        wanted = drawn[(0, i)]
        found = by_view[wanted["index"], wanted["layout"]]
        page = pages.page(wanted["index"], LAYOUTS[wanted["layout"]])
        assert np.array_equal(found["image"].permute(1, 2, 0), to_network(page, (96, 128)))
        assert torch.equal(found["printed"], wanted["printed"])
        shown = wanted["printed"].numpy()
        np.testing.assert_allclose(found["signal"].numpy()[shown], wanted["signal"].numpy()[shown])


@pytest.mark.parametrize(("pages", "records"), [(None, 12), (100, 12), (36, 12), (20, 6), (3, 1)])
def test_at_most_so_many_pages(
    tiny_store: Path, folder: str, pages: int | None, records: int
) -> None:
    data = module(tiny_store, folder, pages)
    everyone = data.cohort.positions("test", labelled=False)
    chosen = data.positions("test")
    assert len(chosen) == records
    assert set(chosen) <= set(everyone)
    assert chosen[0] == everyone[0]
    if records > 1:
        assert chosen[-1] == everyone[-1]


def test_fewer_pages_than_views_are_refused(tiny_store: Path, folder: str) -> None:
    with pytest.raises(ConfigError, match="at least 3"):
        module(tiny_store, folder, 2)
    with pytest.raises(ConfigError, match="at least 6"):
        module(tiny_store, folder, 5, artefacts=("clean", "scan"))
