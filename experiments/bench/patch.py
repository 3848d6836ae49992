"""Benchmark of PatchECG: packed tokens (without missing patches) against the padded grid.

python -m experiments.bench patch
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

from ecgvision.core.arguments import COUNT

LAYOUTS = ("3x4", "3x4+II", "6x2", "12x1")
TARGET = {"3x4": 2.0}  # speed-up


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add model size, rounds and device."""
    parser.add_argument("--width", type=COUNT, default=768, help="default %(default)s, the paper's")
    parser.add_argument("--batch", type=COUNT, default=16, help="records (default %(default)s)")
    parser.add_argument("--rounds", type=COUNT, default=7, help="a median is taken over")
    parser.add_argument("--train", action="store_true", help="forward and backward, not forward")
    parser.add_argument("--accelerator", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure tokens (patches with an observed sample) per second of both paths, alternating.

    Both paths should give the same logits; the largest difference is reported.
    """
    import torch
    from tqdm import tqdm

    from ecgvision.core.layouts import get_layout
    from ecgvision.data.masks import layout_mask
    from ecgvision.data.patch_settings import to_patches
    from ecgvision.systems.patchecg.network import PatchECG

    cuda = args.accelerator in ("auto", "cuda") and torch.cuda.is_available()
    device = "cuda" if cuda else "cpu"
    torch.manual_seed(0)
    model = PatchECG(5, width=args.width).to(device).train(args.train)
    out: dict[str, Any] = {"device": device, "width": args.width, "batch": args.batch,
                           "pass": "training" if args.train else "inference"}  # fmt: skip

    def once(value: Any, observed: Any, packed: bool) -> tuple[float, Any]:
        if cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.set_grad_enabled(args.train):
            logits = model(value, observed, packed=packed)["patches"]
            if args.train:
                logits.sum().backward()
        if cuda:
            torch.cuda.synchronize()
        return time.perf_counter() - start, logits.detach()

    for name in tqdm(LAYOUTS, desc="layouts"):
        mask = to_patches(layout_mask(get_layout(name), 1000, 100.0), 64, 64)
        observed = torch.from_numpy(mask).expand(args.batch, -1, -1, -1).to(device)
        value = torch.randn(observed.shape, device=device)
        model.eval()  # in training mode the batch norm statistics of the two paths would differ
        with torch.no_grad():
            same = (model(value, observed, packed=True)["patches"]
                    - model(value, observed, packed=False)["patches"]).abs().max()  # fmt: skip
        model.train(args.train)
        times: dict[bool, list[float]] = {True: [], False: []}
        for packed in (True, False):
            once(value, observed, packed)
        for _ in range(args.rounds):
            for packed in (True, False):
                times[packed].append(once(value, observed, packed)[0])
        tokens = int(observed.any(-1).sum())
        out[name] = {
            "tokens_a_record": tokens // args.batch,
            "packed_tokens_per_s": tokens / median(times[True]),
            "padded_tokens_per_s": tokens / median(times[False]),
            "packed_over_padded": median(times[False]) / median(times[True]),
            "largest_difference_of_logits": float(same),
        } | ({"target": TARGET[name]} if name in TARGET else {})  # fmt: skip
    return out
