"""`ecgvision evaluate`: re-evaluate trained runs, including page readers, layout by layout."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from ecgvision.core.arguments import COUNT, GAIN, SPEED
from ecgvision.core.errors import ConfigError
from ecgvision.evaluate.fills.fills import FILLS
from ecgvision.shipped import NAME, resolve_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ecgvision evaluate`."""
    parser.description = (
        "Judge trained runs on their test split, layout by layout and artefact by artefact. No "
        "stream sees what the page does not show; temperature and thresholds stay as the run "
        "fitted them on validation. A reader (+exp=read) is judged on what `digitize` would write: "
        "SNR, correlation, and errors of amplitudes, intervals and time."
    )
    parser.epilog = (
        "Example: ecgvision evaluate runs/vizecg/RUN --layouts 3x4,3x4+II,6x2,12x1,random. "
        "Writes RUN/evaluations/…/{metrics.json,predictions.parquet,report.html}; "
        "what has been judged before is shown again (--force repeats it). The package's own reader "
        "on other records: ecgvision evaluate shipped --store stores/own --artefacts clean,photo"
    )
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help=f"directories of finished runs; {NAME}: the package's reader",
    )
    parser.add_argument("--layouts", default=(), type=_names, metavar="A,B,…",
                        help="e.g. 3x4,3x4+II,6x2,12x1; random draws from six, any draws any; "
                        "V1.V2_V5.V6+II is written out; default: the run's own")  # fmt: skip
    parser.add_argument("--artefacts", type=_names, default=(), metavar="A,B,…",
                        help="e.g. clean,scan,photo; default: the run's own")  # fmt: skip
    parser.add_argument("--images", type=_names, default=(), metavar="DIR,…",
                        help="judge on pages that were drawn beforehand (data_prep.render_images, "
                        "e.g. by ecg-image-kit), a folder for each store; default: draw "
                        "them")  # fmt: skip
    parser.add_argument(
        "--fill", choices=FILLS, help="fill what is missing before a network that reads signals"
    )
    parser.add_argument("--store", default=(), type=_names, metavar="A,B,…",
                        help="of a reader: draw pages of these stores' records instead of the "
                        "run's")  # fmt: skip
    parser.add_argument("--pages", type=_pages, metavar="N|DIR",
                        help="of a reader: at most so many drawn pages, default: as the run; or a "
                        "folder of real pictures with a table of places, places.jsonl, to judge "
                        "on instead of drawn pages; also of a bundle of signals, behind the "
                        "package's reader")  # fmt: skip
    parser.add_argument("--gain", type=GAIN, metavar="MM",
                        help="of a reader: mm/mV of all pages; default: as the run")  # fmt: skip
    parser.add_argument("--speed", type=SPEED, metavar="MM",
                        help="of a reader: mm/s of all pages; default: as the run")  # fmt: skip
    parser.add_argument("--accelerator", default="auto", choices=("auto", "cpu", "cuda", "mps"),
                        help="default %(default)s")  # fmt: skip
    parser.add_argument("--force", action="store_true", help="judge again")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _pages(text: str) -> int | Path:
    return COUNT(text) if text.lstrip("+-").isdigit() else Path(text)


def run(args: argparse.Namespace) -> int:
    """Evaluate the runs and print the results; return the exit code."""
    if isinstance(args.pages, Path):
        return _run_folder(args)
    check(args)
    from ecgvision.core.run_folder import read_metrics
    from ecgvision.nn.training.quiet import silence_lightning
    from ecgvision.systems import get_system
    from ecgvision.trained_runs.reevaluate import evaluate_run

    silence_lightning()
    out = {}
    for folder in args.runs:
        with contextlib.redirect_stdout(sys.stderr):  # keeps progress bars out of stdout
            done = evaluate_run(folder, **_options(args))
        result = read_metrics(done)
        out[str(folder)] = result
        if not args.json:
            found = get_system(result["exp"]).summary(result)
            print(f"{Path(folder).name} ({result['exp']})\n{found}\n{done}")
    if args.json:
        json.dump(out, sys.stdout, indent=2)
        print()
    return 0


def _run_folder(args: argparse.Namespace) -> int:
    """Judge one page reader on a folder of real pictures.

    Raises:
        ConfigError: for several runs, or an option of drawn pages.
        BundleError, DataError: see `page_folder`.
    """
    if len(args.runs) > 1:
        raise ConfigError("--pages DIR judges one bundle", value=args.runs)
    for option in ("layouts", "artefacts", "images", "fill", "store", "gain", "speed"):
        if getattr(args, option):
            raise ConfigError(f"--{option} is of drawn pages, --pages {args.pages} of real ones",
                              value=getattr(args, option))  # fmt: skip
    from ecgvision.trained_runs import page_folder

    return page_folder.run(args.runs[0], args.pages, as_json=args.json)


def check(args: argparse.Namespace) -> None:
    """Refuse invalid arguments before anything slow is imported.

    Raises:
        ConfigError: for a folder that is not a finished run, options that the run's system does not
            take, an unknown artefact, or `--pages` below 1.
        LayoutError: for an unknown layout.
        StoreError: for a folder that is not a store.
        DataError: for a folder without drawn pages.
    """
    from ecgvision.core.layouts import WILDCARD_LAYOUTS, get_layout
    from ecgvision.core.run_folder import read_config, read_metrics
    from ecgvision.data.drawn_pages import read_manifest
    from ecgvision.store.packed import check_store
    from ecgvision.systems import get_system  # imports nothing slow
    from ecgvision.systems.base import EvaluationOptions

    for folder in args.runs:
        path = resolve_run(folder)
        system = get_system(read_config(path)["exp"])
        system.check_evaluation(EvaluationOptions(**_options(args)), folder)
        read_metrics(path)
    for layout in args.layouts:
        if layout not in WILDCARD_LAYOUTS:
            get_layout(layout)
    if args.artefacts:
        from ecgvision.render.artefacts import check_name

        for name in args.artefacts:
            check_name(name)
    for store in args.store:
        check_store(store)
    for pages in args.images:
        read_manifest(Path(pages))
    if args.pages is not None and args.pages < 1:
        raise ConfigError("--pages must be a whole number from 1", value=args.pages)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of `EvaluationOptions`."""
    same = ("layouts", "artefacts", "images", "fill", "pages", "gain", "speed", "accelerator",
            "force")  # fmt: skip
    return {"stores": args.store} | {key: getattr(args, key) for key in same}
