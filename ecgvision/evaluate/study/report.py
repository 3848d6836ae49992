"""The report of a study: study.csv, study.tex, study.html and study.png in one folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.errors import ConfigError
from ecgvision.evaluate.report.html import Markup, facts, figure, page, table, tag
from ecgvision.evaluate.study import figures as plots
from ecgvision.evaluate.study.latex import tex
from ecgvision.evaluate.study.values import Difference, Entry, Measure, StudyTable

FILES = ("study.csv", "study.tex", "study.html", "study.png")


def write_study(
    folder: str | Path, study: StudyTable, *, title: str = "Study", x_label: str = "x"
) -> None:
    """Writes the report of a study.

    Everything is made before anything is written, and each file appears whole or not at all.

    Args:
        folder: where; it is made if need be, and files of an earlier report there are replaced.
        study: what `study.study_table` found.
        title: of the page.
        x_label: what the arms' x is, for the curve.

    Raises:
        ConfigError: if the folder is a file.
    """
    write_files(
        report_folder(folder),
        {
            "study.csv": study.frame().to_csv(index=False).encode(),
            "study.tex": tex(study, notes(study)).encode(),
            "study.html": _html(study, title, x_label).encode(),
            "study.png": plots.png(partial(plots.main, study, x_label)),
        },
    )


def report_folder(folder: str | Path) -> Path:
    """The folder, which need not exist.

    Raises:
        ConfigError: if it is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ConfigError("a report needs a folder", file=folder, remedy="Name another")
    return folder


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes the files of a report, by name, each whole or not at all."""
    for name in FILES:
        with atomic_file(folder / name) as part:
            part.write_bytes(contents[name])


def notes(study: StudyTable) -> list[str]:
    """What a reader must know to take the figures for no more than they are."""
    lines = [
        f"Macro AUROC on the {study.split} split, the mean of each arm's seeds. Intervals are the "
        f"2.5 and 97.5 % percentiles of {study.draws:,} draws of {study.patients:,} patients, the "
        "same draws for every arm, seed and view; they do not cover what training again would "
        "change: that is the SD over seeds.",
        "Records: " + ", ".join(f"{study.title(('view', v))} {study.records[v]:,}"
                                for v in study.views) + ".",
    ]  # fmt: skip
    if study.compared:
        lines.append(
            f"Differences are to {study.reference}, paired by patient draw; p is two-sided and not "
            f"adjusted for the {len(study.compared) * len(study.measures)} comparisons made."
        )
    if len(study.views) > 1:
        lines.append(
            f"The range is the largest less the smallest value over {study.over}, so smaller is "
            "better; draws of a range lie too high where values scarcely differ (see bias in "
            "study.csv), so an interval above 0 does not show that they do."
        )
    if not study.same_records:
        lines.append(
            "The views do not hold the same records: part of what differs between views may be "
            "the records."
        )
    if left := {v: n for v, n in study.left_out.items() if n}:
        lines.append("Records left out because some run lacks them: "
                     + ", ".join(f"{study.title(('view', v))} {n:,}" for v, n in left.items())
                     + ".")  # fmt: skip
    for view, codes in study.skipped.items():
        if codes:
            lines.append(
                f"Left out of macro in {study.title(('view', view))}, having no positives or no "
                f"negatives: {', '.join(codes)}."
            )
    return lines


def _html(study: StudyTable, title: str, x_label: str) -> str:
    counts = sorted(set(study.seeds.values()))
    records = sorted(set(study.records.values()))
    pairs = [
        ("arms", len(study.arms)),
        ("seeds an arm", _span(counts)),
        ("records", _span(records)),
        ("patients", f"{study.patients:,}"),
        ("labels", len(study.codes)),
        ("draws", f"{study.draws:,}"),
    ]
    remarks = [tag("p", line) for line in notes(study)]
    return page(
        title,
        tag("header", tag("h1", title), facts(pairs)),
        section("Macro AUROC", _values(study), _main_figures(study, x_label)),
        _differences(study),
        section("How to read this", *remarks),
    )


def _span(numbers: list[int]) -> str:
    return f"{numbers[0]:,}" if len(numbers) == 1 else f"{numbers[0]:,}–{numbers[-1]:,}"


def section(title: str, *content: Markup) -> Markup:
    """A part of the page under its heading."""
    return tag("section", tag("h2", title), *content)


def _head(study: StudyTable, measure: Measure) -> Markup:
    if measure[0] != "view":
        return tag("span", study.title(measure))
    count = tag("small", f"n = {study.records[measure[1]]:,}", style="display:block")
    return tag("span", study.title(measure), count)


def _values(study: StudyTable) -> Markup:
    rows = []
    for arm in study.arms:
        name = tag("b", arm) if arm == study.reference else tag("span", arm)
        below = tag("small", study.streams[arm])
        entries = [study.entry(arm, m) for m in study.shown]
        rows.append([tag("span", name, below), study.seeds[arm], *map(_value, entries)])
    head = ["arm, stream", "seeds", *(_head(study, m) for m in study.shown)]
    caption = "95 % intervals over patients, and the standard deviation over seeds"
    caption += f"; the reference, {study.reference}, in bold." if study.reference else "."
    return table(head, rows, numeric=(1,), caption=caption)


def _value(entry: Entry) -> Markup:
    lines = [tag("small", f"{entry.ci95[0]:.3f}–{entry.ci95[1]:.3f}")] if entry.ci95 else []
    if entry.sd is not None:
        lines.append(tag("small", f"SD {entry.sd:.3f}"))
    return tag("span", f"{entry.value:.3f}", *lines)


def _main_figures(study: StudyTable, x_label: str) -> Markup:
    over = "with 95 % intervals over patients"
    parts = []
    if plots.has_curve(study):
        caption = f"Macro AUROC by {x_label}, {over}; arms without a place on it are broken lines."
        parts.append((partial(plots.curve, study, x_label), caption))
    if len(study.views) > 1:
        caption = f"Macro AUROC by {study.over[:-1]}, {over}."
        parts.append((partial(plots.by_view, study), caption))
    else:
        caption = f"Macro AUROC by arm, {over} and, as strokes, the seeds."
        parts.append((partial(plots.by_arm, study), caption))
    return Markup("".join(figure(plots.svg(draw), caption) for draw, caption in parts))


def _differences(study: StudyTable) -> Markup:
    if not study.compared:
        return Markup("")
    rows = []
    for arm in study.compared:
        found = [study.entry(arm, m).difference for m in study.shown]
        rows.append([arm, *(_difference(d) for d in found if d is not None)])
    head = ["arm", *(study.title(m) for m in study.shown)]
    caption = (
        f"Macro AUROC less that of {study.reference}, in bold where the 95 % interval leaves out "
        "0. SD is of the seeds' own differences, where both arms have equally many."
    )
    svg = plots.svg(partial(plots.forest, study))
    return section(
        f"Differences to {study.reference}",
        tag("p", caption, class_="soft"),
        table(head, rows),
        figure(svg, f"Differences to {study.reference}, with 95 % intervals over patients."),
    )


def _difference(d: Difference) -> Markup:
    clear = d.ci95 is not None and (d.ci95[0] > 0 or d.ci95[1] < 0)
    lines = []
    if d.ci95:
        lines.append(tag("small", f"{_signed(d.ci95[0])} to {_signed(d.ci95[1])}"))
    lines.append(tag("small", "p < 0.001" if d.p < 0.001 else f"p = {d.p:.3f}"))
    if d.sd is not None:
        lines.append(tag("small", f"SD {d.sd:.3f}"))
    return tag("span", tag("b" if clear else "span", _signed(d.value)), *lines)


def _signed(value: float) -> str:
    """With its sign, and a true minus."""
    return f"{value:+.3f}".replace("-", "−")
