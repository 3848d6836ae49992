"""`python -m experiments.flat_reader`: train the reader's two networks, judge and release them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.arguments import COUNT, SEED
from ecgvision.core.command import command
from ecgvision.core.errors import ConfigError
from ecgvision.core.outputs import check_replaceable
from ecgvision.shipped import NAME, PAGE_READER, resolve_bundle
from ecgvision.store.packed import Store, check_store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ecgvision.reader.flat_reader import Viewer
    from ecgvision.reader.trace.strips import Tracer

PARTS = ("marks", "trace")
VALIDATION, TEST = 8, 9
"""Folds of PTB-XL that are kept from training: confidence is fitted on the first. Records without a
fold train."""


def parser() -> argparse.ArgumentParser:
    """Return the command's arguments."""
    main = argparse.ArgumentParser(
        prog="python -m experiments.flat_reader", description=__doc__,
        epilog="Example: python -m experiments.flat_reader train trace --store stores/ptbxl "
        "--steps 6000 --out runs/flat/trace.pt",
    )  # fmt: skip
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train one of the two networks on drawn crops")
    train.add_argument("part", choices=PARTS)
    _stores(train)
    train.add_argument("--out", type=Path, required=True, metavar="FILE", help="weights")
    train.add_argument("--start", type=Path, metavar="FILE", help="start from these weights")
    train.add_argument("--steps", type=COUNT, default=6000, help="default %(default)s")
    train.add_argument("--batch", type=COUNT, default=8, help="crops a step; default %(default)s")
    train.add_argument("--devices", type=COUNT, default=1, help="processes; default %(default)s")
    train.add_argument("--seed", type=SEED, default=0)
    texts = {"judge": "read drawn pages of the validation fold",
             "release": "fit confidence on drawn pages and write the bundle"}  # fmt: skip
    for name, text in texts.items():
        more = commands.add_parser(name, help=text)
        _stores(more)
        for part in PARTS:
            more.add_argument(f"--{part}", type=Path, required=name == "release", metavar="FILE",
                              help="weights")  # fmt: skip
        more.add_argument("--pages", type=COUNT, default=90, help="default %(default)s")
        more.add_argument("--note", default="", help="what the weights were made from")
    commands.choices["judge"].add_argument(
        "--bundle", default=NAME, metavar="DIR",
        help="the reader, without --marks and --trace; default: the package's",
    )  # fmt: skip
    commands.choices["judge"].add_argument("--out", type=Path, metavar="FILE", help="JSON")
    commands.choices["release"].add_argument(
        "--out", type=Path, default=PAGE_READER, metavar="DIR", help="the bundle"
    )
    return main


def _stores(given: argparse.ArgumentParser) -> None:
    given.add_argument("--store", type=Path, action="append", required=True, metavar="DIR",
                       help="packed records (data_prep.pack); may be repeated")  # fmt: skip


@command()
def main(words: list[str] | None = None) -> None:
    """Run the command."""
    args = parser().parse_args(words)
    for store in args.store:
        check_store(store)
    for name in ("start", *PARTS):
        given = getattr(args, name, None)
        if given is not None and not given.is_file():
            raise ConfigError("no such weights", file=given)
    if args.command == "judge" and (args.marks is None) != (args.trace is None):
        raise ConfigError("a reader is made of both networks", remedy="Give --marks and --trace")
    if args.command == "release":
        check_replaceable(args.out, "bundle.json", "a reader's bundle")
    stores = [Store(path) for path in args.store]
    if args.command == "train":
        from experiments.flat_reader.train import train

        train(args.part, stores, [rows(store, validation=False) for store in stores], args.out,
              start=args.start, steps=args.steps, batch=args.batch, devices=args.devices,
              seed=args.seed)  # fmt: skip
        return
    figures = judge(stores[0], args)
    text = json.dumps(figures, indent=2)
    if args.command == "judge" and args.out is not None:
        args.out.write_text(text + "\n")
    print(text)


def rows(store: Store, *, validation: bool) -> NDArray[np.int64]:
    """Return the records of the validation fold, or of those that train."""
    import numpy as np

    fold = store.records["fold"].to_numpy()
    chosen = fold == VALIDATION if validation else ~np.isin(fold, (VALIDATION, TEST, 10))
    return np.flatnonzero(chosen)


def judge(store: Store, args: argparse.Namespace) -> dict[str, Any]:
    """Read drawn pages of validation records; of a release, write the bundle, too."""
    import torch

    from ecgvision.core.evenly_spaced import evenly_spaced
    from ecgvision.deploy.export_flat import export_flat
    from ecgvision.deploy.flat_bundle import FlatReaderBundle
    from ecgvision.reader.judge.calibrate import (
        add_confidence,
        fit_confidence,
        least_confidence,
    )
    from experiments.flat_reader.drawn import figures, read_drawn
    from experiments.flat_reader.train import load, tracer_of, viewer_of

    viewer: Viewer
    tracer: Tracer
    if args.marks is None:
        bundle = FlatReaderBundle.open(resolve_bundle(args.bundle), threads=1)
        viewer, tracer = bundle.see, bundle.trace
    else:
        marks, trace = (load(part, getattr(args, part)) for part in PARTS)
        viewer, tracer = viewer_of(marks), tracer_of(trace)
    records = rows(store, validation=True)
    chosen = records[evenly_spaced(args.pages, len(records))]
    with torch.inference_mode():
        table = read_drawn(store, chosen.tolist(), viewer, tracer)
    found = figures(table)
    if args.command == "release":
        calibration = fit_confidence(table)
        least = least_confidence(add_confidence(table, calibration))
        info = {"note": args.note, "records": len(chosen), "store": store.hash}
        card = export_flat(marks, trace, args.out, calibration=calibration, least_confidence=least,
                           metrics={"validation": found}, info=info)  # fmt: skip
        (args.out / "CARD.md").write_text(describe(card))
    return found


def describe(card: dict[str, Any]) -> str:
    """Return the text of a released bundle's card."""
    of = card["metrics"]["validation"]
    rows = [("all", of["all"]), *of["artefact"].items(), *of["layout"].items()]
    table = [f"| {name} | {part['pages']} | {part['snr_db_median']:.1f} | {part['snr_db']:.1f} | "
             f"{part['layout_found']:.2f} |" for name, part in rows]  # fmt: skip
    files = [f"- `{name}`: sha256 `{digest}`" for name, digest in card["files"].items()]
    return "\n".join([
        "# The page reader in paper coordinates", "",
        "Two networks, `marks.onnx` and `trace.onnx`, and their card `bundle.json`.", "",
        card["info"]["note"] or "Nothing was noted of its training.", "", *files, "",
        f"Drawn pages of {card['info']['records']} validation records, read through "
        "rectification; SNR in dB after alignment as in the PhysioNet Challenge 2024, early "
        "readings in full. Confidence was fitted on the same pages.", "",
        "| pages | n | median SNR, dB | mean SNR, dB | layouts found |",
        "|---|---|---|---|---|", *table, "", card["intended_use"], "",
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
