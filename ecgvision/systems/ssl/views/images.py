"""Views of printed pages for pretraining an image encoder, a batch at once on its device.

Libraries draw one crop for a whole batch, or go record by record; here every record of a batch has
its own. Nothing mirrors: time runs from left to right, and up is positive.
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
    """A crop brought to full size, other light, sometimes a soft focus, and a patch torn out.

    Our defaults. Crops keep more of the page than is usual with photographs, since a small piece
    of a page shows no whole lead; sizes change by a quarter at most against each other, since the
    proportions of time and voltage are what a page is about.

    Attributes:
        global_views: number of views that teacher and student see.
        local_views: number of views that only the student sees.
        global_crop, local_crop: share of the page's area that a view shows.
        aspect: width over height of the crop, over that of the page.
        light: fraction of brightness and of contrast about the middle grey, to either side.
        blur: probability of a Gaussian blur.
        sigma: of the blur, in pixels, up to 3.
        cut_out: share of the view's area that becomes white, in one rectangle of the page's
            proportions.

    Raises:
        ConfigError: for too few views, or a setting that makes no sense.
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
        """Global views first, then local ones; each of the size of the page.

        Args:
            image: (B, 3, H, W) uint8.
            source: a generator of the image's device, or a seed. The same seed, shape and kind of
                device give the same views; a view of a page never depends on other pages.

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
        for out, area in zip(views, areas, strict=True):  # all at once would fill the memory
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
        """Starts and sizes (B, 2) of crops, in shares of height and width."""
        low, high = (torch.tensor(a, device=area.device).log() for a in self.aspect)
        root = (draws.between(low, high, len(area)) / 2).exp()
        root = root.clamp(area.sqrt(), 1 / area.sqrt())  # neither side beyond the page
        size = torch.stack([area.sqrt() / root, area.sqrt() * root], 1).clamp(max=1)
        return draws.unit(len(area), 2) * (1 - size), size

    def _torn(self, draws: Draws, view: Tensor) -> Tensor:
        """(B, 1, H, W) bool: True in a rectangle."""
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
    """Parts of pages brought to full size, bilinear; parts are smaller, so nothing aliases.

    Args:
        image: (B, C, H, W) float.
        start, size: (B, 2), in shares of height and width.

    Returns:
        (B, C, H, W).
    """
    middle = 2 * start + size - 1  # of the crop, where the page reaches from -1 to 1
    zero = torch.zeros_like(size[:, 0])
    theta = torch.stack([size[:, 1], zero, middle[:, 1], zero, size[:, 0], middle[:, 0]], 1)
    grid = F.affine_grid(theta.view(-1, 2, 3), list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def soften(image: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of each page by its own sigma, up to 3 px; 0 leaves a page as it is.

    Args:
        image: (B, C, H, W) float; borders are repeated outwards.
        sigma: (B,) pixels.
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
