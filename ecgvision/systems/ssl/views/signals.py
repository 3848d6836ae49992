"""Views of signals and spectrograms for self-supervised training, a batch at once on its device.

The transformations and their ranges are those of Phan et al. (arXiv 2210.06297) and their public
code; where the code does otherwise than it says, the class that departs from it says so. Every
view of a record is as long as the record, so that one pass of the network takes all of them.

All randomness comes from one generator or seed for each batch: the same seed, shapes and kind of
device give the same views. What happens to a record depends on its place in the batch, and never
on the values of the others.
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
    """Starts and ends of runs of `shares` of `length`, which start anywhere they fit."""
    size = (shares * length).long()
    start = draws.below(length - size + 1)
    return start, start + size


def on_processor(x: Tensor) -> bool:
    """Whether compiled loops can read the tensor; other devices take tensor operations."""
    return x.device.type == "cpu"


@dataclass(frozen=True)
class TimeViews:
    """Views of a signal: a crop stretched to full length, a cut-out in every lead, noise.

    A crop keeps a run of the record. Its samples are placed in order at as many randomly chosen
    places of the view, the first at its beginning and the last at its end; between them the view
    is interpolated linearly, all leads at the same moments. Then a run of every lead, each lead
    by itself, becomes 0, and Gaussian noise is added everywhere.

    The public code draws local views of 100 samples and then ignores that number; here they are
    as long as the record, as they were in effect.

    Attributes:
        global_views: number of views that teacher and student see.
        local_views: number of views that only the student sees.
        global_crop, local_crop: share of the record that a view keeps.
        cut_out: share of each lead that becomes 0.
        noise: standard deviation in mV.

    Raises:
        ConfigError: for too few views, or a range that makes no sense.
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
        """Global views first, then local ones.

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
    """Each view by itself, its noise from a generator of its own: as many at once as threads."""
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
    """Where every sample of a stretched crop comes from.

    Args:
        shares: (V, B), what a crop keeps of `length` samples; it keeps two at least.
        length: samples of the record and of the view.

    Returns:
        Sample to the left and to the right in the record, (V, B, length) int64, and how far
        the view's sample lies from the one to the other, (V, B, length) in [0, 1). The moment
        `left + part` never falls from one sample of the view to the next.
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
    """Views of a spectrogram: a crop in the middle of zeros, cut-outs in time and frequency.

    A crop keeps a run of frames. In every lead, each by itself, a run of the crop's frames and
    one frequency become 0. The crop then stands in the middle of the view, with zeros around.
    Zeros are what a lead shows on average if the spectrogram was standardised before, as in the
    public code. That code draws the frequency cut-out and loses it again; here both hold.

    Attributes:
        global_views, local_views: as in `TimeViews`.
        global_crop, local_crop: share of the frames that a view keeps.
        cut_out: share of the crop's frames that becomes 0 in each lead.
        frequencies: number of neighbouring frequencies that become 0 in each lead; 0 for none.

    Raises:
        ConfigError: for too few views, or a range that makes no sense.
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
        """Global views first, then local ones.

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
