"""A run in a process of its own that can be killed at a named moment.

Moments: `train:E:B`, `val:E:B` (before batch B of epoch E), `save:E` (half of the last checkpoint of
epoch E is written), `predict:N:B` (before batch B of the N-th prediction), `export` (the bundle is
finished but not yet in its place), `before_export`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import psutil
import pytest

FORKS = multiprocessing.get_context("forkserver")
"""Processes are forked from one that has imported everything and holds no threads."""


def start_forks() -> None:
    """Start that process, if it does not run; it finds its imports by PYTHONPATH alone."""
    paths = os.pathsep.join(path for path in sys.path if path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths)
        FORKS.set_forkserver_preload(["tests.killed_run_imports"])
        forkserver.ensure_running()


class Alarm:
    """Tells the parent that the moment has come, and waits for its end."""

    def __init__(self, moment: str, pipe: Any) -> None:
        self.kind, *numbers = moment.split(":")
        self.numbers, self.pipe = [int(n) for n in numbers], pipe

    def at(self, kind: str, *numbers: int) -> None:
        if kind == self.kind and list(numbers) == self.numbers:
            self.pipe.send("here")
            time.sleep(600)


def work(config: dict[str, Any], moment: str, graph: Path | None, pipe: Any) -> None:
    import lightning as L
    import onnx
    import torch

    from ecgvision.core import atomic_io
    from ecgvision.deploy import graph as graphs
    from ecgvision.systems import judging
    from ecgvision.systems.read import judging as read_judging
    from experiments import run, train

    multiprocessing.set_start_method("fork", force=True)  # of the loaders' processes, as is usual
    alarm = Alarm(moment, pipe)

    class Watch(L.Callback):
        predictions = 0

        def on_train_batch_start(self, trainer, module, batch, batch_idx):
            alarm.at("train", trainer.current_epoch, batch_idx)

        def on_validation_batch_start(self, trainer, module, batch, batch_idx, dataloader_idx=0):
            alarm.at("val", trainer.current_epoch, batch_idx)

        def on_predict_start(self, trainer, module):
            Watch.predictions += 1

        def on_predict_batch_start(self, trainer, module, batch, batch_idx, dataloader_idx=0):
            alarm.at("predict", Watch.predictions, batch_idx)

    def watched(self: Any, *args: Any, callbacks: Any = None, **kwargs: Any) -> None:
        real_trainer(self, *args, callbacks=[*(callbacks or []), Watch()], **kwargs)

    def save(self: Any, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        def half(obj: Any, file: Any) -> None:
            Path(file).write_bytes(b"half of a checkpoint")
            alarm.at("save", checkpoint["epoch"])
            torch.save(obj, file)

        real, train.torch = train.torch, _Torch(half)
        try:
            real_save(self, checkpoint, path, storage_options)
        finally:
            train.torch = real

    def put_in_place(folder: Path, target: Path) -> None:
        if target.name == "bundle":
            alarm.at("export")
        real_place(folder, target)

    def stopped(real: Any) -> Any:
        def export(*args: Any, **kwargs: Any) -> Any:
            alarm.at("before_export")
            return real(*args, **kwargs)

        return export

    def traced_before(*_: Any, **__: Any) -> onnx.ModelProto:
        assert graph is not None
        found = onnx.load(graph)
        del found.metadata_props[:]
        return found

    judging.export_signal = lambda *_, **__: {}  # that of an image student can be killed
    judging.write_report = lambda path, **_: path.touch()
    if graph is not None:
        graphs.to_onnx = traced_before
    real_trainer, L.Trainer.__init__ = L.Trainer.__init__, watched
    real_save, train.AtomicCheckpoints.save_checkpoint = (
        train.AtomicCheckpoints.save_checkpoint, save
    )  # fmt: skip
    real_place, atomic_io.put_in_place = atomic_io.put_in_place, put_in_place
    judging.export_bundle = stopped(judging.export_bundle)
    read_judging.export_reader = stopped(read_judging.export_reader)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        pipe.send(str(run.run(config)))


class _Torch:
    """torch, but for how it saves."""

    def __init__(self, save: Any) -> None:
        self.save = save


def until(
    config: dict[str, Any], moment: str, *, graph: Path | None = None, seconds: float = 240
) -> Path | None:
    """Run until the moment, kill the process, and see that its loaders' processes end with it.

    Args:
        graph: taken for the exported one. A page reader's takes long to trace; whether this one
            answers as the run's own network is compared as always.

    Returns:
        The run's folder if it ended before the moment, else None.
    """
    start_forks()
    ours, theirs = FORKS.Pipe()
    process = FORKS.Process(target=work, args=(config, moment, graph, theirs))
    process.start()
    theirs.close()
    try:
        assert ours.poll(seconds), f"{moment}: nothing within {seconds} s"
        told = ours.recv()
    except EOFError:
        process.join()
        raise AssertionError(f"{moment}: the run failed ({process.exitcode})") from None
    if told != "here":
        process.join()
        return Path(told)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.join()
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert not alive, f"{moment}: outlived by {alive}"
    return None
