"""Trace moments against plain arithmetic on drawn lines."""

from __future__ import annotations

import pytest
import torch

from ecgvision.core.errors import ConfigError
from ecgvision.nn.image_encoders.image_encoder import image_encoder
from ecgvision.nn.image_encoders.tracenet import BANDS, STRIPS, Places, TraceEncoder, TraceMoments


def page(height: int, width: int, line: int, thickness: int = 2) -> torch.Tensor:
    image = torch.full((1, 3, height, width), 255, dtype=torch.uint8)
    image[:, :, line : line + thickness] = 0
    return image


@pytest.mark.parametrize("line", [60, 63, 70, 101])
def test_the_centroid_is_where_the_line_is(line):
    moments = TraceMoments(192)
    mass, centroid, spread, above, below = moments(page(192, 64, line))[0, :, :, 32]
    for band in range(BANDS):
        offset = (line + 0.5) - band * moments.step  # the line's two rows are line and line + 1
        if abs(offset) < moments.reach - 2:
            assert float(centroid[band]) == pytest.approx(offset / moments.step, abs=0.06)
            if abs(offset) < moments.step:  # well inside the window, where little is cut away
                assert float(spread[band]) < 0.15
            assert float(above[band] > below[band]) == float(offset < 0)
        elif abs(offset) > moments.reach + 2:
            assert float(mass[band]) == 0


def test_a_coloured_grid_is_not_ink():
    image = page(192, 64, 90)
    image[:, 1:, ::8] = 80  # red lines over the page
    image[:, 1:, 90:92] = 0
    torch.testing.assert_close(TraceMoments(192)(image), TraceMoments(192)(page(192, 64, 90)))


def test_another_light_changes_little():
    moments, bright = TraceMoments(192), page(192, 64, 90)
    dim = (bright.float() * 0.8).to(torch.uint8)
    torch.testing.assert_close(moments(dim)[:, 1], moments(bright)[:, 1], atol=0.05, rtol=0)


def test_places_weigh_each_strip_in_its_own_way():
    places = Places(4)
    with torch.no_grad():
        places.gain.copy_(torch.arange(4 * STRIPS).view(4, STRIPS))
        places.shift.fill_(1)
    x = torch.randn(2, 4, 18)
    expected = torch.stack(
        [x[:, :, i] * places.gain[:, i * STRIPS // 18] + 1 for i in range(18)], dim=2
    )
    torch.testing.assert_close(places(x), expected)


def test_the_mean_over_the_page_still_knows_the_place():
    torch.manual_seed(0)
    encoder = TraceEncoder((192, 256)).eval()
    left, right = (page(192, 256, 200) for _ in range(2))  # nothing is drawn
    left[:, :, 40:60, 30:32] = 0
    right[:, :, 40:60, 190:192] = 0
    with torch.no_grad():
        at_left, at_right = encoder(left).mean((2, 3)), encoder(right).mean((2, 3))
    assert float((at_left - at_right).abs().max()) > 0.01


@pytest.mark.parametrize("size", [(64, 96), (97, 131), (192, 256), (384, 512)])
def test_shapes_and_gradients(size):
    encoder = TraceEncoder(size)
    features = encoder(torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8))
    assert features.shape == (2, encoder.channels, *encoder.grid)
    features.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in encoder.parameters())


def test_there_are_no_pretrained_weights():
    with pytest.raises(ConfigError, match="tracenet"):
        image_encoder("tracenet", (64, 96), pretrained=True)
