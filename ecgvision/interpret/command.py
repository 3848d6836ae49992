"""`ecgvision explain`: draw the attribution of a signal network's prediction on the record."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from ecgvision.core.errors import ConfigError
from ecgvision.interpret.options import check_options, check_out, default_method

METHODS = ("gradients", "occlusion", "rollout")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ecgvision explain`."""
    parser.description = (
        "Draw on a record, as a layout shows it, what a trained run decided by, or on a picture "
        "what an image student did: "
        "integrated gradients of one label's logit, occlusion of windows, or (patchecg) attention "
        "rollout."
    )
    parser.epilog = (
        "Example: ecgvision explain runs/patchecg/RUN --record ptbxl/00001 --label MI "
        "--layout 3x4+II --out mi.png. Attribution says what moved this network's answer, not "
        "what is wrong with the heart."
    )
    parser.add_argument("folder", metavar="RUN",
                        help="directory of a finished run; of --picture: a bundle")  # fmt: skip
    parser.add_argument("--record", metavar="ID", help="a record_id of the run's stores")
    parser.add_argument("--picture", metavar="FILE",
                        help="explain a student's answer to this picture, by occlusion: its bundle "
                        "stands in place of the run")  # fmt: skip
    parser.add_argument("--label", metavar="CODE",
                        help="default: the label with the largest probability")  # fmt: skip
    parser.add_argument("--layout", default="12x1", help="what is shown (default %(default)s)")
    parser.add_argument("--method", choices=METHODS,
                        help="default: gradients of a network of signals, occlusion of one of "
                        "pictures")  # fmt: skip
    parser.add_argument("--checks", action="store_true",
                        help="also test the explanation: whether the logit falls faster by "
                        "deletion in its order than at random, and whether it is another with "
                        "randomised weights")  # fmt: skip
    parser.add_argument("--out", required=True, metavar="FILE.png", help="the picture")


def _run_picture(args: argparse.Namespace) -> int:
    """Explain a bundle's answer to a picture."""
    from ecgvision.interpret.pictures import explain_picture

    if args.checks or args.method not in (None, "occlusion"):
        raise ConfigError("a picture is explained by occlusion, without --checks")
    found = explain_picture(args.folder, args.picture, label=args.label, out=Path(args.out))
    print(f"{found['label']}: probability {found['probability']:.3f}, "
          f"threshold {found['threshold']:.3f}")  # fmt: skip
    print(args.out)
    return 0


def run(args: argparse.Namespace) -> int:
    """Run `ecgvision explain`; return the exit code.

    Raises:
        ConfigError: without a record and without a picture, or with both.
    """
    if (args.record is None) == (args.picture is None):
        raise ConfigError("what is to be explained is either --record or --picture",
                          remedy="Give one of them")  # fmt: skip
    if args.picture is not None:
        return _run_picture(args)
    check_out(Path(args.out))
    method = args.method or default_method(args.folder)
    check_options(args.folder, layout=args.layout, method=method, out=Path(args.out))
    from ecgvision.interpret.explain import explain

    with contextlib.redirect_stdout(sys.stderr):
        found: dict[str, Any] = explain(
            args.folder, args.record, label=args.label, layout=args.layout, method=method,
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
