"""Explanation of an image student's answer: on any picture, or on the page of a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError, LabelError
from ecgvision.core.outputs import OutputPlan
from ecgvision.core.page import Page
from ecgvision.data.network_input import placement, to_network
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import digitize
from ecgvision.deploy.ingest import read_page
from ecgvision.deploy.open_bundle import open_reader, open_student
from ecgvision.deploy.predict_signal import as_standard_page
from ecgvision.interpret.page_occlusion import page_occlusion, to_leads
from ecgvision.shipped import NAME, resolve_bundle

TOP = 99.5
"""Percentile of the heat's magnitude at full colour (our default)."""

FOR, AGAINST = (230, 110, 20), (30, 90, 170)
"""RGB of squares that support the label, and of those that speak against it."""

RATE, SECONDS = 100.0, 10.0
"""Hz and seconds at which shares of leads are taken (our default)."""


def explain_picture(
    folder: str | Path, picture: str | Path, *, label: str | None, out: Path
) -> dict[str, Any]:
    """Explain a bundle's answer to a picture by occlusion, and save the picture with its heat.

    Of a student that sees standard pages, the standard page is saved.

    Args:
        folder: of an image student's bundle.
        picture: the picture.
        label: a code; None for the label with the largest probability.
        out: path of the PNG.

    Returns:
        label, probability and threshold.

    Raises:
        BundleError, ImageError: if bundle or picture cannot be read.
        ConfigError: for a bundle that reads signals, or an output that is no PNG.
        LabelError: for a label that the bundle does not have.
    """
    if out.suffix.lower() != ".png":
        raise ConfigError("the picture is written as PNG", file=out, remedy="Name it ….png")
    OutputPlan([picture], make_folders=True).add("--out", out)
    bundle = open_student(folder)
    if not isinstance(bundle, Bundle):
        raise ConfigError("this bundle reads signals; a picture is explained of a student that "
                          "looks at it", file=folder)  # fmt: skip
    image = read_page(picture)
    if bundle.standard:
        reader = open_reader(resolve_bundle(NAME))
        read = digitize(reader, image, file=str(picture))
        image = as_standard_page(bundle, read, image, str(picture))
    return _explain(bundle, image, label, out)[0]


def explain_page(
    bundle: Bundle, image: NDArray[np.uint8], page: Page, *, label: str | None, out: Path
) -> dict[str, Any]:
    """Explain a bundle's answer to a drawn page; see `explain_picture`.

    Args:
        image: (h, w, 3) uint8, the page as drawn.
        page: its geometry.

    Returns:
        As `explain_picture`, and `leads`: each lead's share of the sum of absolute attributions.
    """
    found, heat = _explain(bundle, image, label, out)
    by_lead = to_leads(heat, page, length=round(RATE * SECONDS), rate=RATE)
    size = np.nansum(np.abs(by_lead), axis=1)
    total = float(size.sum()) or 1.0
    shares = {lead: float(s) / total for lead, s in zip(LEADS, size, strict=True)}
    return found | {"leads": shares}


def overlay(image: NDArray[np.uint8], heat: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colour a picture by the heat of its copy at the network's size.

    Args:
        image: (h, w, 3) uint8 RGB.
        heat: (H, W); positive supports the label.

    Returns:
        (h, w, 3) uint8: orange for, blue against.
    """
    place = placement(image.shape[:2], heat.shape)
    inner = heat[place.top : place.top + place.height, place.left : place.left + place.width]
    size = (image.shape[1], image.shape[0])
    whole = cv2.resize(inner.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    most = float(np.percentile(np.abs(whole), TOP)) or float(np.abs(whole).max()) or 1.0
    share = np.clip(np.abs(whole) / most, 0, 1)[:, :, None] * 0.6
    colour = np.where(whole[:, :, None] > 0, np.array(FOR), np.array(AGAINST))
    return np.round(image * (1 - share) + colour * share).astype(np.uint8)


def _explain(
    bundle: Bundle, image: NDArray[np.uint8], label: str | None, out: Path
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    if label is not None and label not in bundle.codes:
        raise LabelError("the bundle has no such label", value=label,
                         remedy=f"It has {', '.join(bundle.codes)}")  # fmt: skip
    small = to_network(image, bundle.image_size)
    p = bundle.run(small.transpose(2, 0, 1)[None])[1][0]
    column = int(p.argmax()) if label is None else bundle.codes.index(label)
    heat = page_occlusion(lambda batch: bundle.run(batch)[0], small, column)
    with atomic_file(out) as part:
        written = cv2.imencode(".png", np.ascontiguousarray(overlay(image, heat)[:, :, ::-1]))[1]
        part.write_bytes(written.tobytes())
    return {"label": bundle.codes[column], "probability": float(p[column]),
            "threshold": bundle.thresholds[column]}, heat  # fmt: skip
