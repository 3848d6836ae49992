"""The report of a cross-validation: study.csv, study.tex, study.html and study.png."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgvision.evaluate.report.figures import PALETTE, new_figure
from ecgvision.evaluate.report.html import render, svg_figure, thousands
from ecgvision.evaluate.study import figures as plots
from ecgvision.evaluate.study.folds import CrossValidation, mean_of_seeds
from ecgvision.evaluate.study.latex import escape, tabular
from ecgvision.evaluate.study.report import report_folder, write_files
from ecgvision.evaluate.study.values import Measure

TEMPLATE = Path(__file__).with_name("folds.html.j2")
POOLED, MEAN = "pooled", "mean of folds"


def write_folds(
    folder: str | Path, found: CrossValidation, *, title: str, remarks: tuple[str, ...] = ()
) -> None:
    """Write the report; each file appears whole or not at all.

    Args:
        folder: the folder of the report. It is created if needed; files of an earlier report in it
            are replaced.
        found: result of `folds.cross_validate`.
        title: title of the page.
        remarks: further notes for readers.

    Raises:
        ConfigError: if the folder is a file.
    """
    said = [*notes(found), *remarks]
    write_files(
        report_folder(folder),
        {
            "study.csv": frame(found).to_csv(index=False).encode(),
            "study.tex": tex(found, said).encode(),
            "study.html": html(found, title, said).encode(),
            "study.png": plots.png(partial(by_fold, found)),
        },
    )


def notes(found: CrossValidation) -> list[str]:
    """Return what readers must know to interpret the figures."""
    pooled = found.pooled
    lines = [
        f"Cross-validation over {len(found.folds)} folds: {found.total:,} records of "
        f"{pooled.patients:,} patients. Each record is judged once, by the run that tests on its "
        "fold. Checkpoint, temperature and thresholds of a run come from its validation fold, "
        "which is the one before its test fold (for the first fold, the last). The run is trained "
        "on all other folds.",
        "Pooled: macro AUROC over the test records of all folds. The logits of each fold are "
        "divided by the temperature of its own run. The interval is the 2.5 and 97.5 % percentiles "
        f"of {pooled.draws:,} bootstrap draws of patients. Pooling ranks the scores of different "
        "networks against one another, which is an approximation; the mean of folds does not. "
        "The SD of the mean is over folds (n - 1). It is not a standard error, because the "
        "training sets of the folds overlap. All figures are means over seeds.",
    ]
    for fold, codes in zip(found.folds, found.skipped, strict=True):
        if codes:
            lines.append(f"Left out of macro figures in fold {fold.name}, because they have no "
                         f"positives or no negatives: {', '.join(codes)}.")  # fmt: skip
    if left := sorted({code for codes in pooled.skipped.values() for code in codes}):
        lines.append(f"Left out of macro figures where folds are pooled: {', '.join(left)}.")
    if found.challenge:
        lines.append("The Challenge metric is of decisions at thresholds that each run chose on "
                     "its own validation fold, with all views of a stream together.")  # fmt: skip
    return lines


def frame(found: CrossValidation) -> pd.DataFrame:
    """Return the figures in long form: a row for each stream, figure and fold.

    The folds of a figure are followed by their mean and by all folds pooled. Columns: stream,
    metric, kind and view (as in other studies), fold, value (mean over seeds), low and high (95 %
    interval, pooled only), sd (over folds, or over seeds where pooled), values (of each seed,
    separated by `;`), records, patients, skipped, draws, draws_seed.
    """
    rows = []
    pooled = found.pooled
    for stream in pooled.arms:
        for measure in pooled.measures:
            entry = pooled.entry(stream, measure)
            head = {"stream": stream, "metric": "macro_auroc", "kind": measure[0],
                    "view": measure[1]}  # fmt: skip
            rows += _rows(found, head, found.values[stream, measure], np.array(entry.seeds),
                          entry.value, entry.ci95)  # fmt: skip
        if (challenge := found.challenge.get(stream)) is not None:
            head = {"stream": stream, "metric": "challenge_metric", "kind": "", "view": ""}
            rows += _rows(found, head, challenge.values, challenge.pooled,
                          float(challenge.pooled.mean()), challenge.ci95)  # fmt: skip
    return pd.DataFrame(rows)


def _rows(
    found: CrossValidation, head: dict[str, str], values: NDArray[np.float64],
    seeds: NDArray[np.float64], value: float, ci95: tuple[float, float] | None,
) -> list[dict[str, object]]:  # fmt: skip
    each = mean_of_seeds(values)
    auroc = head["metric"] == "macro_auroc"
    out: list[dict[str, object]] = [
        {**head, "fold": fold.name, "value": each[k], "values": _joined(values[:, k]),
         "records": found.records[k], "skipped": ";".join(found.skipped[k]) if auroc else ""}
        for k, fold in enumerate(found.folds)
    ]  # fmt: skip
    out.append({**head, "fold": MEAN, "value": each.mean(), "sd": each.std(ddof=1),
                "values": _joined(values.mean(axis=1)), "records": found.total})  # fmt: skip
    low, high = ci95 or (np.nan, np.nan)
    left = sorted({c for codes in found.pooled.skipped.values() for c in codes}) if auroc else []
    out.append({
        **head, "fold": POOLED, "value": value, "low": low, "high": high,
        "sd": seeds.std(ddof=1) if len(seeds) > 1 else np.nan, "values": _joined(seeds),
        "records": found.total, "patients": found.pooled.patients, "skipped": ";".join(left),
        "draws": found.pooled.draws, "draws_seed": found.pooled.seed,
    })  # fmt: skip
    return out


def _joined(values: NDArray[np.float64]) -> str:
    return ";".join(repr(float(v)) for v in values)


def tex(found: CrossValidation, said: list[str]) -> str:
    """Render a LaTeX tabular with a row for each stream and figure: mean of folds, and pooled."""
    cells = [
        [escape(stream), escape(name), f"{mean:.3f} ({sd:.3f})",
         f"{value:.3f}" + (f" ({ci95[0]:.3f}--{ci95[1]:.3f})" if ci95 else "")]
        for stream in found.pooled.arms
        for name, (mean, sd), value, ci95 in figures(found, stream)
    ]  # fmt: skip
    head = ["Stream", "Figure", f"Mean of {len(found.folds)} folds (SD)",
            r"Pooled (95\,\% interval)"]  # fmt: skip
    return tabular(cells, head, "llcc", said)


Row = tuple[str, tuple[float, float], float, tuple[float, float] | None]


def figures(found: CrossValidation, stream: str) -> list[Row]:
    """Return the figures of a stream: name, mean and SD over folds, pooled value and interval."""
    pooled = found.pooled
    rows: list[Row] = []
    for measure in pooled.shown:
        entry = pooled.entry(stream, measure)
        rows.append((_name(found, measure), found.spread(stream, measure), entry.value,
                     entry.ci95))  # fmt: skip
    if (c := found.challenge.get(stream)) is not None:
        each = mean_of_seeds(c.values)
        spread = float(each.mean()), float(each.std(ddof=1))
        rows.append((f"Challenge metric ({c.challenge})", spread, float(c.pooled.mean()), c.ci95))
    return rows


def _name(found: CrossValidation, measure: Measure) -> str:
    return f"macro AUROC, {found.pooled.title(measure)}"


def html(found: CrossValidation, title: str, said: list[str]) -> str:
    """Render the page, which refers to nothing outside itself."""
    pooled = found.pooled
    facts = [
        ("folds", str(len(found.folds))),
        ("records", thousands(found.total)),
        ("patients", thousands(pooled.patients)),
        ("labels", str(len(pooled.codes))),
        ("seeds", str(len(next(iter(found.values.values()))))),
        ("draws", thousands(pooled.draws)),
    ]
    summary = [
        {"stream": stream, "name": name, "mean": mean, "sd": sd, "pooled": value, "ci95": ci95}
        for stream in pooled.arms
        for name, (mean, sd), value, ci95 in figures(found, stream)
    ]
    caption = "Macro AUROC of every fold (mean of the seeds), their mean, and all folds pooled."
    return render(
        TEMPLATE, title=title, facts=facts, summary=summary,
        by_fold=svg_figure(plots.svg(partial(by_fold, found)), caption),
        columns=_columns(found), folds=found.folds, records=found.records, notes=said,
    )  # fmt: skip


def _columns(found: CrossValidation) -> list[dict[str, Any]]:
    """Columns of the table of folds: `stream`, `name`, and `values` by fold."""
    columns = []
    for stream in found.pooled.arms:
        columns += [{"stream": stream, "name": found.pooled.title(m),
                     "values": found.by_fold(stream, m)} for m in found.pooled.shown]  # fmt: skip
        if (challenge := found.challenge.get(stream)) is not None:
            columns.append({"stream": stream, "name": "Challenge metric",
                            "values": mean_of_seeds(challenge.values)})  # fmt: skip
    return columns


def by_fold(found: CrossValidation) -> Figure:
    """Plot the headline figure with a row for each stream: folds as strokes, mean, and pooled."""
    pooled = found.pooled
    drawn = new_figure(6.4, 1.3 + 0.55 * len(pooled.arms))
    axes = drawn.subplots()
    for row, stream in enumerate(pooled.arms):
        entry, look = pooled.entry(stream, pooled.headline), PALETTE[row % len(PALETTE)]
        each = found.by_fold(stream, pooled.headline)
        low, high = entry.ci95 or (np.nan, np.nan)
        axes.plot([low, high], [row - 0.15] * 2, color=look, lw=2, alpha=0.55)
        axes.plot(entry.value, row - 0.15, "o", color=look, ms=6, label="pooled")
        axes.plot(each, [row + 0.2] * len(each), "|", color=plots.GREY, ms=8, label="folds")
        axes.plot(each.mean(), row + 0.2, "D", color=look, ms=4.5, label="mean of folds")
        if row == 0:
            drawn.legend(loc="outside upper right", ncols=3)
    axes.set_yticks(range(len(pooled.arms)), pooled.arms)
    axes.set_ylim(len(pooled.arms) - 0.4, -0.6)
    axes.grid(False, axis="y")
    what = f", {pooled.title(pooled.headline)}" if len(pooled.views) > 1 else ""
    axes.set_xlabel(f"macro AUROC{what}; bar: 95 % interval over patients")
    return drawn
