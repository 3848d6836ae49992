"""Digitisation of the waveforms of a picture. Base install only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import UnreadablePageError
from ecgvision.data.network_input import placement, to_network
from ecgvision.data.standard_page import PrintedLead
from ecgvision.deploy.flat_bundle import FlatReaderBundle
from ecgvision.deploy.open_bundle import AnyReader
from ecgvision.deploy.reader_bundle import ReaderBundle
from ecgvision.reader.confidence import calibrated, found_samples, lead_confidence, page_confidence
from ecgvision.reader.overlay import draw_reading
from ecgvision.reader.rectify.mesh import Mesh

if TYPE_CHECKING:  # of the training stack
    import pandas as pd

TURNS = ("", "upside down", "on its left side", "on its right side")
"""Orientations of a page, in the order in which they are tried."""

UPRIGHT_MARGIN = 1.25
"""A page counts as turned if this many times more of it can be read after turning; our default.

The amount read is measured in seconds times confidence (`Digitised.amount`), because a page on its
side may have a single row of high confidence."""

SURE = 0.8
"""A page with all twelve leads and at least this confidence is accepted without further checks.

Our default: the confidence of the package's reader is at most 0.74 on 66 sheets of two validation
pages, and at most 0.60 on 132 turned pages. Each further check reads the picture once more, at the
same cost."""

HALF_SHARE = 0.75
"""A picture counts as two ECGs if each half yields more than this share of the full amount read.

Our default: each half of a single ECG yields about half, whatever its layout."""


MEAN_ERROR = 0.8
"""Mean absolute error of a normal density, in standard deviations."""

FEW_NAMES = 0.2
"""Evidence of names (see `Arrangement.evidence`) below which a layout counts as assumed."""


@dataclass(frozen=True)
class PageLayout:
    """How a page is laid out.

    Attributes:
        name: name of the layout; an unnamed one is written out.
        probability: its share among all layouts that were compared.
        assumed: whether it rests on the rows alone, as hardly any name could be read.
        turned: quarter turns to the left that made the page upright.
        grid: whether the paper's grid was seen. Without it, the scale is a guess.
    """

    name: str
    probability: float
    assumed: bool
    turned: int
    grid: bool


@dataclass(frozen=True)
class Digitised:
    """The digitised record of one picture.

    Attributes:
        ecg: (12, T) mV, NaN where no print was found.
        confidence: confidence of each lead, 0 if not found; see `confidence.lead_confidence`.
        page: confidence of the page.
        error_mv: expected mean absolute error of each lead in mV; NaN if not found.
        gain: gain of the page relative to 10 mm/mV at 25 mm/s.
        gain_confidence: probability of `gain`; 1 if it was given.
        found: (12, T) bool, samples where print was found.
        trace: (12, T, 2), x and y of the trace in pixels of the picture; NaN where not found.
        layout: what was found of the page's layout, or None if the reader does not tell; see
            `PageLayout`.
        mesh: from millimetres of paper to pixels of the picture, or None if the reader sees the
            picture as it is.
        leads: where each lead is printed; empty if the reader does not tell.
    """

    ecg: Ecg
    confidence: tuple[float, ...]
    page: float
    error_mv: tuple[float, ...]
    gain: float
    gain_confidence: float
    found: NDArray[np.bool_]
    trace: NDArray[np.float64]
    layout: PageLayout | None = None
    mesh: Mesh | None = None
    leads: tuple[PrintedLead, ...] = ()

    @property
    def amount(self) -> float:
        """Amount read: seconds found, times confidence, summed over leads."""
        return float(self.found.sum(-1) @ np.array(self.confidence) / self.ecg.rate)

    def at_rate(self, rate: float) -> Digitised:
        """Return the record resampled linearly; a sample without print on both sides is a gap.

        Args:
            rate: Hz.
        """
        own = self.ecg.rate
        length = round(self.ecg.signal.shape[1] / own * rate)
        at = np.arange(length) * own / rate
        low = np.minimum(np.floor(at).astype(int), self.ecg.signal.shape[1] - 1)
        high = np.minimum(low + 1, self.ecg.signal.shape[1] - 1)
        high = np.where(at == low, low, high)
        share = at - low
        signal = (1 - share) * self.ecg.signal[:, low] + share * self.ecg.signal[:, high]
        weight = share[:, None]
        trace = (1 - weight) * self.trace[:, low] + weight * self.trace[:, high]
        return replace(self, ecg=replace(self.ecg, signal=signal.astype(np.float32), rate=rate),
                       found=self.found[:, low] & self.found[:, high], trace=trace)  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return all but the samples as plain JSON values; includes the seconds found per lead."""
        leads: dict[str, dict[str, float]] = {}
        rate = self.ecg.rate
        for i, lead in enumerate(LEADS):
            shown = np.flatnonzero(self.found[i])
            if not len(shown):
                leads[lead] = {"confidence": 0.0, "seconds": 0.0}
                continue
            leads[lead] = {
                "confidence": round(self.confidence[i], 3),
                "seconds": round(len(shown) / rate, 2),
                "from": round(float(shown[0]) / rate, 2),
                "to": round(float(shown[-1] + 1) / rate, 2),
                "expected_error_mv": round(self.error_mv[i], 3),
            }
        values: dict[str, Any] = {
            "rate": rate, "samples": self.ecg.signal.shape[1], "confidence": round(self.page, 3),
            "gain_mm_per_mv_at_25_mm_per_s": 10 * self.gain,
            "gain_confidence": round(self.gain_confidence, 3),
        }  # fmt: skip
        if self.layout is not None:
            values["layout"] = asdict(self.layout)
            values["layout"]["probability"] = round(self.layout.probability, 3)
        return values | {"leads": leads}

    def to_pandas(self) -> pd.DataFrame:
        """Return the samples as a table: one column in mV per lead, indexed by seconds."""
        import pandas as pd

        seconds = np.arange(self.ecg.signal.shape[1]) / self.ecg.rate
        return pd.DataFrame(self.ecg.signal.T, columns=list(LEADS),
                            index=pd.Index(seconds, name="seconds"))  # fmt: skip

    def draw_on(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Draw the traces found over the digitised picture, (H, W, 3) uint8 RGB."""
        share = self.trace / (image.shape[1], image.shape[0])
        return draw_reading(image, share, self.found, LEADS)


def digitize(
    bundle: AnyReader, image: NDArray[np.uint8], *, file: str = "", gain: float | None = None
) -> Digitised:
    """Digitise a picture.

    Args:
        bundle: the reader. One in paper coordinates turns a page upright; one that sees the picture
            as it is refuses a page that lies. Both refuse two ECGs in one picture.
        image: (H, W, 3) uint8 RGB of any size.
        file: name of the picture, for messages.
        gain: known gain, as `Digitised.gain`; None to use the reader's estimate.

    Raises:
        UnreadablePageError: if nothing can be read, or the picture has to be turned or cut; the
            message states which.
    """
    if isinstance(bundle, FlatReaderBundle):
        return _digitize_flat(bundle, image, file, gain)
    return _digitize_as_it_is(bundle, image, file, gain)


def _digitize_flat(
    bundle: FlatReaderBundle, image: NDArray[np.uint8], file: str, gain: float | None
) -> Digitised:
    reading = bundle.read(image, gain=None if gain is None else 10 * gain)
    leads = calibrated(reading.raw_confidence(), bundle.calibration)
    found = found_samples(np.isfinite(reading.signal), bundle.rate)
    leads = np.where(found.any(1), leads, 0.0)
    page = float(page_confidence(leads))
    arrangement = reading.view.arrangement
    # neither a grid nor names: nothing tells of an ECG
    blind = not reading.view.grid and reading.view.evidence < FEW_NAMES
    if arrangement is None or blind or page < bundle.least_confidence or page == 0:
        raise UnreadablePageError(
            "nothing can be read: no lead of a printed ECG was found with confidence", file=file,
            value=f"{page:.2f}",
            remedy=f"This reader asks for {bundle.least_confidence:.2f}. Does the picture show a "
            "printed ECG, sharp and all of it?",
        )  # fmt: skip
    if reading.view.two_ecgs:
        raise UnreadablePageError("the picture holds two ECGs: most leads are named twice",
                                  file=file, remedy="Cut it into one picture for each")  # fmt: skip
    count = np.maximum(found.sum(-1), 1)
    error = np.where(found.any(1), MEAN_ERROR * np.where(found, reading.spread, 0).sum(-1) / count,
                     np.nan)  # fmt: skip
    return Digitised(
        Ecg(np.where(found, reading.signal, np.nan).astype(np.float32), bundle.rate,
            Path(file).stem),
        tuple(leads.tolist()), page, tuple(error.tolist()), reading.gain / 10,
        reading.gain_probability, found, reading.trace,
        PageLayout(arrangement.name, arrangement.probability, arrangement.evidence < FEW_NAMES,
                   reading.view.quarters, reading.view.grid),
        reading.view.mesh, reading.leads,
    )  # fmt: skip


def _digitize_as_it_is(
    bundle: ReaderBundle, image: NDArray[np.uint8], file: str, gain: float | None
) -> Digitised:
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
            raise UnreadablePageError(f"the picture holds two ECGs, {name}", file=file,
                             value=" and ".join(f"{p.amount:.1f} s" for p in parts)
                             + f" of leads in the halves, {upright.amount:.1f} s in the whole",
                             remedy="Cut it into one picture for each")  # fmt: skip
    for turns, name in ((2, TURNS[1]), (1, TURNS[2]), (3, TURNS[3])):
        turned = _read(bundle, np.ascontiguousarray(np.rot90(image, -turns)), file, gain)
        if turned.page >= least and turned.amount > UPRIGHT_MARGIN * upright.amount:
            raise UnreadablePageError(f"the page lies {name}", file=file,
                             value=f"{turned.amount:.1f} s of leads after turning, "
                             f"{upright.amount:.1f} s as it is",
                             remedy="Turn the picture and try again")  # fmt: skip
    if upright.page < least or upright.page == 0:
        raise UnreadablePageError(
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
    """Convert positions in the network's image to pixels of the picture; inverse of `to_network`.

    Args:
        fractions: (..., 2), x and y as fractions of the network's image.
        picture: (height, width) of the picture.
        size: [height, width] of the network's image.
    """
    inner = placement(picture, size)
    x = (fractions[..., 0].astype(np.float64) * size[1] - inner.left) * picture[1] / inner.width
    y = (fractions[..., 1].astype(np.float64) * size[0] - inner.top) * picture[0] / inner.height
    return np.stack([x, y], axis=-1)
