"""Steps in brightness that a changed byte of a JPEG leaves are found, and edges of a page are not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ImageError
from ecgvision.deploy.containers import read_header
from ecgvision.deploy.decoding import decode
from ecgvision.deploy.jpeg_damage import find_step
from tests.real_data import real_data

RNG = np.random.default_rng(0)
PAPER = np.clip(190 + RNG.normal(0, 2, (400, 640, 1)) + np.linspace(-40, 30, 640)[:, None], 0, 255)
PAPER = np.repeat(PAPER, 3, axis=2)
PAPER[4::16], PAPER[:, ::20] = PAPER[4::16] * 0.95, PAPER[:, ::20] * 0.95  # no line at an edge


def stepped(row: int, column: int, height: float, size: int) -> np.ndarray:
    """The paper, lighter by `height` from one unit of `size` pixels to the end, row by row."""
    image = PAPER.copy()
    image[row * size : (row + 1) * size, column * size :] += height
    image[(row + 1) * size :] += height
    return image.clip(0, 255).astype(np.uint8)


@given(data=st.data())
def test_a_step_from_any_block_is_found_at_its_row(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([8, 16]))
    row = data.draw(st.integers(1, 400 // size - 3))
    column = data.draw(st.integers(160 // size, 480 // size))
    height = data.draw(st.sampled_from([-60, -30, -12, 8, 20]))
    assert find_step(stepped(row, column, height, size), (size, size)) == row * size


@pytest.mark.parametrize("size", [8, 16])
def test_an_edge_across_the_page_is_none(size: int) -> None:
    image = PAPER.copy()
    image[10 * size :] -= 60  # the page ends on a darker desk, at an edge of blocks
    image[:, 20 * size :] -= 30
    image[5 * size : 7 * size, 4 * size : 12 * size] = 40  # a label
    assert find_step(image.clip(0, 255).astype(np.uint8), (size, size)) is None
    for row in range(2, 20, 3):  # the edge of a page that was turned by a few degrees
        turned = PAPER.copy()
        for column in range(640):
            turned[row * 16 + column // 30 :, column] -= 50
        assert find_step(turned.clip(0, 255).astype(np.uint8), (size, size)) is None


def test_most_changed_bytes_that_alter_a_photograph_are_noticed() -> None:
    """Of 200 changes at random places, at most 40 % of those that alter a twentieth of the picture
    are missed: those that alter colour alone, or begin in the first or last rows."""
    data = cv2.imencode(".jpg", PAPER.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    clean = decode(data, read_header(data, "x"), "x").astype(int)
    rng, noticed, missed = np.random.default_rng(0), 0, 0
    for _ in range(200):
        changed = bytearray(data)
        changed[rng.integers(2, len(data) - 2)] ^= int(rng.integers(1, 256))
        damaged = bytes(changed)
        lenient = cv2.imdecode(np.frombuffer(damaged, np.uint8), cv2.IMREAD_COLOR)
        if lenient is None or lenient.shape != clean.shape:
            continue
        if (np.abs(lenient - clean).max(2) > 8).mean() < 0.05:
            continue
        try:
            decode(damaged, read_header(damaged, "x"), "x")
            missed += 1
        except ImageError:
            noticed += 1
    assert noticed + missed > 40
    assert missed <= 0.4 * (noticed + missed)


PAGES = sorted(p for p in real_data("real-pages").glob("*.jp*g")) + sorted(
    p for p in real_data("kit-pages").glob("*.jp*g")
)


@pytest.mark.skipif(not PAGES, reason="no real pages are here")
def test_no_real_page_is_taken_for_damaged() -> None:
    for page in PAGES:
        data = Path(page).read_bytes()
        decode(data, read_header(data, str(page)), str(page))
