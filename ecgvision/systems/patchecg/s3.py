"""Segment, shuffle, stitch (S3; Grover et al., NeurIPS 2024) over a sequence of tokens.

A layer cuts the sequence into equal segments, sorts them by a learned vector and adds the
re-ordered sequence to the original with two learned weights and a bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class S3Layer(nn.Module):
    """One shuffle and stitch.

    The sorting vector starts at 0.6, as in the public package.

    Args:
        segments: number of segments.
        published: compute as the public package. It divides the vector by itself, so that its
            gradient is only rounding error. Here that gradient is exactly 0: all entries keep their
            initial value and the order never changes. The stitch is initialised at random. False
            (our default) passes the gradient straight through the sorting, as the paper describes,
            and initialises the stitch as the mean, so that a layer starts as the identity.

    Shape:
        x: (B, N, width), N a multiple of `segments`; result: the same.
    """

    def __init__(self, segments: int, *, published: bool = False) -> None:
        super().__init__()
        self.published = published
        self.rank = nn.Parameter(torch.full((segments,), 0.6))
        self.stitch = nn.Conv1d(2, 1, 1)
        if not published:
            nn.init.constant_(self.stitch.weight, 0.5)
            nn.init.zeros_(self.stitch.bias)  # type: ignore[arg-type]

    def _shuffle(self) -> Tensor:
        """Return the permutation matrix, (segments, segments).

        Row i has a one in the column of the segment that is placed i-th.
        """
        value = self.rank.detach()
        slope = torch.zeros_like(value) if self.published else 1 / value.abs().clamp(min=1e-6)
        one = 1 + (self.rank - value) * slope
        order = value.argsort(descending=True, stable=True).unsqueeze(1)
        empty = torch.zeros(len(value), len(value), dtype=one.dtype, device=one.device)
        return empty.scatter(1, order, one[order])

    def forward(self, x: Tensor) -> Tensor:
        parts = x.unflatten(1, (len(self.rank), -1))  # (B, segments, N / segments, width)
        moved = torch.einsum("ij,bjnw->binw", self._shuffle().to(x.dtype), parts).flatten(1, 2)
        moved_weight, own_weight = self.stitch.weight.flatten()
        return moved_weight * moved + own_weight * x + self.stitch.bias


class S3(nn.Module):
    """S3 layers of 4, 8 and 16 segments (PatchECG's public code).

    If the length is not a multiple of a layer's segments, the excess leading tokens skip that layer
    and all later ones. They are put back in front unchanged. A layer with more segments than tokens
    is skipped. Both as in the public package.

    Args:
        segments: number of segments of each layer.
        published: see `S3Layer`.

    Shape:
        x: (B, N, width); present: (B, N) bool or None; result: (B, N, width). With `present`,
        missing tokens are set to 0 after every layer. Without it, the bias and the order make them
        nonzero.
    """

    def __init__(self, segments: Sequence[int] = (4, 8, 16), *, published: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(S3Layer(n, published=published) for n in segments)

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        out = x
        for layer in self.layers:
            segments = len(layer.rank)  # type: ignore[arg-type]
            if out.shape[1] < segments:
                continue
            out = layer(out[:, out.shape[1] % segments :])
            if present is not None:
                out = out.masked_fill(~present[:, -out.shape[1] :].unsqueeze(-1), 0.0)
        return torch.cat([x[:, : x.shape[1] - out.shape[1]], out], dim=1)
