"""Draw docs/architecture.svg: the packages and rooms, in the order of the import contracts.

    python docs/draw_architecture.py

Names and order are those of pyproject.toml; only what a room holds is said here.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).parent

PACKAGES = {
    "experiments": "runs, studies, benchmarks, configuration",
    "data_prep": "from public sources and your own records to stores",
    "ecgvision": "the library",
}
ROOMS = {
    "cli": ("the command ecgvision", "answers for people"),
    "api": ("import ecgvision as ev", "functions for notebooks"),
    "interpret": ("explanations of an answer", "attributions"),
    "trained_runs": ("finished runs, opened and judged again", "evaluations"),
    "systems": ("networks, losses, tasks of each system", "runs, checkpoints"),
    "deploy": ("bundles, export, predict, digitize", "bundles"),
    "reader": ("the page reader as a library", "waveforms off pages"),
    "evaluate": ("metrics, intervals, reports, studies", "figures, operating points"),
    "nn": ("encoders, attention, losses, training", "logits"),
    "data": ("cohorts, loaders, augmentation, masks", "batches"),
    "render": ("pages, papers, artefacts", "pages with geometry and mask"),
    "store": ("packed signals and their table", "stores"),
    "records": ("WFDB, CSV and npy in and out", "records in mV"),
    "labels": ("pinned label schemes", "targets"),
    "core": ("leads, layouts, pages, errors, files", "types that all share"),
    "shipped": ("the page reader's weights and card", "a reader"),
}
"""What each room holds, and what it hands to those above it."""

WIDTH, LEFT, RIGHT = 880, 60, 820
BOX, GAP, TOP = 34, 6, 64
MIDDLE = 520
"""Pixels: of the picture, of a box and the gap below it; where what is handed up begins."""


def layers(container: str | None) -> list[str]:
    """The layers of a contract of pyproject.toml, from the top; None: those of the packages.

    Those that stand on one layer follow each other.
    """
    text = (DOCS.parent / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    wanted = None if container is None else [container]
    found = next(
        contract["layers"]
        for contract in contracts
        if contract["type"] == "layers" and contract.get("containers") == wanted
    )
    return [name.strip() for layer in found for name in layer.split("|")]


def box(y: int, name: str, holds: str, hands: str = "", *, left: int = LEFT) -> list[str]:
    """A room or package: its name, what it holds and what it hands up."""
    middle = y + BOX // 2 + 5
    return [
        f'<rect x="{left}" y="{y}" width="{RIGHT - left}" height="{BOX}" rx="4" class="box"/>',
        f'<text x="{left + 12}" y="{middle}" class="name">{escape(name)}</text>',
        f'<text x="{left + 130}" y="{middle}">{escape(holds)}</text>',
        f'<text x="{MIDDLE + 20}" y="{middle}" class="hands">{escape(hands)}</text>',
    ]


def arrow(x: int, start: int, end: int, words: str) -> list[str]:
    """An upright arrow with words along it."""
    middle = (start + end) // 2
    return [
        f'<line x1="{x}" y1="{start}" x2="{x}" y2="{end}" class="line" marker-end="url(#head)"/>',
        f'<text transform="translate({x - 8} {middle}) rotate(-90)" text-anchor="middle" '
        f'class="hands">{escape(words)}</text>',
    ]


def svg() -> str:
    """The picture.

    Raises:
        KeyError: for a package or room that the contracts name and this script does not.
    """
    parts: list[str] = []
    y = TOP
    *above, library = layers(None)
    for package in above:
        parts += box(y, package, PACKAGES[package])
        y += BOX + GAP
    parts.append(f'<text x="{LEFT}" y="{y + 26}" class="name">{escape(library)}</text>')
    parts.append(f'<text x="{LEFT + 130}" y="{y + 26}">{escape(PACKAGES[library])}</text>')
    parts.append(
        f'<text x="{MIDDLE + 20}" y="{y + 26}" class="hands">hands to the rooms above</text>'
    )
    y += 40
    for room in layers(library):
        parts += box(y, room, *ROOMS[room])
        y += BOX + GAP
    bottom = y - GAP
    parts += arrow(LEFT - 18, TOP, bottom, "imports run down")
    parts += arrow(RIGHT + 34, bottom, TOP, "data flows up")
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 20}" '
            f'width="{WIDTH}" height="{bottom + 20}" role="img">',
            "<title>Packages and rooms, in the order of the import contracts</title>",
            "<style>text{font:14px sans-serif;fill:#222}.name{font-weight:bold}.hands{fill:#a33}"
            ".box{fill:#fff;stroke:#888}.line{stroke:#888;stroke-width:1.5}</style>",
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0 10 5 0 10z" fill="#888"/></marker>'
            "</defs>",
            f'<rect width="{WIDTH}" height="{bottom + 20}" fill="#fafafa"/>',
            f'<text x="{LEFT}" y="34" class="name">Packages and rooms: each imports from those '
            "below it only</text>",
            *parts,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    (DOCS / "architecture.svg").write_text(svg(), encoding="utf-8")
