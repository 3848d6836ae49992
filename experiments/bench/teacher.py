"""Benchmark of MVKT-ECG training steps: teacher run at every step against cached teacher outputs.

python -m experiments.bench teacher
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from ecgvision.core.arguments import COUNT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add networks, batch size, rounds and device."""
    parser.add_argument("--teacher", default="resnet1d_wang", help="default %(default)s")
    parser.add_argument("--student", default="resnet1d_lite", help="default %(default)s")
    parser.add_argument("--batch", type=COUNT, default=32, help="records (default %(default)s)")
    parser.add_argument("--rounds", type=COUNT, default=9, help="steps a median is taken over")
    parser.add_argument("--accelerator", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the seconds per step with and without the cache, alternating, on one batch."""
    import torch

    from data_prep.synthesize import synthesize
    from ecgvision.nn.signal_net import SignalNet
    from ecgvision.nn.training.teacher import Teacher
    from ecgvision.systems.mvkt import system
    from ecgvision.trained_runs import build
    from experiments.configure import configure

    cuda = args.accelerator in ("auto", "cuda") and torch.cuda.is_available()
    device = "cuda" if cuda else "cpu"
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        synthesize(store, records=8 * args.batch, seed=0, progress=False)
        config = configure(["+exp=mvkt", f"model.encoder={args.student}", "data.num_workers=0",
                            f"data.batch_size={args.batch}", "loss.clt_k=64"])  # fmt: skip
        config["data"]["store"] = [str(store)]
        cohort = build.build_cohort(config)
        data = build.build_data(config, cohort)
        network = SignalNet(len(cohort.scheme.codes), encoder=args.teacher)
        remember = int(cohort.index.max()) + 1
        tasks: dict[str, Any] = {}
        for name, kept in (("asked", 0), ("kept", remember)):
            teacher = Teacher(network, remember=kept)
            tasks[name] = system.make_task(config, data, teacher).to(device).train()
            tasks[name].log_dict = lambda *_, **__: None  # there is no trainer
        batch = {k: v.to(device) for k, v in next(iter(data.train_dataloader())).items()}
    took: dict[str, list[float]] = {name: [] for name in tasks}
    for round_ in range(args.rounds + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            torch.stack(list(task.compute(batch)[1].values())).sum().backward()
            task.zero_grad()
            if cuda:
                torch.cuda.synchronize()
            if round_:  # the first round runs the teacher in both cases
                took[name].append(time.perf_counter() - start)
    asked, kept_s = (median(took[name]) for name in ("asked", "kept"))
    return {
        "device": device,
        "teacher": args.teacher,
        "student": args.student,
        "batch": args.batch,
        "asked_s_a_step": asked,
        "kept_s_a_step": kept_s,
        "asked_over_kept": asked / kept_s,
    }
