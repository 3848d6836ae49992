"""The four files of a study: whole, escaped, and saying what the table says."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cv2
import matplotlib
import numpy as np
import pandas as pd
import pytest

from ecgvision.core.errors import ConfigError
from ecgvision.evaluate.study import figures, report
from ecgvision.evaluate.study.latex import escape, tex
from ecgvision.evaluate.study.report import FILES, notes, write_study
from ecgvision.evaluate.study.table import Arm, study_table

LAYOUTS = ("3x4", "6x2", "12x1")
NASTY = "<i>50% & $x_1$ #~^{\\}"


@pytest.fixture
def make_study(make_table):
    """make_study({arm: skill}): two seeds an arm in every layout."""

    def make(skills, *, layouts=LAYOUTS, xs=None, reference=None, change=lambda t: t, draws=20):
        arms = []
        for a, (name, skill) in enumerate(skills.items()):
            tables = [
                change(pd.concat([
                    make_table(60, layout=w, skill=skill, seed=100 * a + 10 * s + i)
                    for i, w in enumerate(layouts)
                ], ignore_index=True))
                for s in range(2)
            ]  # fmt: skip
            x, group = (xs or {}).get(name, (None, None))
            arms.append(Arm(name, tables, "image", x=x, group=group))
        return study_table(arms, reference=reference, draws=draws)

    return make


class Page(HTMLParser):
    """Tags, links and the texts of table cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.cells, self.open = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href", "srcset")]
        if tag in ("td", "th"):
            self.open = True
            self.cells.append([])

    def handle_endtag(self, tag):
        self.open = self.open and tag not in ("td", "th")

    def handle_data(self, data):
        if self.open:
            self.cells[-1].append(data)


def test_the_report_is_whole_and_says_what_the_table_says(make_study, tmp_path):
    study = make_study({NASTY: 1.0, "plain": 2.0}, reference=NASTY)
    folder = tmp_path / "a/b"
    write_study(folder, study, title="<script>", x_label="n")
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)

    read, frame = pd.read_csv(folder / "study.csv"), study.frame()
    assert list(read.columns) == list(frame.columns)
    for name in frame.columns:
        if pd.api.types.is_numeric_dtype(frame[name]):
            np.testing.assert_allclose(read[name], frame[name], rtol=1e-13)
        else:
            texts = [["" if pd.isna(v) else v for v in t[name]] for t in (read, frame)]
            assert texts[0] == texts[1]
    text = (folder / "study.html").read_text()
    page = Page(text)
    assert page.links
    assert all(link.startswith("data:image/svg+xml") for link in page.links)
    assert not {"script", "i", "link", "iframe"} & set(page.tags)
    assert page.tags.count("img") == 2  # by layout, differences
    for measure in study.measures:
        entry, other = study.entry("plain", measure), study.entry("plain", measure).difference
        shown = [
            f"{entry.value:.3f}",
            f"{entry.ci95[0]:.3f}–{entry.ci95[1]:.3f}",
            f"SD {entry.sd:.3f}",
        ]
        assert shown in page.cells
        signed = [f"{v:+.3f}".replace("-", "−") for v in (other.value, *other.ci95)]
        said = [
            signed[0],
            f"{signed[1]} to {signed[2]}",
            f"p = {other.p:.3f}",
            f"SD {other.sd:.3f}",
        ]
        assert said in page.cells
    assert (folder / "study.tex").read_text() == tex(study, notes(study))
    picture = cv2.imread(str(folder / "study.png"))
    assert picture.std() > 5
    assert figures.png(lambda: figures.main(study, "n")) == (folder / "study.png").read_bytes()


def test_a_report_that_fails_leaves_what_was_there(make_study, tmp_path, monkeypatch):
    study = make_study({"a": 1.0})
    (tmp_path / "study.csv").write_text("before")

    def fail(_draw):
        raise RuntimeError("no fonts")

    monkeypatch.setattr(figures, "png", fail)
    with pytest.raises(RuntimeError):
        write_study(tmp_path, study)
    assert [p.name for p in tmp_path.iterdir()] == ["study.csv"]
    assert (tmp_path / "study.csv").read_text() == "before"
    with pytest.raises(ConfigError, match="folder"):
        write_study(tmp_path / "study.csv", study)


def test_latex_escapes():
    assert escape(NASTY) == (
        r"\textless{}i\textgreater{}50\% \& \$x\_1\$ \#\textasciitilde{}\textasciicircum{}\{\textbackslash{}\}"
    )
    assert escape("[2pt]\n *") == "{[}2pt{]} {*}"
    assert escape("Größe 3x4+II") == "Größe 3x4+II"


def test_latex_marks_the_best_and_keeps_its_columns(make_study):
    study = make_study({"weak": 0.3, "strong": 3.0, "[b]": 1.0}, reference="weak")
    text = tex(study, ["a\nnote"])
    assert text.startswith("% a note\n")
    assert text.endswith("\\bottomrule\n\\end{tabular}\n")
    assert r"\begin{table}" not in text  # which the document has, around \input
    assert text.count("\n\\addlinespace\n") == 2
    lines = [line for line in text.splitlines() if line.endswith(r" \\")]
    columns = len(re.search(r"tabular}{(\w+)}", text)[1])
    assert {line.count("&") + 1 for line in lines} == {columns} == {2 + 5 + 1}
    assert len(lines) == 1 + 3 * 3  # head; for each arm values, intervals, deviations
    strong = next(line for line in lines if line.startswith("strong"))
    assert strong.count(r"\textbf") >= 4  # each layout and the mean
    ranges = {a: study.entry(a, ("range", "")).value for a in study.arms}
    evenest = min(ranges, key=ranges.get)
    row = next(line for line in lines if line.startswith(escape(evenest)))
    assert rf"\textbf{{{ranges[evenest]:.3f}}}" in row.split(" & ")[-2]
    d = study.entry("strong", ("mean", "")).difference
    assert rf" & ${d.value:+.3f}$ \\" in strong
    assert rf"{{\scriptsize $p={d.p:.3f}$}}" in text


def test_one_arm_is_neither_best_nor_compared(make_study):
    study = make_study({"a": 1.0}, layouts=("3x4",))
    assert r"\textbf" not in tex(study, [])
    assert not any("Differences" in line or "range" in line for line in notes(study))


def _points(axes):
    """x and y of every marker drawn."""
    lines = [line for line in axes.get_lines() if line.get_marker() not in ("None", "", "|")]
    return np.concatenate([np.transpose(line.get_data()) for line in lines])


def test_plots_hold_the_figures(make_study):
    study = make_study({"a": 1.0, "b": 2.0, "c": 0.5}, reference="b")
    axes = figures.by_view(study).axes[0]
    at = _points(axes)
    wanted = [
        study.entry(a, m).value for a in study.arms for m in study.measures if m[0] != "range"
    ]
    np.testing.assert_allclose(at[:, 1], wanted)
    np.testing.assert_array_equal(np.floor(at[:, 0] + 0.3), [0, 1, 2, 3] * 3)  # beside one another
    panels = [x for x in figures.forest(study).axes if x.get_visible()]
    assert [x.get_title(loc="left") for x in panels] == [
        "mean over layouts", "range over layouts", *LAYOUTS,
    ]  # fmt: skip
    for panel, measure in zip(panels, study.shown, strict=True):
        found = [study.entry(a, measure).difference for a in ("a", "c")]
        np.testing.assert_allclose(_points(panel), [[d.value, row] for row, d in enumerate(found)])
        bars = [line.get_xdata() for line in panel.get_lines()[:4:2]]
        np.testing.assert_allclose(bars, [d.ci95 for d in found])
    single = make_study({"a": 1.0, "b": 2.0}, layouts=("3x4",))
    at = _points(figures.main(single, "").axes[0])
    np.testing.assert_allclose(
        at, [[single.entry(a, single.headline).value, i] for i, a in enumerate("ab")]
    )


def test_the_curve_is_the_main_plot_where_arms_have_an_x(make_study, tmp_path):
    xs = {"a": (100.0, "g"), "b": (1.0, "g"), "c": (10.0, "g"), "d": (10.0, "h")}
    study = make_study(dict.fromkeys("abcde", 1.0), xs=xs)
    axes = figures.main(study, "labels, %").axes[0]
    wanted = [[xs[a][0], study.entry(a, ("mean", "")).value] for a in "bcad"]
    np.testing.assert_allclose(_points(axes), wanted)
    assert axes.get_xscale() == "log"
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "10", "100"]
    assert [t.get_text() for t in axes.figure.legends[0].get_texts()] == ["g", "h", "e"]
    write_study(tmp_path, study, x_label="labels, %")
    assert Page((tmp_path / "study.html").read_text()).tags.count("img") == 2
    near = make_study(dict.fromkeys("ab", 1.0), xs={"a": (0.0, None), "b": (7.0, None)})
    assert figures.main(near, "pages").axes[0].get_xscale() == "linear"


def test_no_two_arms_look_alike(make_study):
    study = make_study({f"arm {i}": 1.0 for i in range(16)}, layouts=("3x4",), draws=2)
    lines = figures.by_arm(study).axes[0].get_lines()
    looks = [(x.get_color(), x.get_marker()) for x in lines if x.get_marker() not in ("None", "|")]
    assert len(set(looks)) == len(looks) == 16
    assert matplotlib.rcParams["axes.grid"] is False  # the style stays inside


def test_notes_name_what_was_left_out(make_study, make_table):
    study = make_study({"a": 1.0}, change=lambda t: t.assign(y_CD=0))
    assert sum("negatives: CD." in line for line in notes(study)) == 3
    whole = pd.concat([make_table(layout=w) for w in LAYOUTS], ignore_index=True)
    short = whole[(whole["record_id"] != "test-4") | (whole["layout"] != "6x2")]
    study = study_table([Arm("a", [whole, short], "image")], reference=None, draws=3, common=True)
    said = "\n".join(notes(study))
    assert "left out because some run lacks them: 6x2 1." in said
    assert "do not hold the same records" in said
    assert "6x2 119" in said
    assert report.notes(make_study({"a": 1.0}, layouts=("3x4",)))[1] == "Records: 3x4 60."
