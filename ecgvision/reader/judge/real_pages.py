"""Scores of a reader on pictures where a person has marked each printed lead.

A folder of pictures has a table `places.jsonl`, one picture a line:

    file            name of the picture in the folder
    kind            what it is: photo, scan, …; figures are given for each
    traces          printed traces: `lead`, and `x` and `y` of the two ends of its 0 mV line, as
                    fractions of the picture's width and height
    simultaneous    whether columns show successive windows of one recording of ten seconds
    layout          what is printed; needed where the recording is known

`truth/NAME.npy`, if it is there, holds the recording: (12, 5000) mV at 500 Hz, NaN where not known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.core.errors import DataError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.reader.judge.snr import challenge_snr
from ecgvision.reader.judge.snr_kaggle import powers, ratios, score_db

TABLE = "places.jsonl"
TRUTH_RATE, TRUTH_SAMPLES = 500.0, 5000

COMPLETE = 0.8
"""Share of a lead's printed length that must be read as that lead on a complete page."""

NEAR = 0.4
"""Median distance of a reading from a lead's 0 mV line, as a share of the distance to the next
line, below which it counts as a reading of that lead."""

ACROSS = 0.01
"""Distance along a line, as a share of the picture's width, up to which a sample counts for it."""

PLACES = 60
"""Places along a line that are looked at."""

EVERY = 5
"""Of the samples read, every so many-th is held against the lines."""


@dataclass(frozen=True)
class Line:
    """The 0 mV line of a printed trace, in pixels."""

    lead: str
    x: tuple[float, float]
    y: tuple[float, float]

    def height(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the line's y at x, continued beyond its ends."""
        slope = (self.y[1] - self.y[0]) / max(self.x[1] - self.x[0], 1e-6)
        return self.y[0] + slope * (x - self.x[0])


@dataclass(frozen=True, eq=False)
class Read:
    """What was read of a picture.

    Attributes:
        signal: (12, T) mV, NaN where nothing was found.
        trace: (12, T, 2) x, y in pixels of the picture.
        rate: Hz.
        size: (height, width) of the picture.
    """

    signal: NDArray[np.floating]
    trace: NDArray[np.floating]
    rate: float
    size: tuple[int, int]


def read_places(folder: Path) -> list[dict[str, Any]]:
    """Return the table of a folder.

    Raises:
        DataError: if the table or a picture is missing, or a line is not as it should be.
    """
    path = folder / TABLE
    if not path.is_file():
        raise DataError("the folder has no table of places", file=path,
                        remedy="See the documentation of `ecgvision evaluate --pages`")  # fmt: skip
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            row = json.loads(line)
            for trace in row.get("traces", ()):
                trace["lead"], float(trace["x"][1]), float(trace["y"][1])
        except KeyError as error:
            raise DataError(f"line {number} lacks {error}", file=path) from None
        except (AttributeError, ValueError, TypeError, IndexError) as error:
            raise DataError(f"line {number} is no place", file=path, value=str(error)) from None
        if "traces" in row:  # leads beside the twelve are not judged
            row["traces"] = [t for t in row["traces"] if t["lead"] in LEADS]
        if not isinstance(row.get("file"), str) or not (folder / row["file"]).is_file():
            raise DataError(f"line {number} names no picture of the folder", file=path,
                            value=row.get("file"))  # fmt: skip
        rows.append(row)
    if not rows:
        raise DataError("the table names no picture", file=path)
    return rows


def lines_of(row: Mapping[str, Any], size: tuple[int, int]) -> list[Line]:
    """Return the lines of a picture of that (height, width)."""
    height, width = size
    return [Line(t["lead"], (t["x"][0] * width, t["x"][1] * width),
                 (t["y"][0] * height, t["y"][1] * height)) for t in row["traces"]]  # fmt: skip


def judge_places(read: Read, lines: Sequence[Line], simultaneous: bool) -> dict[str, Any]:
    """Return how much was read where: `leads`, `complete`, `wrong` and `late`.

    `leads` is the mean share of a lead's printed length that was read as that lead; of a lead that
    is printed twice the better counts. `wrong` is the share of samples that are nearer to another
    lead's line. `late` is the median over leads of the difference between the time that was read
    and the printed time in s, None where columns are not of one recording.
    """
    width = read.size[1]
    shares: dict[str, float] = {}
    for line in lines:
        share = _share(read, line, lines, width)
        shares[line.lead] = max(share, shares.get(line.lead, 0.0))
    return {
        "leads": float(np.mean(list(shares.values()))),
        "complete": min(shares.values()) >= COMPLETE,
        "wrong": _wrong(read, lines, width),
        "late": _late(read, lines) if simultaneous else None,
    }


def _found(read: Read, lead: str) -> NDArray[np.intp]:
    return np.flatnonzero(np.isfinite(read.signal[LEAD_INDEX[lead]]))


def _share(read: Read, line: Line, lines: Sequence[Line], width: int) -> float:
    found = _found(read, line.lead)
    if not len(found):
        return 0.0
    points = read.trace[LEAD_INDEX[line.lead], found]
    at = np.linspace(*line.x, PLACES + 2)[1:-1]
    apart = np.abs(points[:, 0] - at[:, None])
    hit = apart.min(1) < max(ACROSS * width, (line.x[1] - line.x[0]) / PLACES)
    if not hit.any():
        return 0.0
    away = np.abs(points[apart.argmin(1)[hit], 1] - line.height(at[hit]))
    near = np.median(away) < NEAR * _distance(line, lines, read.size[0])
    return float(hit.mean()) if near else 0.0


def _distance(line: Line, lines: Sequence[Line], height: int) -> float:
    """Return the distance to the nearest other line at the line's middle."""
    middle = np.array([sum(line.x) / 2])
    others = [abs(float((other.height(middle) - line.height(middle))[0])) for other in lines
              if other is not line and other.x[0] <= middle[0] <= other.x[1]]  # fmt: skip
    return min(others, default=0.2 * height)


def _wrong(read: Read, lines: Sequence[Line], width: int) -> float:
    wrong = total = 0
    distances = np.array([_distance(line, lines, read.size[0]) for line in lines])
    for lead in LEADS:
        found = _found(read, lead)[::EVERY]
        if not len(found):
            continue
        points = read.trace[LEAD_INDEX[lead], found]
        x = points[:, 0]
        beside = np.array([(x < line.x[0] - ACROSS * width) | (x > line.x[1] + ACROSS * width)
                           for line in lines])  # fmt: skip
        away = np.array([np.abs(line.height(x) - points[:, 1]) for line in lines])
        away = np.where(beside, np.inf, away)
        own = np.array([line.lead == lead for line in lines])
        nearest = away.argmin(0)
        other = np.where(own[:, None], np.inf, away).min(0)
        known = np.isfinite(away.min(0))
        close = other < 0.5 * distances[nearest]
        at_own = np.where(own[:, None], away, np.inf).min(0)
        wrong += int((known & (other < at_own) & close).sum())
        total += int(known.sum())
    return wrong / max(total, 1)


def _late(read: Read, lines: Sequence[Line]) -> float | None:
    left, right = min(line.x[0] for line in lines), max(line.x[1] for line in lines)
    if right - left <= 0.5 * read.size[1]:
        return None
    late = []
    for lead in LEADS:
        found = _found(read, lead)
        if len(found):
            printed = 10 * (read.trace[LEAD_INDEX[lead], found, 0] - left) / (right - left)
            late.append(float(np.median(np.abs(found / read.rate - printed))))
    return float(np.median(late)) if late else None


def read_truth(folder: Path, row: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Return what a picture shows of its recording, (12, T) at `TRUTH_RATE`, or None.

    Raises:
        DataError: for a file of another shape.
        LayoutError: for an unknown layout.
    """
    path = folder / "truth" / f"{Path(row['file']).stem}.npy"
    if not path.is_file():
        return None
    truth = np.load(path)
    if truth.shape != (len(LEADS), TRUTH_SAMPLES):
        raise DataError("a recording is (12, 5000)", file=path, value=truth.shape)
    shown = Page(get_layout(row["layout"])).observed(TRUTH_SAMPLES, TRUTH_RATE)
    return np.where(shown, truth, np.nan).astype(np.float64)


def judge_waveform(read: Read, truth: NDArray[np.float64]) -> dict[str, Any]:
    """Return the SNR in dB by three rules; of Kaggle's rule the ratio, which is averaged.

    None where no lead has both signal and noise: a ratio without noise is no number.
    """
    found = at_rate(read.signal, read.rate)
    signal, noise = powers(truth[None], found[None], TRUTH_RATE)
    return {
        "snr_db": _mean(challenge_snr(truth[None], found[None], TRUTH_RATE)),
        "snr_official_db": _mean(
            challenge_snr(truth[None], found[None], TRUTH_RATE, official=True)
        ),
        "kaggle_ratio": float(ratios(signal.sum(-1), noise.sum(-1))[0]),
    }


def _mean(values: NDArray[np.floating]) -> float | None:
    """Return the mean of the values that are numbers, None without any."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def at_rate(signal: NDArray[np.floating], rate: float) -> NDArray[np.float64]:
    """Return a reading at `TRUTH_RATE`, (12, `TRUTH_SAMPLES`); gaps stay gaps."""
    time = np.arange(TRUTH_SAMPLES) / TRUTH_RATE
    nearest = np.round(time * rate).astype(int)
    out = np.full((len(signal), TRUTH_SAMPLES), np.nan)
    for lead, values in enumerate(signal):
        known = np.flatnonzero(np.isfinite(values))
        if len(known) > 1:
            at = np.interp(time, known / rate, values[known], left=np.nan, right=np.nan)
            inside = np.isfinite(values[nearest.clip(0, len(values) - 1)])
            out[lead] = np.where(inside, at, np.nan)
    return out


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures over pages: means, and shares of pages complete and refused.

    A refused page has no lead read, is not complete, and counts 0 dB.
    """

    def mean(key: str) -> float | None:
        values = [float(row[key]) for row in rows if row.get(key) is not None]
        return float(np.mean(values)) if values else None

    kaggle = [row["kaggle_ratio"] for row in rows if row.get("kaggle_ratio") is not None]
    found = {key: mean(key) for key in ("leads", "complete", "wrong", "late", "snr_db",
                                        "snr_official_db")}  # fmt: skip
    score = score_db(kaggle) if kaggle else None
    return {"n": len(rows), "n_places": sum("leads" in row for row in rows),
            "n_truth": len(kaggle), **found,
            "snr_kaggle_db": None if score is None or not math.isfinite(score) else score,
            "refused": mean("is_refused"), "seconds": mean("seconds")}  # fmt: skip
