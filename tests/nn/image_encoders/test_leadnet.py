"""Leads looked up in their places, against pages that were drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecgvision.core.ecg import LEADS
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.network_input import to_network
from ecgvision.nn.image_encoders.leadnet import (
    BANDS,
    COLUMNS,
    LAYOUTS,
    WINDOWS,
    LeadEncoder,
    LeadStrips,
)
from ecgvision.nn.image_encoders.tracenet import page_ink
from ecgvision.render.draw import draw

SIZE = (192, 256)
RATE = 250.0


def record(seed: int = 0) -> np.ndarray:
    """Slow waves, other ones in each lead, that a page of 23 dots an inch can show."""
    rng = np.random.default_rng(seed)
    t = np.arange(2500) / RATE
    waves = [
        0.4 * np.sin(2 * np.pi * f * t + p)
        for f, p in zip(rng.uniform(0.6, 1.6, 12), rng.uniform(0, 6, 12), strict=True)
    ]
    return np.asarray(waves, np.float32)


def image(layout: str, signal: np.ndarray, size: tuple[int, int] = SIZE, dpi: float = 100):
    page = draw(signal, RATE, Page(get_layout(layout), dpi=dpi)).image
    return torch.from_numpy(to_network(page, size)).permute(2, 0, 1)[None]


@pytest.mark.parametrize("size", [(192, 256), (288, 384), (200, 300)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_known_by_its_rows(layout, size):
    strips = LeadStrips(size)
    for seed, dpi in enumerate((50, 100, 150)):
        page = image(layout, record(seed), size, dpi)
        assert LAYOUTS[int(strips.layout(page_ink(page))[0])] == layout


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_lead_is_followed_where_it_is_printed(layout):
    signal, strips = record(), LeadStrips(SIZE)
    with torch.no_grad():
        found = strips(image(layout, signal))[0].unflatten(1, (5, BANDS)).numpy()
    page = Page(get_layout(layout))
    printed = [(cell.lead, cell.start, cell.stop) for cell in page.cells]
    for place, (lead, start) in enumerate(WINDOWS):
        own = [(a, b) for name, a, b in printed if name == lead]
        first = own[0][0] if place < len(LEADS) else start
        if not any(a <= first and b >= first + 2.5 for a, b in own):
            assert np.abs(found[place, 0]).max() == 0  # no ink where nothing is printed
            continue
        seconds = first + (np.arange(COLUMNS) + 0.5) / COLUMNS * 2.5
        wanted = np.interp(seconds, np.arange(2500) / RATE, signal[LEADS.index(lead)])
        assert found[place, 0].mean() > 0.1
        centroid = -found[place, 1, BANDS // 2]  # of the band around 0 mV; down is positive
        clear = slice(10, -3)  # of the lead's printed name
        r = np.corrcoef(wanted[clear], centroid[clear])[0, 1]
        if place < len(LEADS):  # words of the margin stand by some strips
            assert r > (0.6 if layout == "12x1" else 0.9), (lead, first)  # twelve rows overlap


def test_one_recording_gives_one_reading_in_two_layouts():
    signal, strips = record(), LeadStrips(SIZE)
    with torch.no_grad():
        six, twelve = (strips(image(name, signal))[0] for name in ("6x2", "12x1"))
    around_zero = BANDS + BANDS // 2  # the centroid in the band around 0 mV
    for lead in range(6):  # printed from second 0 in both
        both = (strips[lead, around_zero, 10:] for strips in (six, twelve))
        assert np.corrcoef(*both)[0, 1] > 0.6, LEADS[lead]


def test_colours_of_the_grid_do_not_matter():
    page = image("3x4+II", record())
    tinted = page.clone()
    tinted[:, 1:, ::8] = tinted[:, 1:, ::8] // 3  # red lines over the page
    strips = LeadStrips(SIZE)
    kept = page.amax(1) == tinted.amax(1)
    assert kept.float().mean() > 0.95
    torch.testing.assert_close(strips(tinted)[:, 0], strips(page)[:, 0], atol=0.3, rtol=0.3)


@pytest.mark.parametrize("size", [(64, 96), (97, 131), (192, 256), (384, 512)])
def test_shapes_and_gradients(size):
    torch.manual_seed(0)
    encoder = LeadEncoder(size)
    features = encoder(torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8))
    assert features.shape == (2, encoder.channels, *encoder.grid)
    features.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in encoder.parameters())


def test_nothing_that_is_looked_up_is_stored():
    """Places follow from the size, so a checkpoint holds what was learned alone."""
    assert not [name for name in LeadEncoder(SIZE).state_dict() if name.startswith("strips.")]
