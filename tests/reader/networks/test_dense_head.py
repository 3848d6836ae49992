"""What cells say by the page and by what is printed on it."""

from __future__ import annotations

import pytest
import torch

from ecgvision.reader.networks.dense_head import BACKGROUND, DenseHead, by_name

LOGITS = 3 * torch.randn(2, BACKGROUND + 1, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("trust", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("share", [0.0, 1 / BACKGROUND])
def test_print_that_says_nothing_changes_nothing(share: float, trust: float) -> None:
    names = torch.full((2, BACKGROUND, 7), share)
    found = by_name(LOGITS, names, torch.tensor(trust))
    torch.testing.assert_close(found, LOGITS)


def test_a_name_that_is_sure_decides_which_lead_but_not_whether_any() -> None:
    names = torch.zeros(2, BACKGROUND, 7)
    names[:, 4] = 1.0
    found, before = (v.softmax(1) for v in (by_name(LOGITS, names, torch.tensor(3.0)), LOGITS))
    torch.testing.assert_close(found[:, BACKGROUND], before[:, BACKGROUND])
    odds = (found[:, 4] / found[:, 7]) / (before[:, 4] / before[:, 7])
    torch.testing.assert_close(odds, torch.full_like(odds, 101.0**3), rtol=1e-3, atol=0)


def test_a_head_takes_names_from_where_it_points() -> None:
    head = DenseHead(8, (6, 4))
    names = torch.zeros(1, BACKGROUND, 12, 8)
    names[:, 9] = 1.0  # V4 on every row
    x = torch.randn(1, 8, 6, 4)
    with torch.no_grad():
        without, told = head(x, torch.zeros_like(names)), head(x, names)
        head.trust.fill_(0.0)
        unheard = head(x, names)
    assert (told.logits[:, 9] > without.logits[:, 9]).all()
    torch.testing.assert_close(unheard.logits, without.logits)
    torch.testing.assert_close(told.x, without.x)
