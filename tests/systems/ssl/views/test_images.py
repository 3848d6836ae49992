"""Views of pages: crops against numpy's interpolation, blur against scipy, and what each setting does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.systems.ssl.views.images import ImageViews, crop, soften

WHOLE = {"global_crop": (1.0, 1.0), "local_crop": (1.0, 1.0), "aspect": (1.0, 1.0)}
PLAIN = ImageViews(**WHOLE, light=0.0, blur=0.0, cut_out=(0.0, 0.0))


def pages(batch: int = 3, height: int = 48, width: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (batch, 3, height, width), generator=generator).to(torch.uint8)


def ramps(batch: int = 30) -> torch.Tensor:
    """Red tells the column, green the row, in an image of 100 x 200 levels."""
    page = torch.zeros(batch, 3, 100, 200)
    page[:, 0] = torch.arange(200.0)
    page[:, 1] = torch.arange(100.0).view(-1, 1) * 2
    return page.to(torch.uint8)


def test_with_everything_off_a_view_is_the_page():
    views = PLAIN(pages(), 0)
    assert views.dtype == torch.uint8
    assert torch.equal(views, pages().expand(6, 3, 3, 48, 64))


@given(st.integers(0, 2**31))
def test_a_crop_is_numpys_interpolation(seed):
    rng = np.random.default_rng(seed)
    image = rng.random((2, 3, 17, 23)).astype(np.float32)
    size = rng.uniform(0.2, 1, (2, 2)).astype(np.float32)
    start = (rng.random((2, 2)) * (1 - size)).astype(np.float32)
    found = crop(*(torch.from_numpy(a) for a in (image, start, size))).numpy()
    for b in range(2):
        at = [
            (start[b, axis] + size[b, axis] * (np.arange(n) + 0.5) / n) * n - 0.5
            for axis, n in enumerate((17, 23))
        ]
        for c in range(3):
            rows = np.stack([np.interp(at[1], np.arange(23), row) for row in image[b, c]])
            expected = np.stack([np.interp(at[0], np.arange(17), col) for col in rows.T], 1)
            np.testing.assert_allclose(found[b, c], expected, atol=1e-4)


def test_crops_have_the_area_and_aspect_of_their_range_and_are_not_mirrored():
    views = dataclasses.replace(
        PLAIN, global_crop=(0.5, 1.0), local_crop=(0.2, 0.5), aspect=(0.8, 1.25)
    )(ramps(), 1).float()
    # widths over 180 of 200 columns, away from the borders
    width = (views[:, :, 0, 50, 190] - views[:, :, 0, 50, 10]) / 180
    height = (views[:, :, 1, 95, 100] - views[:, :, 1, 5, 100]) / 180
    area, aspect = width * height, width / height
    assert (area[:2] > 0.48).all()
    assert (area[:2] < 1.02).all()
    assert (area[2:] > 0.19).all()
    assert (area[2:] < 0.52).all()
    assert (aspect > 0.78).all()
    assert (aspect < 1.28).all()
    assert aspect[2:].min() < 0.9
    assert aspect[2:].max() > 1.1
    left = views[2:, :, 0, 50, 0]
    assert left.min() < 10
    assert left.max() > 60


@settings(deadline=None, max_examples=10)
@given(st.floats(0.3, 3))
def test_blur_equals_scipy(sigma):
    image = np.random.default_rng(0).random((2, 3, 30, 40)) * 255
    found = soften(torch.from_numpy(image).float(), torch.tensor([sigma, 0.0])).numpy()
    expected = gaussian_filter(image[0], (0, sigma, sigma), mode="nearest", radius=9)
    np.testing.assert_allclose(found[0], expected, atol=1e-2)
    np.testing.assert_allclose(found[1], image[1], atol=1e-3)


def test_blur_falls_on_the_share_of_pages_asked_for():
    page = pages(64)
    views = dataclasses.replace(PLAIN, blur=0.25)(page, 2)
    changed = (views != page).flatten(2).any(-1).float().mean()
    assert 0.25 - 0.11 < float(changed) < 0.25 + 0.11  # five standard errors of 384 draws


def test_light_changes_contrast_about_the_middle_and_brightness():
    page = torch.full((40, 3, 20, 20), 118, dtype=torch.uint8)
    page[..., 10:] = 138
    views = dataclasses.replace(PLAIN, light=0.2)(page, 3).float()
    contrast = (views[..., 15] - views[..., 5]).mean((-1, -2)) / 20
    brightness = views.mean((-1, -2, -3)) / 128
    for found in (contrast, brightness):
        assert found.min() < 0.85
        assert found.max() > 1.15
        assert found.min() > 0.76
        assert found.max() < 1.24
    both = torch.stack([contrast.flatten(), brightness.flatten()])
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.33  # each by itself


def test_a_white_rectangle_of_the_size_asked_for():
    views = dataclasses.replace(PLAIN, cut_out=(0.04, 0.09))(torch.zeros_like(pages(50)), 4)
    torn = views == 255
    assert ((views == 0) | torn).all()
    rows, columns = torn[:, :, 0].any(-1), torn[:, :, 0].any(-2)
    assert torch.equal(
        torn, (rows.unsqueeze(-1) & columns.unsqueeze(-2)).unsqueeze(2).expand_as(torn)
    )
    assert (rows.float().diff(dim=-1).abs().sum(-1) <= 2).all()
    for side, pixels in ((rows, 48), (columns, 64)):
        assert side.sum(-1).min() >= round(0.2 * pixels)
        assert side.sum(-1).max() <= round(0.3 * pixels) + 1
    assert torn[:, :, 0, 24, 32].any()  # anywhere: the middle of some views too
    assert not torn[:, :, 0, 24, 32].all()
    assert not ImageViews(cut_out=(0.0, 0.0), light=0.0)(torch.zeros_like(pages()), 4).any()


def test_seeds_places_and_records():
    page, views = pages(4), ImageViews()
    first = views(page, 7)
    assert first.shape == (6, 4, 3, 48, 64)
    assert torch.equal(first, views(page, torch.Generator().manual_seed(7)))
    assert not torch.equal(first, views(page, 8))
    changed = page.clone()
    changed[1] = 255 - changed[1]
    after = views(changed, 7)
    assert torch.equal(first[:, [0, 2, 3]], after[:, [0, 2, 3]])
    assert not torch.equal(first[:, 1], after[:, 1])
    assert torch.equal(page, pages(4))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    views(page, 7)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    "wrong",
    [{"global_crop": (0.0, 1.0)}, {"local_crop": (0.5, 0.2)}, {"aspect": (0.0, 1.0)},
     {"light": 1.5}, {"blur": -0.1}, {"sigma": (0.3, 9.0)}, {"cut_out": (0.0, 1.5)},
     {"global_views": 0}],
)  # fmt: skip
def test_wrong_settings_are_named(wrong):
    name = next(iter(wrong)).replace("_views", " view")
    with pytest.raises(ConfigError, match=name):
        ImageViews(**wrong)


def test_other_arrays_are_refused():
    for wrong in (pages().float(), pages()[0], pages()[:, :1]):
        with pytest.raises(DataError, match="uint8"):
            ImageViews()(wrong, 0)
