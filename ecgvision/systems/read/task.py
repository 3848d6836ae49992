"""Training of page readers, without labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.losses.collapse import check_finite
from ecgvision.nn.training.task import BaseTask, Batch
from ecgvision.reader.losses import reading
from ecgvision.reader.losses.cells import cell_losses, cell_truth
from ecgvision.reader.losses.marks import mark_loss
from ecgvision.reader.page_reader import PageReader
from ecgvision.systems.read.validation import ReadingMetric
from ecgvision.systems.read.windows import Windows, draw_windows

WEIGHTS = {"lead": 1.0, "place": 1.0, "time": 1.0, "gain": 1.0, "mark": 1.0, "trace": 1.0,
           "below": 0.2, "waveform": 1.0, "snr": 1.0, "einthoven": 0.1}  # fmt: skip
"""Weights of the loss terms. Our defaults: every term is then of the order of 1 in the first steps,
and none outweighs the waveform at the end."""

WINDOW = 256
"""Number of samples of each lead that are decoded in a training step; our default: a lead of
3x4."""


class ReadTask(BaseTask):
    """Training task of a `PageReader`; validation logs metrics over printed samples.

    In training, columns are decoded along the true rows, shifted by a few pixels up or down to
    imitate the error of rows that are found. The decoder thus learns in parallel with the search
    for rows. In validation a page is read as in deployment. Logs `val/read_correlation`, the mean
    over pages and leads of the correlation of read and printed samples, `val/read_rmse` in mV and
    `val/presence_accuracy`.

    Args:
        model: a reader of the pages' window.
        weights: of the loss terms, overriding `WEIGHTS`; 0 leaves a term out.
        share: share of a training batch on which ink and columns are learned, in (0, 1]. The other
            pages train the search for rows only, which takes more pages to learn and less than half
            the time.
        frozen: names of modules of the reader that stay unchanged, including their batch norms.
        Others: see `BaseTask`.

    Raises:
        ConfigError: for an unknown term, a weight below 0, a share outside its range, or an unknown
            module.
    """

    def __init__(
        self, model: PageReader, *, weights: dict[str, float] | None = None, share: float = 1.0,
        frozen: Sequence[str] = (), **base: Any,
    ) -> None:  # fmt: skip
        super().__init__(model, (), **base)
        self.weights = WEIGHTS | (weights or {})
        if set(self.weights) != set(WEIGHTS) or not all(
            math.isfinite(w) and w >= 0 for w in self.weights.values()
        ):
            raise ConfigError(f"weights of reading are {', '.join(WEIGHTS)}, none below 0",
                              value=weights)  # fmt: skip
        if not 0 < share <= 1:
            raise ConfigError("loss.share must lie in (0, 1]", value=share)
        self.share = share
        modules = {name: module for name, module in model.named_modules() if name}
        if unknown := sorted({*frozen} - {*modules}):
            raise ConfigError(
                "model.frozen names no module of the reader", value=unknown,
                remedy=f"They are {', '.join(name for name in modules if name.count('.') < 3)}",
            )  # fmt: skip
        self.frozen = [modules[name].requires_grad_(False) for name in frozen]
        self.metric = ReadingMetric()

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        for module in self.frozen:
            module.eval()

    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return no logits, and the weighted loss terms on pages whose truth is known.

        Raises:
            DataError: if pages hold another number of samples than the network reads.
        """
        model = self.model
        assert isinstance(model, PageReader)
        if batch["signal"].shape[-1] != model.length:
            raise DataError("pages hold another number of samples than the network reads",
                            value=(batch["signal"].shape[-1], model.length))  # fmt: skip
        inked = math.ceil(self.share * len(batch["image"])) if self.training else None
        some = {key: part[:inked] for key, part in batch.items()}
        windows = draw_windows(some, min(WINDOW, model.length))
        seen, height, log_scale = model(batch["image"], windows.points, windows.up)
        grid = model.page.grid
        truth = cell_truth(
            batch["place"], batch["voltage_scale"], grid, to_gain=model.voltage_per_time_scale
        )
        parts = cell_losses(seen.cells, truth, grid)
        parts |= {
            "mark": mark_loss(seen.marks, batch["mark_place"], batch["mark"]),
            "trace": reading.trace_bce(seen.ink, some["trace"]),
            "below": reading.below_error(seen.offset, some["below"]),
        }
        parts |= self._waveform(height, log_scale, windows)
        weighed = {k: self.weights[k] * part for k, part in parts.items() if self.weights[k] > 0}
        return {}, weighed

    def _waveform(self, height: Tensor, log_scale: Tensor, windows: Windows) -> dict[str, Tensor]:
        voltage_scale = windows.voltage_scale[..., None]
        log_scale = log_scale - voltage_scale.abs().log()
        # heights were read above the shifted row, the truth is above the true row
        read = (height - windows.moved[..., None]) / voltage_scale
        return {
            "waveform": reading.laplace_nll(read, log_scale, windows.signal, windows.printed),
            "snr": reading.noise_ratio(read, windows.signal, windows.printed),
            "einthoven": reading.einthoven(windows.spread(read), windows.spread(windows.printed)),
        }

    def _shared_step(self, batch: Batch, stage: str) -> Tensor:
        _, parts = self.compute(batch)
        loss = torch.stack(list(parts.values())).sum()
        values = {f"{stage}/{name}": part.detach() for name, part in parts.items()}
        values[f"{stage}/loss"] = loss.detach()
        size = len(batch["image"])
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        if stage == "val":
            read = self.model(batch["image"])
            check_finite(read["signal"])
            self.metric.update(read["signal"], read["presence"], batch["signal"], batch["printed"])
        return loss

    def on_validation_epoch_start(self) -> None:
        self.metric.reset()

    def on_validation_epoch_end(self) -> None:
        names = {"correlation": "val/read_correlation", "rmse": "val/read_rmse",
                 "presence_accuracy": "val/presence_accuracy"}  # fmt: skip
        values = self.metric.compute()
        self.log_dict({names[key]: value for key, value in values.items()}, prog_bar=True)

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        read = self.model(batch["image"])
        kept = ("signal", "log_scale", "presence", "trace", "gain")
        return {k: read[k].float() for k in kept} | {"index": batch["index"]}
