"""How much of a file is read at most. Base install only."""

from __future__ import annotations

from dataclasses import dataclass

MIN_SIDE = 64
"""Smallest side in pixels (our default: below it a row of a three-row page has under 20)."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one file; what exceeds one is refused, never cut.

    Attributes:
        bytes: of the file (our default: `pixels` of uncompressed RGB take 384 million).
        side: pixels of a page's longer side (our default: A4 at 1200 dpi has 14,031).
        pixels: of a page (our default: A4 at 600 dpi has 35 million, a phone's 64.1 to 108).
            Reading so many takes 0.8 GB of memory from a JPEG, 1.2 GB from a BMP and 2.1 GB from a
            PNG of 16 bits with transparency (measured).
        pages: of a document (our default: a study of a day has tens).
        seconds: of processor time for one page of a PDF (our default: a scan takes about one).
    """

    bytes: int = 512_000_000
    side: int = 16_384
    pixels: int = 128_000_000
    pages: int = 200
    seconds: float = 30.0


DEFAULT = Limits()
