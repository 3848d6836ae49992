"""The adapter to ecg-image-kit, on a stand-in checkout or on a real one:

ECG_IMAGE_KIT_HOME=… ECG_IMAGE_KIT_PYTHON=… pytest tests/render/test_kit.py
"""

from __future__ import annotations

import ast
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.errors import ConfigError, LayoutError, RecordError
from ecgvision.core.layouts import LAYOUTS, Layout, get_layout
from ecgvision.core.page import Page
from ecgvision.render.draw import draw
from ecgvision.render.kit import flags as kit_flags
from ecgvision.render.kit.checkout import find_checkout, find_python
from ecgvision.render.kit.draw import Kit, KitError
from ecgvision.render.kit.page import kit_order
from ecgvision.render.kit.process import WORKER
from ecgvision.render.kit.worker import _countable
from tests.kit_stand_in import write_checkout

REAL = os.environ.get("ECG_IMAGE_KIT_HOME")
DRAWN = [n for n, layout in LAYOUTS.items() if layout.strips < 2 and not n.startswith("1x1")]


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkout(tmp_path_factory.mktemp("kit"))


@pytest.fixture(scope="module")
def kits(stand_in: Path) -> Iterator[Callable[..., Kit]]:
    """A kit of some flags: the real one where there is one; kept for the module."""
    made: dict[tuple[str, ...], Kit] = {}
    home = REAL or stand_in
    python = os.environ.get("ECG_IMAGE_KIT_PYTHON", sys.executable) if REAL else sys.executable

    def get(*flags: str) -> Kit:
        if flags not in made:
            made[flags] = Kit(home, python=python, flags=kit_flags.check(flags))
        return made[flags]

    yield get
    for kit in made.values():
        kit.close()


@pytest.fixture
def breaking(stand_in: Path) -> Iterator[Kit]:
    with Kit(stand_in, python=sys.executable, timeout=2) as kit:
        yield kit


def signal(seconds: float = 10, rate: float = 100, seed: int = 0) -> np.ndarray:
    """Smooth waves, another in each lead, so that every sample is near its neighbour."""
    t = np.arange(round(seconds * rate)) / rate
    k = np.arange(12)[:, None]
    return (0.4 * np.sin(2 * np.pi * (0.3 + 0.05 * k) * t + k + seed)).astype(np.float32)


def kit_rules(layout: Layout, rate: float, dpi: int, name: str, row: int, column: int, strip: bool):
    """(x, y of 0 mV, px a mV) of a cell's first sample, after the kit's page in its own units."""
    x_max, y_max = 11.176, 21.59
    nr = layout.rows + layout.strips
    rh = y_max / (nr + 2)
    x = 0.4 + 0.2 + (0 if strip else column * 10 / layout.columns)
    base = rh / 2 + 0.3 if strip else rh * (1.5 + layout.rows - 1 - row)
    w, h = 11 * dpi, 8.5 * dpi
    return x * w / x_max, int(h) - base * h / y_max, h / y_max, w / x_max / rate


@pytest.mark.parametrize("name", [*DRAWN, "1x1:V3"])
def test_every_sample_lies_where_the_kits_rules_have_it(
    name: str, kits: Callable[..., Kit]
) -> None:
    layout, ecg, dpi = get_layout(name), signal(), 75  # 75: half a pixel is cut at the top
    made = kits().draw(ecg, 100, Page(layout, dpi=dpi), points=True)
    leads = made.geometry["leads"]
    assert [(c["lead"], c["row"], c["column"]) for c in leads] == [
        (c.lead, c.row, c.column) for c in layout.cells
    ]
    assert made.image.shape == (637, 825, 3)
    for cell, found in zip(layout.cells, leads, strict=True):
        x0, y0, up, step = kit_rules(layout, 100, dpi, name, cell.row, cell.column, cell.strip)
        first, last = round(cell.start * 100), round(cell.stop * 100)
        assert found["samples"] == [first, last]
        mv = cell.sign * ecg[LEAD_INDEX[cell.lead], first:last].astype(float)
        wanted = np.stack([x0 + np.arange(last - first) * step, y0 - mv * up], 1)
        np.testing.assert_allclose(np.array(found["points"], float), wanted, atol=0.02)
        assert found["baseline"] == pytest.approx(y0, abs=0.02)


def darkness(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How dark the page is at the points, read between pixels; black outside counts as white."""
    grey = 255 - image.max(2).astype(np.float32)
    xy = points.astype(np.float32) - 0.5
    return cv2.remap(grey, xy[:, 0], xy[:, 1], cv2.INTER_LINEAR).ravel()


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--pad_inches", "1"),
        ("--augment", "-rot", "7", "-noise", "2", "-c", "0.08"),
        ("--augment", "-rot", "3", "-noise", "2", "-c", "0.04", "--pad_inches", "1", "--wrinkles"),
        ("--random_resolution", "--calibration_pulse", "0.5", "--random_padding", "--pad_inches=2"),
    ],
    ids=["plain", "padded", "augmented", "all", "random"],
)
def test_points_lie_on_the_ink_of_the_finished_picture(
    flags: tuple[str, ...], kits: Callable[..., Kit]
) -> None:
    for seed in (1, 2):
        made = kits(*flags).draw(
            signal(), 100, Page(get_layout("3x4+II"), dpi=100), seed=seed, mask=True
        )
        points = np.concatenate([c["points"] for c in made.geometry["leads"]]).astype(float)
        assert made.geometry["size"] == list(made.image.shape[:2])
        assert made.mask is not None
        assert made.mask.shape == made.image.shape[:2]
        here = np.median(darkness(made.image, points))
        for shift in ([2, 2], [-2, -2], [2, -2], [-2, 2], [0, 2.5], [0, -2.5]):
            assert np.median(darkness(made.image, points + shift)) < 0.75 * here
        covered = darkness(255 - np.repeat(made.mask[..., None], 3, 2), points)
        assert np.median(covered) > 100


def test_the_warp_leads_from_the_page_to_the_picture(kits: Callable[..., Kit]) -> None:
    kit = kits("--augment", "-rot", "7", "-noise", "2", "-c", "0.08")
    page, ecg = Page(get_layout("6x2+II"), dpi=75), signal()
    turned = set()
    for seed in range(4):
        found = kit.draw(ecg, 100, page, seed=seed).geometry
        points = np.concatenate(
            [c["points"] for c in draw(ecg, 100, page).geometry.to_dict()["leads"]]
        )
        warp = np.array(found["warp"])
        moved = points @ warp[:, :2].T + warp[:, 2]
        theirs = np.concatenate([c["points"] for c in found["leads"]])
        np.testing.assert_allclose(theirs, moved, atol=0.03)
        turned.add(found["kit"]["drawn"]["rotate"])
        angle = np.degrees(np.arctan2(warp[1, 0], warp[0, 0]))
        assert abs(angle) == pytest.approx(abs(found["kit"]["drawn"]["rotate"]), abs=0.02)
    assert len(turned) > 1


def test_a_beat_late_in_the_record_stands_in_the_last_column(kits: Callable[..., Kit]) -> None:
    ecg = np.zeros((12, 1000), np.float32)
    ecg[:, 730:735] = 2
    page = Page(get_layout("6x2"), dpi=100)
    made = kits().draw(ecg, 100, page)
    for cell in made.geometry["leads"]:
        ys = np.array(cell["points"])[:, 1]
        tall = np.flatnonzero(ys < cell["baseline"] - 50)
        assert tall.tolist() == ([230, 231, 232, 233, 234] if cell["column"] == 1 else [])
        if cell["column"] == 1:
            at = np.array([cell["points"][232]])
            assert darkness(made.image, at)[0] > 60


def test_one_schema_with_the_fast_renderer(kits: Callable[..., Kit]) -> None:
    page, ecg = Page(get_layout("3x4+II"), dpi=100), signal()
    found = kits().draw(ecg, 100, page).geometry
    ours = draw(ecg, 100, page).geometry.to_dict()
    json.dumps(found, allow_nan=False)
    assert set(found) - set(ours) == {"backend", "kit", "warp"}
    assert found["backend"] == "ecg-image-kit"
    for key in ("size", "dpi", "px_per_mm", "layout", "window", "speed", "gain", "rate"):
        assert found[key] == ours[key]
    for one, other in zip(found["leads"], ours["leads"], strict=True):
        assert set(one) == set(other)
        for key in ("index", "lead", "sign", "strip", "row", "column", "seconds", "samples"):
            assert one[key] == other[key]
        np.testing.assert_allclose(one["box"], other["box"], atol=0.02)
        left, top, right, bottom = one["label_box"]
        assert abs(left - other["label_box"][0]) < 4
        assert top > one["baseline"]
        assert (right > left, bottom > top) == (True, True)
    assert "points" not in kits().draw(ecg, 100, page, points=False).geometry["leads"][0]


@pytest.mark.parametrize("rate", [50.0, 100.0, 257.0, 333.33, 500.0, 1000.0])
@pytest.mark.parametrize("seconds", [3.1, 10.0, 23.0])
def test_any_rate_and_length(rate: float, seconds: float, kits: Callable[..., Kit]) -> None:
    ecg = signal(seconds, rate)
    ecg[3, : ecg.shape[1] // 2] = np.nan
    page = Page(get_layout("3x4+II"), dpi=60)
    found = kits().draw(ecg, rate, page).geometry
    ours = draw(ecg, rate, page).geometry.to_dict()
    step = 25 * page.px_per_mm / rate
    for one, other in zip(found["leads"], ours["leads"], strict=True):
        assert one["samples"] == other["samples"]
        theirs, wanted = np.array(one["points"], float), np.array(other["points"], float)
        assert theirs.shape == wanted.shape
        if len(theirs):
            np.testing.assert_allclose(theirs[:, 1], wanted[:, 1], atol=0.02)
            # it starts a cell at its edge where ours keeps a sample between two edges in its place
            assert np.abs(theirs[:, 0] - wanted[:, 0]).max() < step + 0.02


@given(rate=st.floats(20, 4000), lengths=st.lists(st.integers(1, 20_000), min_size=1, max_size=3))
def test_the_kits_time_axis_counts_right(rate: float, lengths: list[int]) -> None:
    """It makes its axis of floats, which is one too long for one rate in a few."""
    near = _countable(rate, lengths)
    assert near == pytest.approx(rate, rel=1e-11)
    for n in lengths:
        assert len(np.arange(0, n * (1.0 / near), 1.0 / near)) == n


def test_a_page_repeats_whatever_came_before(kits: Callable[..., Kit]) -> None:
    flags = ("--augment", "-rot", "5", "--random_grid_color", "--random_bw", "0.5", "--wrinkles")
    kit, page = kits(*flags), Page(get_layout("3x4+II"), dpi=60)
    first = kit.draw(signal(), 100, page, seed=5)
    other = kit.draw(signal(seed=1), 100, page, seed=6)
    again = kit.draw(signal(), 100, page, seed=5)
    assert np.array_equal(first.image, again.image)
    assert first.geometry == again.geometry
    assert not np.array_equal(first.image, other.image)


def test_header_and_qr_code_are_drawn_for_any_record(kits: Callable[..., Kit]) -> None:
    kit = kits("--print_header", "--add_qr_code")
    page = Page(get_layout("3x4"), dpi=100)
    for about in ((), ("Sex: F",), ("Age: 61", "Sex: M")):
        assert kit.draw(signal(), 100, page, name="a/b:c d", about=about).image.shape == (
            850,
            1100,
            3,
        )


def test_the_checkout_stays_as_it_is(kits: Callable[..., Kit], stand_in: Path) -> None:
    home = Path(REAL or stand_in)
    before = sorted(
        (p, p.stat().st_mtime_ns) for p in home.rglob("*") if "__pycache__" not in str(p)
    )
    kits().draw(signal(), 100, Page(get_layout("3x4"), dpi=50))
    after = sorted(
        (p, p.stat().st_mtime_ns) for p in home.rglob("*") if "__pycache__" not in str(p)
    )
    assert before == after


# what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dies1", "died \\(exit 3\\)"),
        ("hangs1", "after 2 s"),
        ("fails1", "KeyError: 'V7'"),
        ("shifts1", "3.00 px from its place"),
    ],
)
def test_a_bad_page_costs_that_page(name: str, message: str, breaking: Kit) -> None:
    page = Page(get_layout("3x4"), dpi=50)
    good = breaking.draw(signal(), 100, page, name="good").image
    with pytest.raises(KitError, match=message):
        breaking.draw(signal(), 100, page, name=name)
    assert np.array_equal(breaking.draw(signal(), 100, page, name="good").image, good)


def test_a_full_disk_is_no_matter_of_one_page(breaking: Kit) -> None:
    with pytest.raises(ConfigError, match="No space left"):
        breaking.draw(signal(), 100, Page(get_layout("3x4"), dpi=50), name="full1")


def test_closing_ends_the_worker_and_its_folder(stand_in: Path) -> None:
    kit = Kit(stand_in, python=sys.executable)
    kit.check()
    pid, scratch = kit._worker._process.pid, kit._worker.scratch  # type: ignore[union-attr]
    kit.close()
    assert not scratch.exists()
    time.sleep(0.05)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_worker_is_of_an_old_python_and_leans_on_nothing_of_ours() -> None:
    source = WORKER.read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"numpy", "yaml"}
    assert "yaml" not in {n for n in source.split("\n") if n.startswith("import")}


def test_what_is_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECG_IMAGE_KIT_HOME", raising=False)
    with pytest.raises(ConfigError, match="ECG_IMAGE_KIT_HOME"):
        find_checkout(None)
    with pytest.raises(ConfigError, match="no checkout"):
        find_checkout(tmp_path)
    home = write_checkout(tmp_path / "kit")
    folder = home / "codes/ecg-image-generator"
    assert find_checkout(home) == find_checkout(folder) == folder.resolve()
    (folder / "ecg_plot.py").unlink()
    with pytest.raises(ConfigError, match=r"another version: it lacks ecg_plot\.py"):
        find_checkout(home)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ecg_plot.py", "start_index=-1", "first=-1", "it lacks ecg_plot\\(start_index=\\)"),
        ("gen_ecg_image_from_data.py", "def get_parser", "def parser", "it lacks get_parser"),
        ("gen_ecg_image_from_data.py", '"-rot", "rotate"', '"-ro", "turn"', "does not take these"),
        ("gen_ecg_image_from_data.py", "import argparse", "import not_here, argparse", "not_here"),
        ("ecg_plot.py", "import os", "import os\n1/0", "ZeroDivisionError"),
    ],
)
def test_another_version_or_a_lacking_package_is_said_before_work_starts(
    file: str, old: str, new: str, message: str, tmp_path: Path
) -> None:
    home = write_checkout(tmp_path)
    path = home / "codes/ecg-image-generator" / file
    path.write_text(path.read_text().replace(old, new))
    checked = kit_flags.check(["--augment", "-rot", "5"])
    with (
        Kit(home, python=sys.executable, flags=checked) as kit,
        pytest.raises(ConfigError, match=message),
    ):
        kit.check()


def test_handwriting_without_its_weights(stand_in: Path) -> None:
    for flag in ("--hw_text", "--fully_random"):
        with (
            Kit(stand_in, python=sys.executable, flags=kit_flags.check([flag])) as kit,
            pytest.raises(ConfigError, match="lacks the weights"),
        ):
            kit.check()


def test_interpreters(stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECG_IMAGE_KIT_PYTHON", raising=False)
    with pytest.raises(ConfigError, match="no such interpreter"):
        Kit(stand_in, python=str(tmp_path / "python"))
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    with Kit(stand_in, python=str(bare)) as kit, pytest.raises(ConfigError, match="numpy"):
        kit.check()
    broken = tmp_path / "broken"
    broken.write_text("not a program")
    broken.chmod(0o755)
    with (
        Kit(stand_in, python=str(broken)) as kit,
        pytest.raises(ConfigError, match="does not start"),
    ):
        kit.check()
    folder = find_checkout(stand_in)
    assert find_python(folder, None) == sys.executable
    own = tmp_path / "x/codes/ecg-image-generator"
    (tmp_path / "x/.venv/bin").mkdir(parents=True)
    (tmp_path / "x/.venv/bin/python").symlink_to(sys.executable)
    assert find_python(own, None) == str(tmp_path / "x/.venv/bin/python")
    assert find_python(own, str(bare)) == str(bare)


def test_pages_and_signals_the_kit_cannot_draw(kits: Callable[..., Kit]) -> None:
    kit, ecg = kits(), signal()
    for page in (
        Page(get_layout("3x4+II+V1")),
        Page(get_layout("3x4"), speed=50),
        Page(get_layout("3x4"), gain=5),
        Page(get_layout("3x4"), paper_mm=(210.0, 297.0)),
        Page(get_layout("3x4"), dpi=72.5),
        Page(get_layout("3x4"), seconds=5),
    ):
        with pytest.raises(LayoutError):
            kit.draw(ecg, 100, page)
    twice = Layout("twice", tuple(get_layout("3x4").cells[:-1]), 3, 4)
    with pytest.raises(LayoutError, match="full grids"):
        kit_order(twice)
    page = Page(get_layout("3x4"), dpi=50)
    with pytest.raises(RecordError, match="shape"):
        kit.draw(ecg[:11], 100, page)
    with pytest.raises(RecordError, match="rate"):
        kit.draw(ecg, 0, page)
    with pytest.raises(RecordError, match="infinite"):
        kit.draw(np.where(np.arange(1000) == 5, np.inf, ecg), 100, page)


def test_kit_order_is_bottom_up_and_the_strip_last() -> None:
    layout = get_layout("3x4+II")
    names = [layout.cells[i].lead for i in kit_order(layout)]
    assert names == [
        "III",
        "aVF",
        "V3",
        "V6",
        "II",
        "aVL",
        "V2",
        "V5",
        "I",
        "aVR",
        "V1",
        "V4",
        "II",
    ]
    assert sorted(set(names)) == sorted(LEADS)


# flags ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seed", "3"], "use --seed"),
        (["-r", "100"], "use --dpi"),
        (["--resolution=100"], "use --dpi"),
        (["--num_columns", "2"], "use --layout"),
        (["--max_num_images", "2"], "use --limit"),
        (["--wrinkle"], "unrecognized"),
        (["--standard_grid_color", "9"], "not in"),
        (["--random_bw", "2"], "not in"),
        (["-n", "1"], "not in"),
        (["--rotate", "-3"], "rot"),
        (["--config_file", "/not/here.yaml"], "no such file"),
        (["extra"], "unrecognized"),
    ],
)
def test_refused_flags(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kit_flags.check(words)


def test_flags_reach_the_kit_and_dead_ones_are_named(tmp_path: Path) -> None:
    text = tmp_path / "words.txt"
    text.write_text("sinus")
    words = ["-ph", "--augment", "-rot", "4", "-t", "3000", "--lead_bbox", "-l", str(text)]
    found = kit_flags.check([*words, "--store_config", "--mask_unplotted_samples"])
    assert found.effects == ("augment",)
    assert " ".join(found.words) == f"--print_header --augment --link {text} --rotate 4"
    named = {w.split()[0] for w in found.warnings}
    assert named == {"-t", "--lead_bbox", "--store_config", "--mask_unplotted_samples"}
    assert kit_flags.check([]) == kit_flags.KitFlags()
    assert kit_flags.check(["--fully_random"]).effects == ("handwriting", "wrinkles", "augment")


def test_every_flag_of_the_specification_has_its_place() -> None:
    """The kit's whole command line at the commit named, by where each flag goes here."""
    everything: dict[str, Any] = {}
    for action in kit_flags.parser()._actions:
        everything |= dict.fromkeys(action.option_strings, "passed")
    for names in kit_flags.REPLACED:
        everything |= dict.fromkeys(names, "refused")
    everything |= dict.fromkeys(kit_flags.NO_EFFECT, "dead")
    known = [
        "-se",
        "--max_num_images",
        "--config_file",
        "-r",
        "--pad_inches",
        "-ph",
        "--print_header",
        "--num_columns",
        "--full_mode",
        "--mask_unplotted_samples",
        "--add_qr_code",
        "--random_resolution",
        "--random_padding",
        "--random_grid_color",
        "--standard_grid_color",
        "--calibration_pulse",
        "--random_grid_present",
        "--random_print_header",
        "--random_bw",
        "--remove_lead_names",
        "--store_config",
        "--lead_bbox",
        "--lead_name_bbox",
        "--hw_text",
        "-l",
        "-n",
        "--x_offset",
        "--y_offset",
        "--hws",
        "--wrinkles",
        "-ca",
        "-nv",
        "-nh",
        "--augment",
        "-rot",
        "-noise",
        "-c",
        "-t",
        "--fully_random",
        "--deterministic_offset",
        "--deterministic_num_words",
        "--deterministic_hw_size",
        "--deterministic_angle",
        "--deterministic_vertical",
        "--deterministic_horizontal",
        "--deterministic_rot",
        "--deterministic_noise",
        "--deterministic_crop",
        "--deterministic_temp",
        "--num_leads",
        "-i",
        "-o",
        "-st",
        "-hea",
    ]
    assert [n for n in known if n not in everything] == []
