"""Checks of an explanation: does the answer depend on what it points at, and it on the network?

Deletion and insertion (Petsiuk et al. 2018, RISE): cells are made flat from the most to the least
supporting, and the probability should fall at once; or they are put back on a flat record, and it
should rise at once. Randomised weights (Adebayo et al. 2018, Sanity Checks for Saliency Maps): an
explanation that stays as it was when the weights are drawn anew does not explain the network.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.stats import spearmanr
from torch import Tensor, nn

from ecgvision.interpret.cells import Cells, Logits, answers

STEPS = 20
"""Steps of a curve (our default)."""

RANDOM_ORDERS = 5
"""Random orders whose mean a curve is held against (our default)."""


@dataclass(frozen=True)
class Curves:
    """Logit along deletion and insertion, and for random orders of the cells.

    Attributes:
        share: (S,) share of the observed cells that were changed.
        deletion, insertion: (S,) logits.
        random_deletion, random_insertion: (S,) means over random orders.
    """

    share: NDArray[np.float64]
    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]
    random_deletion: NDArray[np.float64]
    random_insertion: NDArray[np.float64]

    @property
    def deletion_gain(self) -> float:
        """Area between the random deletion and the explanation's, in logits; more is better."""
        return float(trapezoid(self.random_deletion - self.deletion, self.share))

    @property
    def insertion_gain(self) -> float:
        """Area between the insertion by the explanation and the random one; more is better."""
        return float(trapezoid(self.insertion - self.random_insertion, self.share))


def curves(
    logits: Logits, signal: Tensor, label: int, attribution: Tensor, *, observed: Tensor,
    width: int, seed: int = 0,
) -> Curves:  # fmt: skip
    """Return the deletion and insertion curves of an explanation.

    Args:
        logits: function of signals (B, leads, ...) with the result (B, C), in eval mode.
        signal: (leads, ...) mV.
        label: column of the logits.
        attribution: the signal's shape; larger supports the label more.
        observed: bool, the signal's shape.
        width: samples of a cell.
        seed: of the random orders.
    """
    cells = Cells(tuple(signal.shape), width)
    there = torch.nonzero(cells.sums(observed)).flatten()
    worth = cells.sums(torch.where(observed, attribution, 0.0))[there]
    rng = np.random.default_rng(seed)
    orders = [there[torch.argsort(worth, descending=True, stable=True)]]
    orders += [there[torch.from_numpy(rng.permutation(len(there)))] for _ in range(RANDOM_ORDERS)]
    ends = np.unique(np.linspace(0, len(there), STEPS + 1).round().astype(int))
    deleted, inserted = [], []
    for order in orders:
        kept = torch.ones((len(ends), cells.count), dtype=torch.bool)
        for row, end in enumerate(ends):
            kept[row, order[:end]] = False
        observed_cells = torch.zeros(cells.count, dtype=torch.bool)
        observed_cells[there] = True
        deleted.append(answers(logits, signal, kept, cells, label).numpy())
        inserted.append(answers(logits, signal, ~kept & observed_cells, cells, label).numpy())
    return Curves(
        ends / max(len(there), 1), deleted[0], inserted[0], np.mean(deleted[1:], axis=0),
        np.mean(inserted[1:], axis=0),
    )  # fmt: skip


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """Return a copy of a network with its weights drawn anew, as large as they were.

    Each tensor of weights is permuted, so that its distribution stays and what it learned is lost.
    """
    made = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in made.parameters():
            order = torch.randperm(weights.numel(), generator=generator)
            weights.copy_(weights.flatten()[order].reshape(weights.shape))
    return made.eval()


def similarity(a: Tensor, b: Tensor, observed: Tensor, *, width: int) -> float:
    """Return Spearman's rank correlation of two explanations over their observed cells."""
    cells = Cells(tuple(a.shape), width)
    there = cells.sums(observed) > 0
    first, second = (cells.sums(torch.where(observed, x, 0.0))[there].numpy() for x in (a, b))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first, second).statistic)


def points_at(attribution: Tensor, place: Tensor, *, observed: Tensor, width: int) -> bool:
    """Return whether the most supporting cell overlaps a place: one round of the pointing game.

    Args:
        attribution, observed: the signal's shape.
        place: bool, the signal's shape: where the condition is.
        width: samples of a cell.

    Source: Zhang et al. 2018, Top-down Neural Attention by Excitation Backprop.
    """
    cells = Cells(tuple(attribution.shape), width)
    worth = cells.sums(torch.where(observed, attribution, 0.0))
    worth[cells.sums(observed) == 0] = -torch.inf
    return bool(cells.sums(place & observed)[int(worth.argmax())] > 0)
