"""The loops of `kernels` as tensor operations, for any device."""

from __future__ import annotations

import torch
from torch import Tensor


def _rows(x: Tensor, index: Tensor) -> Tensor:
    """Gather rows of each record: x (B, T, C), index (..., B, N) -> (..., B, N, C)."""
    first = torch.arange(x.shape[0], device=x.device).view(-1, 1) * x.shape[1]
    chosen = x.flatten(0, 1).index_select(0, (index + first).flatten())
    return chosen.view(*index.shape, x.shape[2])


def places(placed: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """`kernels.places` as tensor operations."""
    length = placed.shape[-1]
    time = torch.arange(length, device=placed.device)
    before = torch.where(placed, time, 0).cummax(-1).values
    # Next placed sample after each time: a cumulative maximum from the far end.
    after = torch.where(placed, length - 1 - time, 0).flip(-1).cummax(-1).values.flip(-1)
    after = length - 1 - after.roll(-1, -1)
    after[..., -1] = length  # nothing follows the last; its part is 0
    part = (time - before) / (after - before)
    count = placed.cumsum(-1) - 1
    left = start.unsqueeze(-1) + count
    right = start.unsqueeze(-1) + (count + 1).clamp(max=count[..., -1:])
    return left, right, part


def time_views(
    signal: Tensor, left: Tensor, right: Tensor, part: Tensor, start: Tensor, end: Tensor,
    sigma: Tensor, views: Tensor,
) -> None:  # fmt: skip
    """`kernels.time_views` as tensor operations."""
    rows = signal.transpose(1, 2).contiguous()
    time = torch.arange(signal.shape[-1], device=signal.device)
    for v, out in enumerate(views):  # one at a time: a tenth of the temporaries
        view = torch.lerp(_rows(rows, left[v]), _rows(rows, right[v]), part[v].unsqueeze(-1))
        hidden = (time >= start[v].unsqueeze(-1)) & (time < end[v].unsqueeze(-1))
        out.mul_(sigma[v].view(-1, 1, 1))
        out.add_(view.transpose(1, 2).masked_fill_(hidden, 0.0))


def spectrogram_views(
    spectrogram: Tensor, start: Tensor, kept: Tensor, pad: Tensor, first: Tensor, last: Tensor,
    lowest: Tensor, frequencies: int,
) -> Tensor:  # fmt: skip
    """`kernels.spectrogram_views` as tensor operations."""
    _, leads, bins, frames = spectrogram.shape
    place = torch.arange(frames, device=spectrogram.device) - pad.unsqueeze(-1)  # within the crop
    inside = (place >= 0) & (place < kept.unsqueeze(-1))
    index = torch.where(inside, place + start.unsqueeze(-1), 0)
    rows = spectrogram.permute(0, 3, 1, 2).flatten(2).contiguous()
    views = _rows(rows, index).unflatten(-1, (leads, bins))  # (V, B, frames, leads, bins)
    place = place.unsqueeze(-1)
    cut = (place >= first.unsqueeze(-2)) & (place < last.unsqueeze(-2))
    views.masked_fill_((~inside.unsqueeze(-1) | cut).unsqueeze(-1), 0.0)
    bin_ = torch.arange(bins, device=spectrogram.device)
    lowest = lowest[:, :, None, :, None]
    views.masked_fill_((bin_ >= lowest) & (bin_ < lowest + frequencies), 0.0)
    return views.permute(0, 1, 3, 4, 2).contiguous()
