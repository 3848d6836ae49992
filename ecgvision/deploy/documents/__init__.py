"""Files of one or more pages, recognised by their first bytes; a page is decoded when asked for.

| kind | pages | needs |
|---|---|---|
| PNG, JPEG, BMP, WebP | one | |
| TIFF | its directories | |
| PDF | its pages, drawn | pypdfium2 |
| DICOM | frames of its picture, or pages of its encapsulated PDF | pydicom |
| HEIC | its primary picture | pillow-heif |

A package is imported only where its kind of file is opened.
"""

from __future__ import annotations

from ecgvision.deploy.containers import tiff
from ecgvision.deploy.documents.base import Document, Picture, page_name, page_place
from ecgvision.deploy.documents.dicom import is_dicom, open_dicom
from ecgvision.deploy.documents.heic import is_heic, open_heic
from ecgvision.deploy.documents.pdf import is_pdf, open_pdf
from ecgvision.deploy.documents.tiff_pages import open_tiff
from ecgvision.deploy.limits import DEFAULT, Limits

__all__ = ["SUFFIXES", "Document", "open_document", "page_name", "page_place"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pdf", ".dcm", ".dicom",
            ".heic", ".heif")  # fmt: skip
"""Suffixes of files that are read from a folder; a file given by its path may have any suffix."""


def open_document(data: bytes, file: str, limits: Limits = DEFAULT) -> Document:
    """Open the content of a file.

    Args:
        data: the content.
        file: its name, for messages.
        limits: what exceeds them is refused.

    Raises:
        ImageError: if the file is truncated, damaged, encrypted or too large, or has too many
            pages.
        FormatError: if it is of another kind, or needs a package that is not installed.
    """
    if is_pdf(data):
        return open_pdf(data, file, limits)
    if is_dicom(data):
        return open_dicom(data, file, limits)
    if is_heic(data):
        return open_heic(data, file, limits)
    if data.startswith(tiff.MAGICS):
        return open_tiff(data, file, limits)
    return Picture(data, file, limits)
