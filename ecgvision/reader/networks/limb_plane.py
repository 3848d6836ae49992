"""Project the limb leads that were read onto the plane spanned by I and II."""

from __future__ import annotations

import torch
from torch import Tensor

from ecgvision.core.limb_leads import LIMB_FROM_I_II

MAX_DEVIATION = 0.25
"""Maximum deviation from the plane for which limb leads are projected, relative to their size (both
weighted root mean squares). Our default: four of five validation pages deviate by less than .2, and
gain half a decibel. Pages that deviate by more than .3 do not gain. Leads that were recorded one
after another deviate by .42 or more."""

LEAST = 1e-6
"""Minimum of a squared size, in mV²."""


def project_to_plane(signal: Tensor, log_scale: Tensor, printed: Tensor) -> Tensor:
    """Replace limb leads by the combinations of I and II that fit all of them best.

    Six readings determine two unknowns, so an error in one lead is outvoted by the others (least
    squares, weighted by the inverse of each sample's scale; Einthoven 1912, Goldberger 1942). Only
    samples at which three limb leads or more are printed are changed. Only pages whose leads nearly
    obey the law already are changed: rows that were not recorded at the same time stay as they were
    read.

    Args:
        signal: mV.
        log_scale: log of each sample's Laplace scale.
        printed: bool.

    Shape:
        signal, log_scale, printed and the result: (B, 12, T).
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
    lawful = missed < MAX_DEVIATION**2 * whole.clamp(min=LEAST)
    limb = torch.where(told & lawful[:, None, None], plane, limb)
    return torch.cat([limb, chest], dim=1)


def _products(sums: Tensor) -> Tensor:
    """Return (6, 3): the products aa, ab and bb of each lead's coefficients a of I and b of II."""
    one, two = sums.unbind(1)
    return torch.stack([one * one, one * two, two * two], dim=1)
