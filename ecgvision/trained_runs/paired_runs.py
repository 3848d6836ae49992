"""`ecgvision evaluate A B --paired`: whether A is better than B on the same records."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from ecgvision.core.command_options import check_table_file
from ecgvision.core.errors import ConfigError
from ecgvision.core.outputs import check_outside
from ecgvision.evaluate.table_arguments import file_of, made_by, read_rows
from ecgvision.trained_runs.arguments import draws_of


def run(args: argparse.Namespace) -> int:
    """Compare two runs or tables, write the folder and print the macro figures.

    Raises:
        ConfigError: for other than two systems, or an invalid --match.
        DataError: see `ecgvision.evaluate.comparison.compare_views`.
        OutputError: if the folder holds something else.
    """
    if len(args.runs) != 2:
        raise ConfigError("--paired compares two systems", value=args.runs,
                          remedy="Give two runs, or tables as PATH:stream")  # fmt: skip
    check_match(args.match)
    files = [file_of(argument) for argument in args.runs]
    for file in files:
        check_table_file(file)
    from ecgvision.evaluate.comparison import compare_views, differences_table
    from ecgvision.evaluate.report.comparison import write_comparison
    from ecgvision.evaluate.report.folder import check_folder

    names = tuple(Path(a).name for a in args.runs)
    out = args.out or Path("evaluations") / "-".join(re.sub(r"[^\w.-]", "_", n) for n in names)
    check_folder(out)
    check_outside(out, files)
    (a, points_a), (b, points_b) = (
        read_rows(argument, split="test", key=args.key) for argument in args.runs
    )
    both = (points_a, points_b) if points_a and points_b else None
    draws = draws_of(args)
    found = compare_views(a, b, both, match=args.match, common=args.common, **draws)
    table = differences_table(found)
    about = {"a": args.runs[0], "b": args.runs[1], "code": [made_by(x) for x in args.runs],
             **draws, "match": args.match, "common": args.common}  # fmt: skip
    write_comparison(out, table, names=(names[0], names[1]), about=about)
    if args.json:
        print(json.dumps({**about, "views": found}, indent=2))
        return 0
    for _, row in table[table["label"] == "macro"].iterrows():
        if row["difference"] == row["difference"]:  # NaN where no label is defined
            print(f"{row['view']}: macro {row['metric']} {row['difference']:+.3f} "
                  f"({row['difference_low']:+.3f} to {row['difference_high']:+.3f}), "
                  f"p {row['p_holm']:.3f}")  # fmt: skip
    print(out)
    return 0


def check_match(pattern: str | None) -> None:
    """Refuse what is no regular expression.

    Raises:
        ConfigError: with what is wrong with it.
    """
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise ConfigError(f"--match is no regular expression ({error})", value=pattern) from error
