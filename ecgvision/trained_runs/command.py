"""`ecgvision evaluate`: judge trained runs, page readers, and predictions of other models."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from ecgvision.core.errors import ConfigError
from ecgvision.shipped import resolve_run
from ecgvision.trained_runs.arguments import assessment_settings


def run(args: argparse.Namespace) -> int:
    """Evaluate the runs and print the results; return the exit code."""
    if args.predictions is not None:
        from ecgvision.trained_runs import other_model

        return other_model.run(args)
    if args.bundle is not None:
        from ecgvision.trained_runs import external_validation

        return external_validation.run(args)
    if args.paired:
        from ecgvision.trained_runs import paired_runs

        return paired_runs.run(args)
    if not args.runs:
        raise ConfigError("nothing to judge", remedy="Give a run's directory, or --predictions and "
                          "--labels")  # fmt: skip
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


TABLE_OPTIONS = (
    "scans",
    "check",
    "labels",
    "key",
    "patients",
    "codes",
    "match",
    "common",
    "out",
    "seed",
    "draws",
)
"""Options of predictions and pairs; a run has its own seed and number of draws."""


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

    for option in TABLE_OPTIONS:
        if getattr(args, option) not in (None, False, ()):
            raise ConfigError(f"--{option} is of --predictions, --bundle or --paired",
                              value=getattr(args, option))  # fmt: skip
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
            "robustness", "force")  # fmt: skip
    return {"stores": args.store, "assessment": assessment_settings(args)} | {
        key: getattr(args, key) for key in same
    }
