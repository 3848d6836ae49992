"""Against pages of the public ecg-image-kit, where they are at hand."""

from __future__ import annotations

from dataclasses import astuple, fields
from functools import cache

import numpy as np
import pytest

import experiments.bench.__main__ as bench
from ecgvision.render import draw as drawing_module
from experiments.bench import fidelity
from tests.real_data import real_data

KIT = real_data("kit-pages")
HERE = [name for name in fidelity.PAGES if (KIT / f"{name}.png").is_file()]
measured = cache(lambda name: fidelity.measure(name, KIT))


@pytest.mark.parametrize("name", HERE)
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


def test_every_page_without_artefacts_is_measured() -> None:
    assert {path.stem for path in KIT.glob("*.png")} == set(HERE) >= {
        "11_nogrid_nopulse", "18_dpi100"
    }  # fmt: skip
    silent = {n for n in HERE if measured(n).points_px is None}
    assert silent == {n for n in HERE if not (KIT / f"{n}.json").exists()}
    boxed = {n for n in HERE if measured(n).box_px is not None}
    assert boxed == set(HERE) & {
        "02_store2_bbox_header", "2x_direct_12x1", "2x_direct_3x4", "2x_direct_3x4_II"
    }  # fmt: skip


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
