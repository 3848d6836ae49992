"""Waveforms off a picture. Base install only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import Ecg
from ecgvision.core.errors import ImageError
from ecgvision.data.network_input import placement, to_network
from ecgvision.deploy.reader_bundle import ReaderBundle
from ecgvision.reader.confidence import calibrated, found_samples, lead_confidence, page_confidence

TURNS = ("", "upside down", "on its left side", "on its right side")
"""How a page may lie, in the order in which it is tried."""

UPRIGHT_MARGIN = 1.25
"""A page is said to lie otherwise when that much more of it can be read after turning; our default.
How much is told in seconds, each as far as the reader is sure of it: a page on its side may hold
one row that seems sure."""

SURE = 0.8
"""A page of which all twelve leads are found, and with that confidence, is taken as it stands; our
default: of 66 sheets of two validation pages the package's reader is sure of none beyond 0.74, and
of 132 turned pages beyond 0.60. Every other look at the picture costs as much again."""

HALF_SHARE = 0.75
"""A picture is said to hold two ECGs when in each half of it there is more than that share of what
can be read in the whole; our default. Each half of one ECG holds a half, whatever its layout."""


@dataclass(frozen=True)
class Digitised:
    """What was read of one picture.

    Attributes:
        ecg: (12, T) mV, NaN where nothing was found printed.
        confidence: of each lead, 0 where it was not found; see `confidence.lead_confidence`.
        page: of the page.
        error_mv: of each lead the mean absolute error the reader expects; NaN where not found.
        gain: how many times higher than at 10 mm/mV, 25 mm/s a millivolt was taken to be printed.
        gain_confidence: the probability of it; 1 where it was given.
        found: (12, T) bool.
        trace: (12, T, 2) x, y in pixels of the picture.
    """

    ecg: Ecg
    confidence: tuple[float, ...]
    page: float
    error_mv: tuple[float, ...]
    gain: float
    gain_confidence: float
    found: NDArray[np.bool_]
    trace: NDArray[np.float64]

    @property
    def amount(self) -> float:
        """How much was read: seconds of all leads, each times its confidence."""
        return float(self.found.sum(-1) @ np.array(self.confidence) / self.ecg.rate)


def digitize(
    bundle: ReaderBundle, image: NDArray[np.uint8], *, file: str = "", gain: float | None = None
) -> Digitised:
    """Read a picture.

    Args:
        image: (H, W, 3) uint8 RGB of any size.
        file: its name in messages.
        gain: as `Digitised.gain`, where it is known; None leaves it to the reader.

    Raises:
        ImageError: if nothing can be read, the page does not stand upright, or the picture holds
            two ECGs side by side or one above the other; it says which.
    """
    upright = _read(bundle, image, file, gain)
    least = bundle.least_confidence
    if upright.page >= max(SURE, least) and min(upright.confidence) > 0:
        return upright
    for axis, name in enumerate(("one above the other", "side by side")):
        halves = (_read(bundle, h, file, gain) for h in np.array_split(image, 2, axis=axis))
        parts = list(takewhile(
            lambda p: p.page >= least and p.amount > HALF_SHARE * upright.amount, halves
        ))  # fmt: skip
        if len(parts) == 2:
            raise ImageError(f"the picture holds two ECGs, {name}", file=file,
                             value=" and ".join(f"{p.amount:.1f} s" for p in parts)
                             + f" of leads in the halves, {upright.amount:.1f} s in the whole",
                             remedy="Cut it into one picture for each")  # fmt: skip
    for turns, name in ((2, TURNS[1]), (1, TURNS[2]), (3, TURNS[3])):
        turned = _read(bundle, np.ascontiguousarray(np.rot90(image, -turns)), file, gain)
        if turned.page >= least and turned.amount > UPRIGHT_MARGIN * upright.amount:
            raise ImageError(f"the page lies {name}", file=file,
                             value=f"{turned.amount:.1f} s of leads after turning, "
                             f"{upright.amount:.1f} s as it is",
                             remedy="Turn the picture and try again")  # fmt: skip
    if upright.page < least or upright.page == 0:
        raise ImageError(
            "nothing can be read: no lead of a printed ECG was found with confidence", file=file,
            value=f"{upright.page:.2f}",
            remedy=f"This reader asks for {least:.2f}. Is the picture a whole page, upright and "
            "sharp?",
        )  # fmt: skip
    return upright


def _read(
    bundle: ReaderBundle, image: NDArray[np.uint8], file: str, gain: float | None
) -> Digitised:
    small = to_network(image, bundle.image_size)
    read = bundle.run(np.moveaxis(small, 2, 0)[None])
    signal, scale, presence, trace, gains = (v[0] for v in read)
    taken, sure = bundle.gains[int(gains.argmax())], float(gains.max())
    if gain is not None:
        signal, scale = signal * (taken / gain), scale * (taken / gain)
        taken, sure = gain, 1.0
    raw = lead_confidence(presence, scale, bundle.rate) * sure
    leads = calibrated(raw, bundle.calibration)
    found = found_samples(presence, bundle.rate)
    count = np.maximum(found.sum(-1), 1)
    error = np.where(leads > 0, np.where(found, scale, 0).sum(-1) / count, np.nan)
    values = np.where(found, signal, np.nan).astype(np.float32)
    return Digitised(
        Ecg(values, bundle.rate, Path(file).stem),
        tuple(leads.tolist()),
        float(page_confidence(leads)),
        tuple(error.tolist()),
        taken,
        sure,
        found,
        picture_points(trace, (image.shape[0], image.shape[1]), bundle.image_size),
    )


def picture_points(
    fractions: NDArray[np.floating], picture: tuple[int, int], size: Sequence[int]
) -> NDArray[np.float64]:
    """Fractions (..., 2) of the network's image as pixels of the picture that `to_network` brought
    to it.

    Args:
        picture: (height, width) of the picture.
        size: [height, width] of the network.
    """
    inner = placement(picture, size)
    x = (fractions[..., 0].astype(np.float64) * size[1] - inner.left) * picture[1] / inner.width
    y = (fractions[..., 1].astype(np.float64) * size[0] - inner.top) * picture[0] / inner.height
    return np.stack([x, y], axis=-1)
