"""Benchmarks: `python -m experiments.bench NAME [--json FILE]`.

Each is a module of this package with `add_arguments(parser)` and `run(args) -> dict`.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ecgvision.errors import EcgVisionError
from ecgvision.whole import write_json
from experiments.bench import machine

BENCHES = {
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
    "bootstrap": "confidence intervals of 71 labels",
    "cohort": "what simple features can tell on the synthetic cohort",
    "memory": "peak memory of packing and training on a store of PTB-XL's size",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parser(words).parse_args(words)
    module = importlib.import_module(f"experiments.bench.{args.name}")
    document = {
        "bench": args.name,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),  # before the run: its load is not the machine's
    }
    try:
        document["figures"] = module.run(args)
    except EcgVisionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(document))
    if args.json is not None:
        write_json(args.json, document)
    return 0


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bench", description="Measure this machine and this code."
    )
    commands = parser.add_subparsers(metavar="NAME", dest="name", required=True)
    for name, text in BENCHES.items():
        sub = commands.add_parser(name, help=text, description=f"Measure: {text}.")
        sub.add_argument("--json", metavar="FILE", help="also write figures and machine here")
        if words[:1] == [name]:  # the others stay unimported
            importlib.import_module(f"experiments.bench.{name}").add_arguments(sub)
    return parser


def table(document: Mapping[str, Any]) -> str:
    """Figures as aligned lines, nested names joined by a dot, and the machine below."""
    rows = list(flatten(document["figures"]))
    width = max((len(name) for name, _ in rows), default=0)
    about = document["machine"]
    lines = [f"{name:<{width}}  {_text(value)}" for name, value in rows]
    load = about["load_average"][0]
    return "\n".join([*lines, "", f"{about['cpu']}, {about['cores']} cores, load {load}"])


def flatten(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Leaves of nested mappings (and of lists of mappings) with dotted names, in order."""
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
