"""Benchmark of start-up: how long every command takes to answer `--help`, and what it imports.

Each command is timed in separate processes, as users start it. Ratios are to `python -c pass` in
the same run, so that they are comparable between machines. Modules are counted in one run each.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ecgvision.core.arguments import COUNT

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("data_prep", "ecgvision", "experiments")
SCRIPT = "import sys; from ecgvision.cli import main; sys.exit(main())"
"""Code of the installed script `ecgvision`."""
ELSEWHERE = ("ecgvision.render.kit.worker", "ecgvision.cli")
"""Modules that are no further commands: ecg-image-kit's interpreter runs the one, the other is the
script `ecgvision`."""

_COUNT = """
import atexit, runpy, sys
atexit.register(lambda: print(len(sys.modules), file=sys.stderr))
module, sys.argv = sys.argv[1], sys.argv[1:]
if module == "ecgvision":
    from ecgvision.cli import main
    sys.exit(main())
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def modules() -> list[str]:
    """Return the modules that `python -m` can run, in alphabetical order."""
    found = []
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            if re.search(r"^if __name__ == .__main__.:", file.read_text(encoding="utf-8"), re.M):
                parts = file.relative_to(ROOT).with_suffix("").parts
                found.append(".".join(part for part in parts if part != "__main__"))
    return sorted(set(found) - set(ELSEWHERE))


def commands() -> dict[str, list[str]]:
    """Return every command and subcommand by name, as a list of module and arguments.

    The module `ecgvision` stands for the installed script.
    """
    from data_prep import pack
    from ecgvision import cli
    from experiments.bench import __main__ as bench

    parsers = {
        "ecgvision": cli.parser(),
        "data_prep.pack": pack.parser(),
        "experiments.bench": bench.parser(),
    }
    out = {}
    for module in ("ecgvision", *modules()):
        known = _subcommands(parsers[module]) if module in parsers else []
        for words in ([], *([name] for name in known)):
            out[" ".join([module, *words])] = [module, *words]
    return out


def _subcommands(parser: argparse.ArgumentParser) -> list[str]:
    parts = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return [name for part in parts for name in part.choices]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add rounds and a selection of commands."""
    parser.add_argument("--rounds", type=COUNT, default=5, help="a median is taken over")
    parser.add_argument("--only", nargs="+", metavar="WORD", default=[],
                        help="commands whose name holds one of these")  # fmt: skip


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure median wall and CPU seconds, CPU ratios and the number of imported modules."""
    bare = _timed(["-c", "pass"], args.rounds)
    figures: dict[str, Any] = {"python -c pass": {"wall_s": bare[0], "cpu_s": bare[1]}}
    for name, (module, *words) in commands().items():
        if args.only and not any(word in name for word in args.only):
            continue
        start = ["-c", SCRIPT] if module == "ecgvision" else ["-m", module]
        wall, cpu = _timed([*start, *words, "--help"], args.rounds)
        figures[name] = {
            "wall_s": wall, "cpu_s": cpu, "cpu_ratio": cpu / bare[1],
            "modules": _modules([module, *words, "--help"]),
        }  # fmt: skip
    return figures


def _timed(words: Sequence[str], rounds: int) -> tuple[float, float]:
    """Return the median wall seconds and the median CPU seconds (user and system)."""
    found = [_measured(lambda: _python(words)) for _ in range(max(1, rounds))]
    walls, cpus = zip(*found, strict=True)
    return statistics.median(walls), statistics.median(cpus)


def _measured(work: Callable[[], object]) -> tuple[float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _python(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True,
                          check=True)  # fmt: skip


def _modules(words: Sequence[str]) -> int:
    return int(_python(["-c", _COUNT, *words]).stderr.split()[-1])
