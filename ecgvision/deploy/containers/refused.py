"""Files that hold pages and are not read, each with a word on how to convert it."""

from __future__ import annotations

import re

from ecgvision.core.errors import FormatError, ImageError

_ISO = re.compile(rb"^....ftyp(....)", re.DOTALL)
_AS_PNG = "Save the page as PNG"
_START = 1024


def refusal(data: bytes, file: str) -> ImageError:
    """Return the error for a file of no supported kind; names the kind where it is known."""
    kind, remedy = _kind(data[:_START])
    if kind is None:
        return FormatError("of no kind that is read", file=file, value=data[:8],
                           remedy="PNG, JPEG, BMP, TIFF, WebP, PDF, DICOM and HEIC are read; "
                           "convert the page to PNG")  # fmt: skip
    return FormatError(f"{kind} is not read", file=file, remedy=remedy)


def _kind(start: bytes) -> tuple[str | None, str]:
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "a GIF", _AS_PNG
    if found := _ISO.match(start):
        if found[1].startswith(b"avi"):
            return "an AVIF picture", "Convert it: heif-convert FILE page.png"
        return "a video or picture of this kind", _AS_PNG
    if start.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")):
        return "a JPEG 2000", _AS_PNG
    if start.startswith((b"II+\0", b"MM\0+")):
        return "a BigTIFF", "Save the page as PNG, or as TIFF below 4 GB"
    head = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!doctype")) and b"<svg" in head):
        return "an SVG", "Draw it as a picture: rsvg-convert -d 200 -p 200 FILE.svg -o page.png"
    if head.startswith((b"<html", b"<?xml", b"<!doctype")) and b"<html" in head:
        return "an HTML page", "Print it to a PDF"
    if start.startswith((b"PK\x03\x04", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ")):
        return "an archive", "Unpack it"
    if start.startswith(b"%!PS"):
        return (
            "a PostScript file",
            "Draw it as a picture: gs -sDEVICE=png16m -o page.png FILE",
        )
    return None, ""
