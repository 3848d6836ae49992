"""Benchmark of drawing a page, against matplotlib and against decoding the page's PNG by OpenCV.

python -m experiments.bench render
python -m experiments.bench render --kit CHECKOUT --kit-python PYTHON     # and ecg-image-kit
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

from ecgvision.core.arguments import COUNT, whole
from experiments.bench.beats import beats

SIZES = ((850, 1100), (1700, 2200))
TARGETS = {(850, 1100): 200.0, (1700, 2200): 100.0}  # speed-up over matplotlib


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is drawn, and rounds."""
    parser.add_argument("--layout", default="3x4+II", help="layout (default %(default)s)")
    parser.add_argument("--rate", type=whole(50, 10_000), default=500, help="Hz of the signal")
    parser.add_argument("--rounds", type=COUNT, default=30, help="pages a median is taken over")
    parser.add_argument("--store", metavar="STORE", help="draw records of this store instead")
    parser.add_argument("--kit", metavar="DIR", help="also against this checkout of ecg-image-kit")
    parser.add_argument("--kit-python", metavar="FILE", help="the kit's interpreter")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure medians in ms; the methods alternate, so that other load affects all of them."""
    signals = (
        _stored(args.store) if args.store else [(beats(args.rate, s), args.rate) for s in range(5)]
    )
    found = {
        f"{width}x{height}": _compare(signals, args.layout, (height, width), args.rounds)
        for height, width in SIZES
    }
    if args.kit:
        from experiments.bench import kit

        own = argparse.ArgumentParser()
        kit.add_arguments(own)
        where = [f"--kit={args.kit}"]
        if args.kit_python:
            where.append(f"--kit-python={args.kit_python}")
        found["ecg-image-kit"] = kit.run(own.parse_args(where))
    return found


def _compare(
    signals: list[tuple[NDArray[np.float32], float]],
    layout: str,
    size: tuple[int, int],
    rounds: int,
) -> dict[str, Any]:
    import cv2

    from ecgvision.core.layouts import get_layout
    from ecgvision.core.page import Page
    from ecgvision.render.draw import draw
    from ecgvision.render.papers.named import get_style
    from experiments.bench import matplotlib_page

    page, style = Page(get_layout(layout)).fit(size), get_style("kit", ink=(0, 0, 0))
    start = time.perf_counter()
    draw(*signals[0], page, style)
    first = time.perf_counter() - start
    took: dict[str, list[float]] = {}

    def clock(name: str, work: Callable[..., Any], *inputs: Any, **options: Any) -> Any:
        start = time.perf_counter()
        result = work(*inputs, **options)
        took.setdefault(name, []).append((time.perf_counter() - start) * 1e3)
        return result

    for i in tqdm(range(rounds), desc=f"{size[1]}x{size[0]}"):
        page_of = (*signals[i % len(signals)], page, style)
        image = clock("ms", draw, *page_of, points=False).image
        clock("ms_mask_points", draw, *page_of, mask=True)
        png = clock("ms_encode_png", cv2.imencode, ".png", image)[1]
        clock("ms_decode_png", cv2.imdecode, png, cv2.IMREAD_COLOR)
        if i < max(3, rounds // 4):
            clock("ms_matplotlib", matplotlib_page.draw, *page_of)
            clock("ms_matplotlib_lean", matplotlib_page.draw, *page_of, lean=True)
    found: dict[str, Any] = {name: median(values) for name, values in took.items()}
    found["ms_first"] = first * 1e3  # includes compilation, or loading of compiled code
    found["times_matplotlib"] = found["ms_matplotlib"] / found["ms"]
    found["target_times_matplotlib"] = TARGETS[size]
    found["times_matplotlib_lean"] = found["ms_matplotlib_lean"] / found["ms"]
    found["share_of_decode"] = found["ms"] / found["ms_decode_png"]
    return found


def _stored(path: str) -> list[tuple[NDArray[np.float32], float]]:
    from ecgvision.store.packed import Store

    store = Store(path)
    return [(store.read(row), store.rate) for row in range(min(len(store), 20))]
