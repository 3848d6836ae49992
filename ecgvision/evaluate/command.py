"""`ecgvision evaluate`: trained runs judged layout by layout."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

from ecgvision.evaluate.fills import FILLS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ecgvision evaluate`."""
    parser.description = (
        "Judge trained runs on their test split, layout by layout and artefact by artefact. No "
        "stream sees what the page does not show; temperature and thresholds stay as the run "
        "fitted them on validation."
    )
    parser.epilog = (
        "Example: ecgvision evaluate runs/vizecg/RUN --layouts 3x4,3x4+II,6x2,12x1,random. "
        "Writes RUN/evaluations/…/{metrics.json,predictions.parquet,report.html}; "
        "what has been judged before is shown again (--force repeats it)."
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="directories of finished runs")
    parser.add_argument("--layouts", required=True, type=_names, metavar="A,B,…",
                        help="e.g. 3x4,3x4+II,6x2,12x1; random draws from six")  # fmt: skip
    parser.add_argument("--artefacts", type=_names, default=(), metavar="A,B,…",
                        help="e.g. clean,scan,photo; default: the run's own")  # fmt: skip
    parser.add_argument(
        "--fill", choices=FILLS, help="fill what is missing before a network that reads signals"
    )
    parser.add_argument("--accelerator", default="auto", choices=("auto", "cpu", "cuda", "mps"),
                        help="default %(default)s")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="judge again")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def run(args: argparse.Namespace) -> int:
    """Judge and print."""
    from ecgvision.evaluate.again import evaluate_run
    from ecgvision.evaluate.summary import lines
    from ecgvision.tasks.quiet import quiet_lightning

    quiet_lightning()
    out = {}
    for folder in args.runs:
        with contextlib.redirect_stdout(sys.stderr):  # progress bars: stdout is for the answer
            done = evaluate_run(
                folder, layouts=args.layouts, artefacts=args.artefacts, fill=args.fill,
                accelerator=args.accelerator, force=args.force,
            )  # fmt: skip
        result = json.loads((done / "metrics.json").read_text(encoding="utf-8"))
        out[str(folder)] = result
        if not args.json:
            print(f"{Path(folder).name} ({result['exp']})\n{lines(result['test'])}\n{done}")
    if args.json:
        json.dump(out, sys.stdout, indent=2)
        print()
    return 0
