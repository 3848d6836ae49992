"""The few pieces of HTML a report is made of. Every text that comes in is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ImageError

CSS = """
:root { --ink: #22272b; --soft: #667079; --line: #e2e6e9; --accent: #0072b2; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
       color: var(--ink); background: #fff; margin: 0 auto; padding: 2.5rem 1.5rem 4rem;
       max-width: 68rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; padding-bottom: .3rem;
     border-bottom: 1px solid var(--line); }
p { margin: .4rem 0; max-width: 50rem; }
.soft, figcaption, caption { color: var(--soft); font-size: .87rem; }
.facts { display: flex; flex-wrap: wrap; gap: .7rem; margin: 1.2rem 0 0; padding: 0; }
.facts div { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .9rem; }
.facts dt { color: var(--soft); font-size: .76rem; text-transform: uppercase;
            letter-spacing: .05em; }
.facts dd { margin: 0; font-size: 1.1rem; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; margin: .6rem 0;
        font-variant-numeric: tabular-nums; }
caption { text-align: left; caption-side: bottom; padding-top: .4rem; }
th { text-align: left; font-weight: 600; color: var(--soft); border-bottom: 1.5px solid #b9c0c5;
     padding: .3rem .8rem .3rem 0; vertical-align: bottom; }
td { border-bottom: 1px solid var(--line); padding: .28rem .8rem .28rem 0; white-space: nowrap;
     vertical-align: top; }
td.n, th.n { text-align: right; }
tr.lead td { border-top: 1.5px solid #b9c0c5; }
td small { color: var(--soft); display: block; font-size: .78rem; line-height: 1.2; }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; }
.example { display: grid; grid-template-columns: minmax(0, 1.7fr) minmax(15rem, 1fr); gap: 1.4rem;
           align-items: start; margin: 1.4rem 0 2rem; break-inside: avoid; }
.example img { width: 100%; border: 1px solid var(--line); border-radius: 4px; }
.example h3 { margin: 0 0 .3rem; font-size: 1rem; }
pre { font-size: .8rem; line-height: 1.4; background: #f6f8f9; padding: .8rem 1rem;
      border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--accent); }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 50%;
          margin-right: .45em; }
@media (max-width: 46rem) { .example { grid-template-columns: 1fr; } }
@media print { body { max-width: none; padding: 0; font-size: 11pt; }
               figure, tr { break-inside: avoid; } .scroll { overflow: visible; }
               td { white-space: normal; } }
"""


class Markup(str):
    """Text that is HTML already."""


def text(value: Any) -> Markup:
    """HTML of any value: escaped, unless it is Markup."""
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def tag(name: str, *content: Any, **attributes: str) -> Markup:
    """`<name attributes>content</name>`; a trailing underscore is dropped (`class_`)."""
    inside = "".join(f' {k.rstrip("_")}="{escape(v)}"' for k, v in attributes.items())
    return Markup(f"<{name}{inside}>{''.join(map(text, content))}</{name}>")


def table(
    head: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    *,
    numeric: Sequence[int] = (),
    lead: Sequence[int] = (),
    caption: Any = "",
) -> Markup:
    """A table; columns in `numeric` are right-aligned, rows in `lead` begin a group."""
    kind = dict.fromkeys(numeric, "n")
    cells = [tag("th", h, class_=kind.get(i, "")) for i, h in enumerate(head)]
    body = [
        tag(
            "tr",
            *(tag("td", v, class_=kind.get(i, "")) for i, v in enumerate(row)),
            class_="lead" if r in lead else "",
        )
        for r, row in enumerate(rows)
    ]
    below = [tag("caption", caption)] if caption else []
    whole = tag("table", *below, tag("thead", tag("tr", *cells)), tag("tbody", *body))
    return tag("div", whole, class_="scroll")


def facts(pairs: Iterable[tuple[str, Any]]) -> Markup:
    """A row of small labelled boxes."""
    return tag("dl", *(tag("div", tag("dt", k), tag("dd", v)) for k, v in pairs), class_="facts")


def figure(svg: str, caption: str) -> Markup:
    """A figure that holds an SVG document as a data URI."""
    uri = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return tag(
        "figure",
        Markup(f'<img src="{uri}" alt="{escape(caption)}">'),
        tag("figcaption", caption),
    )


def picture(image: NDArray[np.uint8], alt: str, *, width: int = 1200) -> Markup:
    """An RGB page (H, W, 3) as a JPEG data URI, at most `width` pixels wide.

    Raises:
        ImageError: if it is not such an array.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError("an example page must be uint8 (H, W, 3)", value=(image.shape, alt))
    if image.shape[1] > width:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
    bgr = np.ascontiguousarray(image[:, :, ::-1])
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    uri = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    return Markup(f'<img src="{uri}" alt="{escape(alt)}">')


def page(title: str, *content: Any) -> str:
    """A whole document that refers to nothing outside itself."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    body = "\n".join(text(c) for c in content)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>\n<body>\n{body}\n</body></html>\n"
    )
