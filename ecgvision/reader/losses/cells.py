"""Targets and losses of the cells of a page."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.ecg import LEAD_INDEX
from ecgvision.reader.networks.dense_head import BACKGROUND, INVERTED, RELATIVE_GAINS, Cells

BESIDE = 1.2
"""Maximum distance in rows of cells at which a cell is assigned to a 0 mV line: two cells of a
column, at times three; our default."""

LEAST = 8
"""Minimum number of samples of a lead in a column of cells for its cells to be assigned to it, of
23 at 576 x 768 pixels and 100 Hz; our default."""

BACKGROUND_WEIGHT = 0.5
"""Weight of background cells; our default: nine of ten cells are background."""

SMOOTH_L1_BETA = 0.05
"""`beta` of the smooth L1 loss, in cells for place and time and in log units for the gain. Our
default: less than a pixel, and a hundredth of a second."""


class CellTruth(NamedTuple):
    """Targets of `Cells`, (B, N) each.

    The attributes are those of `Cells`, except: `answer`, int64, class of the name; `gain`, int64,
    index of the nearest of `RELATIVE_GAINS`; `near`, bool, whether a trace is near.
    """

    answer: Tensor
    x: Tensor
    y: Tensor
    time: Tensor
    gain: Tensor
    stretch: Tensor
    near: Tensor


def cell_truth(
    place: Tensor, voltage_scale: Tensor, grid: tuple[int, int], *, to_gain: float
) -> CellTruth:
    """Return the targets of every cell, from the trace with the nearest 0 mV line.

    The distance is vertical, from the cell's middle.

    Args:
        place: (B, 12, T, 2), each sample's 0 mV point as fractions of the image, NaN where not
            printed.
        voltage_scale: (B, 12, T, 2), the displacement from 1 mV to 0 mV.
        grid: (rows, columns).
        to_gain: `PageReader.voltage_per_time_scale`.
    """
    rows, columns = grid
    batch, leads, length, _ = place.shape
    shown = ~place.isnan().any(-1)
    x, y = (place[..., i].nan_to_num() * n for i, n in ((0, columns), (1, rows)))
    shown = shown & (x >= 0) & (x < columns)
    column = x.long().clamp(0, columns - 1)
    time = ((torch.arange(length, device=place.device) + 0.5) / length).expand_as(x)

    def mean(values: Tensor) -> Tensor:
        empty = torch.zeros(batch, leads, columns, device=place.device)
        return empty.scatter_add_(2, column, torch.where(shown, values, 0.0)) / count.clamp(min=1)

    count = torch.ones(())
    count = mean(torch.ones_like(x))
    means = torch.stack([mean(x), mean(y), mean(time), mean(voltage_scale[..., 1].nan_to_num())])
    middle = torch.arange(rows, device=place.device)[:, None] + 0.5
    gap = torch.where(count >= LEAST, means[1], torch.inf)[:, :, None] - middle
    distance, lead = gap.abs().min(1)  # (B, rows, columns)
    near = distance < BESIDE
    chosen = means[:, :, :, None].expand(-1, -1, -1, rows, -1)
    chosen = chosen.gather(2, lead[None, :, None].expand(4, -1, -1, -1, -1))[:, :, 0]
    answer = torch.where((chosen[3] < 0) & (lead == LEAD_INDEX["aVR"]), INVERTED, lead)
    answer = torch.where(near, answer, BACKGROUND)
    time_scale = _time_scale(place, shown)[:, None, None]
    height = (chosen[3].abs() / (to_gain * time_scale).clamp(min=1e-6)).clamp(min=1e-3).log()
    gains = torch.tensor(RELATIVE_GAINS, device=place.device).log()
    gain = (height[..., None] - gains).abs().argmin(-1)
    parts = (answer, chosen[0] / columns, chosen[1] / rows, chosen[2], gain, height - gains[gain],
             near)  # fmt: skip
    return CellTruth(*(part.flatten(1) for part in parts))


def _time_scale(place: Tensor, shown: Tensor) -> Tensor:
    """Return (B,): fraction of the width that the full window takes.

    It is extrapolated from the printed parts of the leads.
    """
    length = place.shape[2]
    index = torch.arange(length, device=place.device)
    first = torch.where(shown, index, length - 1).amin(2, keepdim=True)
    last = torch.where(shown, index, 0).amax(2, keepdim=True)
    x = place[..., 0].nan_to_num()
    span = (x.gather(2, last) - x.gather(2, first))[..., 0]
    steps = (last - first).clamp(min=0)[..., 0]
    held = (steps > 0).float()
    return (span * held).sum(1) / (steps * held).sum(1).clamp(min=1) * length


def cell_losses(cells: Cells, truth: CellTruth, grid: tuple[int, int]) -> dict[str, Tensor]:
    """Compute the losses of the cells.

    Cross-entropy of the names, over all cells. For cells near a trace, the mean errors of place and
    of time, both in cells (time as if the window took a full row), and for the gain the
    cross-entropy and the error of the stretch.

    Returns:
        `lead`, `place`, `time`, `gain`: scalars, float32.
    """
    weight = torch.ones(BACKGROUND + 1, device=cells.logits.device)
    weight[BACKGROUND] = BACKGROUND_WEIGHT
    lead = F.cross_entropy(cells.logits.float(), truth.answer, weight=weight)
    count = truth.near.sum().clamp(min=1)

    def error(given: Tensor, wanted: Tensor, scale: float) -> Tensor:
        terms = F.smooth_l1_loss(
            scale * given.float(), scale * wanted, reduction="none", beta=SMOOTH_L1_BETA
        )
        return torch.where(truth.near, terms, 0.0).sum() / count

    rows, columns = grid
    gain = F.cross_entropy(cells.gain.float(), truth.gain, reduction="none")
    return {
        "lead": lead,
        "place": error(cells.x, truth.x, columns) + error(cells.y, truth.y, rows),
        "time": error(cells.time, truth.time, columns),
        "gain": (gain * truth.near).sum() / count + error(cells.stretch, truth.stretch, 1.0),
    }
