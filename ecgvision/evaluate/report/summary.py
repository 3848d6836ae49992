"""Content of metrics.json for a run, from its data and its predictions table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

import ecgvision
from ecgvision.data.module import EcgDataModule
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.metrics.scores import evaluate


def run_facts(
    config: Mapping[str, Any], data: EcgDataModule, *, code: str,
    splits: Sequence[str] = ("train", "val", "test"),
) -> dict[str, Any]:  # fmt: skip
    """Return the beginning of every metrics.json: experiment, code and data.

    The tables of operating points and of test figures are empty; the system that judges the run
    adds its figures.

    Args:
        config: the run's configuration.
        data: the data that the run is trained and judged on.
        code: digest of the code that made the run.
        splits: splits that the run uses.
    """
    cohort = data.cohort
    return {
        "exp": config["exp"],
        "version": ecgvision.__version__,
        "code": code,
        "data": {
            "name": config["data"]["name"],
            "hash": cohort.hash,
            **{split: len(data.positions(split)) for split in splits},
            "dropped_unlabelled": cohort.dropped,
        },
        "labels": list(cohort.scheme.codes),
        "label_hash": cohort.scheme.hash,
        "layouts": list(data.layouts),
        "artefacts": list(data.artefacts),
        "operating_points": {},
        "test": {},
        "skipped": [],
    }


def describe(
    config: Mapping[str, Any], data: EcgDataModule, table: pd.DataFrame,
    points: Mapping[str, OperatingPoints], *, code: str,
) -> dict[str, Any]:  # fmt: skip
    """Return `run_facts` with the figures of a predictions table.

    Args:
        config, data, code: see `run_facts`.
        table: predictions; its test rows are judged.
        points: operating points of each stream.
    """
    return run_facts(config, data, code=code) | {
        "operating_points": {stream: p.to_dict() for stream, p in points.items()},
        **evaluate(table, points, draws=config["draws"], seed=config["seed"]),
        "without_training_positives": data.cohort.without_positives("train"),
    }


def lines(test: Mapping[str, Any]) -> str:
    """Return the macro AUROC of each stream with its interval, as text for the terminal.

    Each line says how many records were judged, in how many views if these are more, and which
    labels the macro figure leaves out for lack of positives or negatives.

    Args:
        test: `test` of metrics.json.
    """
    width = max(14, *(len(stream) + 1 for stream in test))
    counts = {stream: _counted(figures) for stream, figures in test.items()}
    wide = max(map(len, counts.values()))
    out = ["Test:"]
    for stream, figures in test.items():
        auroc, left = figures["macro_auroc"], figures.get("skipped", ())
        told = "macro AUROC not defined"
        if auroc["value"] is not None:
            low, high = auroc["ci95"]
            told = f"macro AUROC {auroc['value']:.3f} "
            told += (
                "(no interval)"
                if low is None or high is None
                else f"(95 % interval {low:.3f} to {high:.3f})"
            )
        without = f", without {', '.join(left)}" if left else ""
        out.append(f"  {stream:<{width}} {counts[stream]:<{wide}}  {told}{without}")
    if any(figures.get("skipped") for figures in test.values()):
        out.append("Labels that are left out have no positives or no negatives.")
    return "\n".join(out)


def worst_cells(cells: Sequence[Mapping[str, Any]], count: int = 5) -> str:
    """Return the cells of a robustness matrix with the largest losses, as text for the terminal."""
    known = [cell for cell in cells if cell["change"] is not None]
    worst = sorted(known, key=lambda cell: cell["change"])[:count]
    lines = [f"{len(cells)} cells. Largest losses of macro AUROC against the clean page:"]
    lines += [f"  {c['stream']}, {c['layout']}, {c['condition']}: {c['change']:+.3f} "
              f"({c['change_low']:+.3f} to {c['change_high']:+.3f}), to {c['auroc']:.3f}"
              for c in worst]  # fmt: skip
    return "\n".join(lines)


def _counted(figures: Mapping[str, Any]) -> str:
    """Return the number of records, and of views if a record has several."""
    views = figures["n"]
    records = figures.get("records", views)  # older runs lack it
    return f"{records} records" if records == views else f"{records} records in {views} views"
