"""Read a page: from a picture to the waveform of every lead, and to what was printed at all.

One query stands for each patch of each lead (12 x 15 patches of 64 samples at 100 Hz, the tokens of
PatchECG). It is told no layout: it looks over the page's map of features for where its patch
stands, if it stands anywhere, and answers with the samples in mV, how sure it is of each, and
whether each was printed. Our own design.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.ecg import LEADS, ConfigError
from ecgvision.models.attention import SMAM, Attention
from ecgvision.models.page_map import PageMap
from ecgvision.models.reading_heads import Locator, QueryHead, TraceHead, along, usual_ink
from ecgvision.models.straight import settle, straighten

Head = Literal["trace", "query"]


class _Layer(nn.Module):
    """Queries ask the map, then one another.

    Shape:
        x: (B, N, width); tokens: (B, M, width); result: (B, N, width).
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.cross = Attention(width, heads=heads, dropout=dropout)
        self.among = SMAM(width, heads=heads, dropout=dropout)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        return self.among(x + self.cross(self.norm(x), tokens))


class PageReader(nn.Module):
    """An image encoder's map, queries that search it, and a head that reads where they found.

    Args:
        name: the image encoder, `tracenet` or a timm network; see `PageMap`.
        size: (height, width) of the pages.
        patches: of each lead.
        patch_length: samples of a patch.
        width, depth, heads, dropout: of the decoder.
        head: `trace` follows the ink where the patch was found, and reads soon and well; its
            encoder learns where things stand. `query` lets attention carry the waveform, so that
            the encoder must learn it too, and takes far longer.
        zoom: how many times finer than for the encoder the page is for the `trace` head. Where
            things stand can be seen on a small page, what stands there only on a larger one; the
            encoder is then that of a diagnosis at `size` over `zoom`.
        stride, pretrained: see `PageMap`.

    Shape:
        image: (B, 3, height, width) uint8. Result, a dict with T = patches * patch_length:
        `signal` (B, 12, T) mV; `log_scale` (B, 12, T), log of a Laplace scale in mV; `presence`
        (B, 12, T), the logit that the sample was printed; `there` (B, 12, patches), the logit that
        any of the patch was; `where` (B, 12, patches, rows, columns), log-probabilities over the
        map; `points` (B, 12, T, 2), where each sample's 0 mV was looked for, x and y as fractions
        of the image; `trace` (B, 12, T, 2), where the ink of it was found.

    Raises:
        ConfigError: for a head or a size that makes no sense.
    """

    def __init__(
        self, name: str, size: Sequence[int], *, patches: int = 15, patch_length: int = 64,
        width: int = 128, depth: int = 2, heads: int = 4, dropout: float = 0.0,
        head: Head = "trace", zoom: int = 1, stride: int = 8, pretrained: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if head not in get_args(Head):
            raise ConfigError("model.head must be trace or query", value=head)
        if patches < 1 or patch_length < 2:
            raise ConfigError("there is one patch or more, of two samples or more",
                              value=(patches, patch_length))  # fmt: skip
        if zoom < 1 or any(int(side) % zoom for side in size):
            raise ConfigError("data.image_size must be a multiple of model.zoom, 1 or more",
                              value=(list(size), zoom))  # fmt: skip
        if depth < 1:
            raise ConfigError("model.depth must be at least 1", value=depth)
        self.patches, self.patch_length, self.zoom = patches, patch_length, zoom
        self.image_size = (int(size[0]), int(size[1]))
        small = [side // zoom for side in self.image_size]
        self.page = PageMap(name, small, width, stride=stride, pretrained=pretrained)
        # standard deviation 1, about the size of sine positions; our default
        self.lead = nn.Parameter(torch.randn(len(LEADS), 1, width))
        self.time = nn.Parameter(torch.randn(patches, width))
        self.layers = nn.ModuleList(_Layer(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.locate = Locator(width, self.page.grid)
        self.there = nn.Linear(width, 1)
        kind = TraceHead if head == "trace" else QueryHead
        self.head: TraceHead | QueryHead = kind(width, patch_length)

    def forward(
        self, image: Tensor, told: tuple[Tensor, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """What is read of pages.

        Args:
            told: in training, the true ends of patches (B, 12 * patches, 2, 2) and of which to
                tell the head (B, 12 * patches) bool, so that it can learn to read before the
                search has learned to find. `where` and `points` stay what was found.
        """
        small = image if self.zoom == 1 else F.avg_pool2d(image.float(), self.zoom)
        tokens = self.page(small).flatten(2).transpose(1, 2)
        x = (self.lead + self.time).flatten(0, 1).expand(image.shape[0], -1, -1)
        for layer in self.layers:
            x = layer(x, tokens)
        x = self.norm(x)
        where, ends = self.locate(x, tokens)
        leads = (len(LEADS), self.patches)
        there = self.there(x).float()[..., 0].unflatten(1, leads)
        if not self.training:
            found = there.sigmoid()
            ends = straighten(ends.unflatten(1, leads), found)
            ends = settle(ends, found, usual_ink(image)).flatten(1, 2)
        line = ends if told is None else torch.where(told[1][..., None, None], told[0], ends)
        parts = self.head(x, image, line).unflatten(1, leads)  # (B, 12, patches, 4, length)
        signal, log_scale, presence, rise = (part.flatten(2) for part in parts.unbind(3))
        points = along(ends, self.patch_length).unflatten(1, leads).flatten(2, 3)
        trace = torch.stack([points[..., 0], points[..., 1] - rise.detach()], dim=-1)
        return {
            "signal": signal, "log_scale": log_scale, "presence": presence, "there": there,
            "where": where.unflatten(1, leads), "points": points, "trace": trace,
        }  # fmt: skip
