"""The folder of an evaluation: report, metrics, predictions, tables as CSV and figures as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ecgvision.core.atomic_io import atomic_folder, write_json
from ecgvision.core.outputs import check_replaceable
from ecgvision.core.run_folder import METRICS
from ecgvision.evaluate import predictions
from ecgvision.evaluate.assessment.assess import Assessment
from ecgvision.evaluate.metrics.kernels import METRICS as FIGURES
from ecgvision.evaluate.report import model_card
from ecgvision.evaluate.report.model_card import Section
from ecgvision.evaluate.report.run import write_report

REPORT, TABLE, TABLES, DRAWINGS = "report.html", "predictions.parquet", "tables", "figures"
KIND = "an evaluation"


def check_folder(folder: str | Path) -> None:
    """Check that an evaluation may be written to a folder.

    Raises:
        OutputError: if it holds something else.
    """
    check_replaceable(folder, METRICS, KIND)


def write_evaluation(
    folder: str | Path, *, metrics: Mapping[str, Any], table: pd.DataFrame, assessment: Assessment,
    config: Mapping[str, Any], examples: Sequence[Mapping[str, Any]] = (), title: str | None = None,
    card: Sequence[Section] = (),
) -> dict[str, Any]:  # fmt: skip
    """Write an evaluation; the folder appears whole or not at all.

    Args:
        folder: replaced if it holds an evaluation.
        metrics: content of metrics.json, without the assessment.
        table: predictions with `p_` columns.
        assessment: of the same table.
        config: configuration or options, shown at the end of the report.
        examples, title: see `write_report`.
        card: the model card, written as `MODEL_CARD.md` too; empty: none.

    Returns:
        What stands in metrics.json.

    Raises:
        OutputError: if the folder holds something else.
    """
    check_folder(folder)
    result = {**metrics, "assessment": assessment.to_dict()}
    with atomic_folder(folder) as made:
        predictions.save(table, made / TABLE)
        (made / TABLES).mkdir()
        for name, frame in {"labels": labels_table(metrics), **assessment.tables}.items():
            frame.to_csv(made / TABLES / f"{name}.csv", index=False)
        drawn = write_report(made / REPORT, config=config, metrics=metrics, predictions=table,
                             history=None, examples=examples, assessment=assessment, title=title,
                             card=card)  # fmt: skip
        (made / DRAWINGS).mkdir()
        for name, svg in drawn.items():
            (made / DRAWINGS / f"{file_name(name)}.svg").write_text(svg, encoding="utf-8")
        if card:
            (made / model_card.FILE).write_text(model_card.as_markdown(card), encoding="utf-8")
        write_json(made / METRICS, result)
    return result


def labels_table(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """Return the figures of every stream, view and label as a table, with `macro` first."""
    rows = []
    for stream, found in metrics["test"].items():
        macro = {name: found[f"macro_{name}"] for name in FIGURES}
        rows.append({"stream": stream, "label": "macro", "records": found["n"]} | _flat(macro))
        for code, figures_of in found["per_class"].items():
            about = {"stream": stream, "label": code, "records": found["n"],
                     "positives": figures_of["positives"], "threshold": figures_of["threshold"],
                     "interval": figures_of.get("interval")}  # fmt: skip
            rows.append(about | _flat({name: figures_of[name] for name in FIGURES}))
    return pd.DataFrame(rows).astype({"positives": "Int64"})


def _flat(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, entry in found.items():
        low, high = entry["ci95"]
        out |= {name: entry["value"], f"{name}_low": low, f"{name}_high": high}
    return out


def file_name(text: str) -> str:
    """Return a text as a file's name: letters, digits, dots and dashes."""
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in text)
