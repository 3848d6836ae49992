"""Names and pulses by a network of their own: new ones change nothing, and what each cell sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.reader.data.marks import NAMES, NO_MARK, PULSES
from ecgvision.reader.networks.page_map import PageMap
from ecgvision.reader.networks.print_net import PrintNet, carried

SEEN = 55
"""Pixels on a side that a cell sees."""


def pages(count: int = 1) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 96, 128), dtype=torch.uint8, generator=rng)


def test_shapes() -> None:
    marks, names, beside = PrintNet(32)(pages(2))
    assert names.shape == (2, len(NAMES), 12, 16)
    assert marks.shape == (2, NO_MARK + 1, 12, 16)
    assert beside.shape == (2, 32, 6, 8)


@pytest.mark.parametrize("name", ["readnet", "mobilenetv4_conv_small"])
def test_a_new_one_leaves_the_map_as_it_was(name: str) -> None:
    """A map can be given one without forgetting what it learned, and then learns to use it."""
    page = PageMap(name, (96, 128), 16).eval()
    with torch.no_grad():
        before, _ = page(pages())
        torch.nn.init.normal_(page.print.answer.weight)
        for block in page.print.body.children():
            torch.nn.init.normal_(block[0].weight)
        after, _ = page(pages())
        torch.testing.assert_close(after[-1], before[-1])
        torch.nn.init.normal_(page.print.join.weight)
        joined, _ = page(pages())
    assert (joined[-1] - before[-1]).abs().max() > 0.1
    for kept, found in zip(before[:2], joined[:2], strict=True):
        assert torch.equal(kept, found)


def test_a_cell_sees_as_far_as_it_says() -> None:
    net = PrintNet(8).eval()
    image = torch.rand(1, 3, 192, 192, requires_grad=True)
    image.retain_grad()
    marks = net(255 * image).marks
    marks[0, :, 12, 12].sum().backward()
    assert image.grad is not None
    for axis in (2, 1):
        seen = image.grad[0].abs().sum((0, axis)).nonzero().flatten()
        assert int(seen[-1] - seen[0]) + 1 == SEEN
        assert abs((seen[-1] + seen[0]).item() / 2 - (12 * 8 + 4)) <= 4  # about its middle


@given(st.integers(0, 10_000), st.integers(1, 9), st.floats(0.05, 0.95))
def test_the_last_name_is_carried(seed: int, columns: int, most: float) -> None:
    """Cell by cell: a name stands here, or none does and what was said to the left goes on."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(4), (2, 3, columns))[..., :3].transpose(0, 3, 1, 2) * most
    last, far = np.zeros((2, 3, 3)), np.zeros((2, 3))
    found = carried(torch.from_numpy(shares)).numpy()
    assert found.shape == (2, 4, 3, columns)
    for x in range(columns):
        here = shares[..., x]
        none = 1 - here.sum(1)
        far = none * (far + last.sum(1) / columns)
        last = here + none[:, None] * last
        np.testing.assert_allclose(found[:, :3, :, x], last, atol=1e-6)
        np.testing.assert_allclose(found[:, 3, :, x], far, atol=1e-6)


def test_names_reach_their_rows_and_pulses_the_page() -> None:
    """Of marks that are known for sure, what is laid before the context says so everywhere."""
    net = PrintNet(48 + NO_MARK + 1).eval()
    stated = torch.full((1, NO_MARK + 1, 12, 16), -20.0)
    stated[:, NO_MARK] = 20.0
    for mark, row, column in ((3, 4, 2), (7, 4, 9), (len(NAMES) + 1, 8, 0)):
        stated[0, mark, row, column] = 60.0
    net.answer.register_forward_hook(lambda *_: stated)
    with torch.no_grad():  # each output channel is one input channel's upper left quarter
        net.join.weight.zero_()
        for i in range(len(net.join.weight)):
            net.join.weight[i, i, 0, 0] = 1.0
        beside = net(pages()).beside
    names, far, pulses = beside[0, 48:].split([len(NAMES), 1, len(PULSES)])
    row = names[:, 2]
    assert row[3].round().tolist() == [0, 1, 1, 1, 1, 0, 0, 0]
    assert row[7].round().tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert names[:, [0, 1, 3, 4, 5]].abs().max() < 1e-3
    np.testing.assert_allclose(far[0, 2, 1:5], [0, 2 / 16, 4 / 16, 6 / 16], atol=1e-3)
    assert (pulses[1] > 0.99).all()
    assert pulses[[i for i in range(len(PULSES)) if i != 1]].max() < 1e-3
