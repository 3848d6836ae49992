"""Views of signals and spectrograms for self-supervised training, batched on the device.

Transformations and ranges are those of Phan et al. (arXiv 2210.06297) and their public code. Where
that code contradicts its description, the class docstring states the difference. Every view is as
long as the record, so that one forward pass takes all views.

All randomness comes from one generator or seed per batch: the same seed, shapes and kind of device
give the same views. The views of a record depend on its position in the batch, but not on the
values of other records.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ecgvision.core.errors import DataError
from ecgvision.systems.ssl.views import kernels, tensors
from ecgvision.systems.ssl.views.checks import Range, check_counts, check_range
from ecgvision.systems.ssl.views.draws import Draws


def _spans(draws: Draws, shares: Tensor, length: Tensor | int) -> tuple[Tensor, Tensor]:
    """Draw starts and ends of spans that cover `shares` of `length`, at random positions."""
    size = (shares * length).long()
    start = draws.below(length - size + 1)
    return start, start + size


def on_processor(x: Tensor) -> bool:
    """Return whether the tensor is on the CPU, where compiled loops replace tensor operations."""
    return x.device.type == "cpu"


@dataclass(frozen=True)
class TimeViews:
    """Views of a signal: a crop stretched to full length, a cut-out in every lead, noise.

    A crop is a span of the record. Its samples are placed in order at random positions of the view,
    the first at the start and the last at the end. Samples in between are interpolated linearly, at
    the same times in all leads. Then a span of every lead, drawn per lead, becomes 0, and Gaussian
    noise is added everywhere.

    The public code draws local views of 100 samples but then ignores that number. Here they are as
    long as the record, as they effectively are there.

    Attributes:
        global_views: number of views that teacher and student see.
        local_views: number of views that only the student sees.
        global_crop, local_crop: share of the record that a view keeps.
        cut_out: share of each lead that becomes 0.
        noise: standard deviation of the noise in mV.

    Raises:
        ConfigError: for too few views, or an invalid range.
    """

    global_views: int = 2
    local_views: int = 8
    global_crop: Range = (0.5, 1.0)
    local_crop: Range = (0.1, 0.5)
    cut_out: Range = (0.2, 0.4)
    noise: Range = (0.005, 0.025)

    def __post_init__(self) -> None:
        check_counts(self.global_views, self.local_views)
        for name in ("global_crop", "local_crop", "cut_out"):
            check_range(name, getattr(self, name), 0, 1)
        check_range("noise", self.noise, 0, float("inf"))

    def __call__(self, signal: Tensor, source: torch.Generator | int) -> Tensor:
        """Return global views, then local ones.

        Args:
            signal: (B, leads, T) mV; NaN (not observed) counts as 0.
            source: a generator of the signal's device, or a seed.

        Returns:
            (views, B, leads, T) float32 mV.

        Raises:
            DataError: unless the signal is (B, leads, T) with two samples or more.
            ConfigError: for a generator of another device.
        """
        if signal.ndim != 3 or signal.shape[-1] < 2:
            raise DataError(
                "time views need signals (B, leads, T) of two samples or more",
                value=tuple(signal.shape),
            )
        draws = Draws(source, signal.device)
        batch, leads, length = signal.shape
        sizes = (self.global_views, self.local_views)
        shares = draws.shares(self.global_crop, self.local_crop, sizes, batch)
        left, right, part = stretch(draws, shares, length)
        many = (sum(sizes), batch, leads)
        start, end = _spans(draws, draws.between(*self.cut_out, *many), length)
        sigma = draws.between(*self.noise, sum(sizes), batch)
        known, given = signal.detach().float(), (left, right, part, start, end, sigma)
        if on_processor(signal):
            return _time_views(draws, known, *given)
        views = draws.normal(sum(sizes), *signal.shape)
        tensors.time_views(torch.nan_to_num(known, nan=0.0), *given, views)
        return views


def _time_views(draws: Draws, signal: Tensor, *given: Tensor) -> Tensor:
    """Make the views on the CPU in parallel threads, each with its own noise generator."""
    views = torch.empty(len(given[0]), *signal.shape)
    noise = draws.generators(len(views))
    record = np.ascontiguousarray(signal.numpy())
    record = np.where(np.isnan(record), np.float32(0), record)

    def make(v: int) -> None:
        views[v].normal_(generator=noise[v])
        part = (x[v : v + 1].numpy() for x in (*given, views))
        kernels.time_views(record, *part)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        list(pool.map(make, range(len(views))))
    return views


def stretch(draws: Draws, shares: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw crops, and the source position in the record of every sample of the stretched view.

    Args:
        shares: (V, B), share of `length` samples that a crop keeps, at least two samples.
        length: samples of the record and of the view.

    Returns:
        The samples of the record to the left and to the right, (V, B, length) int64, and the
        position between them, (V, B, length) in [0, 1). The source time `left + part` never
        decreases along the view.
    """
    kept = (shares * length).long().clamp(2, length)
    start = draws.below(length - kept + 1)
    inner = draws.chosen(length - 2, kept - 2)
    placed = torch.nn.functional.pad(inner, (1, 1), value=True)
    return (_places if on_processor(shares) else tensors.places)(placed, start)


def _places(placed: Tensor, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    left, right = (torch.empty(placed.shape, dtype=torch.int64) for _ in range(2))
    part = torch.empty(placed.shape)
    rows = (x.flatten(0, -2).numpy() for x in (placed, left, right, part))
    kernels.places(start.flatten().numpy(), *rows)
    return left, right, part


@dataclass(frozen=True)
class SpectrogramViews:
    """Views of a spectrogram: a crop centred in zeros, with cut-outs in time and frequency.

    A crop keeps a span of frames. In every lead, drawn per lead, a span of the crop's frames and
    one frequency become 0. The crop is then centred in the view and padded with zeros. Zero is the
    mean of a lead if the spectrogram was standardised before, as in the public code. That code
    draws the frequency cut-out but then discards it; here both cut-outs are applied.

    Attributes:
        global_views, local_views: as in `TimeViews`.
        global_crop, local_crop: share of the frames that a view keeps.
        cut_out: share of the crop's frames that becomes 0 in each lead.
        frequencies: number of neighbouring frequencies that become 0 in each lead; 0 for none.

    Raises:
        ConfigError: for too few views, or an invalid range.
    """

    global_views: int = 2
    local_views: int = 8
    global_crop: Range = (0.6, 1.0)
    local_crop: Range = (0.3, 0.6)
    cut_out: Range = (0.1, 0.35)
    frequencies: int = 1

    def __post_init__(self) -> None:
        check_counts(self.global_views, self.local_views)
        for name in ("global_crop", "local_crop", "cut_out"):
            check_range(name, getattr(self, name), 0, 1)
        check_range("frequencies", (0, self.frequencies), 0, 2**31)

    def __call__(self, spectrogram: Tensor, source: torch.Generator | int) -> Tensor:
        """Return global views, then local ones.

        Args:
            spectrogram: (B, leads, bins, frames), standardised.
            source: a generator of the spectrogram's device, or a seed.

        Returns:
            (views, B, leads, bins, frames) float32.

        Raises:
            DataError: unless the input has four dimensions and more bins than are cut out.
            ConfigError: for a generator of another device.
        """
        if spectrogram.ndim != 4 or spectrogram.shape[2] <= self.frequencies:
            raise DataError(
                f"spectrogram views need (B, leads, bins, frames) with more than "
                f"{self.frequencies} bins",
                value=tuple(spectrogram.shape),
            )
        draws = Draws(source, spectrogram.device)
        batch, leads, bins, frames = spectrogram.shape
        sizes = (self.global_views, self.local_views)
        shares = draws.shares(self.global_crop, self.local_crop, sizes, batch)
        kept = (shares * frames).long().clamp(1, frames)
        start = draws.below(frames - kept + 1)
        pad = torch.div(frames - kept, 2, rounding_mode="floor")
        many = (sum(sizes), batch, leads)
        first, last = _spans(draws, draws.between(*self.cut_out, *many), kept.unsqueeze(-1))
        bound = torch.full(many, bins - self.frequencies + 1, device=spectrogram.device)
        lowest = draws.below(bound)
        values = spectrogram.detach().float()
        make = _spectrogram_views if on_processor(values) else tensors.spectrogram_views
        return make(values, start, kept, pad, first, last, lowest, self.frequencies)


def _spectrogram_views(spectrogram: Tensor, start: Tensor, *rest: Tensor | int) -> Tensor:
    views = torch.empty(len(start), *spectrogram.shape)
    given = [x.numpy() if isinstance(x, Tensor) else x for x in (start, *rest)]
    kernels.spectrogram_views(spectrogram.contiguous().numpy(), *given, views.numpy())
    return views
