"""Names of limb leads on which a page agrees: from cells in doubt, and by Einthoven's law."""

from __future__ import annotations

import pytest
import torch

from ecgvision.core.ecg import LEAD_INDEX, LEADS
from ecgvision.reader.networks.dense_head import BACKGROUND, INVERTED, Cells
from ecgvision.reader.networks.limb_order import Named, by_einthoven, name_cells

STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF")
CABRERA = ("aVL", "I", "-aVR", "II", "aVF", "III")
VOTES = 7


def answer(name: str) -> int:
    return INVERTED if name == "-aVR" else LEAD_INDEX[name]


def cells(doubt: float) -> Cells:
    """Twelve rows with some cells each, which hold the limb rows' names to be Cabrera's with that
    probability; and cells by no trace."""
    shares = torch.full((1, BACKGROUND + 1, 13 * VOTES), 1e-4)
    for row in range(12):
        these = slice(row * VOTES, (row + 1) * VOTES)
        if row < 6:
            shares[0, answer(STANDARD[row]), these] += 1 - doubt
            shares[0, answer(CABRERA[row]), these] += doubt
        else:
            shares[0, row, these] += 1
    shares[0, BACKGROUND, 12 * VOTES :] += 1
    empty = torch.zeros(1, 13 * VOTES)
    return Cells((shares / shares.sum(1, keepdim=True)).log(), *[empty] * 5)


def named(*, cabrera: bool, sure: bool = False) -> Named:
    """Names of which no cell is asked."""
    return Named(torch.zeros(1, 12, 1), torch.tensor([cabrera]), torch.tensor([sure]))


@pytest.mark.parametrize("doubt", [0.0, 0.1, 0.3, 0.45, 0.55, 0.7, 0.9, 1.0])
def test_all_rows_get_names_of_one_order(doubt: float) -> None:
    named = name_cells(cells(doubt))
    cabrera = doubt > 0.5
    assert named.cabrera.tolist() == [cabrera]
    order = [n.removeprefix("-") for n in (CABRERA if cabrera else STANDARD)] + list(LEADS[6:])
    for row, lead in enumerate(order):
        found = named.leads[0, :, row * VOTES : (row + 1) * VOTES].mean(1)
        assert found.argmax() == LEAD_INDEX[lead]
        assert found.max() > 0.85
    assert (named.leads[0, :, 12 * VOTES :] < 0.01).all()
    assert named.sign()[0].tolist() == [1, 1, 1, -1 if cabrera else 1] + [1] * 8
    assert named.sure.tolist() == [doubt in (0.0, 1.0)]


def test_cells_that_are_sure_keep_their_answer() -> None:
    torch.manual_seed(0)
    sure = torch.randint(0, BACKGROUND + 1, (2, 40))
    sure[sure == INVERTED] = BACKGROUND
    logits = torch.full((2, BACKGROUND + 1, 40), -9.0).scatter(1, sure[:, None], 9.0)
    named = name_cells(Cells(logits, *[torch.zeros(2, 40)] * 5))
    wanted = logits.softmax(1)[:, :12]
    torch.testing.assert_close(named.leads, wanted, atol=0.02, rtol=0)
    assert not named.cabrera.any()


def test_a_page_without_limb_leads_has_the_usual_order() -> None:
    logits = torch.full((1, BACKGROUND + 1, 30), -9.0)
    logits[:, 8] = 9.0
    named = name_cells(Cells(logits, *[torch.zeros(1, 30)] * 5))
    assert not named.cabrera.any()
    assert (named.leads[0, 8] > 0.99).all()


def heart(seed: int = 0) -> torch.Tensor:
    """(1, 12, 400) mV whose limb leads come from I and II."""
    g = torch.Generator().manual_seed(seed)
    one, two = torch.randn(2, 400, generator=g)
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return torch.cat([torch.stack(limb), torch.randn(6, 400, generator=g)])[None]


def taken_for(signal: torch.Tensor, *, printed: tuple[str, ...], names: tuple[str, ...]):
    """What a reader would say of rows printed as `printed` that it took for `names`."""
    said = signal.clone()
    for shown, name in zip(printed, names, strict=True):
        row = signal[:, LEAD_INDEX[shown.removeprefix("-")]] * (-1 if shown[0] == "-" else 1)
        said[:, LEAD_INDEX[name.removeprefix("-")]] = row * (-1 if name[0] == "-" else 1)
    return said


@pytest.mark.parametrize("printed", [STANDARD, CABRERA])
@pytest.mark.parametrize("names", [STANDARD, CABRERA])
@pytest.mark.parametrize("columns", [1, 2])
def test_einthoven_decides(printed: tuple[str, ...], names: tuple[str, ...], columns: int) -> None:
    truth = heart()
    said = taken_for(truth, printed=printed, names=names) + 0.02 * torch.randn(1, 12, 400)
    shown = torch.zeros(1, 12, 400, dtype=torch.bool)
    for row, name in enumerate(names):  # in two columns the second follows the first
        part = slice(None) if columns == 1 else slice(200 * (row // 3), 200 * (row // 3) + 200)
        shown[:, LEAD_INDEX[name.removeprefix("-")], part] = True
    row, factor = by_einthoven(said, shown, named(cabrera=names == CABRERA))
    found = said.gather(1, row[..., None].expand(-1, -1, 400)) * factor[..., None]
    torch.testing.assert_close(found, truth, atol=0.15, rtol=0)
    assert row[0, 6:].tolist() == list(range(6, 12))


def test_where_no_three_limb_leads_are_shown_at_once_nothing_is_changed() -> None:
    said = taken_for(heart(), printed=CABRERA, names=STANDARD)
    for shown in (torch.zeros(1, 12, 400, dtype=torch.bool),
                  (torch.arange(12) == 1)[None, :, None].expand(1, 12, 400)):  # fmt: skip
        row, factor = by_einthoven(said, shown, named(cabrera=False))
        assert row[0].tolist() == list(range(12))
        assert (factor == 1).all()


def test_cells_that_are_sure_are_believed() -> None:
    said = taken_for(heart(), printed=CABRERA, names=STANDARD)
    row, factor = by_einthoven(said, torch.ones(1, 12, 400, dtype=torch.bool),
                               named(cabrera=False, sure=True))  # fmt: skip
    assert row[0].tolist() == list(range(12))
    assert (factor == 1).all()
