"""Whole stores drawn_pages to a folder: the same pages whatever happens on the way."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from data_prep import backends, drawn_pages, render_images
from data_prep.backends import OurBackend, page_seed
from data_prep.render_images import main
from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.drawn_pages import COLUMNS, DrawnPages
from ecgvision.render.draw import draw
from ecgvision.render.geometry import Geometry
from ecgvision.render.papers.named import random_style
from ecgvision.store.packed import Store, StoreWriter
from tests.kit_stand_in import write_checkout

RECORDS = 5


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("store") / "s", records=RECORDS)


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkout(tmp_path_factory.mktemp("kit"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def ours(store: Path, out: Path, *more: str) -> int:
    return main([str(store), "--out", str(out), "--dpi", "50", *more])


def theirs(store: Path, out: Path, kit: Path, *more: str) -> int:
    return main(
        [str(store), "--out", str(out), "--dpi", "50", "--backend", "ecg-image-kit", "--kit",
         str(kit), "--kit-python", sys.executable, *more]
    )  # fmt: skip


def test_pages_are_those_of_the_renderer(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages"
    assert ours(store, out, "--layouts", "3x4+II,1x1:II", "--masks", "--points", "--seed", "7") == 0
    pages, packed = DrawnPages(out), Store(store)
    assert pages.layouts == ("3x4+II", "1x1:II")
    assert pages.store_hash == packed.hash
    for row in range(RECORDS):
        for layout in pages.layouts:
            name = f"tiny/{row:03d}"
            seed = page_seed(7, name, layout)
            drawing = draw(
                packed.read(row), 100, Page(get_layout(layout), dpi=50), seed=seed, mask=True
            )
            assert np.array_equal(pages.page(row, layout), drawing.image)
            found = pages.geometry(row, layout)
            assert found | drawing.geometry.to_dict() == found
            assert (found["record"], found["seed"], found["backend"]) == (name, seed, "ecgvision")
    index = pd.read_parquet(out / "pages.parquet")
    assert tuple(index.columns) == COLUMNS
    assert index["row"].tolist() == [r for r in range(RECORDS) for _ in range(2)]
    assert index["record_id"].iloc[2] == "tiny/001"
    assert index["patient_id"].iloc[2] == "tiny-p1"
    assert index["fold"].iloc[2] == 2
    assert set(index["dpi"]) == {50.0}
    for _, line in index.iterrows():
        assert json.loads((out / line["json"]).read_text())["seed"] == line["seed"]
        mask = cv2.imread(str(out / line["mask"]), cv2.IMREAD_UNCHANGED)
        assert mask.ndim == 2
        assert mask.max() > 100
        assert drawn_pages.png_dpi(out / line["file"]) == pytest.approx(50, abs=0.02)


def test_jobs_and_order_leave_no_trace(store: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    more = ("--layouts", "3x4,6x2", "--style", "mixed")
    assert ours(store, one, *more) == 0
    assert ours(store, two, *more, "--jobs", "2") == 0
    assert files(one) == files(two)
    seed = page_seed(0, "tiny/003", "6x2")
    style = random_style(np.random.default_rng(seed))
    page = Page(get_layout("6x2"), dpi=50)
    wanted = draw(Store(store).read(3), 100, page, style, seed=seed).image
    assert np.array_equal(DrawnPages(one).page(3, "6x2"), wanted)


class Stop(BaseException):
    """As a power cut: nothing catches it."""


def stop_at(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Die in the middle of the `count`-th file that is written."""
    real, calls = os.replace, [0]

    def replace(source: Any, target: Any) -> None:
        calls[0] += 1
        if calls[0] == count:
            raise Stop
        real(source, target)

    monkeypatch.setattr(drawn_pages.os, "replace", replace)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 12, 17, 18])
def test_an_interrupted_run_ends_with_the_same_bytes(
    count: int, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # writes: a manifest, then geometry, mask and picture of five pages, the index, the manifest
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert ours(store, whole, "--masks") == 0
    with monkeypatch.context() as patch:
        stop_at(patch, count)
        with pytest.raises(Stop):
            ours(store, broken, "--masks")
    if count > 1:
        with pytest.raises(ValueError, match="unfinished"):
            DrawnPages(broken)
    kept = {p: p.stat().st_mtime_ns for p in broken.rglob("*.png") if "mask" not in p.name}
    assert ours(store, broken, "--masks") == 0
    assert files(whole) == files(broken)
    assert all(p.stat().st_mtime_ns == then for p, then in kept.items())  # drawn_pages once


def test_two_runs_do_not_share_a_folder(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pages"
    assert ours(store, out) == 0
    other = drawn_pages.Folder(
        out, Store(store), json.loads((out / "images.json").read_text())["settings"], RECORDS
    )
    assert ours(store, out) == 2
    assert "another run" in capsys.readouterr().err
    other.close()
    assert ours(store, out) == 0


def test_a_cut_page_is_drawn_again(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages"
    assert ours(store, out) == 0
    before = files(out)
    page = out / "pages/3x4+II/00000/00000002.png"
    page.write_bytes(page.read_bytes()[:-20])
    assert ours(store, out) == 0
    assert files(out) == before


@pytest.mark.parametrize(
    "more", [("--seed", "1"), ("--layout", "6x2"), ("--masks",), ("--limit", "2"), ("--dpi", "60")]
)
def test_other_settings_are_refused(
    more: tuple[str, ...], store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pages"
    assert ours(store, out) == 0
    before = files(out)
    capsys.readouterr()
    assert ours(store, out, *more) == 2
    said = capsys.readouterr().err
    assert "holds pages of other settings" in said
    assert said.count("\n") == 1
    assert files(out) == before


def test_another_store_or_another_folder_is_refused(
    store: Path, make_store: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pages"
    assert ours(store, out) == 0
    other = make_store(tmp_path / "other", records=RECORDS, seed=1)
    assert ours(other, out) == 2
    assert "pages of another store" in capsys.readouterr().err
    mine = tmp_path / "thesis"
    mine.mkdir()
    (mine / "chapter.txt").write_text("1")
    assert ours(store, mine) == 2
    assert "holds something else" in capsys.readouterr().err
    assert [p.name for p in mine.iterdir()] == ["chapter.txt"]


def test_a_full_disk(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, real = tmp_path / "pages", Path.write_bytes

    def write(self: Path, content: bytes) -> int:
        if "00000002.png" in self.name:
            real(self, content[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write)
        assert ours(store, out) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "No space left on device" in said
    assert "goes on where it stopped" in said
    assert not list(out.rglob("*.part"))
    assert ours(store, out) == 0
    assert len(DrawnPages(out)) == RECORDS


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--layout", "4x3"), "unknown layout"),
        (("--layouts", "6x2,6x2"), "named twice"),
        (("--style", "baroque"), "unknown style"),
        (("--kit", "x"), "--backend ecg-image-kit"),
        (("--", "--wrinkles"), "--backend ecg-image-kit"),
    ],
)
def test_options_that_make_no_sense(
    more: tuple[str, ...], message: str, store: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "pages"
    assert ours(store, out, *more) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_artefacts_move_picture_mask_and_geometry(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def apply(preset, image, *, seed, strength, mask, dpi):
        if preset != "upside":
            raise ConfigError("unknown artefact", value=preset)
        calls.append((seed, strength, dpi))
        turned = None if mask is None else mask[::-1]
        return SimpleNamespace(image=image[::-1].copy(), mask=turned, warp="w", applied={})

    moved = SimpleNamespace(to_dict=lambda: {"dpi": 50, "moved": True})
    fake = SimpleNamespace(apply=apply)
    monkeypatch.setattr(backends, "importlib", SimpleNamespace(import_module=lambda name: fake))
    monkeypatch.setattr(Geometry, "moved", lambda self, warp: moved, raising=False)
    out = tmp_path / "pages"
    assert ours(store, tmp_path / "x", "--artefact", "nothing") == 2
    assert "unknown artefact" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
    assert ours(store, out, "--artefact", "upside", "--strength", "0.5", "--masks") == 0
    seeds = [page_seed(0, f"tiny/{r:03d}", "3x4+II") for r in range(RECORDS)]
    assert calls[-RECORDS:] == [(seed, 0.5, 50.0) for seed in seeds]
    page, packed = Page(get_layout("3x4+II"), dpi=50), Store(store)
    plain = draw(packed.read(1), 100, page, seed=seeds[1], mask=True)
    pages = DrawnPages(out)
    assert np.array_equal(pages.page(1, "3x4+II"), plain.image[::-1])
    mask = cv2.imread(str(out / "pages/3x4+II/00000/00000001.mask.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(mask, plain.mask[::-1])
    assert pages.geometry(1, "3x4+II")["moved"]
    assert pd.read_parquet(out / "pages.parquet")["artefact"].tolist() == ["upside"] * RECORDS


def test_artefacts_that_cannot_be_imported_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise ImportError("no such thing")

    monkeypatch.setattr(backends, "importlib", SimpleNamespace(import_module=none))
    with pytest.raises(ConfigError, match="no such thing"):
        OurBackend(("3x4",), "kit", 50, 0, False, False, "fax")


# ecg-image-kit --------------------------------------------------------------------------------


def test_the_kit_draws_a_store(store: Path, kit: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    more = ("--layouts", "3x4+II,6x2", "--masks")
    flags = ("--", "--augment", "-rot", "5", "--random_resolution")
    assert theirs(store, one, kit, *more, *flags) == 0
    assert theirs(store, two, kit, *more, "--jobs", "2", *flags) == 0
    assert files(one) == files(two)
    pages = DrawnPages(one)
    assert pages.layouts == ("3x4+II", "6x2")
    index = pd.read_parquet(one / "pages.parquet")
    assert set(index["backend"]) == {"ecg-image-kit"}
    for _, line in index.iterrows():
        found = json.loads((one / line["json"]).read_text())
        assert found["dpi"] == pytest.approx(line["dpi"], abs=0.02)
        image = pages.page(int(line["row"]), line["layout"])
        assert list(image.shape[:2]) == found["size"]
        assert found["kit"]["flags"] == ["--random_resolution", "--augment", "--rotate", "5"]


def broken_store(folder: Path, names: list[str]) -> Path:
    with StoreWriter(folder, rate=100, source="broken") as writer:
        for name in names:
            writer.add(
                np.zeros((12, 1000), np.float32), record_id=name, patient_id=None, fold=None,
                scp_codes={}, columns=None, age=None, sex=None, device="", site="", flags=[],
            )  # fmt: skip
    return folder


def test_records_on_which_the_kit_breaks_are_counted_and_the_rest_drawn(
    kit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = broken_store(tmp_path / "s", ["a", "dies1", "b", "hangs1", "fails1", "c"])
    out = tmp_path / "pages"
    assert theirs(store, out, kit, "--kit-timeout", "2") == 0
    said = capsys.readouterr()
    assert "3 pages of ecg-image-kit" in said.out
    assert "3 pages skipped" in said.err
    pages = DrawnPages(out)
    assert [(s["row"], s["record_id"], s["layout"]) for s in pages.skipped] == [
        (1, "dies1", "3x4+II"), (3, "hangs1", "3x4+II"), (4, "fails1", "3x4+II")
    ]  # fmt: skip
    assert "died" in pages.skipped[0]["why"]
    assert "after 2 s" in pages.skipped[1]["why"]
    assert "V7" in pages.skipped[2]["why"]
    assert [pages.has(r, "3x4+II") for r in range(6)] == [True, False, True, False, False, True]
    assert pd.read_parquet(out / "pages.parquet")["row"].tolist() == [0, 2, 5]
    with pytest.raises(ValueError, match="no page"):
        pages.page(1, "3x4+II")


def test_a_kit_that_draws_nothing_ends_the_run(
    kit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = broken_store(tmp_path / "s", [f"fails{i}" for i in range(12)])
    assert theirs(store, tmp_path / "pages", kit) == 2
    assert "first 10 pages all failed" in capsys.readouterr().err
    few = broken_store(tmp_path / "few", ["fails0", "fails1"])
    assert theirs(few, tmp_path / "few_pages", kit) == 2
    assert "not one page could be drawn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--style", "bw"), "this project's renderer"),
        (("--artefact", "fax"), "this project's renderer"),
        (("--layout", "3x4+II+V1"), "at most one strip"),
        (("--dpi", "72.5"), "whole dpi"),
        (("--", "--nonsense"), "unrecognized"),
        (("--", "--hw_text"), "lacks the weights"),
    ],
)
def test_what_the_kit_cannot_do_is_said_before_work_starts(
    more: tuple[str, ...], message: str, store: Path, kit: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "pages"
    assert theirs(store, out, kit, *more) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()


def test_the_kits_flags_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help-kit"])
    assert end.value.code == 0
    assert "--wrinkles" in capsys.readouterr().out


class Killed:
    """A backend whose process is ended from outside, as for want of memory."""

    def close(self) -> None:
        pass

    def __call__(self, record: Any, layout: str) -> Any:
        os._exit(9)


def test_a_killed_worker_process_is_said(store: Path, tmp_path: Path) -> None:
    settings = {"backend": "ecgvision", "layouts": ["3x4"], "seed": 0}
    with pytest.raises(ConfigError, match="a worker process died"):
        render_images.render(
            Store(store),
            tmp_path / "out",
            Killed,
            settings,
            jobs=2,
            progress=False,  # type: ignore[arg-type]
        )


def test_memory_does_not_wait_for_the_last_record(store: Path, tmp_path: Path) -> None:
    """However many rows there are, few wait for a worker at a time."""
    asked, given = [0], [0]

    class Pool:
        def submit(self, work, *task):
            from concurrent.futures import Future

            future: Future = Future()
            future.set_result(work(*task))
            return future

        def shutdown(self, cancel_futures: bool) -> None:
            pass

    def todo():
        for row in range(1000):
            asked[0] += 1
            yield row, ("3x4",)

    for _ in render_images._in_turn(Pool(), lambda row, layouts: (1, []), todo(), 2):  # type: ignore[arg-type]
        given[0] += 1
        assert asked[0] - given[0] <= 8
    assert given[0] == 1000
