"""The report of a cross-validation: study.csv, study.tex, study.html and study.png."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ecgvision.evaluate.report.figures import PALETTE, new_figure
from ecgvision.evaluate.report.html import Markup, facts, figure, page, table, tag
from ecgvision.evaluate.study import figures as plots
from ecgvision.evaluate.study.folds import CrossValidation, mean_of_seeds
from ecgvision.evaluate.study.folds_challenge import ChallengeFolds
from ecgvision.evaluate.study.latex import escape, tabular
from ecgvision.evaluate.study.report import report_folder, section, write_files
from ecgvision.evaluate.study.values import Measure

POOLED, MEAN = "pooled", "mean of folds"


def write_folds(
    folder: str | Path, found: CrossValidation, *, title: str, remarks: tuple[str, ...] = ()
) -> None:
    """Writes the report; each file appears whole or not at all.

    Args:
        folder: where; it is made if need be, and files of an earlier report there are replaced.
        found: what `study_folds.cross_validate` found.
        title: of the page.
        remarks: what else a reader must know.

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
    """What a reader must know to take the figures for no more than they are."""
    pooled = found.pooled
    lines = [
        f"Cross-validation over {len(found.folds)} folds: {found.total:,} records of "
        f"{pooled.patients:,} patients, each judged once, by the run that tests on its fold. "
        "Checkpoint, temperature and thresholds come from that run's validation fold, the one "
        "before its test fold (of the first the last); it was trained on all others.",
        f"Pooled: macro AUROC over all folds' test records, each fold's logits divided by the "
        "temperature of its own run, with the 2.5 and 97.5 % percentiles of "
        f"{pooled.draws:,} draws of patients. Ranking the scores of different networks against "
        "one another is an approximation; the mean of folds does without it. Its SD is over folds "
        "(n - 1), whose training sets overlap: no standard error. Both are of the mean of seeds.",
    ]
    for fold, codes in zip(found.folds, found.skipped, strict=True):
        if codes:
            lines.append(f"Left out of macro in fold {fold.name}, having no positives or no "
                         f"negatives: {', '.join(codes)}.")  # fmt: skip
    if left := sorted({code for codes in pooled.skipped.values() for code in codes}):
        lines.append(f"Left out of macro where folds are pooled: {', '.join(left)}.")
    if found.challenge:
        lines.append("The Challenge metric is of decisions at thresholds that each run chose on "
                     "its own validation fold, all views of a stream together.")  # fmt: skip
    return lines


def frame(found: CrossValidation) -> pd.DataFrame:
    """Long form, one row a stream, figure and fold, then the mean of folds and all pooled.

    Columns: stream, metric, kind and view (as in other studies), fold, value (of the seeds' mean),
    low and high (95 %, pooled only), sd (over folds, or over seeds where pooled), values (of each
    seed, by `;`), records, patients, skipped, draws, draws_seed.
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
    """Name, mean and SD over folds, pooled value and interval of all figures of a stream."""
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
    """The page; it refers to nothing outside itself."""
    pooled = found.pooled
    pairs = [
        ("folds", len(found.folds)),
        ("records", f"{found.total:,}"),
        ("patients", f"{pooled.patients:,}"),
        ("labels", len(pooled.codes)),
        ("seeds", len(next(iter(found.values.values())))),
        ("draws", f"{pooled.draws:,}"),
    ]
    caption = "Macro AUROC of every fold, the seeds' mean, and their spread."
    return page(
        title,
        tag("header", tag("h1", title), facts(pairs)),
        section("All folds", _summary(found), figure(plots.svg(partial(by_fold, found)), caption)),
        section("Fold by fold", _each(found)),
        section("How to read this", *(tag("p", line) for line in said)),
    )


def _summary(found: CrossValidation) -> Markup:
    rows = []
    for stream in found.pooled.arms:
        for name, (mean, sd), value, ci95 in figures(found, stream):
            below = [tag("small", f"{ci95[0]:.3f}–{ci95[1]:.3f}")] if ci95 else []
            rows.append([stream, name, tag("span", f"{mean:.3f}", tag("small", f"SD {sd:.3f}")),
                         tag("span", f"{value:.3f}", *below)])  # fmt: skip
    head = ["stream", "figure", "mean of folds", "pooled"]
    caption = "SD over folds; 95 % intervals over patients."
    return table(head, rows, caption=caption)


def _each(found: CrossValidation) -> Markup:
    pooled = found.pooled
    columns: list[tuple[str, str, NDArray[np.float64]]] = []
    for stream in pooled.arms:
        columns += [(stream, pooled.title(m), found.by_fold(stream, m)) for m in pooled.shown]
        challenge: ChallengeFolds | None = found.challenge.get(stream)
        if challenge is not None:
            columns.append((stream, "Challenge metric", mean_of_seeds(challenge.values)))
    head = ["test fold", "validation", "records"]
    names = [tag("span", stream, tag("small", name)) for stream, name, _ in columns]
    rows = [
        [fold.name, "+".join(map(str, fold.val)), f"{found.records[k]:,}",
         *(f"{values[k]:.3f}" for _, _, values in columns)]
        for k, fold in enumerate(found.folds)
    ]  # fmt: skip
    return table([*head, *names], rows, numeric=tuple(range(2, 3 + len(columns))))


def by_fold(found: CrossValidation) -> Figure:
    """The headline figure: a row a stream, with folds as strokes, their mean, and all pooled."""
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
