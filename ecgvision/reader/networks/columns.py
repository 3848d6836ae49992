"""Snap the start and end of each lead to the columns of the page."""

from __future__ import annotations

import torch
from torch import Tensor

PARTS = 12
"""Number of equal parts of the window at whose ends a lead may begin or end. Our default: a page
has 1, 2, 3, 4, 6 or 12 columns of equal width."""

PURE = 0.25
"""Threshold on the share of disagreeing samples in a part. Below it, a nearly printed part counts
as printed to its ends, and a hardly printed part as not printed. Our default: a fifth of a second
in a window of 10 s, twice the error of 16-pixel cells at the border between two leads."""

SIDE = 1e-3
"""Distance from 0.5 of a probability that was moved across 0.5; our default."""


def snap_to_columns(presence: Tensor) -> Tensor:
    """Snap presence probabilities to the parts of the window.

    A part that is nearly all printed becomes printed to its ends, and a part that is hardly printed
    becomes not printed. Other parts are unchanged.

    Shape:
        presence and the result: (B, 12, T).
    """
    length = presence.shape[-1]
    part = (2 * torch.arange(length, device=presence.device) + 1) * PARTS // (2 * length)
    member = (part[:, None] == torch.arange(PARTS, device=presence.device)).to(presence.dtype)
    share = ((presence > 0.5).to(presence.dtype) @ member / member.sum(0).clamp(min=1)) @ member.T
    up = torch.where(share > 1 - PURE, presence.clamp(min=0.5 + SIDE), presence)
    return torch.where(share < PURE, presence.clamp(max=0.5 - SIDE), up)
