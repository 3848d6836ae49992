"""Download a public ECG database, every file verified.

    python -m data_prep.download ptbxl --root /data/ptb-xl --rate 500
    python -m data_prep.download cinc2021 --root /data/challenge-2021

Repeat the same command to continue an interrupted download; it fetches only what is missing or
damaged.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from data_prep.download.catalogue import SOURCES
from ecgvision.core.arguments import whole
from ecgvision.core.command import command
from ecgvision.core.errors import ConfigError

CONNECTIONS = 8
"""Connections at a time; our default: PhysioNet serves each slowly."""


PACKED = ("ptbxl", "cinc2020", "cinc2021", "cpsc2018")
"""Databases that `data_prep.pack` takes."""


def parser() -> argparse.ArgumentParser:
    """Build the command-line parser."""
    top = argparse.ArgumentParser(
        prog="python -m data_prep.download", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    names = top.add_subparsers(dest="source", required=True, metavar="SOURCE")
    for name, source in SOURCES.items():
        title = source.title.replace("%", "%%")  # which argparse would take for a format
        one = names.add_parser(name, help=title, description=f"{title}. {source.licence}.")
        add = one.add_argument
        add("--root", type=Path, required=True, metavar="DIR", help="folder to write")
        if source.rates:
            add("--rate", choices=(*map(str, source.rates), "both"), default="both",
                help="files of this sampling rate in Hz only (default: %(default)s)")  # fmt: skip
        add("--mirror", metavar="URL", default=source.base,
            help="another address of the same files (default: %(default)s)")  # fmt: skip
        add("--connections", type=whole(1, 64), default=CONNECTIONS, metavar="N",
            help="files at a time (default: %(default)s)")  # fmt: skip
        add("--list", action="store_true", help="only list the wanted files")
    return top


@command(interrupted="interrupted: repeat the command to continue")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = parser().parse_args(argv)
    source = SOURCES[args.source]
    if not args.mirror.startswith(("https://", "http://")):
        raise ConfigError("--mirror is an address", value=args.mirror,
                          remedy="Give one that begins with https://")  # fmt: skip
    if args.root.exists() and not args.root.is_dir():
        raise ConfigError("--root is a folder", file=args.root)
    from data_prep.download.fetch import fetch_all
    from data_prep.download.http import Http
    from data_prep.download.listing import physionet, zenodo

    http = Http(args.connections)
    listed = (zenodo if args.source == "code15" else physionet)(http, args.mirror)
    asked = getattr(args, "rate", "both")
    rates = () if asked == "both" else (int(asked),)
    wanted = [file for file in listed if source.wants(file.path, rates)]
    if not wanted:
        raise ConfigError("the list of files names none that is wanted", file=args.mirror,
                          value=len(listed), remedy="Is this the database's folder?")  # fmt: skip
    if args.list:
        print("\n".join(file.path for file in wanted))
        return 0
    first = [file for file in wanted if "/" not in file.path]  # tables tell early what is wrong
    done = [fetch_all(http, part, args.root)
            for part in (first, [file for file in wanted if "/" in file.path]) if part]  # fmt: skip
    there, fetched, replaced = (sum(values) for values in zip(*done, strict=True))
    print(f"{args.root}: {len(wanted)} files, of which {there} were there, {fetched} fetched, "
          f"{replaced} of these in place of damaged ones")  # fmt: skip
    print(f"licence: {source.licence}")
    if args.source in PACKED:
        print(f"pack it: python -m data_prep.pack {args.source} {args.root / source.folder} "
              "--out STORE")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
