"""Benchmark of training throughput: the real loader against the same steps on one cached batch.

The ratio measures how much the device waits for the loader. It needs free cores: if the network
itself runs on the CPU, loader and network compete for them.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ecgvision.core.arguments import COUNT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--exp", default="vizecg", help="system that is trained, e.g. read")
    parser.add_argument("--steps", type=COUNT, default=30, help="steps of each measurement")
    parser.add_argument("--records", type=COUNT, default=400, help="records of the synthetic store")
    parser.add_argument("--accelerator", default="auto", help="auto, cpu or cuda")
    parser.add_argument("overrides", nargs="*", default=[],
                        help="configuration overrides, e.g. data.batch_size=64")  # fmt: skip


def measure(task: Any, optimizer: Any, batches: Iterable[Any], device: str, dtype: Any) -> float:
    """Return the seconds of training steps over the batches."""
    import torch

    start = time.perf_counter()
    for batch in batches:
        moved = {k: v.to(device, non_blocking=True) for k, v in batch.items()}
        with torch.autocast(device, dtype, enabled=dtype is not None):
            _, parts = task.compute(moved)
            loss = torch.stack(list(parts.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def run(args: argparse.Namespace) -> dict[str, Any]:
    import torch

    from data_prep.synthesize import synthesize
    from ecgvision.trained_runs import build
    from experiments.configure import configure
    from experiments.train import precision

    use_cuda = args.accelerator in ("auto", "cuda") and torch.cuda.is_available()
    device = "cuda" if use_cuda else "cpu"
    half = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    dtype = half.get(precision("auto", device))
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        synthesize(store, records=args.records, seed=0, progress=False)
        config = configure([f"+exp={args.exp}", *args.overrides])
        config["data"]["store"] = [str(store)]
        cohort = build.build_cohort(config)
        data = build.build_data(config, cohort)
        task = build.build_task(config, data, pretrained=False)
        task.to(device).train()
        optimizer = torch.optim.AdamW(task.parameters(), lr=1e-4)
        loader = data.train_dataloader()
        epochs = itertools.chain.from_iterable(itertools.repeat(loader))
        warm = list(itertools.islice(epochs, 3))  # starts the workers, compiles the kernels
        measure(task, optimizer, warm, device, dtype)
        rounds = []
        for _ in range(3):  # alternating, so that other load affects both
            cached = measure(task, optimizer, itertools.repeat(warm[0], args.steps), device, dtype)
            real = measure(task, optimizer, itertools.islice(epochs, args.steps), device, dtype)
            rounds.append((cached, real))
    cached, real = (sorted(part)[1] for part in zip(*rounds, strict=True))
    records = args.steps * data.batch_size
    return {
        "exp": args.exp,
        "device": device,
        "precision": str(dtype or torch.float32).removeprefix("torch."),
        "batch": data.batch_size,
        "image_size": list(config["data"]["image_size"]),
        "cached_batch_records_per_s": records / cached,
        "real_loader_records_per_s": records / real,
        "real_over_cached": cached / real,
        "target_real_over_cached": 0.9,
    }
