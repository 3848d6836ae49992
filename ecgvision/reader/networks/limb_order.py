"""Order of the limb leads, standard or Cabrera's, determined once per page."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.reader.networks.dense_head import INVERTED, Cells
from ecgvision.reader.networks.limb_laws import law_sums

LIMB_COUNT = 6
AVR = LEAD_INDEX["aVR"]

STANDARD = [LEAD_INDEX[lead] for lead in ("I", "II", "III", "aVR", "aVL", "aVF")]
CABRERA = [LEAD_INDEX["aVL"], LEAD_INDEX["I"], INVERTED, LEAD_INDEX["II"], LEAD_INDEX["aVF"],
           LEAD_INDEX["III"]]  # fmt: skip
"""Class indices of the cells at the six places of limb leads, in each order."""

ANSWERS = [*STANDARD, INVERTED]

PLACE_IN_CABRERA = [CABRERA.index(INVERTED if lead == AVR else lead) for lead in STANDARD]
"""Places of I, II, III, aVR, aVL and aVF in Cabrera's order."""

CHEST = list(range(LIMB_COUNT, len(LEADS)))
TO_CABRERA = [*PLACE_IN_CABRERA, *CHEST]
"""For each lead, the lead whose row it is taken from when a page that was read in standard order is
in Cabrera's."""

TO_STANDARD = [*(AVR if lead == INVERTED else lead for lead in CABRERA), *CHEST]
"""The same for a page that was read in Cabrera's order and is in standard order."""

DOUBTS = (0.02, 0.25, 0.5, 0.75, 0.98)
"""Candidate probabilities of Cabrera's order that the cells of a page may share; our default."""

SLIP = 0.01
"""Probability of an answer that neither order has at a place; our default."""

MAX_ERROR_RATIO = 0.65
"""Ratio of law errors below which the other order is taken. The error in the other order must be at
most this share of the error in the order that the cells predict. Our default: on validation pages
with wrong names the ratio was at most .54, on all others at least .8."""


class Named(NamedTuple):
    """The lead of each cell.

    Attributes:
        leads: (B, 12, N), the probability that each lead's 0 mV line is near the cell.
        cabrera: (B,) bool, whether the limb leads are in Cabrera's order, with aVR inverted.
        sure: (B,) bool, whether the cells leave no doubt about the order.
    """

    leads: Tensor
    cabrera: Tensor
    sure: Tensor

    def sign(self) -> Tensor:
        """Return (B, 12): -1 for a lead that is printed inverted, else 1."""
        return _sign(self.cabrera)


def name_cells(cells: Cells) -> Named:
    """Name the leads of all cells in one order per page. Our own design.

    Cells that cannot tell the orders apart give half their probability to each of two names, and a
    lead would then be in two rows. So the first step determines at which of the six places a cell
    is, given the uncertainty of the page's cells (the most likely of `DOUBTS`). The second step
    determines, once per page, the names of the places.
    """
    shares = cells.logits.softmax(1)
    limb = shares[:, ANSWERS]  # (B, 7, N)
    mass = limb.sum(1, keepdim=True)
    usual = limb / mass.clamp(min=1e-6)
    doubts = torch.tensor(DOUBTS, device=shares.device)
    scores = torch.einsum("dka,ban->bdkn", _table(doubts), usual)
    likely = (scores.amax(2) * mass.square()).sum(2)  # (B, doubts)
    best = F.one_hot(likely.argmax(1), len(DOUBTS)).to(scores.dtype)
    places = (2 * torch.einsum("bd,bdkn->bkn", best, scores)).softmax(1) * mass
    leaning = shares[:, INVERTED].square().sum(1) - shares[:, AVR].square().sum(1)
    doubt = best @ doubts
    cabrera = (doubt > 0.6) | ((doubt > 0.4) & (leaning > 0))
    named = torch.where(cabrera[:, None, None], places[:, PLACE_IN_CABRERA], places)
    sure = (doubt < 0.1) | (doubt > 0.9)
    return Named(torch.cat([named, shares[:, LIMB_COUNT : len(LEADS)]], dim=1), cabrera, sure)


def by_einthoven(signal: Tensor, printed: Tensor, named: Named) -> tuple[Tensor, Tensor]:
    """Check the order of the limb leads by Einthoven's law, and return how to correct it.

    The order is only changed where the cells were in doubt and three limb leads were printed at the
    same time. Any three limb leads obey a linear law, which wrong names break.

    Args:
        signal: (B, 12, T) mV, by the predicted names.
        printed: (B, 12, T) bool.
        named: the predicted names.

    Returns:
        (B, 12), the lead whose row each lead is to be taken from, and (B, 12), the factor that its
        values are to be multiplied by.
    """
    cabrera = named.cabrera
    # len(signal) would fix the batch size in an exported graph
    order = torch.arange(len(LEADS), device=signal.device).expand(signal.shape[0], -1)
    turned = torch.where(
        cabrera[:, None], order.new_tensor(TO_STANDARD), order.new_tensor(TO_CABRERA)
    )
    factor = _sign(cabrera).gather(1, turned) * _sign(~cabrera)
    own, own_count = _miss(signal, printed)
    other, other_count = _miss(select_rows(signal, turned) * factor[..., None],
                               select_rows(printed, turned))  # fmt: skip
    known = (own_count > 0) & (other_count > 0)
    flip = (known & ~named.sure & (other < MAX_ERROR_RATIO * own))[:, None]
    return torch.where(flip, turned, order), torch.where(flip, factor, torch.ones_like(factor))


def select_rows(part: Tensor, row: Tensor) -> Tensor:
    """Select the rows of leads: (B, 12, …) indexed by `row`, (B, 12)."""
    return part.gather(1, row.reshape(*row.shape, *[1] * (part.ndim - 2)).expand_as(part))


def _miss(signal: Tensor, printed: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean error of the limb-lead laws in mV, (B,), and the number of sums, (B,)."""
    sums, told = law_sums(signal, printed)
    count = told.sum((1, 2))
    return (sums * told).sum((1, 2)) / count.clamp(min=1), count


def _sign(cabrera: Tensor) -> Tensor:
    is_avr = (torch.arange(len(LEADS), device=cabrera.device) == AVR).float()
    return 1 - 2 * cabrera[:, None] * is_avr


def _table(doubts: Tensor) -> Tensor:
    """Return (doubts, 6, 7): log probability of every answer at every place."""
    eye = torch.eye(len(ANSWERS), device=doubts.device)
    usual, other = (eye[[ANSWERS.index(a) for a in order]] for order in (STANDARD, CABRERA))
    share = doubts[:, None, None]
    return ((1 - share) * usual + share * other).clamp(min=SLIP).log()
