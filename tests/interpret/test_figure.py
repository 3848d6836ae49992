"""The figure shows the samples that were observed, in their colours, and writes whole files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.collections import LineCollection

from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import DataError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.masks import layout_mask
from ecgvision.interpret.figure import BLANK, attribution_figure, save_figure


def shown(layout: str = "3x4+II") -> Ecg:
    t = np.arange(1000) / 100
    wave = (0.6 * np.sin(2 * np.pi * t) + np.linspace(-0.3, 0.4, 12)[:, None]).astype(np.float32)
    observed = layout_mask(Page(get_layout(layout)), 1000, 100.0)
    return Ecg(np.where(observed, wave, np.float32(np.nan)), 100.0, "one")


def panels(figure) -> dict:
    return {axes.texts[0].get_text(): axes for axes in figure.axes if axes.texts}


def test_every_lead_is_drawn_where_it_is_observed_and_nowhere_else():
    ecg = shown()
    drawn = panels(attribution_figure(ecg, np.zeros((12, 1000))))
    assert set(drawn) == set(LEADS)
    for i, lead in enumerate(LEADS):
        xy = np.concatenate([line.get_xydata() for line in drawn[lead].lines])
        seen = np.flatnonzero(ecg.observed[i])
        np.testing.assert_allclose(xy[:, 0], seen / 100)
        np.testing.assert_allclose(xy[:, 1], ecg.signal[i, seen])
        low, high = drawn[lead].get_ylim()
        assert low <= xy[:, 1].min() < xy[:, 1].max() <= high
        assert drawn[lead].get_xlim() == (0, 10)


def test_colours_stand_at_their_samples_and_the_bar_names_them():
    ecg, attribution = shown("12x1"), np.zeros((12, 1000))
    attribution[7, 400:420], attribution[2, 100:120] = 0.3, -0.3
    figure = attribution_figure(ecg, attribution, title="MI $1", meaning="logits")
    drawn = panels(figure)
    broad = {lead: next(c for c in drawn[lead].collections if isinstance(c, LineCollection)
                        and c.get_array() is not None) for lead in LEADS}  # fmt: skip
    for lead, start, sign in (("V2", 400, 1), ("III", 100, -1)):
        value = broad[lead].get_array()
        np.testing.assert_allclose(value[start : start + 19], 0.3 * sign)
        assert not np.delete(value, np.arange(start - 1, start + 20)).any()
    rgba = broad["V2"].to_rgba(np.array([-0.3, 0.0, 0.3]))
    assert rgba[1, 3] < 0.02  # clear
    assert rgba[2, 0] > rgba[2, 2]  # orange for
    assert rgba[0, 2] > rgba[0, 0]  # blue against
    assert figure.axes[-1].get_ylabel() == "logits"
    assert figure.get_suptitle() == "MI $1"


def test_shares_start_at_nothing():
    figure = attribution_figure(shown(), np.full((12, 1000), 0.02))
    assert figure.axes[-1].get_ylim() == pytest.approx((0, 0.02))


def test_missing_attribution_has_no_colour():
    attribution = np.full((12, 1000), np.nan)
    attribution[:, :960] = 1.0
    figure = attribution_figure(shown("12x1"), attribution)
    broad = [c for c in panels(figure)["I"].collections if c.get_array() is not None]
    assert broad[0].get_array().mask[960:].all()
    assert not broad[0].get_array().mask[:950].any()


def test_the_file_is_whole_the_same_twice_and_blank_where_nothing_was_seen(tmp_path: Path):
    ecg, paths = shown(), [tmp_path / "new" / "a.png", tmp_path / "new" / "b.png"]
    for path in paths:
        save_figure(attribution_figure(ecg, np.zeros((12, 1000))), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(p.name for p in paths[0].parent.iterdir()) == ["a.png", "b.png"]
    picture = cv2.imread(str(paths[0]))[..., ::-1]
    figure = attribution_figure(ecg, np.zeros((12, 1000)))
    figure.canvas.draw()
    axes = panels(figure)["V1"]  # shown from 5 to 7.5 s
    grey = tuple(int(BLANK[i : i + 2], 16) for i in (1, 3, 5))
    height = len(picture)
    for second, blank in ((2.51, True), (4.9, True), (6.31, False), (8.51, True)):
        column = [
            picture[round(height - y), round(x)]
            for x, y in (
                axes.transData.transform((second, mv)) for mv in np.linspace(-0.6, 0.6, 50)
            )
        ]
        assert all(tuple(p) == grey for p in column) == blank


def test_a_failed_save_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    figure = attribution_figure(shown(), np.zeros((12, 1000)))
    figure.savefig = lambda *_, **__: (_ for _ in ()).throw(OSError("full"))
    with pytest.raises(OSError, match="full"):
        save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_refusals():
    ecg = shown()
    with pytest.raises(DataError, match=r"\(12, 15\)"):
        attribution_figure(ecg, np.zeros((12, 15)))
    with pytest.raises(DataError, match="finite"):
        attribution_figure(ecg, np.full((12, 1000), np.inf))
    with pytest.raises(DataError, match="hold a sample"):
        attribution_figure(Ecg(np.full((12, 9), np.nan, np.float32), 100.0), np.zeros((12, 9)))
