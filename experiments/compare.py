"""Paired comparison of two systems on the same records.

    python -m experiments.compare A.parquet:image@3x4+II B.parquet:signal@3x4+II
    python -m experiments.compare runs/vizecg/ID/predictions.parquet:image@3x4+II anchor.csv \\
        --match '0*(\\d+)' --common --json difference.json

A and B are predictions tables, or CSV files with a key, p_<code> and y_<code> columns; after a
colon the stream, and after @ the layout or the artefact (`predictions.parquet:image@6x2`,
`…:image@6x2@photo`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ecgvision.core.arguments import COUNT, SEED
from ecgvision.core.command import command
from ecgvision.core.command_options import check_table_file
from ecgvision.core.outputs import OutputPlan
from ecgvision.evaluate.table_arguments import file_of, made_by, read_rows
from ecgvision.trained_runs.paired_runs import check_match


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m experiments.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("a", metavar="A[:stream[@view]]", help="predictions of the one system")
    p.add_argument("b", metavar="B[:stream[@view]]", help="and of the other")
    p.add_argument("--split", default="test", choices=("val", "test"), help="rows to compare")
    p.add_argument(
        "--key",
        help="the column of a CSV that names the record (default record_id, else the first)",
    )
    p.add_argument(
        "--match", metavar="REGEX", help="compare only this part of record_id (its first group)"
    )
    p.add_argument(
        "--common",
        action="store_true",
        help="compare the records both have; without it a record that one lacks is an error",
    )
    p.add_argument("--draws", type=COUNT, default=1000, help="bootstrap draws (default 1000)")
    p.add_argument("--seed", type=SEED, default=0, help="seed of the draws (default 0)")
    p.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return p


def show(result: dict[str, Any]) -> str:
    """The comparison as a table for people."""
    lines = [
        f"{result['n']} records of {result['patients']} patients, {result['draws']} draws",
        f"{'':24}{'A':>8}{'B':>8}{'A - B':>9}   95 % interval        p",
    ]
    items = [(k.replace("_", " "), v) for k, v in result.items() if k.startswith("macro_")]
    for code, figures in result["per_class"].items():
        items += [(f"{code} {name}", figure) for name, figure in figures.items()]
    for name, f in items:
        if f["difference"] is None:
            lines.append(f"{name:24}  not defined: no positives or no negatives")
            continue
        low, high = f["ci95"]
        bounds = "not defined     " if low is None else f"{low:+.4f} to {high:+.4f}"
        lines.append(
            f"{name:24}{f['a']:8.4f}{f['b']:8.4f}{f['difference']:+9.4f}   {bounds}   {f['p']:.3f}"
        )
    return "\n".join(lines)


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = parser().parse_args(argv)
    check_match(args.match)
    files = [file_of(argument) for argument in (args.a, args.b)]
    for file in files:
        check_table_file(file)
    if args.json is not None:
        OutputPlan(files, make_folders=True).add("--json", args.json)
    from ecgvision.evaluate.metrics.paired import paired

    (a, points_a), (b, points_b) = (
        read_rows(x, split=args.split, key=args.key) for x in (args.a, args.b)
    )
    both = (points_a, points_b) if points_a and points_b else None
    result = paired(
        a, b, both, match=args.match, common=args.common, draws=args.draws, seed=args.seed
    )
    codes = [made_by(x) for x in (args.a, args.b)]
    print(show(result))
    if all(codes) and codes[0] != codes[1]:
        print(f"A and B were made by different code ({codes[0]}, {codes[1]})")
    if args.json:
        from ecgvision.core.atomic_io import write_json

        write_json(args.json, {"a": args.a, "b": args.b, "code": codes, **result})
    return 0


if __name__ == "__main__":
    sys.exit(main())
