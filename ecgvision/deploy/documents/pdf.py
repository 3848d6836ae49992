"""Pages of a PDF, drawn by PDFium.

Scripts, forms and attachments are never run or followed: the package's PDFium has no JavaScript,
and its form engine is not started. A page is drawn at `DPI`, or at the resolution of the largest
picture on it if that is finer, as of a scan.
"""

from __future__ import annotations

import ctypes
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ImageError, LimitError
from ecgvision.deploy.containers import damaged, truncated
from ecgvision.deploy.documents.base import check_pages, need, page_name
from ecgvision.deploy.limits import Limits
from ecgvision.deploy.picture import check_size

DPI = 200.0
"""Resolution of drawn traces (our default: a pixel is an eighth of a millimetre)."""
MOST_DPI = 400.0
"""Highest resolution of a page with scans (our default: finer ones show the paper's fibres)."""
MOST_PIXELS = 40_000_000
"""Largest drawn page (our default: A3 at 400 dpi has 31 million); larger paper is drawn coarser."""
OBJECTS = 2000
"""Number of objects of a page that are searched for pictures (our default)."""

_HEAD = 1024
"""A PDF's header lies within its first 1024 bytes, its end mark within the last (ISO 32000-1,
annex H, notes 13 and 18)."""
_PASSWORD, _SECURITY = 4, 5
OTHERWISE = "draw its page as a picture: pdftoppm -r 200 -png FILE.pdf page"


def is_pdf(data: bytes) -> bool:
    """Return whether the file begins as a PDF does."""
    return data[:_HEAD].lstrip().startswith(b"%PDF")


def open_pdf(data: bytes, file: str, limits: Limits) -> PdfPages:
    """Open a PDF.

    Raises:
        FormatError: if pypdfium2 is not installed.
        ImageError: if it is truncated, damaged or encrypted.
        LimitError: if it has too many pages.
    """
    pdfium = need("pypdfium2", "pypdfium2", "a PDF", file, OTHERWISE)
    if b"%%EOF" not in data[-_HEAD:]:
        raise truncated(file, len(data))
    try:
        document = pdfium.PdfDocument(data)
        pages = len(document)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) in (_PASSWORD, _SECURITY) or "assword" in str(error):
            raise ImageError("the PDF is encrypted", file=file,
                             remedy="Save it without a password") from error  # fmt: skip
        raise damaged("the PDF cannot be read", file, str(error)[:100]) from error
    check_pages(pages, file, limits)
    return PdfPages(document, file, limits)


class PdfPages:
    """The pages of an open PDF."""

    def __init__(self, document: Any, file: str, limits: Limits) -> None:
        self._document, self._file, self._limits = document, file, limits

    def __len__(self) -> int:
        return len(self._document)

    def read(self, page: int) -> NDArray[np.uint8]:
        import pypdfium2 as pdfium

        name = page_name(self._file, page, len(self))
        try:
            opened = self._document[page]
        except pdfium.PdfiumError as error:
            raise damaged("the page cannot be read", name, str(error)[:100]) from error
        try:
            return _draw(opened, name, self._limits)
        except pdfium.PdfiumError as error:
            raise damaged("the page cannot be drawn", name, str(error)[:100]) from error
        finally:
            opened.close()


def _draw(page: Any, name: str, limits: Limits) -> NDArray[np.uint8]:
    import pypdfium2 as pdfium

    width, height = page.get_size()  # points, as the page is turned
    if not (math.isfinite(width) and math.isfinite(height)) or min(width, height) <= 0:
        raise damaged("the page has no size", name, (width, height))
    scale = min(_resolution(page), MOST_DPI) / 72
    scale = min(scale, math.sqrt(min(MOST_PIXELS, limits.pixels) / (width * height)),
                limits.side / max(width, height))  # fmt: skip
    size = (math.floor(width * scale), math.floor(height * scale))
    check_size(size[1], size[0], name, limits)
    bitmap = pdfium.PdfBitmap.new_native(*size, pdfium.raw.FPDFBitmap_BGR)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
        _render(bitmap, page, size, name, limits.seconds)
        return np.ascontiguousarray(bitmap.to_numpy()[:, :, ::-1])
    finally:
        bitmap.close()


def _render(bitmap: Any, page: Any, size: tuple[int, int], name: str, seconds: float) -> None:
    """Draw a page step by step, so that one that takes too long can be given up.

    Raises:
        LimitError: after `seconds`.
        ImageError: if PDFium gives up.
    """
    import pypdfium2.raw as raw

    end = time.monotonic() + seconds
    pause = raw.IFSDK_PAUSE(version=1)
    late = type(pause.NeedToPauseNow)(lambda _: int(time.monotonic() > end))
    pause.NeedToPauseNow = late
    flags = raw.FPDF_ANNOT | raw.FPDF_RENDER_LIMITEDIMAGECACHE
    try:
        state = raw.FPDF_RenderPageBitmap_Start(
            bitmap, page, 0, 0, *size, 0, flags, ctypes.byref(pause)
        )
    finally:
        raw.FPDF_RenderPage_Close(page)
    if state == raw.FPDF_RENDER_TOBECONTINUED:
        raise LimitError("drawing the page takes too long", file=name, value=f"over {seconds:g} s",
                         remedy="Save the page as a picture")  # fmt: skip
    if state != raw.FPDF_RENDER_DONE:
        raise damaged("the page cannot be drawn", name, state)


def _resolution(page: Any) -> float:
    """Return the dpi at which a page is drawn; of the largest picture on it, if that is finer."""
    import pypdfium2 as pdfium
    import pypdfium2.raw as raw

    best, found = 0.0, DPI
    for number, item in enumerate(page.get_objects([raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)):
        if number >= OBJECTS:
            break
        try:
            left, bottom, right, top = item.get_bounds()
            pixels = item.get_px_size()
        except pdfium.PdfiumError:
            continue
        area = (right - left) * (top - bottom)
        if area > best and min(right - left, top - bottom) > 0:
            best = area
            found = 72 * math.sqrt(pixels[0] * pixels[1] / area)
    return max(DPI, found)
