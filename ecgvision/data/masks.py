"""Training masks: hide blocks of leads, or everything except a printed layout.

Masks are bool, True where a sample stays observed, and pure functions of a numpy Generator. They
never modify a signal. Callers apply a mask to a copy, so that no mask outlives its epoch.
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
"""Fractions of a lead that a block hides, all equally likely (PatchECG, arXiv 2508.09165)."""

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
    """Check a standard deviation of noise (mV).

    Raises:
        ConfigError: if it is negative or not finite.
    """
    if not (math.isfinite(std) and std >= 0):
        raise ConfigError("noise is a standard deviation in mV, 0 for none", value=std)


def _block(rng: np.random.Generator, sizes: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """Return (leads, length) bool: True on `sizes[lead]` samples at a random position."""
    start = rng.integers(0, length - sizes + 1)
    time = np.arange(length)
    return (time >= start[:, None]) & (time < (start + sizes)[:, None])


def blocks(
    rng: np.random.Generator, leads: int, length: int, fractions: Sequence[float] = FRACTIONS
) -> NDArray[np.bool_]:
    """Hide one contiguous block of every lead, independently for each lead.

    A block lies completely within the lead, and all its possible starts are equally likely. The
    observed share is therefore one minus the fraction, to the nearest sample.

    Args:
        rng: generator for the fractions and starts.
        leads: number of leads.
        length: samples per lead.
        fractions: fractions of the lead that a block may hide, all equally likely.

    Returns:
        (leads, length) bool, True where a sample stays observed.

    Raises:
        ConfigError: if there is no fraction, or one outside [0, 1).
    """
    _check_fractions(fractions)
    hidden = np.asarray(fractions, np.float64)[rng.integers(len(fractions), size=leads)]
    return ~_block(rng, np.rint(hidden * length).astype(np.int64), length)


def layout_mask(page_or_layout: Page | Layout, length: int, rate: float) -> NDArray[np.bool_]:
    """Return which samples of a recording a printed page shows, every window at its true time.

    Args:
        page_or_layout: a layout stands for its page at 25 mm/s on the kit's paper, which fits all
            ten seconds.
        length: samples of the recording, counted from the start of the page.
        rate: Hz.

    Returns:
        (12, length) bool, True where a sample is printed.
    """
    page = Page(page_or_layout) if isinstance(page_or_layout, Layout) else page_or_layout
    return page.observed(length, rate)


def noise_blocks(
    rng: np.random.Generator, signal: NDArray[np.float32], std: float = NOISE_MV
) -> NDArray[np.float32]:
    """Add Gaussian noise to one contiguous block of every lead, independently for each lead.

    The share of a lead with noise is uniform in [0, 1] (the paper says 0-100 %; the distribution is
    our default). All possible starts of the block are equally likely.

    Args:
        rng: generator for blocks and noise.
        signal: (leads, T) in mV, NaN where missing; not modified.
        std: standard deviation of the noise in mV.

    Returns:
        (leads, T) float32 in mV, a new array, NaN where the signal is.
    """
    leads, length = signal.shape
    noisy = _block(rng, np.rint(rng.random(leads) * length).astype(np.int64), length)
    noise = rng.standard_normal(signal.shape, dtype=np.float32) * np.float32(std)
    return np.where(noisy, signal + noise, signal)


@dataclass(frozen=True)
class Drawn:
    """One drawn mask of a `TrainMask`, available at any sampling rate.

    Attributes:
        rate: sampling rate in Hz at which the mask was drawn.
        page: page outside of which all samples are hidden, or None.
        left: (12, T) bool at `rate`, False within blocks, or None without blocks.
    """

    rate: float
    page: Page | None
    left: NDArray[np.bool_] | None

    def at(self, length: int, rate: float) -> NDArray[np.bool_]:
        """Return (12, length) bool at `rate` Hz, True where a sample stays observed.

        At another rate, a sample follows the sample of the drawn mask whose time interval contains
        it.
        """
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
    """The mask of a training item, drawn anew for each request.

    Attributes:
        mode: `none` hides nothing; `blocks` hides a block of every lead; `layouts` shows what a
            page shows, any of `pages` with equal probability; `both` shows what neither hides.
        fractions: fractions of a lead that `blocks` may hide.
        pages: pages that `layouts` chooses from.

    Raises:
        ConfigError: if the mode is unknown, a fraction is outside [0, 1), or there is no page.
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
        """Draw a mask for `length` samples at `rate` Hz."""
        page = left = None
        if self.mode in ("layouts", "both"):
            page = self.pages[int(rng.integers(len(self.pages)))]
        if self.mode in ("blocks", "both"):
            left = blocks(rng, len(LEADS), length, self.fractions)
        return Drawn(rate, page, left)

    def draw(self, rng: np.random.Generator, length: int, rate: float) -> NDArray[np.bool_]:
        """Draw (12, length) bool at `rate` Hz, True where a sample stays observed."""
        return self.choose(rng, length, rate).at(length, rate)
