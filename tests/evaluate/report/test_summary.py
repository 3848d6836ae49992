"""The end of a run on the terminal: how much was judged, and what a macro figure leaves out."""

from __future__ import annotations

from typing import Any

from ecgvision.evaluate.report.summary import lines


def figures(n: int, records: int | None, value: float | None = 0.9, **more: Any) -> dict[str, Any]:
    ends = [None, None] if value is None else [value - 0.1, value + 0.05]
    found = {"n": n, "macro_auroc": {"value": value, "ci95": ends}, **more}
    return found if records is None else found | {"records": records}


def test_records_views_and_labels_left_out_are_named() -> None:
    text = lines({
        "image": figures(756, 378, skipped=["HYP", "CD"]),
        "image@3x4": figures(378, 378, skipped=[]),
        "signal": figures(378, None),
        "fused": figures(378, 378, None),
    })  # fmt: skip
    image, one, signal, fused = text.splitlines()[1:5]
    assert "378 records in 756 views" in image
    assert "macro AUROC 0.900 (95 % interval 0.800 to 0.950), without HYP, CD" in image
    assert "378 records  " in one
    assert "views" not in one + signal
    assert "without" not in one + signal
    assert "not defined" in fused
    assert text.splitlines()[-1] == "Labels that are left out have no positives or no negatives."
    assert "left out" not in lines({"image": figures(3, 3, skipped=[])})


def test_a_figure_without_an_interval() -> None:
    found = figures(2, 2)
    found["macro_auroc"]["ci95"] = [None, None]
    assert "(no interval)" in lines({"image": found})
