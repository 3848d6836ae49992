"""A record drawn on paper as a PDF of vectors, by PDFium."""

from __future__ import annotations

import ctypes
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from ecgvision.core.ecg import LEADS, Ecg

POINTS_PER_MM = 72 / 25.4
PAPER_MM = (297.0, 210.0)  # A4, width and height
LEFT_MM, TOP_MM, ROW_MM, WIDTH_MM = 18.0, 30.0, 14.0, 250.0
SECONDS = 10.0
SPEED, GAIN = 25.0, 10.0
"""Paper of the usual kind: mm/s and mm/mV."""

GRID, DARK_GRID, INK = (245, 205, 205), (230, 160, 160), (20, 20, 20)


def waveform_pdf(ecg: Ecg, lines: Sequence[str] = ()) -> bytes:
    """Draw the first ten seconds of a record: twelve rows at 25 mm/s and 10 mm/mV on A4.

    Args:
        ecg: the record; nothing is drawn where samples are missing.
        lines: of text above the grid.
    """
    import pypdfium2 as pdfium

    document = pdfium.PdfDocument.new()
    width, height = (mm * POINTS_PER_MM for mm in PAPER_MM)
    page = document.new_page(width, height)
    drawing = _Drawing(document, page)
    bottom = TOP_MM + ROW_MM * len(LEADS)
    for step, colour, thick in ((1, GRID, 0.15), (5, DARK_GRID, 0.35)):
        for x in np.arange(0, WIDTH_MM + step / 2, step):
            drawing.line([(LEFT_MM + x, TOP_MM), (LEFT_MM + x, bottom)], colour, thick)
        for y in np.arange(0, bottom - TOP_MM + step / 2, step):
            drawing.line([(LEFT_MM, TOP_MM + y), (LEFT_MM + WIDTH_MM, TOP_MM + y)], colour, thick)
    for number, text in enumerate(lines):
        drawing.text(text, LEFT_MM, 10 + 5 * number, 9)
    for row, lead in enumerate(LEADS):
        middle = TOP_MM + ROW_MM * (row + 0.5)
        drawing.text(lead, LEFT_MM - 10, middle, 9)
        _trace(drawing, ecg.signal[row], ecg.rate, middle)
    page.gen_content()
    out = io.BytesIO()
    document.save(out)
    document.close()
    return out.getvalue()


def _trace(drawing: _Drawing, signal: np.ndarray, rate: float, middle: float) -> None:
    part = signal[: round(SECONDS * rate)]
    x = LEFT_MM + np.arange(len(part)) / rate * SPEED
    y = middle - np.clip(part, -9, 9) * GAIN
    known = np.flatnonzero(np.isfinite(part))
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        if len(run) > 1:
            drawing.line(list(zip(x[run].tolist(), y[run].tolist(), strict=True)), INK, 0.6)


class _Drawing:
    """Lines and words on a page, in millimetres from its upper left corner."""

    def __init__(self, document: Any, page: Any) -> None:
        import pypdfium2.raw as raw

        self._raw, self._document, self._page = raw, document, page
        self._font = raw.FPDFText_LoadStandardFont(document, b"Helvetica")

    def line(self, points: Sequence[tuple[float, float]], colour: tuple[int, int, int],
             width: float) -> None:  # fmt: skip
        raw = self._raw
        (x, y), *others = (self._at(*point) for point in points)
        path = raw.FPDFPageObj_CreateNewPath(x, y)
        for x, y in others:
            raw.FPDFPath_LineTo(path, x, y)
        raw.FPDFPageObj_SetStrokeColor(path, *colour, 255)
        raw.FPDFPageObj_SetStrokeWidth(path, width)
        raw.FPDFPath_SetDrawMode(path, raw.FPDF_FILLMODE_NONE, True)
        raw.FPDFPage_InsertObject(self._page, path)

    def text(self, words: str, x: float, y: float, size: float) -> None:
        raw = self._raw
        made = raw.FPDFPageObj_CreateTextObj(self._document, self._font, size)
        encoded = words.encode("utf-16-le") + b"\0\0"
        buffer = (ctypes.c_ushort * (len(encoded) // 2)).from_buffer_copy(encoded)
        raw.FPDFText_SetText(made, buffer)
        left, up = self._at(x, y)
        raw.FPDFPageObj_Transform(made, 1, 0, 0, 1, left, up)
        raw.FPDFPage_InsertObject(self._page, made)

    @staticmethod
    def _at(x: float, y: float) -> tuple[float, float]:
        return x * POINTS_PER_MM, (PAPER_MM[1] - y) * POINTS_PER_MM
