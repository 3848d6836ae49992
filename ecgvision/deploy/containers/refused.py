"""Files that hold pages and are not read, each with a word on how to convert it."""

from __future__ import annotations

import re

from ecgvision.core.errors import ImageError

_ISO = re.compile(rb"^....ftyp(....)", re.DOTALL)
_AS_PNG = "Save the page as PNG"
_START = 1024


def refusal(data: bytes, file: str) -> ImageError:
    """Return the error for a file of no supported kind; names the kind where it is known."""
    kind, remedy = _kind(data[:_START])
    if kind is None:
        return ImageError(
            "not a PNG or JPEG picture, nor BMP, TIFF or WebP", file=file, value=data[:8],
            remedy="Convert the page to PNG",
        )  # fmt: skip
    return ImageError(f"{kind} is not read", file=file, remedy=remedy)


def _kind(start: bytes) -> tuple[str | None, str]:
    if start.lstrip().startswith(b"%PDF"):
        return "a PDF", "Draw its page as a picture: pdftoppm -r 200 -png FILE.pdf page"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "a GIF", _AS_PNG
    if start[128:132] == b"DICM":
        return "a DICOM file", "Write its picture as PNG: dcmj2pnm +on FILE page.png (of DCMTK)"
    if found := _ISO.match(start):
        name = "an AVIF picture" if found[1].startswith(b"avi") else "a HEIC picture"
        return name, "Convert it: heif-convert FILE page.png, or share it as JPEG from the phone"
    if start.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")):
        return "a JPEG 2000", _AS_PNG
    if start.startswith((b"II+\0", b"MM\0+")):
        return "a BigTIFF", "Save the page as PNG, or as TIFF below 4 GB"
    head = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!doctype")) and b"<svg" in head):
        return "an SVG", "Draw it as a picture: rsvg-convert -d 200 -p 200 FILE.svg -o page.png"
    if start.startswith(b"%!PS"):
        return (
            "a PostScript file",
            "Draw it as a picture: gs -sDEVICE=png16m -o page.png FILE",
        )
    return None, ""
