"""Training of the two networks that read flat pages, by Lightning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, TQDMProgressBar
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ecgvision.core.errors import ConfigError
from ecgvision.core.processors import loader_workers
from ecgvision.data.worker_processes import end_with_parent
from ecgvision.reader.data.flat.crops import MarkCrops, StripCrops
from ecgvision.reader.flat_reader import Viewer
from ecgvision.reader.layout.maps import PageMaps
from ecgvision.reader.losses.flat import SHARES, TRACE_SHARES, mark_loss, trace_loss
from ecgvision.reader.networks.mark_net import DeployedMarkNet, MarkNet
from ecgvision.reader.networks.trace_net import TraceNet
from ecgvision.reader.trace.strips import Tracer
from ecgvision.store.packed import Store

RATE, WEIGHT_DECAY, WARM_UP, CLIP, EMA = 2e-3, 1e-4, 0.1, 1.0, 0.998
"""Highest learning rate of the one-cycle schedule (Smith and Topin 2018) and its share of warm-up,
weight decay of AdamW, largest gradient norm, and decay of the weights' moving average; our
defaults."""


class Part(L.LightningModule):
    """One of the two networks, with its loss."""

    def __init__(self, part: str, steps: int) -> None:
        super().__init__()
        self.network: nn.Module = MarkNet() if part == "marks" else TraceNet()
        self.loss: Callable[..., dict[str, Tensor]] = mark_loss if part == "marks" else trace_loss
        self.shares = SHARES if part == "marks" else TRACE_SHARES
        self.steps = steps

    def training_step(self, batch: Sequence[Tensor], index: int) -> Tensor:
        image, *truth = batch
        parts = self.loss(self.network(image), *truth)
        self.log_dict({name: value.detach() for name, value in parts.items()}, prog_bar=True)
        return torch.stack([self.shares[name] * value for name, value in parts.items()]).sum()

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, self.steps,
                                                       pct_start=WARM_UP)  # fmt: skip
        return {"optimizer": optimizer,
                "lr_scheduler": {"scheduler": schedule, "interval": "step"}}  # fmt: skip


def train(
    part: str, stores: Sequence[Store], rows: Sequence[NDArray[np.int64]], out: Path, *,
    start: Path | None, steps: int, batch: int, devices: int, seed: int,
) -> None:  # fmt: skip
    """Train a network and write its averaged weights.

    Args:
        part: `marks` or `trace`.
        rows: records of each store.
        out: the file of weights.
        start: weights to start from; None starts at random.
        steps, batch: number of steps, and crops in each of every process.
        devices: processes.

    Raises:
        ConfigError: if `start` does not fit.
    """
    L.seed_everything(seed)
    module = Part(part, steps)
    if start is not None:
        module.network.load_state_dict(load(part, start).state_dict())
    crops = (MarkCrops if part == "marks" else StripCrops)(stores, rows, seed=seed)
    workers = max(1, loader_workers(None, devices))
    loader = DataLoader(crops, batch, num_workers=workers, worker_init_fn=_worker,
                        persistent_workers=True)  # fmt: skip
    trainer = L.Trainer(
        max_steps=steps, devices=devices, gradient_clip_val=CLIP, logger=False,
        enable_checkpointing=False, enable_model_summary=False,
        callbacks=[TQDMProgressBar(), EMAWeightAveraging(decay=EMA)],
    )  # fmt: skip
    trainer.fit(module, loader)
    if trainer.is_global_zero:
        out.parent.mkdir(parents=True, exist_ok=True)
        torch.save(module.network.state_dict(), out)


def load(part: str, path: Path) -> Any:
    """Return a network with the weights of a file, in evaluation mode.

    Raises:
        ConfigError: if they do not fit.
    """
    network = MarkNet() if part == "marks" else TraceNet()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds for a file that is none of its own
        raise ConfigError(f"no weights of the {part} network", file=path,
                              value=str(error).splitlines()[0][:200]) from error  # fmt: skip
    return network.eval()


def viewer_of(network: MarkNet) -> Viewer:
    """Return the function that `read_picture` takes."""
    deployed = DeployedMarkNet(network).eval()

    def view(page: NDArray[np.uint8]) -> PageMaps:
        return PageMaps(*(value[0].numpy() for value in deployed(torch.from_numpy(page)[None])))

    return view


def tracer_of(network: TraceNet) -> Tracer:
    """Return the function that `read_picture` takes."""

    def trace(strips: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        height, printed = network(torch.from_numpy(strips))
        return height.numpy(), printed.numpy()

    return trace


def _worker(_: int) -> None:
    end_with_parent()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
