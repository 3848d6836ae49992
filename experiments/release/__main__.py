"""Put a finished run into the package: `python -m experiments.release reader|student RUN`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ecgvision.core.command import command
from ecgvision.shipped import READER
from experiments.release import reader, student

KINDS = {
    "reader": ("a run of +exp=read: bundle, and weights that other runs start from", READER),
    "student": (
        "a run of +exp=signal, or of +exp=vizecg on standard pages: what `ecgvision predict` "
        "answers by",
        None,
    ),
}


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.release", description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    for kind, (text, folder) in KINDS.items():
        one = kinds.add_parser(kind, help=text, description=f"Release {text}.")
        one.add_argument("run", type=Path, help="run directory")
        one.add_argument("--out", type=Path, default=folder,
                         help="folder to write (default: in the package)")  # fmt: skip
        one.add_argument("--note", default="",
                         help="where the records are from, under which licence")  # fmt: skip
    args = parser.parse_args(argv)
    release = {"reader": reader.release, "student": student.release}[args.kind]
    print(release(args.run, args.out, note=args.note))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
