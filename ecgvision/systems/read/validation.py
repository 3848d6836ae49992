"""How well validation pages are read, summed over all batches and processes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from ecgvision.reader.judge.digitisation import correlation

SUMS = ("correlation", "leads", "squared_error", "samples", "right", "cells")
"""Sums that are kept: of the correlations, of the leads that have one, of the squared errors in mV²
over printed samples, of printed samples, of samples whose presence is right, and of all samples."""


class ReadingMetric(Metric):
    """Correlation, RMSE and presence over printed samples, accumulated in double precision.

    `update` takes what was read and the truth, (B, 12, T) each: `signal` and `true` in mV,
    `presence` logits, and `printed` bool. `compute` returns `correlation`, its mean over pages and
    leads; `rmse` in mV; and `presence_accuracy`, the share of all samples.
    """

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        for name in SUMS:
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, signal: Tensor, presence: Tensor, true: Tensor, printed: Tensor) -> None:
        found, wanted = (torch.where(printed, v.detach().double(), torch.nan).cpu().numpy()
                         for v in (signal, true))  # fmt: skip
        r = correlation(wanted, found)
        right = ((presence > 0) == printed).sum()
        parts = (np.nansum(r), np.isfinite(r).sum(), np.nansum((found - wanted) ** 2),
                 printed.sum(), right, printed.numel())  # fmt: skip
        for name, part in zip(SUMS, parts, strict=True):
            setattr(self, name, getattr(self, name) + float(part))

    def compute(self) -> dict[str, Tensor]:
        r, leads, missed, samples, right, cells = (getattr(self, name) for name in SUMS)
        found = {"correlation": r / leads.clamp(min=1),
                 "rmse": (missed / samples.clamp(min=1)).sqrt(),
                 "presence_accuracy": right / cells}  # fmt: skip
        return {name: value.float() for name, value in found.items()}
