r"""study.tex: the headline table as a LaTeX tabular, for `\input` into a table of one's own."""

from __future__ import annotations

from collections.abc import Sequence

from ecgvision.evaluate.study.values import Measure, StudyTable

SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    **{c: "\\" + c for c in "&%$#_{}"},
    "[": "{[}", "]": "{]}", "*": "{*}",  # after a line's end they would be its options
}  # fmt: skip


def escape(text: str) -> str:
    """Text as LaTeX prints it, in one line."""
    return "".join(SPECIAL.get(c, c) for c in " ".join(text.split()))


def tex(table: StudyTable, notes: Sequence[str]) -> str:
    """The document: the best of each column in bold (of a range, the smallest).

    Arms that agree in the three decimals shown are all in bold. Intervals, and standard deviations
    over seeds, stand below in small type.

    Args:
        notes: what a reader must know, written as comments.
    """
    columns = len(table.measures) + bool(table.compared)
    head = ["", "Seeds", *(escape(_head(table, m)) for m in table.measures)]
    if table.compared:
        head.append(rf"$\Delta$ to {escape(str(table.reference))}")
    lines = [
        *(f"% {' '.join(note.split())}" for note in notes),
        "% Needs \\usepackage{booktabs} and, for quotation marks, \\usepackage[T1]{fontenc}.",
        rf"\begin{{tabular}}{{lr{'c' * columns}}}",
        r"\toprule",
        _line(head),
        r"\midrule",
    ]
    best = {m: _best(table, m) for m in table.measures}
    for i, arm in enumerate(table.arms):
        lines += ([r"\addlinespace"] if i else []) + _arm(table, arm, best)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _head(table: StudyTable, measure: Measure) -> str:
    return table.title(measure) if measure[0] == "view" else measure[0].capitalize()


def _best(table: StudyTable, measure: Measure) -> str:
    """The best value as printed; "" where there is nothing to be better than."""
    values = [table.entry(arm, measure).value for arm in table.arms]
    choose = min if measure[0] == "range" else max
    return f"{choose(values):.3f}" if len(values) > 1 else ""


def _arm(table: StudyTable, arm: str, best: dict[Measure, str]) -> list[str]:
    """Its values, their intervals and, with several seeds, their standard deviations."""
    entries = [(m, table.entry(arm, m)) for m in table.measures]
    shown = [(f"{e.value:.3f}", best[m]) for m, e in entries]
    values = [rf"\textbf{{{value}}}" if value == top else value for value, top in shown]
    ranges = [_small(f"{e.ci95[0]:.3f}--{e.ci95[1]:.3f}" if e.ci95 else "") for _, e in entries]
    spread = [_small(f"SD {e.sd:.3f}" if e.sd is not None else "") for _, e in entries]
    if table.compared:
        d = table.entry(arm, table.headline).difference
        values.append(f"${d.value:+.3f}$" if d else "--")
        ranges.append(_small(f"${d.ci95[0]:+.3f}$ to ${d.ci95[1]:+.3f}$" if d and d.ci95 else ""))
        p = "" if d is None else "$p<0.001$" if d.p < 0.001 else f"$p={d.p:.3f}$"
        spread.append(_small(p))
    lines = [_line([escape(arm), str(table.seeds[arm]), *values]), _line(["", "", *ranges])]
    return lines + ([_line(["", "", *spread])] if any(spread) else [])


def _small(text: str) -> str:
    return rf"{{\scriptsize {text}}}" if text else ""


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
