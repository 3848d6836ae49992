"""The report of a study: study.csv, study.tex, study.html and study.png in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.errors import ConfigError
from ecgvision.evaluate.report.html import render, svg_figure, thousands
from ecgvision.evaluate.study import figures as plots
from ecgvision.evaluate.study.latex import tex
from ecgvision.evaluate.study.values import StudyTable

TEMPLATE = Path(__file__).with_name("study.html.j2")
FILES = ("study.csv", "study.tex", "study.html", "study.png")


def write_study(
    folder: str | Path, study: StudyTable, *, title: str = "Study", x_label: str = "x"
) -> None:
    """Write the report of a study.

    All files are rendered before any is written. Each file appears whole or not at all.

    Args:
        folder: the folder of the report. It is created if needed; files of an earlier report in it
            are replaced.
        study: result of `table.study_table`.
        title: title of the page.
        x_label: name of the arms' x, for the curve.

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
    """Return the path of a folder, which need not exist.

    Raises:
        ConfigError: if it is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ConfigError("a report needs a folder", file=folder, remedy="Name another")
    return folder


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files of a report, by name, each whole or not at all."""
    for name in FILES:
        with atomic_file(folder / name) as part:
            part.write_bytes(contents[name])


def notes(study: StudyTable) -> list[str]:
    """Return what readers must know to interpret the figures."""
    lines = [
        f"Figures are macro AUROC on the {study.split} split, the mean over each arm's seeds. "
        f"Intervals are the 2.5 and 97.5 % percentiles of {study.draws:,} bootstrap draws of "
        f"{study.patients:,} patients, with the same draws for every arm, seed and view. They do "
        "not include the variation between trainings, which is the SD over seeds.",
        "Records: " + ", ".join(f"{study.title(('view', v))} {study.records[v]:,}"
                                for v in study.views) + ".",
    ]  # fmt: skip
    if study.compared:
        lines.append(
            f"Differences are to {study.reference}, paired by patient draw. p is two-sided and not "
            f"adjusted for the {len(study.compared) * len(study.measures)} comparisons made."
        )
    if len(study.views) > 1:
        lines.append(
            f"The range is the largest minus the smallest value over {study.over}, so a smaller "
            "range is better. Where the values scarcely differ, bootstrap draws of a range are too "
            "large (see bias in study.csv), so an interval above 0 does not show that the values "
            "differ."
        )
    if not study.same_records:
        lines.append(
            "The views do not hold the same records: part of a difference between views may be due "
            "to the records."
        )
    if left := {v: n for v, n in study.left_out.items() if n}:
        lines.append("Records left out because some run lacks them: "
                     + ", ".join(f"{study.title(('view', v))} {n:,}" for v, n in left.items())
                     + ".")  # fmt: skip
    for view, codes in study.skipped.items():
        if codes:
            lines.append(
                f"Left out of macro figures in {study.title(('view', view))}, because they have no "
                f"positives or no negatives: {', '.join(codes)}."
            )
    return lines


def _html(study: StudyTable, title: str, x_label: str) -> str:
    facts = [
        ("arms", str(len(study.arms))),
        ("seeds per arm", _span(study.seeds.values())),
        ("records", _span(study.records.values())),
        ("patients", thousands(study.patients)),
        ("labels", str(len(study.codes))),
        ("draws", thousands(study.draws)),
    ]
    differences = None
    if study.compared:
        differences = svg_figure(
            plots.svg(partial(plots.forest, study)),
            f"Differences to {study.reference}, with 95 % intervals over patients.",
        )
    return render(
        TEMPLATE, title=title, facts=facts, study=study, figures=_main_figures(study, x_label),
        differences=differences, notes=notes(study),
    )  # fmt: skip


def _span(counts: Iterable[int]) -> str:
    """The number that all counts share, or the smallest and the largest."""
    numbers = sorted(set(counts))
    return "–".join(map(thousands, dict.fromkeys((numbers[0], numbers[-1]))))


def _main_figures(study: StudyTable, x_label: str) -> list[dict[str, str] | None]:
    """The curve if there is one, then the plot by view or by arm."""
    over = "with 95 % intervals over patients"
    drawn = []
    if plots.has_curve(study):
        caption = f"Macro AUROC by {x_label}, {over}. Broken lines: arms without a value of it."
        drawn.append((partial(plots.curve, study, x_label), caption))
    if len(study.views) > 1:
        caption = f"Macro AUROC by {study.over.removesuffix('s')}, {over}."
        drawn.append((partial(plots.by_view, study), caption))
    else:
        caption = f"Macro AUROC by arm, {over}. Strokes are seeds."
        drawn.append((partial(plots.by_arm, study), caption))
    return [svg_figure(plots.svg(draw), caption) for draw, caption in drawn]
