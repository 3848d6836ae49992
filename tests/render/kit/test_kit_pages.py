"""Against pages of the public ecg-image-kit, where they are at hand."""

from __future__ import annotations

from dataclasses import astuple, fields
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import experiments.bench.__main__ as bench
from ecgvision.render import draw as drawing_module
from experiments.bench import fidelity

KIT = Path(__file__).resolve().parents[3] / "../shared/data/kit-pages"
measured = cache(lambda name: fidelity.measure(name, KIT))
here = pytest.mark.skipif(not KIT.is_dir(), reason="kit pages are not here")


@here
@pytest.mark.parametrize("name", fidelity.PAGES)
def test_a_page_is_the_kits(name: str) -> None:
    found = measured(name)
    for field, value, worst in zip(
        fields(found), astuple(found), astuple(fidelity.WORST), strict=True
    ):
        if value is None:
            continue
        if field.name == "ink_iou":
            assert value >= worst, field.name
        else:
            assert value <= worst, field.name


@here
def test_every_page_without_artefacts_is_measured() -> None:
    drawn = {path.stem for path in KIT.glob("*.png")}
    assert set(fidelity.PAGES) == drawn  # wrinkled and rotated pages are kept as JPEG
    silent = {n for n in fidelity.PAGES if measured(n).points_px is None}
    assert silent == {n for n in drawn if not (KIT / f"{n}.json").exists()}
    boxed = {n for n in fidelity.PAGES if measured(n).box_px is not None}
    assert boxed == {
        "02_store2_bbox_header", "2x_direct_12x1", "2x_direct_3x4", "2x_direct_3x4_II"
    }  # fmt: skip


@here
def test_the_measure_sees_a_shift_of_one_pixel(monkeypatch) -> None:
    draw = drawing_module.draw

    def shifted(*args, **options):
        found = draw(*args, **options)
        return drawing_module.Drawing(
            np.roll(found.image, 1, 1), found.mask, lambda: found.geometry
        )

    monkeypatch.setattr("ecgvision.render.draw.draw", shifted)
    found = fidelity.measure("18_dpi100", KIT)
    assert found.grid_max > 50
    assert found.trace_mae > 10
    assert found.ink_iou < 0.9


@here
def test_the_table_has_a_line_for_every_page(capsys, monkeypatch) -> None:
    few = {name: fidelity.PAGES[name] for name in ("11_nogrid_nopulse", "18_dpi100")}
    monkeypatch.setattr(fidelity, "PAGES", few)
    assert bench.main(["fidelity", "--pages", str(KIT)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[: len(fidelity.PAGES) + 1]] == [
        "page",
        *fidelity.PAGES,
    ]


def test_a_missing_folder_is_one_line(tmp_path, capsys) -> None:
    assert bench.main(["fidelity", "--pages", str(tmp_path / "none")]) == 2
    assert "no such folder" in capsys.readouterr().err
