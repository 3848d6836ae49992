"""The pace of time off the grid, on drawn pages whose pace is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecgvision.data.views import to_network
from ecgvision.layouts import get_layout
from ecgvision.models.grid_pace import SPAN, measure_pace
from ecgvision.page import Page
from ecgvision.render.paper import draw
from ecgvision.store import Store

SIZE = (576, 768)


def picture(store, speed: float = 25.0) -> tuple[torch.Tensor, float]:
    """A page as the network gets it, and the fraction of its width that 10 s take."""
    page = Page(get_layout("3x4+II"), dpi=100, speed=speed)
    image = draw(Store(store).read(1), 100.0, page).image
    scale = min(SIZE[0] / image.shape[0], SIZE[1] / image.shape[1])
    pace = 10 * speed * page.px_per_mm * scale / SIZE[1]
    return torch.from_numpy(to_network(image, SIZE)).permute(2, 0, 1)[None], pace


@pytest.mark.parametrize("speed", [25.0, 50.0])
@pytest.mark.parametrize("off", [-0.02, -0.004, 0.0, 0.015])
def test_a_pace_that_is_nearly_right_is_made_right(tiny_store, speed: float, off: float) -> None:
    image, pace = picture(tiny_store, speed)
    found = measure_pace(image, torch.tensor([pace * (1 + off)]), 10.0)
    assert found.item() == pytest.approx(pace, rel=0.002)


def test_without_a_grid_or_too_far_from_it_next_to_nothing_changes(tiny_store) -> None:
    image, pace = picture(tiny_store)
    given = torch.tensor([pace])
    blank = torch.full_like(image, 230)
    noise = torch.randint(0, 256, image.shape, generator=torch.Generator().manual_seed(0))
    for page in (blank, noise.to(torch.uint8)):
        assert measure_pace(page, given, 10.0).item() == pytest.approx(pace)
    far = given * (1 + 2 * SPAN)
    assert measure_pace(image, far, 10.0).item() == pytest.approx(far.item(), rel=0.002)


def test_pages_are_measured_each_by_itself(tiny_store) -> None:
    image, pace = picture(tiny_store)
    both = torch.cat([image, torch.full_like(image, 128)])
    given = torch.tensor([pace * 1.01, pace * 1.01])
    found = measure_pace(both, given, 10.0)
    assert np.allclose(found.numpy(), [pace, pace * 1.01], rtol=0.002)
