"""Benchmarks: `python -m experiments.bench NAME [--json FILE]`, or `all` to run all of them.

Each benchmark is a module of this package with `add_arguments(parser)` and `run(args) -> dict`. If
it needs something that a machine may lack, it also has `lacking() -> str`, which names what is
missing and is empty otherwise.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgvision.core.atomic_io import write_json
from ecgvision.core.command import command
from ecgvision.core.outputs import OutputPlan
from experiments.bench import machine

ALL = "all"
BENCHES = {
    "start": "how soon every command answers --help, and what it imports",
    "render": "ms a page, against matplotlib and against decoding its PNG",
    "fidelity": "how near a page comes to the same page of ecg-image-kit",
    "artefacts": "ms a page of each preset, against decoding the page's JPEG",
    "kit": "a page and a whole store, against ecg-image-kit",
    "load": "reading a record from a store, against wfdb.rdsamp",
    "ssl": "views for self-supervised training, against numpy record by record",
    "step": "training throughput, against the same steps on one cached batch",
    "teacher": "steps with a teacher asked every time, against its answers kept",
    "patch": "PatchECG without its missing tokens, against the padded grid",
    "reader": "how columns of a page are read, against the mean height of their ink",
    "digitize": "what is refused of pictures that are no page, and the passes it takes",
    "predict": "from a file to its answer, by stage",
    "serve": "the server under load, against the same work in bare processes",
    "bootstrap": "confidence intervals of 71 labels",
    "cohort": "what simple features can tell on the synthetic cohort",
    "memory": "peak memory of packing and training on a store of PTB-XL's size",
}


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark, or all; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    args = parser(words).parse_args(words)
    if args.json is not None:
        OutputPlan(make_folders=True).add("--json", args.json)
    if args.name == ALL:
        return run_all(args.json)
    module = importlib.import_module(f"experiments.bench.{args.name}")
    document = {
        "bench": args.name,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),  # before the run, whose own load must not count
    }
    document["figures"] = module.run(args)
    print(table(document))
    if args.json is not None:
        write_json(args.json, document)
    return 0


def run_all(file: str | None) -> int:
    """Run every benchmark whose requirements are met, each in a separate process.

    Skipped benchmarks are printed at the end with their reason.

    Args:
        file: JSON file for all figures, or None.

    Returns:
        The largest exit code.
    """
    worst, documents, skipped = 0, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in BENCHES:
            if why := _lacking(name):
                skipped[name] = why
                continue
            print(f"{name}: {BENCHES[name]}", flush=True)
            out = Path(folder) / f"{name}.json"
            words = [sys.executable, "-m", "experiments.bench", name, "--json", str(out)]
            worst = max(worst, abs(subprocess.run(words, check=False).returncode))
            print(flush=True)
            if out.is_file():
                documents[name] = json.loads(out.read_text(encoding="utf-8"))
    for name, why in skipped.items():
        print(f"skipped {name}: {why}")
    if file is not None:
        write_json(file, {"benches": documents, "skipped": skipped})
    return worst


def _lacking(name: str) -> str:
    """Return what a benchmark needs and lacks; empty if it can run without arguments."""
    module = importlib.import_module(f"experiments.bench.{name}")
    probe = argparse.ArgumentParser()
    module.add_arguments(probe)
    given = [a for a in probe._actions if a.required and a.nargs != argparse.ZERO_OR_MORE]
    if needed := ["/".join(a.option_strings) or a.dest for a in given]:
        return f"it needs {', '.join(needed)}"
    return str(module.lacking()) if hasattr(module, "lacking") else ""


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Build the command-line parser, with only the arguments of the benchmark `words` names."""
    top = argparse.ArgumentParser(
        prog="python -m experiments.bench", description="Measure this machine and this code."
    )
    commands = top.add_subparsers(metavar="NAME", dest="name", required=True)
    for name, text in BENCHES.items():
        sub = commands.add_parser(name, help=text, description=f"Measure: {text}.")
        sub.add_argument("--json", metavar="FILE", help="also write figures and machine here")
        if words[:1] == [name]:  # imports no other benchmark
            importlib.import_module(f"experiments.bench.{name}").add_arguments(sub)
    every = "all of these that need nothing which is not here"
    sub = commands.add_parser(ALL, help=every, description=f"Measure {every}.")
    sub.add_argument("--json", metavar="FILE", help="also write all figures here")
    return top


def table(document: Mapping[str, Any]) -> str:
    """Format figures as aligned lines, nested names joined by dots, and the machine below."""
    rows = list(flatten(document["figures"]))
    width = max((len(name) for name, _ in rows), default=0)
    about = document["machine"]
    lines = [f"{name:<{width}}  {_text(value)}" for name, value in rows]
    load = about["load_average"][0]
    return "\n".join([*lines, "", f"{about['cpu']}, {about['cores']} cores, load {load}"])


def flatten(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Return leaves of nested mappings (and lists of mappings) with dotted names, in order."""
    if isinstance(value, Mapping):
        pairs = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        pairs = [(str(i), item) for i, item in enumerate(value)]
    else:
        return [(name, value)]
    return [leaf for key, item in pairs for leaf in flatten(item, f"{name}.{key}" if name else key)]


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
