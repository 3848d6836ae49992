"""Occlusion: how much the logit falls when a window of one lead is made flat (Zeiler, Fergus 2014).

It needs no gradient and so holds for any network, and its unit is logits per cell.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ecgvision.interpret.cells import Cells, Logits, answers


def occlusion(
    logits: Logits, signal: Tensor, label: int, *, observed: Tensor, width: int
) -> Tensor:
    """Return the attribution of a logit to every observed sample.

    Args:
        logits: function of signals (B, leads, ...) with the result (B, C), in eval mode.
        signal: (leads, ...) mV, 0 where not observed.
        label: column of the logits.
        observed: bool, the signal's shape.
        width: samples of a window.

    Returns:
        The signal's shape: the fall of the logit divided by the observed samples of the window, so
        that the sum over a window is its fall; 0 where not observed.

    Raises:
        ConfigError: for a width below 1.
    """
    cells = Cells(tuple(signal.shape), width)
    seen = cells.sums(observed)
    asked = torch.nonzero(seen).flatten()
    kept = torch.ones((len(asked) + 1, cells.count), dtype=torch.bool)
    kept[torch.arange(len(asked)) + 1, asked] = False
    found = answers(logits, signal, kept, cells, label)
    fall = torch.zeros(cells.count, dtype=torch.float64)
    fall[asked] = (found[0] - found[1:]) / seen[asked]
    return torch.where(observed, fall[cells.index], 0.0).to(signal.dtype)
