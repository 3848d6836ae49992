"""Benchmark of prediction: time from a file to its prediction, in total and by stage.

    python -m experiments.bench predict
    python -m experiments.bench predict --bundle runs/vizecg/RUN/bundle page.png

Each round predicts the file as `ecgvision predict` does. It then repeats the two third-party stages
separately on the same bytes: decoding by OpenCV and the network by ONNX Runtime. The remainder is
the share of reading, checking, converting and resizing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.arguments import COUNT, DPI, THREADS

if TYPE_CHECKING:
    from ecgvision.deploy.bundle import Bundle

TARGET_SHARE = 0.25
ENCODER, SIZE = "tracenet", (288, 384)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add files, bundle, rounds, threads and dpi."""
    parser.add_argument("files", nargs="*", help="pictures (default: a drawn page, PNG and JPEG)")
    parser.add_argument("--bundle", help=f"default: {ENCODER} at {SIZE}, untrained")
    parser.add_argument("--rounds", type=COUNT, default=60, help="answers for each file")
    parser.add_argument("--threads", type=THREADS, default=0, help="of ONNX Runtime; 0: one a core")
    parser.add_argument("--dpi", type=DPI, default=200.0, help="of the drawn page")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure p50 and p95 in ms, in total and by stage, and the share of our own code."""
    from ecgvision.deploy.bundle import Bundle

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        path = Path(args.bundle) if args.bundle else untrained(folder / "bundle")
        ready = time.perf_counter()
        bundle = Bundle.open(path, threads=args.threads)
        opened = time.perf_counter()
        files = [Path(file) for file in args.files] or drawn(folder, args.dpi)
        return {
            "image_size": list(bundle.image_size),
            "threads": args.threads,
            **({} if args.bundle else {"export_seconds": ready - start}),
            "open_ms": 1000 * (opened - ready),
            "files": {file.name: measure(bundle, file, args.rounds) for file in files},
            "target_share": TARGET_SHARE,
        }


def measure(bundle: Bundle, file: Path, rounds: int) -> dict[str, Any]:
    """Measure one file, in total and by stage, in ms."""
    import cv2

    from ecgvision.data.network_input import to_network
    from ecgvision.deploy.ingest import read_page
    from ecgvision.deploy.predict import predict_file

    data = np.frombuffer(file.read_bytes(), np.uint8)
    page = read_page(file)
    batch = np.moveaxis(to_network(page, bundle.image_size), 2, 0)[None]
    flags = cv2.IMREAD_UNCHANGED if bytes(data[:4]) == b"\x89PNG" else cv2.IMREAD_COLOR
    stages: dict[str, Callable[[], object]] = {
        "answer": lambda: predict_file(bundle, file),
        "decode": lambda: cv2.imdecode(data, flags),
        "network": lambda: bundle.run(batch),
        "resize": lambda: to_network(page, bundle.image_size),
    }
    for stage in stages.values():
        stage()
    times = np.array([[_milliseconds(stage) for stage in stages.values()] for _ in range(rounds)])
    share = 1 - (times[:, 1] + times[:, 2]) / times[:, 0]
    return {
        "pixels": list(page.shape[:2]),
        "kilobytes": len(data) / 1000,
        **{
            f"{name}_ms": {"p50": float(np.median(t)), "p95": float(np.percentile(t, 95))}
            for name, t in zip(stages, times.T, strict=True)
        },
        "share_outside_decoding_and_network": float(np.median(share)),
    }


def _milliseconds(stage: Callable[[], object]) -> float:
    start = time.perf_counter()
    stage()
    return 1000 * (time.perf_counter() - start)


def untrained(folder: Path) -> Path:
    """Export a bundle of the default image network, untrained but as fast as a trained one."""
    import torch

    from ecgvision.deploy.export import export_bundle
    from ecgvision.labels.schemes import get_scheme
    from ecgvision.nn.student import Student
    from ecgvision.systems.vizecg.network import VizECGNet

    scheme = get_scheme("superdiagnostic")
    points = SimpleNamespace(temperature=1.0, thresholds=(0.5,) * len(scheme.codes))
    torch.manual_seed(0)
    network = VizECGNet(
        len(scheme.codes),
        image_size=SIZE,
        signal_length=1000,
        image_encoder=ENCODER,
        pretrained=False,
        streams="image",
    )
    student = Student(
        network.image_tower,
        network.image_head,
        image_size=SIZE,
        temperature=points.temperature,
        thresholds=points.thresholds,
    )
    images = np.random.default_rng(0).integers(0, 256, (2, 3, *SIZE), dtype=np.uint8)
    export_bundle(
        student, folder, scheme=scheme, points=points, metrics={}, check_images=images, info={}
    )
    return folder


def drawn(folder: Path, dpi: float) -> list[Path]:
    """Draw one page of twelve leads, as PNG and as JPEG of quality 90."""
    import cv2

    from ecgvision.core.layouts import get_layout
    from ecgvision.core.page import Page
    from ecgvision.render.draw import draw

    image = draw(_beats(), 500.0, Page(get_layout("3x4+II"), dpi=dpi)).image
    files = [folder / "page.png", folder / "page.jpg"]
    for file, options in zip(files, ([], [cv2.IMWRITE_JPEG_QUALITY, 90]), strict=True):
        kept = cv2.imencode(file.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1]
        file.write_bytes(kept.tobytes())
    return files


def _beats() -> NDArray[np.float32]:
    """Return (12, 5000) mV: one QRS and T wave per second, so that traces have a usual length."""
    t = np.arange(5000) / 500 % 1.0
    wave = np.exp(-(((t - 0.4) / 0.012) ** 2)) + 0.25 * np.exp(-(((t - 0.65) / 0.05) ** 2))
    height = np.linspace(0.4, 1.5, 12)[:, None]
    noise = np.random.default_rng(0).normal(0, 0.01, (12, 5000))
    return (height * wave + noise).astype(np.float32)
