"""Views of printed pages for pretraining an image encoder, batched on the device.

Other libraries draw one crop for the entire batch or process single records. Here every record of a
batch has its own crop. There is no flipping: time runs from left to right, and up is positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.errors import DataError
from ecgvision.data.network_input import PAPER_WHITE
from ecgvision.systems.ssl.views.checks import Range, check_counts, check_range, check_share
from ecgvision.systems.ssl.views.draws import Draws


@dataclass(frozen=True)
class ImageViews:
    """Views of pages: resized crop, brightness and contrast, random blur, a white cut-out.

    Our defaults. Crops keep more of the page than is usual for photographs, since a small part of a
    page shows no complete lead. The aspect ratio changes by a quarter at most, since the ratio of
    time to voltage matters.

    Attributes:
        global_views: number of views that teacher and student see.
        local_views: number of views that only the student sees.
        global_crop, local_crop: share of the page's area that a view shows.
        aspect: aspect ratio (width over height) of the crop relative to that of the page.
        light: largest relative change of brightness, and of contrast about the middle grey.
        blur: probability of a Gaussian blur.
        sigma: standard deviation of the blur in pixels, up to 3.
        cut_out: share of the view's area that becomes white, in one rectangle with the aspect ratio
            of the page.

    Raises:
        ConfigError: for too few views, or an invalid setting.
    """

    global_views: int = 2
    local_views: int = 4
    global_crop: Range = (0.5, 1.0)
    local_crop: Range = (0.2, 0.5)
    aspect: Range = (0.8, 1.25)
    light: float = 0.2
    blur: float = 0.5
    sigma: Range = (0.3, 1.0)
    cut_out: Range = (0.0, 0.1)

    def __post_init__(self) -> None:
        check_counts(self.global_views, self.local_views)
        check_range("global_crop", self.global_crop, 1e-4, 1)
        check_range("local_crop", self.local_crop, 1e-4, 1)
        check_range("aspect", self.aspect, 0.1, 10)
        check_share("light", self.light)
        check_share("blur", self.blur)
        check_range("sigma", self.sigma, 0.01, 3)
        check_range("cut_out", self.cut_out, 0, 1)

    def __call__(self, image: Tensor, source: torch.Generator | int) -> Tensor:
        """Return global views, then local ones; each has the size of the page.

        Args:
            image: (B, 3, H, W) uint8.
            source: a generator of the image's device, or a seed. The same seed, shape and kind of
                device give the same views. The view of a page does not depend on other pages.

        Returns:
            (views, B, 3, H, W) uint8.

        Raises:
            DataError: unless the image is (B, 3, H, W) uint8.
            ConfigError: for a generator of another device.
        """
        if image.ndim != 4 or image.shape[1] != 3 or image.dtype != torch.uint8:
            raise DataError(
                "image views need pages (B, 3, H, W) uint8",
                value=(tuple(image.shape), str(image.dtype)),
            )
        draws = Draws(source, image.device)
        sizes = (self.global_views, self.local_views)
        areas = draws.shares(self.global_crop, self.local_crop, sizes, len(image))
        page = image.float()
        views = torch.empty(sum(sizes), *image.shape, dtype=torch.uint8, device=image.device)
        for out, area in zip(views, areas, strict=True):  # one at a time, to save memory
            view = crop(page, *self._box(draws, area))
            light = draws.between(1 - self.light, 1 + self.light, 2, len(image), 1, 1, 1)
            contrast, brightness = light
            view = (view - 128) * contrast + 128 * brightness
            chosen = draws.unit(len(image)) < self.blur
            sigma = draws.between(*self.sigma, len(image))
            if self.blur:
                view = soften(view.clamp(0, 255), torch.where(chosen, sigma, 0.0))
            view.masked_fill_(self._torn(draws, view), float(PAPER_WHITE))
            out.copy_(view.round_().clamp_(0, 255))
        return views

    def _box(self, draws: Draws, area: Tensor) -> tuple[Tensor, Tensor]:
        """Draw starts and sizes (B, 2) of crops, as shares of height and width."""
        low, high = (torch.tensor(a, device=area.device).log() for a in self.aspect)
        root = (draws.between(low, high, len(area)) / 2).exp()
        root = root.clamp(area.sqrt(), 1 / area.sqrt())  # both sides within the page
        size = torch.stack([area.sqrt() / root, area.sqrt() * root], 1).clamp(max=1)
        return draws.unit(len(area), 2) * (1 - size), size

    def _torn(self, draws: Draws, view: Tensor) -> Tensor:
        """Draw a mask with a random rectangle per view, (B, 1, H, W) bool."""
        batch, _, height, width = view.shape
        side = draws.between(*self.cut_out, batch, 1).sqrt()
        pixels = torch.tensor([height, width], device=view.device)
        size = (side * pixels).round().long()
        start = draws.below(pixels - size + 1)
        end = start + size
        y, x = (torch.arange(n, device=view.device) for n in (height, width))
        rows = (y >= start[:, :1]) & (y < end[:, :1])
        columns = (x >= start[:, 1:]) & (x < end[:, 1:])
        return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def crop(image: Tensor, start: Tensor, size: Tensor) -> Tensor:
    """Crop pages and resize the crops to full size, bilinear; upsampling needs no antialiasing.

    Args:
        image: (B, C, H, W) float.
        start, size: (B, 2), as shares of height and width.

    Returns:
        (B, C, H, W).
    """
    middle = 2 * start + size - 1  # centre of the crop; the page spans -1 to 1
    zero = torch.zeros_like(size[:, 0])
    theta = torch.stack([size[:, 1], zero, middle[:, 1], zero, size[:, 0], middle[:, 0]], 1)
    grid = F.affine_grid(theta.view(-1, 2, 3), list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def soften(image: Tensor, sigma: Tensor) -> Tensor:
    """Blur each page with a Gaussian of its own sigma; 0 leaves a page unchanged.

    Args:
        image: (B, C, H, W) float; borders are replicated.
        sigma: (B,) pixels, up to 3.
    """
    reach = 9  # three sigma
    batch, channels, height, width = image.shape
    offset = torch.arange(-reach, reach + 1, device=image.device)
    kernel = torch.exp(-((offset / sigma.clamp(min=1e-3).unsqueeze(1)) ** 2) / 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0).unsqueeze(1)
    x = image.reshape(1, -1, height, width)
    groups = batch * channels
    x = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    x = F.conv2d(
        F.conv2d(x, kernel.unsqueeze(3), groups=groups), kernel.unsqueeze(2), groups=groups
    )
    return x.view(image.shape)
