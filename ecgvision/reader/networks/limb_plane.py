"""Six limb leads from two: what was read of all is brought to what two electrodes could make."""

from __future__ import annotations

import torch
from torch import Tensor

from ecgvision.core.limb_leads import LIMB_FROM_I_II

LAWFUL = 0.25
"""Share of their size (both weighted root mean squares) by which limb leads may miss the plane and
still be brought to it; our default. Four of five validation pages miss it by less than .2, and are
half a decibel nearer to what was printed for it; those that miss it by more than .3 are not; leads
that were recorded one after another miss it by .42 or more."""

LEAST = 1e-6
"""Square, in mV, that counts as no size at all."""


def in_plane(signal: Tensor, log_scale: Tensor, printed: Tensor) -> Tensor:
    """Limb leads as the sums of one I and one II that come nearest to all that was read of them.

    Six readings of two unknowns, so what was misread of one lead is outvoted by the others (least
    squares by each sample's own scale; Einthoven 1912, Goldberger 1942). A sample counts where
    three limb leads or more are printed at that moment, and a page where its leads nearly obey the
    law already: pages whose rows were not recorded at once stay as they were read.

    Args:
        log_scale: log of each sample's Laplace scale.
        printed: bool.

    Shape:
        signal, log_scale, printed and the result: (B, 12, T); signal in mV.
    """
    limb, chest = signal[:, : len(LIMB_FROM_I_II)], signal[:, len(LIMB_FROM_I_II) :]
    shown = printed[:, : len(LIMB_FROM_I_II)]
    sums = torch.from_numpy(LIMB_FROM_I_II).to(signal)
    weight = shown * (-log_scale[:, : len(LIMB_FROM_I_II)].detach()).exp()
    weight = weight / weight.amax(1, keepdim=True).clamp(min=1e-9)
    aa, ab, bb = torch.einsum("blt,lk->kbt", weight, _products(sums))
    a, b = torch.einsum("blt,li->ibt", weight * limb, sums)
    size = aa * bb - ab * ab
    size = torch.where(size > 1e-6, size, 1.0)
    one, two = (bb * a - ab * b) / size, (aa * b - ab * a) / size
    plane = torch.einsum("ibt,li->blt", torch.stack([one, two]), sums)
    told = shown & (shown.sum(1, keepdim=True) > 2)
    missed, whole = ((told * weight * part.square()).sum((1, 2)) for part in (plane - limb, limb))
    lawful = missed < LAWFUL**2 * whole.clamp(min=LEAST)
    limb = torch.where(told & lawful[:, None, None], plane, limb)
    return torch.cat([limb, chest], dim=1)


def _products(sums: Tensor) -> Tensor:
    """(6, 3): of each lead's shares of I and II both squares, and between them the product."""
    one, two = sums.unbind(1)
    return torch.stack([one * one, one * two, two * two], dim=1)
