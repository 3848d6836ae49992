"""Training of a network that reads pages; it needs no label."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ecgvision.ecg import ConfigError, DataError
from ecgvision.losses import reading
from ecgvision.models.reader import PageReader
from ecgvision.models.reading_heads import ends_of
from ecgvision.tasks.base import BaseTask, Batch

BACKBONE = "model.page.scales.encoder."
"""What stands before the image encoder's keys in a checkpoint of reading."""

WEIGHTS = {"waveform": 1.0, "presence": 1.0, "einthoven": 0.1, "place": 5.0, "where": 0.2}
"""Our defaults: every part is then of the order of 1 in the first steps and none outweighs the
waveform at the end."""


class ReadTask(BaseTask):
    """A `PageReader` and the parts of its loss; validation logs what was read of printed samples.

    Logs `val/read_correlation`, the correlation of read and printed samples over the whole split,
    `val/read_rmse` in mV and `val/presence_accuracy`.

    Args:
        model: whose patches the pages' samples are cut to, from the first.
        weights: of the parts, over `WEIGHTS`; 0 leaves a part out.
        tell: probability that in training a patch is read at its true place instead of where it
            was found. Our default: with 0, the head unlearns to follow the ink while the search
            still looks in the wrong place, with 1 it would never meet the search's errors.
        Others: see `BaseTask`.

    Raises:
        ConfigError: for an unknown part or a weight below 0.
    """

    def __init__(self, model: PageReader, *, weights: dict[str, float] | None = None,
                 tell: float = 0.5, **base: Any) -> None:  # fmt: skip
        super().__init__(model, (), **base)
        self.weights = WEIGHTS | (weights or {})
        if set(self.weights) != set(WEIGHTS) or not all(
            math.isfinite(w) and w >= 0 for w in self.weights.values()
        ):
            raise ConfigError(f"weights of reading are {', '.join(WEIGHTS)}, none below 0",
                              value=weights)  # fmt: skip
        if not 0 <= tell <= 1:
            raise ConfigError("loss.tell must be a probability", value=tell)
        self.tell = tell
        self.sums = np.zeros(8)  # of the split under validation, in all digits

    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What was read, and the weighted parts of the loss."""
        model = self.model
        assert isinstance(model, PageReader)
        cut = (model.patches, model.patch_length)
        length = model.patches * model.patch_length
        target, printed = batch["signal"][..., :length], batch["printed"][..., :length]
        if target.shape[-1] < length:
            raise DataError("pages hold fewer samples than the network's patches",
                            value=(target.shape[-1], length),
                            remedy="Set data.seconds or model.patches to fit")  # fmt: skip
        place = batch["place"][:, :, :length]
        told = None
        if self.training and self.tell > 0:
            ends, known = ends_of(*(v.unflatten(2, cut).flatten(1, 2) for v in (place, printed)))
            told = ends, known & (torch.rand(known.shape, device=known.device) < self.tell)
        read = model(batch["image"], told)
        parts = {
            "waveform": lambda: reading.laplace_nll(
                read["signal"], read["log_scale"], target, printed
            ),
            "presence": lambda: (
                reading.presence_bce(read["presence"], printed)
                + reading.presence_bce(read["there"], printed.unflatten(2, cut).any(-1))
            ),
            "einthoven": lambda: reading.einthoven(read["signal"], printed),
            "place": lambda: reading.place_loss(read["points"], place, printed),
            "where": lambda: reading.where_nll(
                read["where"], place.unflatten(2, cut), printed.unflatten(2, cut)
            ),
        }
        weighed = {name: self.weights[name] * part() for name, part in parts.items()
                   if self.weights[name] > 0}  # fmt: skip
        return read, weighed

    def _shared_step(self, batch: Batch, stage: str) -> Tensor:
        read, parts = self.compute(batch)
        loss = torch.stack(list(parts.values())).sum()
        values = {f"{stage}/{name}": part.detach() for name, part in parts.items()}
        values[f"{stage}/loss"] = loss.detach()
        size = len(batch["image"])
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        if stage == "val":
            self._count(read, batch)
        return loss

    def _count(self, read: dict[str, Tensor], batch: Batch) -> None:
        length = read["signal"].shape[-1]
        printed = batch["printed"][..., :length]
        x = read["signal"].detach()[printed].cpu().double().numpy()
        y = batch["signal"][..., :length][printed].cpu().double().numpy()
        right = int(((read["presence"] > 0) == printed).sum())
        self.sums += [len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y, right, printed.numel()]

    def on_validation_epoch_start(self) -> None:
        self.sums[:] = 0

    def on_validation_epoch_end(self) -> None:
        gathered = self.all_gather(torch.tensor(self.sums, dtype=torch.float32, device=self.device))
        assert isinstance(gathered, Tensor)
        sums = gathered.reshape(-1, 8).sum(0)
        n, x, y, xx, yy, xy, right, seen = sums.unbind()
        spread = ((xx - x * x / n) * (yy - y * y / n)).clamp(min=1e-12).sqrt()
        values = {
            "val/read_correlation": (xy - x * y / n) / spread,
            "val/read_rmse": ((xx - 2 * xy + yy).clamp(min=0) / n).sqrt(),
            "val/presence_accuracy": right / seen,
        }
        self.log_dict({k: v.float() for k, v in values.items()}, prog_bar=True)

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        read = self.model(batch["image"])
        kept = ("signal", "log_scale", "presence", "trace")
        return {k: read[k].float() for k in kept} | {"index": batch["index"]}
