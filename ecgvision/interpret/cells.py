"""Cells of a signal: windows of one lead that are changed together.

Occlusion and the checks of explanations change a signal cell by cell. A changed cell is flat (0 mV)
and stays observed, so that the network sees a lead without deflections and not a lead less.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ecgvision.core.errors import ConfigError

SECONDS = 0.2
"""Width of a cell (our default: about a QRS complex with its surroundings)."""

BATCH = 64
"""Signals per call of the network (our default)."""

Logits = Callable[[Tensor], Tensor]
"""Function of signals (B, leads, ...) with the result (B, C)."""


class Cells:
    """Cells of a signal of shape (leads, ...), whose samples are in order of time.

    Args:
        shape: of the signal, without the batch.
        width: samples of a cell; the last one of a lead may be shorter.

    Raises:
        ConfigError: for a width below 1.
    """

    def __init__(self, shape: tuple[int, ...], width: int) -> None:
        if width < 1:
            raise ConfigError("a cell must have a sample", value=width)
        self.shape, self.width = shape, width
        length = 1
        for size in shape[1:]:
            length *= size
        time = torch.arange(length) // width
        self.per_lead = int(time[-1]) + 1
        lead = torch.arange(shape[0])[:, None] * self.per_lead
        self.index = (lead + time[None]).reshape(shape)
        """Number of the cell of each sample."""

    @property
    def count(self) -> int:
        """How many cells there are."""
        return self.shape[0] * self.per_lead

    def sums(self, values: Tensor) -> Tensor:
        """Return the (cells,) sum of values of the signal's shape over each cell."""
        out = torch.zeros(self.count, dtype=torch.float64)
        return out.index_add(0, self.index.flatten(), values.double().flatten())

    def kept(self, cells: Tensor) -> Tensor:
        """Return masks (B, leads, ...) bool of samples whose cells are kept, of (B, cells) bool."""
        return cells[:, self.index.flatten()].reshape(len(cells), *self.shape)


def answers(logits: Logits, signal: Tensor, kept: Tensor, cells: Cells, label: int) -> Tensor:
    """Return (B,) logits of a label with some cells made flat.

    Args:
        logits: of the network.
        signal: (leads, ...) mV.
        kept: (B, cells) bool.
        cells: of the signal.
        label: column of the logits.
    """
    found = []
    with torch.no_grad():
        for part in kept.split(BATCH):
            found.append(logits(torch.where(cells.kept(part), signal, 0.0))[:, label])
    return torch.cat(found).double()
