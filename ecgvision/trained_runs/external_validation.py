"""`ecgvision evaluate --bundle`: judge a bundle on a folder of real, labelled pictures."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

from ecgvision.core.errors import ConfigError
from ecgvision.core.outputs import check_outside
from ecgvision.deploy.card_file import CARD
from ecgvision.deploy.open_bundle import open_student
from ecgvision.evaluate.predictions import codes_of
from ecgvision.evaluate.report.folder import check_folder
from ecgvision.evaluate.report.summary import lines
from ecgvision.shipped import resolve_bundle
from ecgvision.store.format import file_sha256
from ecgvision.trained_runs.arguments import assessment_settings
from ecgvision.trained_runs.labelled_scans import STREAM, points_of, read_scans
from ecgvision.trained_runs.other_model import judge

EXP = "external validation"


def run(args: argparse.Namespace) -> int:
    """Judge the bundle, write the folder and print the figures; return the exit code.

    Decisions are the bundle's own, unless a policy is asked for, which needs validation rows.

    Raises:
        ConfigError: for a run beside the bundle, or no pictures or labels.
        BundleError: for a bundle that cannot be opened.
        DataError: see `read_scans` and `assess`.
        OutputError: if the folder holds something else.
    """
    if args.runs:
        raise ConfigError("--bundle judges a bundle, not a run", value=args.runs)
    if args.scans is None or args.labels is None:
        raise ConfigError("--bundle needs --scans and --labels",
                          remedy="Give the folder of pictures and the file of labels")  # fmt: skip
    settings = assessment_settings(args)
    out = args.out or Path("evaluations") / (args.scans.resolve().name or "scans")
    check_folder(out)
    folder = resolve_bundle(args.bundle)
    check_outside(out, [folder, args.scans, args.labels])
    bundle = open_student(folder)
    with contextlib.redirect_stdout(sys.stderr):
        scans = read_scans(bundle, args.scans, args.labels, key=args.key, patients=args.patients,
                           codes=args.codes, common=args.common, check=args.check)  # fmt: skip
    fitted = bool(args.policy) and (scans.found.table["split"] == "val").any()
    points = None if fitted else {STREAM: points_of(bundle, codes_of(scans.found.table))}
    files = {str(file): file_sha256(file) for file in (args.labels, folder / CARD)}
    about = {"bundle": bundle.id, "pictures": scans.pictures, "refused": scans.refused}
    result = judge(scans.found, settings, out, name=str(args.scans), files=files, exp=EXP,
                   points=points, about=about)  # fmt: skip
    if args.json:
        print(json.dumps({str(out): result}, indent=2))
    else:
        print("\n".join([lines(result["test"]), *result["assessment"]["notes"], str(out)]))
    return 0
