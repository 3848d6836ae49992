"""`ecgvision evaluate --predictions`: judge the predictions of any other model."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

import ecgvision
from ecgvision.core.errors import ConfigError
from ecgvision.core.outputs import check_outside
from ecgvision.evaluate.assessment.assess import assess, fit_points
from ecgvision.evaluate.assessment.settings import AssessmentSettings
from ecgvision.evaluate.external import External, read_external
from ecgvision.evaluate.metrics import operating_points
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.evaluate.metrics.scores import evaluate
from ecgvision.evaluate.predictions import codes_of, select
from ecgvision.evaluate.report.folder import check_folder, write_evaluation
from ecgvision.evaluate.report.summary import lines
from ecgvision.store.format import file_sha256
from ecgvision.trained_runs.arguments import assessment_settings

EXP = "predictions"
"""What stands for the experiment in metrics.json."""


def run(args: argparse.Namespace) -> int:
    """Judge the predictions, write the folder and print the figures; return the exit code.

    Raises:
        ConfigError: for a run beside the predictions, or no labels.
        DataError: see `read_external` and `assess`.
        OutputError: if the folder holds something else.
    """
    if args.runs:
        raise ConfigError("--predictions judges a table, not a run", value=args.runs)
    if args.labels is None:
        raise ConfigError("--predictions needs --labels", remedy="Give the file of labels, which "
                          "may be the same")  # fmt: skip
    settings = assessment_settings(args)
    out = args.out or Path("evaluations") / args.predictions.stem
    check_folder(out)
    check_outside(out, [args.predictions, args.labels])
    found = read_external(args.predictions, args.labels, key=args.key, patients=args.patients,
                          codes=args.codes, common=args.common,
                          stream=args.predictions.stem)  # fmt: skip
    files = {str(file): file_sha256(file) for file in (args.predictions, args.labels)}
    result = judge(found, settings, out, name=args.labels.name, files=files)
    if args.json:
        print(json.dumps({str(out): result}, indent=2))
    else:
        print("\n".join([lines(result["test"]), *result["assessment"]["notes"], str(out)]))
    return 0


def judge(
    found: External, settings: AssessmentSettings, out: Path, *, name: str, files: dict[str, str],
    exp: str = EXP, points: Mapping[str, OperatingPoints] | None = None,
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Judge a table of predictions and write the evaluation; return its metrics.json.

    Args:
        found: the table, and the facts of its records.
        settings: what to compute.
        out: the folder.
        name: of the data.
        files: sha256 of each file that was read.
        exp: what was judged.
        points: operating points of each stream; None fits them on validation rows.
        about: further facts for metrics.json.
    """
    notes: tuple[str, ...] = ()
    if points is None:
        points, notes = fit_points(found.table, settings)
    table = operating_points.apply(found.table, points)
    assessment = assess(table, settings, points=points, records=found.records,
                        notes=(*found.notes, *notes))  # fmt: skip
    config = {"files": files, **asdict(settings)}
    counts = {split: _records(table, split) for split in ("val", "test")}
    metrics = {
        "exp": exp,
        "version": ecgvision.__version__,
        "data": {"name": name, **counts},
        "labels": list(codes_of(table)),
        "operating_points": {stream: p.to_dict() for stream, p in points.items()},
        **evaluate(table, points, draws=settings.draws, seed=settings.seed),
        **(about or {}),
        "config": config,
    }
    return write_evaluation(out, metrics=metrics, table=table, assessment=assessment,
                            config=config, title=f"{out.name}: test report")  # fmt: skip


def _records(table: pd.DataFrame, split: str) -> int:
    return int(select(table, split=split)["record_id"].nunique())
