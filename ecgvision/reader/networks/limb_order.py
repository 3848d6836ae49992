"""The order of a page's limb leads: the usual one or Cabrera's, one for the whole page."""

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
"""What cells answer along the six places for limb leads, in the one order and in the other."""

ANSWERS = [*STANDARD, INVERTED]

PLACE_IN_CABRERA = [CABRERA.index(INVERTED if lead == AVR else lead) for lead in STANDARD]
"""The places of I, II, III, aVR, aVL, aVF there."""

CHEST = list(range(LIMB_COUNT, len(LEADS)))
TO_CABRERA = [*PLACE_IN_CABRERA, *CHEST]
"""Whose row a lead is taken from where the usual names were wrong."""

TO_STANDARD = [*(AVR if lead == INVERTED else lead for lead in CABRERA), *CHEST]
"""The other way."""

DOUBTS = (0.02, 0.25, 0.5, 0.75, 0.98)
"""How Cabrera's the cells of a page may hold it to be; our default."""

SLIP = 0.01
"""Probability of an answer that neither order gives a place; our default."""

CLEARER = 0.65
"""What is read must miss Einthoven's law by no more than that share of what it misses it by in the
order that the cells say, before the other is taken; our default. Of validation pages that were
named wrongly none had more than .54, of the others none less than .8."""


class Named(NamedTuple):
    """Which lead's trace each cell stands by.

    Attributes:
        leads: (B, 12, N), the probability that the cell stands by each lead's 0 mV.
        cabrera: (B,) bool, whether the limb leads are in Cabrera's order, aVR upside down.
        sure: (B,) bool, whether the cells leave no doubt of that.
    """

    leads: Tensor
    cabrera: Tensor
    sure: Tensor

    def sign(self) -> Tensor:
        """(B, 12): -1 where the lead stands upside down."""
        return _sign(self.cabrera)


def name_cells(cells: Cells) -> Named:
    """Names on which all cells of a page agree.

    Cells that cannot tell the orders apart answer with two names, half of each, and a lead would
    then stand in two rows. So the question is first which of the six places a cell stands by, given
    how much in doubt the page's cells are (the likeliest of `DOUBTS`), and then, once for the page,
    which names the places have. Our own design.
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
    """Whether what was read is in the order that it was taken for, where cells were in doubt of it
    and three limb leads were printed at once: any three of them obey a linear law, which other
    names break.

    Args:
        signal: (B, 12, T) mV, by these names.
        printed: (B, 12, T) bool.

    Returns:
        (B, 12), the lead whose row each lead is to be taken from, and (B, 12), what its values are
        to be multiplied by.
    """
    cabrera = named.cabrera
    # len(signal) would fix the batch in an exported graph
    order = torch.arange(len(LEADS), device=signal.device).expand(signal.shape[0], -1)
    turned = torch.where(
        cabrera[:, None], order.new_tensor(TO_STANDARD), order.new_tensor(TO_CABRERA)
    )
    factor = _sign(cabrera).gather(1, turned) * _sign(~cabrera)
    own, own_count = _miss(signal, printed)
    other, other_count = _miss(of_rows(signal, turned) * factor[..., None],
                               of_rows(printed, turned))  # fmt: skip
    known = (own_count > 0) & (other_count > 0)
    flip = (known & ~named.sure & (other < CLEARER * own))[:, None]
    return torch.where(flip, turned, order), torch.where(flip, factor, torch.ones_like(factor))


def of_rows(part: Tensor, row: Tensor) -> Tensor:
    """(B, 12, …): of each lead what stands in its row, (B, 12)."""
    return part.gather(1, row.reshape(*row.shape, *[1] * (part.ndim - 2)).expand_as(part))


def _miss(signal: Tensor, printed: Tensor) -> tuple[Tensor, Tensor]:
    """(B,): the mean of how far the limb leads miss their laws in mV, and of how many sums."""
    sums, told = law_sums(signal, printed)
    count = told.sum((1, 2))
    return (sums * told).sum((1, 2)) / count.clamp(min=1), count


def _sign(cabrera: Tensor) -> Tensor:
    is_avr = (torch.arange(len(LEADS), device=cabrera.device) == AVR).float()
    return 1 - 2 * cabrera[:, None] * is_avr


def _table(doubts: Tensor) -> Tensor:
    """(doubts, 6, 7): log of the probability of every answer at every place."""
    eye = torch.eye(len(ANSWERS), device=doubts.device)
    usual, other = (eye[[ANSWERS.index(a) for a in order]] for order in (STANDARD, CABRERA))
    share = doubts[:, None, None]
    return ((1 - share) * usual + share * other).clamp(min=SLIP).log()
