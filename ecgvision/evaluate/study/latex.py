r"""study.tex: the headline table as a LaTeX tabular, for `\input` into any table environment."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ecgvision.evaluate.study.values import Measure, StudyTable

SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    **{c: "\\" + c for c in "&%$#_{}"},
    "[": "{[}", "]": "{]}", "*": "{*}",
}  # fmt: skip
"""What pandas escapes, and more: after the end of a row, LaTeX takes `[` and `*` for options."""

BOLD, SMALL = "textbf:--rwrap;", "scriptsize:--wrap;"
"""LaTeX commands around a cell, as pandas' Styler takes them."""


def escape(text: str) -> str:
    """Escape text for LaTeX, on one line."""
    return "".join(SPECIAL.get(c, c) for c in " ".join(text.split()))


def tabular(
    cells: Sequence[Sequence[str]], head: Sequence[str], columns: str, notes: Sequence[str],
    styles: Sequence[Sequence[str]] | None = None,
) -> str:  # fmt: skip
    """Render a table as a tabular without an environment around it.

    Args:
        cells: rows of LaTeX text.
        head: heads of the columns, LaTeX text.
        columns: their alignments, such as "lrcc".
        notes: what readers must know, written as comments.
        styles: of each cell `BOLD`, `SMALL` or "".
    """
    table = pd.DataFrame([list(row) for row in cells])
    names: dict[object, str] = dict(enumerate(head))
    styler = table.style.hide(axis="index").format_index(names.__getitem__, axis="columns")
    if styles is not None:
        looks = pd.DataFrame([list(row) for row in styles])
        styler = styler.apply(lambda _: looks, axis=None)
    comments = [*notes, r"Needs \usepackage{booktabs} and, for quotation marks, "
                        r"\usepackage[T1]{fontenc}."]  # fmt: skip
    lines = [f"% {' '.join(comment.split())}\n" for comment in comments]
    return "".join(lines) + str(styler.to_latex(column_format=columns, hrules=True))


def tex(table: StudyTable, notes: Sequence[str]) -> str:
    """Render the table of a study, with the best value of each column in bold.

    The best range is the smallest. Arms that agree in the three decimals shown are all in bold.
    Intervals and standard deviations over seeds are below the values in small type.

    Args:
        table: the study.
        notes: what readers must know, written as comments.
    """
    head = ["", "Seeds", *(escape(_head(table, m)) for m in table.measures)]
    if table.compared:
        head.append(rf"$\Delta$ to {escape(str(table.reference))}")
    best = {m: _best(table, m) for m in table.measures}
    cells: list[list[str]] = []
    styles: list[list[str]] = []
    for arm in table.arms:
        lines = _arm(table, arm)
        if cells:  # space before the next arm; booktabs' command stands before the first cell
            lines[0][0] = "\\addlinespace\n" + lines[0][0]
        values = lines[0][2 : 2 + len(best)]
        top = [BOLD if v == b else "" for v, b in zip(values, best.values(), strict=True)]
        cells += lines
        styles.append(["", "", *top] + [""] * (len(head) - 2 - len(top)))
        styles += [[SMALL if text else "" for text in line] for line in lines[1:]]
    return tabular(cells, head, "lr" + "c" * (len(head) - 2), notes, styles)


def _head(table: StudyTable, measure: Measure) -> str:
    return table.title(measure) if measure[0] == "view" else measure[0].capitalize()


def _best(table: StudyTable, measure: Measure) -> str:
    """The best value as it is printed; "" where there is only one arm."""
    values = [table.entry(arm, measure).value for arm in table.arms]
    choose = min if measure[0] == "range" else max
    return f"{choose(values):.3f}" if len(values) > 1 else ""


def _arm(table: StudyTable, arm: str) -> list[list[str]]:
    """Rows of an arm: values, their intervals and, with several seeds, standard deviations."""
    entries = [table.entry(arm, m) for m in table.measures]
    values = [f"{e.value:.3f}" for e in entries]
    ranges = [f"{e.ci95[0]:.3f}--{e.ci95[1]:.3f}" if e.ci95 else "" for e in entries]
    spread = [f"SD {e.sd:.3f}" if e.sd is not None else "" for e in entries]
    if table.compared:
        d = table.entry(arm, table.headline).difference
        values.append(f"${d.value:+.3f}$" if d else "--")
        ranges.append(f"${d.ci95[0]:+.3f}$ to ${d.ci95[1]:+.3f}$" if d and d.ci95 else "")
        spread.append("" if d is None else "$p<0.001$" if d.p < 0.001 else f"$p={d.p:.3f}$")
    rows = [[escape(arm), str(table.seeds[arm]), *values], ["", "", *ranges]]
    return rows + ([["", "", *spread]] if any(spread) else [])
