"""Pack real data into a store.

    python -m data_prep.pack ptbxl /data/ptb-xl --rate 500 --out stores/ptbxl500
    python -m data_prep.pack cinc2021 /data/challenge-2021/training --out stores/cinc2021
    python -m data_prep.pack manifest my/manifest.csv --out stores/mine

Repeat the same command to resume an interrupted pack. The store's `quality.json` counts and lists
the problems found in the source and how each was handled. A manifest lists WFDB, CSV and npy
records; `python -m data_prep.pack manifest --help` says which columns it has, and a CSV record, and
that an npy record is (12, T).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from data_prep import cinc, manifest, ptbxl
from data_prep.chunks import check_out
from data_prep.cinc_files import CHALLENGES
from ecgvision.core.errors import DataError, EcgVisionError, did_you_mean
from ecgvision.core.processors import usable_cores
from ecgvision.records.npy_format import ORIENTATIONS

SOURCES = ("ptbxl", *CHALLENGES, "manifest")
"""Names of the sources, each a subcommand."""


def parser() -> argparse.ArgumentParser:
    """Build the command-line parser."""
    top = argparse.ArgumentParser(
        prog="python -m data_prep.pack",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sources = top.add_subparsers(dest="source", required=True, metavar="SOURCE")
    one = sources.add_parser("ptbxl", help="the folder of PTB-XL as PhysioNet gives it")
    one.add_argument("root", metavar="ROOT", help="the folder with ptbxl_database.csv")
    one.add_argument("--rate", type=int, choices=(500, 100), default=500, help="Hz (default 500)")
    _common(one)
    one.set_defaults(pack=_ptbxl)
    for name, title in (
        ("cinc2020", "the PhysioNet/CinC Challenge 2020's training records"),
        ("cinc2021", "the PhysioNet/CinC Challenge 2021's training records"),
        ("cpsc2018", "the records of CPSC 2018, as the Challenges give them"),
    ):
        _challenge(sources.add_parser(
            name, help=title, description=cinc.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        ), table="ptb-xl" in CHALLENGES[name])  # fmt: skip
    two = sources.add_parser(
        "manifest",
        help="a CSV that lists WFDB, CSV or npy records",
        description=manifest.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    two.add_argument("file", metavar="FILE.csv", help="the manifest")
    two.add_argument(
        "--rate",
        type=float,
        help="Hz of the store; records of another rate are resampled (default: all have one rate)",
    )
    two.add_argument(
        "--unstated-rate",
        type=float,
        help="Hz of npy and CSV records that do not state theirs (default: they are refused)",
    )
    two.add_argument(
        "--unit",
        help="unit of records that do not state theirs: mV, uV, V, nV or a multiple such as 1e-4V "
        "(default: mV)",
    )
    two.add_argument(
        "--orientation",
        choices=ORIENTATIONS,
        help="of npy records: leads-first is (12, T), time-first is (T, 12) (default: leads-first)",
    )
    two.add_argument("--labels", help="label columns, with commas (default: all of 0 and 1)")
    two.add_argument("--name", help="the source's name (default: that of the manifest's folder)")
    _common(two)
    two.set_defaults(pack=_manifest)
    return top


def _challenge(command: argparse.ArgumentParser, *, table: bool) -> None:
    command.add_argument("root", metavar="ROOT", help="the training folder, or one above or below")
    command.add_argument(
        "--rate", type=float, default=cinc.RATE,
        help=f"Hz of the store; others are resampled (default {cinc.RATE:g})",
    )  # fmt: skip
    if table:
        command.add_argument(
            "--ptbxl", metavar="FILE.csv",
            help="ptbxl_database.csv, for the patients and official folds of PTB-XL's records",
        )  # fmt: skip
    _common(command, on_error="skip")
    command.set_defaults(pack=_cinc)


def _common(command: argparse.ArgumentParser, on_error: str = "stop") -> None:
    command.add_argument("--out", required=True, metavar="STORE", help="the folder to make")
    command.add_argument("--jobs", type=int, default=usable_cores(),
                         help="processes (default: the cores it may use, %(default)s)")  # fmt: skip
    command.add_argument(
        "--on-error",
        choices=("stop", "skip"),
        default=on_error,
        help="a record that cannot be read: stop with the reason, or skip and report it "
        f"(default {on_error})",
    )
    command.add_argument(
        "--trim",
        action="store_true",
        help="cut padding and calibration pulses off the ends of records (default: they are kept, "
        "and counted in quality.json)",
    )
    command.add_argument("--overwrite", action="store_true", help="replace the store at --out")
    command.add_argument("--quiet", action="store_true", help="neither progress bar nor summary")


def _ptbxl(args: argparse.Namespace, common: dict[str, Any]) -> None:
    ptbxl.pack_ptbxl(args.root, args.out, rate=args.rate, **common)


def _cinc(args: argparse.Namespace, common: dict[str, Any]) -> None:
    cinc.pack_cinc(
        args.root, args.out, challenge=args.source, rate=args.rate,
        ptbxl=getattr(args, "ptbxl", None), **common,
    )  # fmt: skip


def _manifest(args: argparse.Namespace, common: dict[str, Any]) -> None:
    labels = [c.strip() for c in args.labels.split(",")] if args.labels else None
    manifest.pack_manifest(
        args.file, args.out, rate=args.rate, unstated_rate=args.unstated_rate, unit=args.unit,
        orientation=args.orientation, labels=labels, name=args.name, **common,
    )  # fmt: skip


def _check_source(words: Sequence[str]) -> None:
    """Check that the first word is a source.

    Raises:
        DataError: naming the nearest sources.
    """
    if words and words[0].startswith("-"):
        return
    known = f"Sources: {', '.join(SOURCES)}"
    if not words:
        raise DataError("no source is named", remedy=known)
    if words[0] not in SOURCES:
        nearest = did_you_mean(words[0], SOURCES)
        if words[0].lower().endswith(".csv"):
            nearest = f"Did you mean manifest {words[0]}?"
        raise DataError("unknown source", value=words[0], remedy=f"{nearest} {known}".strip())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0; 2 after a one-line error that the user can fix; 130 when interrupted.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        _check_source(words)
        args = parser().parse_args(words)
        check_out(args.out, overwrite=args.overwrite)  # before any record is read
        args.pack(args, {
            "jobs": args.jobs, "on_error": args.on_error, "progress": not args.quiet,
            "overwrite": args.overwrite, "trim": args.trim,
        })  # fmt: skip
    except EcgVisionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: the same command continues from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
