"""What supports an answer of a network of signals: the change of each logit when a part is hidden.

The network was trained on partly hidden records, so a hidden part is nothing new to
it, unlike a part that is blanked in a picture (Zeiler and Fergus 2014, section 4.2, of pictures).
Base install only.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.deploy.digitize import Digitised
from ecgvision.deploy.predict_signal import shown_signal
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.reader.overlay import JUMP

SECONDS = 1.0
"""Length of a hidden part (our default: about a beat)."""
BATCH = 32
"""Parts that are tried at a time."""
FOR, AGAINST = (230, 97, 1), (94, 60, 153)
"""RGB of parts that speak for a label and against it (ColorBrewer's PuOr, for the colour-blind)."""
LEAST = 0.15
"""Share of the largest change from which a part is drawn (our default)."""
WIDTH_MM = 3.0
"""Width of the band behind a trace (our default)."""


def occlusion(
    bundle: SignalBundle, signal: NDArray[np.float32], observed: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return by how much each logit falls when a second of a lead is hidden.

    Args:
        signal, observed: (12, `bundle.samples`), as `SignalBundle.window` returns them.

    Returns:
        (C, 12, parts) float32; positive where the part speaks for the label, NaN where nothing is
        observed.
    """
    step = round(SECONDS * bundle.rate)
    parts = -(-bundle.samples // step)
    whole = bundle.run(signal[None], observed[None])[0][0]
    out = np.full((len(bundle.codes), len(LEADS), parts), np.nan, np.float32)
    places = [(lead, part) for lead in range(len(LEADS)) for part in range(parts)
              if observed[lead, part * step : (part + 1) * step].any()]  # fmt: skip
    for start in range(0, len(places), BATCH):
        some = places[start : start + BATCH]
        signals = np.repeat(signal[None], len(some), axis=0)
        masks = np.repeat(observed[None], len(some), axis=0)
        for i, (lead, part) in enumerate(some):
            hidden = np.s_[i, lead, part * step : (part + 1) * step]
            signals[hidden], masks[hidden] = 0, False
        logits = bundle.run(signals, masks)[0]
        for (lead, part), values in zip(some, logits, strict=True):
            out[:, lead, part] = whole - values
    return out


def explain(bundle: SignalBundle, read: Digitised) -> NDArray[np.float32]:
    """Return `occlusion` of what the network was shown of a page; see `predict_digitised`."""
    return occlusion(bundle, *bundle.window(shown_signal(read), read.ecg.rate))


def draw_support(
    page: NDArray[np.uint8], read: Digitised, support: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Draw a band behind the parts of the traces that speak for a label, or against it.

    Args:
        page: (H, W, 3) uint8 RGB that was read.
        support: (12, parts) of one label, of `occlusion`.

    Returns:
        The picture, the bands in `FOR` and `AGAINST`, the stronger the more they weigh.
    """
    most = float(np.nanmax(np.abs(support), initial=0)) or 1.0
    scale = page.shape[1] / 250 if read.mesh is None else read.mesh.px_per_mm
    out = page.copy()
    rate, points = read.ecg.rate, read.trace
    for lead, part in np.argwhere(np.abs(np.nan_to_num(support)) >= LEAST * most):
        span = slice(round(part * SECONDS * rate), round((part + 1) * SECONDS * rate))
        seen = read.found[lead, span] & np.isfinite(points[lead, span]).all(-1)
        line = points[lead, span][seen]
        if len(line) < 2:
            continue
        jumps = np.flatnonzero(np.abs(np.diff(line, axis=0)).max(1) > JUMP * page.shape[1]) + 1
        wide = max(1, round(WIDTH_MM * scale))
        corner = np.maximum(np.floor(line.min(0)).astype(int) - wide, 0)
        right, low = np.ceil(line.max(0)).astype(int) + wide
        box = out[corner[1] : max(low, 0), corner[0] : max(right, 0)]
        layer = np.zeros(box.shape[:2], np.uint8)
        if not layer.size:
            continue
        for run in np.split(np.round(line - corner).astype(np.int32), jumps):
            cv2.polylines(layer, [run[:, None]], False, 255, wide)
        weight = abs(float(support[lead, part])) / most * 0.6
        colour = np.array(FOR if support[lead, part] > 0 else AGAINST, np.float32)
        # multiplied, as a highlighter does: the print stays black
        shade = 1 - weight * (1 - colour / 255)
        box[layer > 0] = np.round(box[layer > 0] * shade)
    return out


def figure_name(file: str, number: int, pages: int, code: str) -> str:
    """Return the name of a figure: the page's file, its number if there are several, the label."""
    place = f"-p{number}" if pages > 1 else ""
    return f"{Path(file).stem}{place}-{code}.jpg"
