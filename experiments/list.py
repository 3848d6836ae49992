"""What there is, one line each: `python -m experiments.list systems|encoders|layouts|…`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ecgvision.core.command import command
from ecgvision.core.layouts import LAYOUTS, Layout
from ecgvision.labels.schemes import SCHEMES
from ecgvision.nn.encoder_names import READNET, SIGNAL_ENCODERS, TRACENET

HERE = Path(__file__).parent

IMAGE_ENCODERS: Mapping[str, str] = {
    TRACENET: "follows traces along their rows; the default, small",
    READNET: "a page reader's trunk, for +exp=read",
    "NAME OF timm": "any image classification network, e.g. tf_efficientnet_lite0",
}
SIGNALS: Mapping[str, str] = {
    "resnet1d_wang": "Wang et al. 2017, as the PTB-XL benchmark uses it",
    "resnet1d_lite": "the same at half the first resolution and half the width",
    "resnet1d18": "ResNet-18 in one dimension",
    **{f"xresnet1d{n}": f"the PTB-XL benchmark's XResNet of {n} layers" for n in (18, 34, 50, 101)},
    **{f"xresnet1d{n}_wide": f"MVKT-ECG's XResNet of {n} layers: widths that double"
       for n in (18, 34, 50, 101)},
    "inception1d": "InceptionTime's, as the benchmark has it",
    "net1d": "PatchECG's patch encoder over a whole record",
    "lstm": "recurrent, in one direction", "lstm_bidir": "recurrent, in both directions",
}  # fmt: skip


def systems() -> dict[str, str]:
    """Return the systems, and what each experiment's file says at its head."""
    return {path.stem: _head(path) for path in sorted((HERE / "exp").glob("*.yaml"))}


def encoders() -> dict[str, str]:
    """Return image and signal encoders."""
    image = {name: f"image: {text}" for name, text in IMAGE_ENCODERS.items()}
    return image | {name: f"signal: {SIGNALS.get(name, '')}" for name in SIGNAL_ENCODERS}


def layouts() -> dict[str, str]:
    """Return the named layouts, and the two that stand for others."""
    found = {name: _arrangement(layout) for name, layout in LAYOUTS.items()}
    return found | {
        "random": "one of six standard layouts, another for each record",
        "any": "leads in any number, order and arrangement",
        "V1.V2_V5.V6+II": "written out: leads of a column, columns, strips",
    }


def papers() -> dict[str, str]:
    """Return the papers, and what each follows."""
    from ecgvision.render.papers.named import MIXED, PAPERS

    return {name: paper.follows for name, paper in PAPERS.items()} | {
        MIXED: "another paper for every page"
    }


def artefacts() -> dict[str, str]:
    """Return the presets, then the single artefacts."""
    from ecgvision.render.artefacts.presets import PRESETS
    from ecgvision.render.artefacts.registry import ARTEFACTS

    return {name: f"preset: {preset.what}" for name, preset in PRESETS.items()} | {
        name: artefact.what for name, artefact in ARTEFACTS.items()
    }


def labels() -> dict[str, str]:
    """Return the label schemes."""
    found = {name: f"{len(scheme.codes)} labels: {_some(scheme.codes)}"
             for name, scheme in SCHEMES.items()}  # fmt: skip
    return found | {"columns": "those that a manifest brings"}


def sources() -> dict[str, str]:
    """Return the values of `data=`, and what can be downloaded."""
    from data_prep.download.catalogue import SOURCES

    packed = {path.stem: _head(path) for path in sorted((HERE / "data").glob("*.yaml"))}
    return {f"data={name}": text for name, text in packed.items()} | {
        f"download {name}": f"{source.title}; {source.licence}" for name, source in SOURCES.items()
    }


KINDS: Mapping[str, Callable[[], dict[str, str]]] = {
    "systems": systems, "encoders": encoders, "layouts": layouts, "papers": papers,
    "artefacts": artefacts, "labels": labels, "sources": sources,
}  # fmt: skip


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.list", description=__doc__)
    parser.add_argument("kind", choices=KINDS, metavar="|".join(KINDS), help="what to list")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args(argv)
    found = KINDS[args.kind]()
    if args.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    width = max(map(len, found))
    for name, text in found.items():
        print(f"{name:<{width}}  {text}".rstrip())
    return 0


def _head(path: Path) -> str:
    """Return the first sentence of the comment at the head of a configuration file."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.lstrip("# ").rstrip())
    text = " ".join(lines)
    end = text.find(". ")
    return text.rstrip(".") if end < 0 else text[:end]


def _arrangement(layout: Layout) -> str:
    strips = [cell.lead for cell in layout.cells if cell.strip]
    told = f"rows x columns {layout.rows} x {layout.columns}"
    told += f", {layout.seconds / layout.columns:g} s of each lead"
    return told + (f", strips of {', '.join(strips)}" if strips else "")


def _some(codes: Sequence[str], count: int = 8) -> str:
    return ", ".join(codes[:count]) + (", …" if len(codes) > count else "")


if __name__ == "__main__":
    raise SystemExit(main())
