"""HTML reports: one file each, which refers to nothing outside itself.

A report is a Jinja template beside the module that fills it. It extends `base.html.j2`, which gives
all reports one look. Every value is escaped; templates alone contain HTML.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.errors import ImageError

HERE = Path(__file__).parent


def decimals(value: float | None, digits: int = 3, *, scale: float = 1) -> str:
    """Format a number times `scale`; an empty text for None."""
    return "" if value is None else f"{scale * value:.{digits}f}"


def signed(value: float, digits: int = 3) -> str:
    """Format a number with its sign, with a true minus."""
    return f"{value:+.{digits}f}".replace("-", "−")


def thousands(value: int) -> str:
    """Format a count with commas between thousands."""
    return f"{value:,}"


def as_json(value: Mapping[str, Any]) -> str:
    """Format a configuration as indented JSON text."""
    return json.dumps(value, indent=2, default=str)


def render(template: Path, **values: Any) -> str:
    """Render a template; a value that it uses and does not get is an error.

    Args:
        template: the file. It may extend and import the templates beside it and those here.
        values: names in the template. Every report needs `title`, and `facts`, the name and text
            of each box below the title. `config`, a mapping, is shown at the end.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, HERE]), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    for function in (decimals, signed, thousands, as_json):
        environment.filters[function.__name__] = function
    return environment.get_template(template.name).render(values)


def write_page(path: str | Path, template: Path, **values: Any) -> None:
    """Render a template to a file, which appears whole or not at all; see `render`."""
    document = render(template, **values)
    with atomic_file(path) as part:
        part.write_text(document, encoding="utf-8")


def svg_figure(svg: str | None, caption: str) -> dict[str, str] | None:
    """Return an SVG document as a data URI with its caption, for the macro `figure`.

    None, where there is nothing to draw, stays None.
    """
    if svg is None:
        return None
    uri = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return {"uri": uri, "caption": caption}


def picture_uri(image: NDArray[np.uint8], *, width: int = 1200) -> str:
    """Return an RGB page (H, W, 3) as the data URI of a JPEG, at most `width` pixels wide.

    Raises:
        ImageError: if it is not a uint8 (H, W, 3) array.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError("an example page must be uint8 (H, W, 3)",
                         value=(image.shape, str(image.dtype)))  # fmt: skip
    if image.shape[1] > width:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    bgr = np.ascontiguousarray(image[:, :, ::-1])
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
