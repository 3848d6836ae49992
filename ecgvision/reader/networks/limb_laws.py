"""Linear relations between limb leads: any three of them lie in one plane."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from ecgvision.core.limb_leads import LIMB_FROM_I_II


def _relations() -> Tensor:
    """Return (20, 6): for every three limb leads the coefficients of a sum that is 0.

    The largest coefficient is 1 in absolute value.
    """
    rows = []
    for trio in itertools.combinations(range(6), 3):
        a, b, c = (LIMB_FROM_I_II[i].astype(np.float64) for i in trio)
        factors = np.array([b[0] * c[1] - b[1] * c[0], c[0] * a[1] - c[1] * a[0],
                            a[0] * b[1] - a[1] * b[0]])  # fmt: skip
        row = np.zeros(6)
        row[list(trio)] = factors / np.abs(factors).max()
        rows.append(row)
    return torch.from_numpy(np.stack(rows)).float()


RELATIONS = _relations()
"""Coefficients of the 20 linear relations, (20, 6).

Limb leads lie in one plane, so any three of them obey a linear law: Einthoven's I - II + III = 0,
Goldberger's aVR + aVL + aVF = 0, and 18 others."""


def law_sums(signal: Tensor, printed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the absolute sum of every law at every sample, and where its three leads were printed.

    Shape:
        signal: (B, 12, T) mV; printed: (B, 12, T) bool; results: (B, 20, T) mV and bool.
    """
    relations = RELATIONS.to(signal.device)
    sums = torch.einsum("rl,blt->brt", relations, signal[:, :6].float()).abs()
    absent = torch.einsum("rl,blt->brt", (relations != 0).float(), (~printed[:, :6]).float())
    return sums, absent == 0
