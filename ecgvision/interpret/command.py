"""`ecgvision explain`: draw the attribution of a signal network's prediction on the record."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from ecgvision.interpret.options import check_options

METHODS = ("gradients", "occlusion", "rollout")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ecgvision explain`."""
    parser.description = (
        "Draw on a record, as a layout shows it, what a trained patchecg or signal run decided by: "
        "integrated gradients of one label's logit, occlusion of windows, or (patchecg) attention "
        "rollout."
    )
    parser.epilog = (
        "Example: ecgvision explain runs/patchecg/RUN --record ptbxl/00001 --label MI "
        "--layout 3x4+II --out mi.png. Attribution says what moved this network's answer, not "
        "what is wrong with the heart."
    )
    parser.add_argument("folder", metavar="RUN", help="directory of a finished run")
    parser.add_argument("--record", required=True, metavar="ID", help="a record_id of its stores")
    parser.add_argument("--label", metavar="CODE",
                        help="default: the label with the largest probability")  # fmt: skip
    parser.add_argument("--layout", default="12x1", help="what is shown (default %(default)s)")
    parser.add_argument("--method", choices=METHODS, default="gradients")
    parser.add_argument("--checks", action="store_true",
                        help="also test the explanation: whether the logit falls faster by "
                        "deletion in its order than at random, and whether it is another with "
                        "randomised weights")  # fmt: skip
    parser.add_argument("--out", required=True, metavar="FILE.png", help="the picture")


def run(args: argparse.Namespace) -> int:
    """Run `ecgvision explain`; return the exit code."""
    check_options(args.folder, layout=args.layout, method=args.method, out=Path(args.out))
    from ecgvision.interpret.explain import explain

    with contextlib.redirect_stdout(sys.stderr):
        found: dict[str, Any] = explain(
            args.folder, args.record, label=args.label, layout=args.layout, method=args.method,
            out=Path(args.out), checks=args.checks,
        )  # fmt: skip
    print(f"{found['label']}: probability {found['probability']:.3f}, "
          f"threshold {found['threshold']:.3f}")  # fmt: skip
    for lead, share in found["leads"].items():
        print(f"  {lead:<4} {share:6.1%}")
    if args.checks:
        told = found["checks"]
        print(f"deletion falls below random orders by {told['deletion_gain']:.3f} logits on the "
              f"mean, insertion rises above by {told['insertion_gain']:.3f}; rank correlation with "
              f"randomised weights {told['randomised']:+.2f}")  # fmt: skip
    print(args.out)
    return 0
