"""What a network does not get to see in training: blocks of leads, or all but a printed layout.

Masks are bool, True where a sample stays observed, and pure functions of a numpy Generator. They
never touch a signal; who applies one works on a copy, so that no mask outlives its epoch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import RANDOM_LAYOUTS, Layout, get_layout
from ecgvision.core.page import Page

FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Shares of a lead that a block hides, all equally likely (PatchECG, arXiv 2508.09165)."""

NOISE_MV = 0.1
"""Standard deviation of a noise block in mV (PatchECG, arXiv 2508.09165)."""

MODES = ("none", "blocks", "layouts", "both")


def _check_fractions(fractions: Sequence[float]) -> None:
    if not fractions or not all(0 <= fraction < 1 for fraction in fractions):
        raise ConfigError(
            "blocks hide fractions of a lead from 0 to below 1",
            value=list(fractions),
            remedy="Name at least one, and none that hides the whole lead",
        )


def check_noise(std: float) -> None:
    """Refuse a standard deviation (mV) that is none.

    Raises:
        ConfigError: if it is negative or not finite.
    """
    if not (math.isfinite(std) and std >= 0):
        raise ConfigError("noise is a standard deviation in mV, 0 for none", value=std)


def _block(rng: np.random.Generator, sizes: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """(leads, length) bool: True on one run of `sizes[lead]` samples, anywhere it fits."""
    start = rng.integers(0, length - sizes + 1)
    time = np.arange(length)
    return (time >= start[:, None]) & (time < (start + sizes)[:, None])


def blocks(
    rng: np.random.Generator, leads: int, length: int, fractions: Sequence[float] = FRACTIONS
) -> NDArray[np.bool_]:
    """Hide one contiguous block of every lead, each lead by itself.

    A block lies wholly within the lead and starts anywhere it fits with equal probability, so
    the share that stays is one less the fraction, to the nearest sample.

    Args:
        rng: that the fractions and starts are drawn from.
        leads: number of leads.
        length: samples of a lead.
        fractions: shares of the lead that a block may hide, all equally likely.

    Returns:
        (leads, length) bool, True where a sample stays observed.

    Raises:
        ConfigError: for no fraction, or one outside [0, 1).
    """
    _check_fractions(fractions)
    hidden = np.asarray(fractions, np.float64)[rng.integers(len(fractions), size=leads)]
    return ~_block(rng, np.rint(hidden * length).astype(np.int64), length)


def layout_mask(page_or_layout: Page | Layout, length: int, rate: float) -> NDArray[np.bool_]:
    """What a printed page shows of a recording, every window at its true time.

    Args:
        page_or_layout: a layout stands for its page at 25 mm/s on the kit's paper, where all ten
            seconds fit.
        length: samples of the recording, counted from the page's first moment.
        rate: Hz.

    Returns:
        (12, length) bool, True where a sample is printed.
    """
    page = Page(page_or_layout) if isinstance(page_or_layout, Layout) else page_or_layout
    return page.observed(length, rate)


def noise_blocks(
    rng: np.random.Generator, signal: NDArray[np.float32], std: float = NOISE_MV
) -> NDArray[np.float32]:
    """Add Gaussian noise to one contiguous block of every lead, each lead by itself.

    The share of a lead under noise is uniform in [0, 1] (the paper says 0-100 %; the distribution
    is our default), and the block starts anywhere it fits.

    Args:
        rng: that blocks and noise are drawn from.
        signal: (leads, T) in mV, NaN where missing; left as it is.
        std: of the noise, in mV.

    Returns:
        (leads, T) float32 in mV, a new array, NaN where the signal is.
    """
    leads, length = signal.shape
    noisy = _block(rng, np.rint(rng.random(leads) * length).astype(np.int64), length)
    noise = rng.standard_normal(signal.shape, dtype=np.float32) * np.float32(std)
    return np.where(noisy, signal + noise, signal)


@dataclass(frozen=True)
class Drawn:
    """One mask of a `TrainMask`, which can be had at any rate.

    Attributes:
        rate: Hz that it was drawn at.
        page: outside of which all is hidden, or None.
        left: (12, T) bool at `rate`, False within blocks, or None where there are none.
    """

    rate: float
    page: Page | None
    left: NDArray[np.bool_] | None

    def at(self, length: int, rate: float) -> NDArray[np.bool_]:
        """(12, length) bool at `rate` Hz, True where a sample stays observed. A sample of another
        rate is hidden where the time from one sample of `rate` to the next holds it."""
        seen = np.ones((len(LEADS), length), bool)
        if self.page is not None:
            seen &= layout_mask(self.page, length, rate)
        if self.left is not None:
            whose = np.floor(np.arange(length) * (self.rate / rate) + 1e-6).astype(int)
            seen &= self.left[:, np.minimum(whose, self.left.shape[1] - 1)]
        return seen


def _layout_pages() -> tuple[Page, ...]:
    return tuple(Page(get_layout(name)) for name in RANDOM_LAYOUTS)


@dataclass(frozen=True)
class TrainMask:
    """The mask of a training item, drawn anew whenever it is asked for.

    Attributes:
        mode: `none` hides nothing; `blocks` hides a block of every lead; `layouts` shows what a
            page shows, any of `pages` with equal probability; `both` shows what neither hides.
        fractions: of `blocks`.
        pages: that `layouts` chooses from.

    Raises:
        ConfigError: for an unknown mode, a fraction outside [0, 1), or no page.
    """

    mode: str = "blocks"
    fractions: tuple[float, ...] = FRACTIONS
    pages: tuple[Page, ...] = _layout_pages()

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigError(
                "unknown training mask", value=self.mode, remedy=f"Known: {', '.join(MODES)}"
            )
        _check_fractions(self.fractions)
        if not self.pages:
            raise ConfigError("a training mask needs at least one page to choose from")

    def choose(self, rng: np.random.Generator, length: int, rate: float) -> Drawn:
        """A mask for `length` samples at `rate` Hz."""
        page = left = None
        if self.mode in ("layouts", "both"):
            page = self.pages[int(rng.integers(len(self.pages)))]
        if self.mode in ("blocks", "both"):
            left = blocks(rng, len(LEADS), length, self.fractions)
        return Drawn(rate, page, left)

    def draw(self, rng: np.random.Generator, length: int, rate: float) -> NDArray[np.bool_]:
        """(12, length) bool for a recording at `rate` Hz, True where a sample stays observed."""
        return self.choose(rng, length, rate).at(length, rate)
