"""Segment, shuffle, stitch (S3; Grover et al., NeurIPS 2024) over a sequence of tokens.

A layer cuts the sequence into equal segments, orders them by a learned vector and adds the
re-ordered sequence to the original one with two learned weights and a bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class S3Layer(nn.Module):
    """One shuffle and stitch.

    Args:
        segments: number of segments.
        published: as the public package computes. There the vector is divided by itself, so that
            nothing but rounding reaches it as a gradient; here that is exactly 0, all entries keep
            the value they start at, and the order stays as it is. The stitch starts at random.
            Otherwise (our default) the gradient passes straight through the ordering, as the
            paper describes it, and the stitch starts as the mean, with which a layer is the
            identity at first. Either way the vector starts at 0.6, as in the public package.

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
        """(segments, segments): row i holds a one where the segment that comes i-th lies."""
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
    """Layers of 4, 8 and 16 segments (PatchECG's public code).

    Where the length is no multiple of a layer's segments, the leading tokens are left out of that
    layer and all later ones, and come back in front as they first came in. A layer with more
    segments than tokens is passed over. Both as in the public package.

    Args:
        segments: of each layer.
        published: see `S3Layer`.

    Shape:
        x: (B, N, width); present: (B, N) bool or None; result: (B, N, width). With `present`,
        tokens that are not are set to 0 after every layer; without, the bias and the order make
        them other than 0.
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
