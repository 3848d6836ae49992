"""Leads of a page begin and end where its columns do."""

from __future__ import annotations

import torch
from torch import Tensor

PARTS = 12
"""Equal parts of the window at whose ends leads may begin and end: a page has 1, 2, 3, 4, 6 or 12
columns, each as wide as the others; our default."""

PURE = 0.25
"""A part is held to be printed wholly where less than this share of its samples seems not to be,
and not at all where less than this does; our default, a fifth of a second of ten, twice what cells
of 16 pixels are off by where one lead ends and another begins."""

SIDE = 1e-3
"""How far on its side of a half a probability stands that was on the other; our default."""


def by_columns(presence: Tensor) -> Tensor:
    """Probabilities that samples were printed, of which a part that is nearly all printed is
    printed to its ends, and one that is hardly printed not at all. Others stay as they are.

    Shape:
        presence and the result: (B, 12, T).
    """
    length = presence.shape[-1]
    part = (2 * torch.arange(length, device=presence.device) + 1) * PARTS // (2 * length)
    member = (part[:, None] == torch.arange(PARTS, device=presence.device)).to(presence.dtype)
    share = ((presence > 0.5).to(presence.dtype) @ member / member.sum(0).clamp(min=1)) @ member.T
    up = torch.where(share > 1 - PURE, presence.clamp(min=0.5 + SIDE), presence)
    return torch.where(share < PURE, presence.clamp(max=0.5 - SIDE), up)
