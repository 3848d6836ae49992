"""Benchmark of `ecgvision digitize` on unreadable pictures: how many it refuses, and how fast.

    python -m experiments.bench digitize --store stores/own

Pages are drawn from the validation folds of the package's reader, alternating six clean and six
photographed ones, in six layouts. Each is measured as it is, and made unreadable in each way of
`ecgvision.reader.data.unreadable`. Times are in network passes: multiples of the time of one
forward pass on the same picture, without trying other orientations.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.arguments import COUNT, THREADS
from ecgvision.core.errors import ConfigError, ImageError
from ecgvision.core.run_folder import read_config
from ecgvision.render.papers.named import MIXED, paper_of
from ecgvision.shipped import READER
from ecgvision.store.packed import Store, check_store

if TYPE_CHECKING:
    from ecgvision.deploy.reader_bundle import ReaderBundle

LAYOUTS = ("3x4", "3x4+II", "6x2", "12x1", "3x4+V1+II+V5", "1x1:II")
DPI = 100.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the reader, and the stores of the pages."""
    parser.add_argument("--bundle", help="of a reader; default: the package's")
    parser.add_argument("--store", nargs="+", required=True, metavar="DIR",
                        help="stores of the records that pages are drawn of")  # fmt: skip
    parser.add_argument("--pages", type=COUNT, default=24, help="at most; default %(default)s")
    parser.add_argument("--threads", type=THREADS, default=0, help="of ONNX Runtime; 0: one a core")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure for each kind of picture: number, number refused, median time."""
    for folder in args.store:
        check_store(folder)
    from ecgvision.deploy.reader_bundle import ReaderBundle
    from ecgvision.reader.data.unreadable import WAYS

    bundle = ReaderBundle.open(args.bundle or READER / "bundle", threads=args.threads)
    taken: dict[str, list[tuple[bool, float, float]]] = {}
    for number, page in enumerate(drawn(args.store, args.pages)):
        rng = np.random.default_rng(number)
        taken.setdefault("as it is", []).append(measure(bundle, page))
        for name, way in WAYS.items():
            taken.setdefault(name, []).append(measure(bundle, way(page, rng)))
    return {
        name: {
            "pages": len(each),
            "refused": sum(refused for refused, _, _ in each),
            "median_ms": 1000 * float(np.median([long for _, long, _ in each])),
            "passes": float(np.median([long / once for _, long, once in each])),
        }
        for name, each in taken.items()
    }


def drawn(stores: Sequence[str], pages: int) -> Iterator[NDArray[np.uint8]]:
    """Draw pages of evenly spaced records from the validation folds of the package's reader.

    Raises:
        ConfigError: if there is no record in these folds.
    """
    from ecgvision.render import artefacts
    from ecgvision.render.draw import draw

    folds = read_config(READER)["data"]["folds"]["val"]
    found = [(store, int(row)) for store in map(Store, stores)
             for row in np.flatnonzero(store.records["fold"].isin(folds))]  # fmt: skip
    if not found:
        raise ConfigError("there is no page to draw", value=f"folds {folds}",
                          remedy="Give stores with records of these folds")  # fmt: skip
    for number, at in enumerate(np.linspace(0, len(found) - 1, min(pages, len(found))).astype(int)):
        store, row = found[at]
        layout = LAYOUTS[number % len(LAYOUTS)]
        paper = paper_of(MIXED, layout, np.random.default_rng(number))
        page = paper.page(layout, dpi=DPI)
        image = draw(store.read(row), store.rate, page, paper.style, seed=number,
                     points=False).image  # fmt: skip
        if number // len(LAYOUTS) % 2:
            image = artefacts.apply("photo", image, seed=number, dpi=DPI).image
        yield image


def measure(bundle: ReaderBundle, image: NDArray[np.uint8]) -> tuple[bool, float, float]:
    """Digitise a picture; returns whether it is refused, the seconds, and those of one pass."""
    from ecgvision.data.network_input import to_network
    from ecgvision.deploy.digitize import digitize

    start = time.perf_counter()
    bundle.run(np.moveaxis(to_network(image, bundle.image_size), 2, 0)[None])
    once = time.perf_counter()
    try:
        digitize(bundle, image)
        refused = False
    except ImageError:
        refused = True
    return refused, time.perf_counter() - once, once - start
