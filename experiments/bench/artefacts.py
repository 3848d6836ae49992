"""Benchmark of artefacts: ms per page of each preset, against decoding the same page's JPEG.

python -m experiments.bench artefacts
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ecgvision.core.arguments import COUNT, STRENGTH

SIZES = ((192, 256), (384, 512), (768, 1024))
TARGETS = {"photo": 40.0, "scan": 20.0}  # ms at 768 x 1024 on one core


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add rounds, strength, and whether every artefact is also measured separately."""
    parser.add_argument("--rounds", type=COUNT, default=40, help="pages a median is taken over")
    parser.add_argument("--strength", type=STRENGTH, default=1.0, help="default %(default)s")
    parser.add_argument("--each", action="store_true", help="every artefact by itself as well")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure medians in ms on one core; presets and decoder alternate."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        return {f"{width}x{height}": _measure((height, width), args) for height, width in SIZES}
    finally:
        cv2.setNumThreads(threads)


def _measure(size: tuple[int, int], args: argparse.Namespace) -> dict[str, Any]:
    import cv2

    from ecgvision.render import artefacts

    image, dpi = _page(size)
    jpeg = cv2.imencode(".jpg", image)[1]
    names = [*artefacts.PRESETS, *(artefacts.ARTEFACTS if args.each else ())]
    took: dict[str, list[float]] = {}
    for name in names:  # warm-up: loads fonts, tables and libraries
        artefacts.apply(name, image, seed=0, dpi=dpi)
    artefacts.apply("jpeg", image, seed=0, dpi=dpi)
    for seed in tqdm(range(args.rounds), desc=f"{size[1]}x{size[0]}"):
        took.setdefault("decode_jpeg", []).append(_clock(cv2.imdecode, jpeg, cv2.IMREAD_COLOR))
        for name in names:
            took.setdefault(name, []).append(
                _clock(artefacts.apply, name, image, seed=seed, strength=args.strength, dpi=dpi)
            )
    found: dict[str, Any] = {"ms_decode_jpeg": median(took["decode_jpeg"])}
    for name in names:
        found[f"ms_{name}"] = median(took[name])
        found[f"ms_{name}_p90"] = float(np.percentile(took[name], 90))
    for name, target in TARGETS.items():
        found[f"times_decode_{name}"] = found[f"ms_{name}"] / found["ms_decode_jpeg"]
        if size == SIZES[-1]:
            found[f"target_ms_{name}"] = target
    return found


def _clock(work: Callable[..., Any], *inputs: Any, **options: Any) -> float:
    start = time.perf_counter()
    work(*inputs, **options)
    return (time.perf_counter() - start) * 1e3


def _page(size: tuple[int, int]) -> tuple[NDArray[np.uint8], float]:
    """Draw a page of synthetic beats that fills `size`; returns it with its dpi."""
    from ecgvision.core.layouts import get_layout
    from ecgvision.core.page import MM_PER_INCH, Page
    from ecgvision.render.draw import draw
    from experiments.bench.beats import beats

    height, width = size
    dpi = 100.0 * width / 1100
    paper = (height * MM_PER_INCH / dpi, width * MM_PER_INCH / dpi)
    page = Page(get_layout("3x4+II"), dpi=dpi, paper_mm=paper)
    return draw(beats(500, 1), 500.0, page, points=False).image, dpi
