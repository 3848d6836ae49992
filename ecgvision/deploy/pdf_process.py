"""The process that draws pages of a PDF: `python -m ecgvision.deploy.pdf_process`.

On stdin it gets a line of JSON with limits, the document, and then page numbers, one a line. On
stdout it answers each with a line of JSON, and the pixels of the page. A timer of the system ends
it when one answer takes too long, also within PDFium.

Scripts, forms and attachments are never run or followed: the package's PDFium has no JavaScript,
and its form engine is not started. A page is drawn at `DPI`, or at the resolution of the largest
picture on it if that is finer, as of a scan.
"""

from __future__ import annotations

import json
import math
import signal
import sys
from contextlib import suppress
from typing import Any, BinaryIO

import pypdfium2 as pdfium
import pypdfium2.raw as raw

DPI = 200.0
"""Resolution of drawn traces (our default: a pixel is an eighth of a millimetre)."""
MOST_DPI = 400.0
"""Highest resolution of a page with scans (our default: finer ones show the paper's fibres)."""
MOST_PIXELS = 40_000_000
"""Largest drawn page (our default: A3 at 400 dpi has 31 million); larger paper is drawn coarser."""
OBJECTS = 2000
"""Number of objects of a page that are searched for pictures (our default)."""

_PASSWORD, _SECURITY = 4, 5


def main(stream: BinaryIO, out: BinaryIO) -> None:
    """Answer requests until the end of the stream."""
    limits = json.loads(stream.readline())
    _limit_memory(limits["memory"])
    data = stream.read(limits["length"])
    _time(limits["seconds"])
    try:
        document = pdfium.PdfDocument(data)
        _say(out, {"pages": len(document)})
    except pdfium.PdfiumError as error:
        locked = getattr(error, "err_code", None) in (_PASSWORD, _SECURITY)
        _say(out, {"error": "encrypted" if locked else str(error)[:100]})
        return
    for line in iter(stream.readline, b""):
        _time(limits["seconds"])
        try:
            _page(document, int(line), limits, out)
        except (pdfium.PdfiumError, MemoryError, ValueError) as error:
            _say(out, {"error": str(error)[:100]})


def _page(document: Any, number: int, limits: dict[str, Any], out: BinaryIO) -> None:
    page = document[number]
    width, height = page.get_size()  # points, as the page is turned
    if not (math.isfinite(width) and math.isfinite(height)) or min(width, height) <= 0:
        raise ValueError(f"the page has no size: {width} x {height}")
    scale = min(_resolution(page), MOST_DPI) / 72
    scale = min(scale, math.sqrt(min(MOST_PIXELS, limits["pixels"]) / (width * height)),
                limits["side"] / max(width, height))  # fmt: skip
    size = (math.floor(width * scale), math.floor(height * scale))
    if min(size) < limits["least"]:
        _say(out, {"size": size[::-1]})  # it is refused
        return
    bitmap = pdfium.PdfBitmap.new_native(*size, raw.FPDFBitmap_BGR)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
    flags = raw.FPDF_ANNOT | raw.FPDF_RENDER_LIMITEDIMAGECACHE | raw.FPDF_REVERSE_BYTE_ORDER
    raw.FPDF_RenderPageBitmap(bitmap, page, 0, 0, *size, 0, flags)
    pixels = bitmap.to_numpy().tobytes()
    _say(out, {"size": size[::-1]}, pixels)
    bitmap.close()
    page.close()


def _resolution(page: Any) -> float:
    """Return the dpi at which a page is drawn; of the largest picture on it, if that is finer."""
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


def _say(out: BinaryIO, reply: dict[str, Any], more: bytes = b"") -> None:
    out.write(json.dumps(reply).encode() + b"\n" + more)
    out.flush()


def _time(seconds: float) -> None:
    """End this process after so many seconds of processor time, unless it is called again."""
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _limit_memory(most: int) -> None:
    with suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


if __name__ == "__main__":
    if "--help" in sys.argv:
        print(__doc__)
        sys.exit()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when it ends
    main(sys.stdin.buffer, sys.stdout.buffer)
