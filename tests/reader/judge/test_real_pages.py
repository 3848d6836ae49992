"""The judge of real pictures, against plain loops on random readings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import DataError, LayoutError
from ecgvision.core.layouts import get_layout
from ecgvision.reader.judge.real_pages import (
    Line,
    Read,
    at_rate,
    judge_places,
    judge_waveform,
    lines_of,
    read_places,
    read_truth,
    summarise,
)

HEIGHT, WIDTH, RATE, T = 400, 600, 50.0, 500


def printed(layout: str = "3x4+II", slope: float = 0.03) -> list[Line]:
    """The lines of a page that lies a little aslant."""
    found = get_layout(layout)
    width = 520 / found.columns
    lines = []
    for cell in found.cells:
        x0 = 40 + cell.column * width
        x1 = 560 if cell.strip else x0 + width
        y0 = 60 + 80 * cell.row
        lines.append(Line(cell.lead, (x0, x1), (y0 + slope * x0, y0 + slope * x1)))
    return lines


def reading(lines: list[Line], rng: np.random.Generator | None = None) -> Read:
    """What a faultless reader reads of them; with `rng`, one with faults."""
    signal, trace = np.full((12, T), np.nan), np.full((12, T, 2), np.nan)
    time = np.arange(T) / RATE
    for line in lines[::-1] if len(lines) > 12 else lines:
        lead = LEADS.index(line.lead)
        x = 40 + 520 * time / 10
        inside = (x >= line.x[0]) & (x < line.x[1])
        y = line.height(x)
        if rng is not None:
            fault = rng.integers(5)
            y = y + rng.normal(0, 8, T) + (80 if fault == 0 else 0) + (30 if fault == 1 else 0)
            inside &= rng.random(T) < rng.choice([0.05, 0.5, 0.9])
            if fault == 2:
                inside &= x < rng.uniform(*line.x)
            x = x + (rng.uniform(-15, 15) if fault == 3 else 0.0)
        trace[lead, inside, 0], trace[lead, inside, 1] = x[inside], y[inside]
        signal[lead, inside] = 0.1
    return Read(signal, trace, RATE, (HEIGHT, WIDTH))


def plain_judgement(read: Read, lines: list[Line], simultaneous: bool) -> dict:
    """The same by one point after the other."""

    def height(line: Line, x: float) -> float:
        return line.y[0] + (line.y[1] - line.y[0]) * (x - line.x[0]) / (line.x[1] - line.x[0])

    def points(lead: str) -> list[tuple[float, float, int]]:
        k = LEADS.index(lead)
        return [(*read.trace[k, t], t) for t in range(T) if np.isfinite(read.signal[k, t])]

    def gap(line: Line) -> float:
        x = (line.x[0] + line.x[1]) / 2
        others = [abs(height(o, x) - height(line, x)) for o in lines
                  if o is not line and o.x[0] <= x <= o.x[1]]  # fmt: skip
        return min(others) if others else 0.2 * HEIGHT

    shares: dict[str, float] = {}
    for line in lines:
        length = line.x[1] - line.x[0]
        hits, away, of_lead = 0, [], points(line.lead)
        for k in range(1, 61):
            x = line.x[0] + length * k / 61
            if not of_lead:
                continue
            nearest = min(of_lead, key=lambda p: abs(p[0] - x))
            if abs(nearest[0] - x) < max(0.01 * WIDTH, length / 60):
                hits += 1
                away.append(abs(nearest[1] - height(line, x)))
        good = hits and np.median(away) < 0.4 * gap(line)
        shares[line.lead] = max(shares.get(line.lead, 0.0), hits / 60 if good else 0.0)
    wrong = total = 0
    for lead in LEADS:
        for x, y, _ in points(lead)[::5]:
            near = [(abs(height(line, x) - y), line) for line in lines
                    if line.x[0] - 0.01 * WIDTH <= x <= line.x[1] + 0.01 * WIDTH]  # fmt: skip
            if not near:
                continue
            total += 1
            first = min(near, key=lambda n: n[0])
            own = min((d for d, line in near if line.lead == lead), default=np.inf)
            other = min((d for d, line in near if line.lead != lead), default=np.inf)
            wrong += other < own and other < 0.5 * gap(first[1])
    late = []
    left, right = min(line.x[0] for line in lines), max(line.x[1] for line in lines)
    for lead in LEADS:
        off = [abs(t / RATE - 10 * (x - left) / (right - left)) for x, _, t in points(lead)]
        if off:
            late.append(np.median(off))
    return {"leads": np.mean(list(shares.values())), "complete": min(shares.values()) >= 0.8,
            "wrong": wrong / max(total, 1),
            "late": float(np.median(late)) if simultaneous and late else None}  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**16), layout=st.sampled_from(["3x4+II", "3x4", "6x2"]),
       simultaneous=st.booleans())  # fmt: skip
def test_places_against_a_loop(seed: int, layout: str, simultaneous: bool) -> None:
    lines = printed(layout)
    read = reading(lines, np.random.default_rng(seed))
    found, wanted = (judge(read, lines, simultaneous) for judge in (judge_places, plain_judgement))
    assert found == pytest.approx(wanted)


def test_what_is_read_rightly_and_wrongly() -> None:
    lines = printed("3x4")
    right = reading(lines)
    found = judge_places(right, lines, True)
    assert found["leads"] == 1
    assert found["complete"] is True
    assert found["wrong"] == 0
    assert found["late"] == pytest.approx(0, abs=1e-9)
    assert judge_places(right, lines, False)["late"] is None

    late = Read(right.signal, right.trace + [26.0, 0.0], RATE, right.size)  # half a second
    assert judge_places(late, lines, True)["late"] == pytest.approx(0.5)

    swap = np.arange(12)
    swap[[0, 1]] = 1, 0  # I is read where II is printed, and the other way round
    swapped = judge_places(
        Read(right.signal[swap], right.trace[swap], RATE, right.size), lines, True
    )
    assert swapped["leads"] == pytest.approx(10 / 12)
    assert swapped["complete"] is False
    assert swapped["wrong"] == pytest.approx(2 / 12, abs=0.01)

    nothing = Read(np.full((12, T), np.nan), np.full((12, T, 2), np.nan), RATE, (HEIGHT, WIDTH))
    assert judge_places(nothing, lines, True) == {
        "leads": 0,
        "complete": False,
        "wrong": 0,
        "late": None,
    }


def test_of_a_lead_that_is_printed_twice_the_better_counts() -> None:
    lines = printed("3x4+II")
    read = reading(lines[:12])  # II in its column alone
    assert judge_places(read, lines, True)["complete"] is True


def test_a_picture_without_its_lines_in_full_width_has_no_time() -> None:
    lines = [Line("I", (40, 200), (60, 60)), Line("II", (40, 200), (140, 140))]
    assert judge_places(reading(lines), lines, True)["late"] is None


# the table ----------------------------------------------------------------------------------


TRACE = {"lead": "II", "x": [0.1, 0.9], "y": [0.5, 0.6]}


def folder_with(folder: Path, *rows: str | dict) -> Path:
    (folder / "a.png").touch()
    text = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "places.jsonl").write_text("\n".join(text))
    return folder


def test_a_table_is_read(tmp_path: Path) -> None:
    strange = {"lead": "V7", "x": [0, 1], "y": [0, 1]}
    folder_with(
        tmp_path, {"file": "a.png", "kind": "scan", "traces": [TRACE, strange]}, {"file": "a.png"}
    )
    first, second = read_places(tmp_path)
    assert first["traces"] == [TRACE]  # leads beside the twelve are left out
    assert "traces" not in second
    (line,) = lines_of(first, (200, 400))
    assert line == Line("II", (40.0, 360.0), (100.0, 120.0))
    assert line.height(np.array([40.0, 200.0, 0.0])) == pytest.approx([100, 110, 97.5])


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "names no picture"),
        (["no json"], "line 1"),
        (["[1]"], "line 1"),
        (['"a.png"'], "line 1"),
        ([{"file": "b.png"}], "line 1 names no picture"),
        ([{"file": 3}], "line 1 names no picture"),
        ([{"file": "a.png"}, {"kind": "scan"}], "line 2 names no picture"),
        ([{"file": "a.png", "traces": [{"lead": "I", "x": [0, 1]}]}], "lacks 'y'"),
        ([{"file": "a.png", "traces": [{"lead": "I", "x": [0], "y": [0, 1]}]}], "line 1"),
        ([{"file": "a.png", "traces": [{"lead": "I", "x": ["left", "?"], "y": [0, 1]}]}], "line 1"),
        ([{"file": "a.png", "traces": 4}], "line 1"),
        ([{"file": "a.png", "traces": [{"lead": "V7", "x": [0, 1], "y": [0, 1]}, {"x": [0, 1], "y": [0, 1]}]}], "lacks 'lead'"),
        ([{"file": "a.png", "traces": [{"lead": "V7", "x": [0, 1], "y": [0, 1]}, {"lead": "I", "x": [0]}]}], "line 1"),
    ],
)  # fmt: skip
def test_a_table_that_is_not_as_it_should_be_is_refused(
    tmp_path: Path, rows: list, said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read_places(folder_with(tmp_path, *rows))
    assert "places.jsonl" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no table of places"):
        read_places(tmp_path)


# recordings ---------------------------------------------------------------------------------


def test_of_a_recording_what_is_printed_counts(tmp_path: Path) -> None:
    row = {"file": "a.png", "layout": "3x4"}
    assert read_truth(tmp_path, row) is None
    (tmp_path / "truth").mkdir()
    truth = np.random.default_rng(0).normal(0, 1, (12, 5000))
    np.save(tmp_path / "truth" / "a.npy", truth)
    found = read_truth(tmp_path, row)
    for k in range(12):
        start = 1250 * (k // 3)
        np.testing.assert_array_equal(
            found[k, start : start + 1250], truth[k, start : start + 1250]
        )
        assert np.isfinite(found[k]).sum() == 1250
    with pytest.raises(LayoutError):
        read_truth(tmp_path, row | {"layout": "5x5"})
    np.save(tmp_path / "truth" / "a.npy", truth[:, ::2])
    with pytest.raises(DataError, match="12, 5000"):
        read_truth(tmp_path, row)


@pytest.mark.parametrize("rate", [100.0, 250.0, 500.0, 1000.0])
def test_a_reading_at_any_rate_is_brought_to_the_truths(rate: float) -> None:
    time = np.arange(round(10 * rate)) / rate
    signal = np.tile(np.sin(2 * np.pi * 0.7 * time), (12, 1))
    signal[0] = np.nan
    signal[1, (time < 2) | (time >= 6)] = np.nan
    signal[2, (time > 3) & (time < 4)] = np.nan
    found = at_rate(signal, rate)
    truth = np.sin(2 * np.pi * 0.7 * np.arange(5000) / 500)
    known = np.isfinite(found)
    assert found[known] == pytest.approx(
        np.tile(truth, (12, 1))[known], abs=0.025
    )  # a gap's edges are held
    half = 500 / rate  # samples about an edge that may count to either side
    assert not known[0].any()
    assert known[1].sum() == pytest.approx(2000, abs=2 * half)
    assert known[2].sum() == pytest.approx(4500, abs=4 * half)
    assert known[3].sum() == pytest.approx(5000, abs=half)


def test_a_reading_without_error_is_best_by_every_rule() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(5000) / 500
    truth = np.stack([np.sin(2 * np.pi * rng.uniform(0.5, 3) * time + k) for k in range(12)])
    truth[2:], truth[:, 1250:] = np.nan, np.nan
    shown = Read(truth.copy(), np.zeros((12, 5000, 2)), 500.0, (1, 1))
    shown.signal[:, ::7] += 1e-4  # without any error there is no ratio
    best = judge_waveform(shown, truth)
    assert best["kaggle_ratio"] == pytest.approx(384)
    noisy = Read(truth + rng.normal(0, 0.1, truth.shape), shown.trace, 500.0, (1, 1))
    found = judge_waveform(noisy, truth)
    wanted = 10 * np.log10(np.nanmean(np.square(truth)) / 0.01)
    assert found["snr_db"] == pytest.approx(wanted, abs=0.5)
    assert 10 * np.log10(found["kaggle_ratio"]) == pytest.approx(wanted, abs=0.5)
    assert best["snr_db"] > found["snr_db"] + 20


def test_a_refused_page_counts_nothing_read() -> None:
    read = {"leads": 1.0, "complete": True, "wrong": 0.1, "late": 0.2, "snr_db": 20.0,
            "snr_official_db": 10.0, "kaggle_ratio": 100.0, "is_refused": False, "seconds": 2.0}  # fmt: skip
    refused = {"leads": 0.0, "complete": False, "snr_db": 0.0, "snr_official_db": 0.0,
               "kaggle_ratio": 0.0, "is_refused": True, "seconds": 1.0}  # fmt: skip
    found = summarise([read, refused, {"is_refused": False, "seconds": 0.0}])
    assert found == {
        "n": 3, "n_places": 2, "n_truth": 2, "leads": 0.5, "complete": 0.5, "wrong": 0.1, "late": 0.2,
        "snr_db": 10.0, "snr_official_db": 5.0, "snr_kaggle_db": pytest.approx(10 * np.log10(50)),
        "refused": pytest.approx(1 / 3), "seconds": 1.0,
    }  # fmt: skip
    alone = summarise([refused])
    assert alone["wrong"] is None
    assert alone["snr_kaggle_db"] is None  # of no signal it is minus infinity
    assert json.dumps(alone, allow_nan=False)
