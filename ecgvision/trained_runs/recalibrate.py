"""`ecgvision recalibrate`: a bundle with operating points of a hospital's own pictures."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import DataError
from ecgvision.core.outputs import check_outside, check_replaceable
from ecgvision.deploy.card_file import CARD
from ecgvision.evaluate.assessment.settings import SCALINGS
from ecgvision.evaluate.metrics.policies import MAX_F1, Policy
from ecgvision.shipped import resolve_bundle

if TYPE_CHECKING:  # slow to import, and not needed for a help text
    from ecgvision.deploy.open_bundle import AnyStudent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ecgvision recalibrate`."""
    parser.description = (
        "Fit the temperature, scaling and thresholds of a student bundle on a hospital's own "
        "labelled pictures, and write a bundle with them. The network stays as it is. Points are "
        "fitted on rows whose split is val and judged on those whose split is test; without a "
        "column split all rows are fitted on, and nothing is judged."
    )
    parser.epilog = (
        "Example: ecgvision recalibrate --bundle DIR --scans folder/ --labels labels.csv --policy "
        "'sensitivity>=0.95' --scaling intercept --out DIR2"
    )
    parser.add_argument("--bundle", required=True, type=Path, metavar="DIR", help="the bundle")
    parser.add_argument("--scans", required=True, type=Path, metavar="DIR",
                        help="folder of pictures")  # fmt: skip
    parser.add_argument("--labels", required=True, type=Path, metavar="CSV",
                        help="a row for each picture: its name, y_<code> of 0 and 1 for each label "
                        "of the bundle, and optionally patient_id and split (val or "
                        "test)")  # fmt: skip
    parser.add_argument("--out", required=True, type=Path, metavar="DIR2",
                        help="folder of the new bundle")  # fmt: skip
    parser.add_argument("--key", metavar="NAME", help="column that names the picture, with or "
                        "without its ending (default: record_id, else the first)")  # fmt: skip
    parser.add_argument("--patients", metavar="NAME", help="column that names the patient "
                        "(default: patient_id if there is one)")  # fmt: skip
    parser.add_argument("--common", action="store_true", help="use the pictures that have labels, "
                        "and leave out the others")  # fmt: skip
    parser.add_argument("--check", action="store_true", help="let the package's page reader refuse "
                        "pictures that are no readable page")  # fmt: skip
    parser.add_argument("--policy", default=MAX_F1.name, metavar="POLICY",
                        help="what chooses thresholds: max_f1, youden, 'sensitivity>=0.95', "
                        "'specificity>=0.9', 'alerts<=50/1000' or fixed:0.5 (default: "
                        "%(default)s)")  # fmt: skip
    parser.add_argument("--scaling", choices=SCALINGS, default="intercept",
                        help="how logits become probabilities: one temperature; that and an "
                        "intercept of each label, for another prevalence (default); a slope and "
                        "an intercept of each; or none")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Fit, write the bundle and print its points; return the exit code.

    Raises:
        BundleError: for a bundle that cannot be opened.
        ConfigError: for an unknown policy.
        DataError: see `read_scans`; also for labels that no picture has or that all have.
        OutputError: if the folder holds something else.
    """
    policy = Policy.parse(args.policy)
    check_replaceable(args.out, CARD, "a bundle")
    folder = resolve_bundle(args.bundle)
    check_outside(args.out, [folder, args.scans, args.labels])
    from ecgvision.deploy.open_bundle import open_student
    from ecgvision.deploy.recalibrated import write_recalibrated
    from ecgvision.evaluate import predictions
    from ecgvision.evaluate.metrics import operating_points
    from ecgvision.evaluate.metrics.scores import evaluate_rows
    from ecgvision.evaluate.metrics.strata import RARE
    from ecgvision.store.format import file_sha256
    from ecgvision.trained_runs.labelled_scans import read_scans

    bundle = open_student(folder)
    with contextlib.redirect_stdout(sys.stderr):
        scans = read_scans(bundle, args.scans, args.labels, key=args.key, patients=args.patients,
                           common=args.common, check=args.check)  # fmt: skip
    table = scans.found.table
    fitted_on = predictions.select(table, split="val")
    judged_on = predictions.select(table, split="test")
    if fitted_on.empty:  # no column split: everything serves the fit
        fitted_on, judged_on = judged_on, judged_on.iloc[:0]
    z, y = predictions.logits_of(fitted_on), predictions.targets_of(fitted_on)
    _check_labels(bundle, y, args.labels)
    points = operating_points.fit(z, y, bundle.codes, policy=policy, scaling=args.scaling)
    metrics: dict[str, Any] = {"before_recalibration": bundle.card["metrics"]}
    if len(judged_on):
        metrics |= evaluate_rows(judged_on, points)
    about = {"pictures": len(fitted_on), "judged_on": len(judged_on), "policy": policy.name,
             "scaling": args.scaling, "labels_sha256": file_sha256(args.labels)}  # fmt: skip
    write_recalibrated(bundle, args.out, points, metrics=metrics, about=about)
    notes = [*scans.found.notes, *points.notes]
    if rare := [c for c, n in zip(bundle.codes, y.sum(axis=0), strict=True) if n < RARE]:
        notes.append(f"fewer than {RARE} pictures have {', '.join(rare)}: their points may be far "
                     "off")  # fmt: skip
    print(f"{len(fitted_on)} pictures, {policy.name}, {args.scaling}")
    for code, threshold in zip(points.codes, points.thresholds, strict=True):
        print(f"  {code:<8} threshold {threshold:.3f}")
    if len(judged_on):
        auroc = metrics["macro_auroc"]["value"]
        told = "not defined" if auroc is None else f"{auroc:.3f}"
        print(f"judged on {len(judged_on)} other pictures: macro AUROC {told}")
    print("\n".join([*notes, str(args.out)]))
    return 0


def _check_labels(bundle: AnyStudent, y: Any, file: Path) -> None:
    """Refuse labels that no picture has, or that all have: they determine no threshold."""
    alike = [c for c, column in zip(bundle.codes, y.T, strict=True) if column.min() == column.max()]
    if alike:
        raise DataError(
            "labels that no picture has, or all have, determine no threshold",
            file=file,
            value=alike,
            remedy="Add pictures with and without them",
        )
