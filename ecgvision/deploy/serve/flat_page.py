"""The page as it is shown: flat where the reader flattens it, with the place of every trace."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.deploy.digitize import Digitised
from ecgvision.reader.rectify.mesh import Mesh

PX_PER_MM = 6.0
"""Resolution of the flat page (our default: a page of 280 mm is 1680 pixels wide)."""
WIDEST = 1800
"""Widest picture that is shown as it is, in pixels (our default)."""
EVERY = 5
"""Of so many samples one has its place on the page told (our default: 100 places a second)."""
STEPS = 6
"""Steps of Newton's method; four bring a folded page within a hundredth of a millimetre."""


def shown_page(picture: NDArray[np.uint8], found: Digitised) -> dict[str, Any]:
    """Return the page and the place of each trace on it as plain JSON values.

    Args:
        picture: (H, W, 3) uint8 RGB that was digitised.
        found: what was read, at the reader's own rate.

    Returns:
        `image`, a data URL of a JPEG; its `width` and `height`; `flat`; and `traces`: for each lead
        found, [x, y] in pixels of `image` for every `EVERY`th sample, null where nothing is
        printed.
    """
    trace = found.trace[:, ::EVERY]
    if found.mesh is not None:
        image = found.mesh.flatten(picture, PX_PER_MM)
        points = to_paper(found.mesh, trace) * PX_PER_MM
    else:
        factor = min(1.0, WIDEST / picture.shape[1])
        size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
        image = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        points = (trace + 0.5) * factor
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image[:, :, ::-1]),
                           [cv2.IMWRITE_JPEG_QUALITY, 85])  # fmt: skip
    visible = found.found[:, ::EVERY] & np.isfinite(points).all(-1)
    return {
        "image": "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode(),
        "width": image.shape[1], "height": image.shape[0], "flat": found.mesh is not None,
        "traces": {
            lead: [[round(x, 1), round(y, 1)] if there else None
                   for (x, y), there in zip(points[i].tolist(), visible[i].tolist(), strict=True)]
            for i, lead in enumerate(LEADS) if visible[i].any()
        },
    }  # fmt: skip


def to_paper(mesh: Mesh, pixels: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return points of the picture in millimetres of paper: the inverse of `Mesh.to_picture`.

    Args:
        pixels: (..., 2) x, y; NaN stays NaN.
    """
    flat = np.asarray(pixels, np.float64).reshape(-1, 2)
    out = np.full_like(flat, np.nan)
    known = np.isfinite(flat).all(1)
    wanted = flat[known]
    if not len(wanted):
        return out.reshape(np.shape(pixels))
    height, width = mesh.size_mm
    corners = np.array(
        [[x, y] for y in np.linspace(0, height, 9) for x in np.linspace(0, width, 9)]
    )
    seen = mesh.to_picture(corners)
    design = np.column_stack([seen, np.ones(len(seen))])
    line = np.linalg.lstsq(design, corners, rcond=None)[0]
    at = np.column_stack([wanted, np.ones(len(wanted))]) @ line  # affine to begin with
    step = 0.05
    for _ in range(STEPS):
        here = mesh.to_picture(at)
        right = (mesh.to_picture(at + [step, 0]) - here) / step
        down = (mesh.to_picture(at + [0, step]) - here) / step
        gap = wanted - here
        turn = right[:, 0] * down[:, 1] - right[:, 1] * down[:, 0]
        turn = np.where(np.abs(turn) < 1e-6, np.inf, turn)  # beyond the mesh nothing changes
        move = np.column_stack([gap[:, 0] * down[:, 1] - gap[:, 1] * down[:, 0],
                                right[:, 0] * gap[:, 1] - right[:, 1] * gap[:, 0]])  # fmt: skip
        at = at + np.clip(move / turn[:, None], -20, 20)
    out[known] = at
    return out.reshape(np.shape(pixels))
