"""Headers of PNG and JPEG files, read and checked before any pixel is decoded.

Decoders are lenient: a JPEG cut in half is decoded with a grey lower half. A page that was only
partly transferred must not be classified, so the containers are parsed to their end here, following
the PNG specification (third edition, section 5) and ITU-T T.81 (annex B). Standard library only.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from ecgvision.core.errors import ImageError

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
MAX_SCANS = 200
"""Largest number of scans of a JPEG (our default).

Encoders write about ten; thousands keep a decoder busy for minutes."""

_EXIF = b"Exif\x00\x00"
# A marker that ends entropy-coded data. The pattern omits fill bytes before the marker, so that the
# search can skip from one 0xFF to the next: 0.7 ms for 1.6 MB instead of 19.
_NOT_DATA = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 ... SOF15
_SOS, _EOI, _APP1, _APP14 = 0xDA, 0xD9, 0xE1, 0xEE
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_PNG_GREY = 0


@dataclass(frozen=True)
class Header:
    """Header of a picture file.

    Attributes:
        kind: the container.
        height, width: pixels as stored, before any EXIF rotation.
        channels: colour components as stored (1 for palettes).
        orientation: EXIF orientation, 1 to 8; 1 (upright) if the file has none.
        adobe: whether a JPEG has an Adobe marker, so that four components are inverted inks.
        clear_grey: the grey level that a grey PNG declares transparent, as a fraction of white.
    """

    kind: Literal["PNG", "JPEG"]
    height: int
    width: int
    channels: int
    orientation: int = 1
    adobe: bool = False
    clear_grey: float | None = None


def read_header(data: bytes, file: str) -> Header:
    """Read and check the container of a complete PNG or JPEG file.

    Raises:
        ImageError: if the file is of another kind, truncated or damaged.
    """
    if data.startswith(PNG_MAGIC):
        return _png(data, file)
    if data.startswith(JPEG_MAGIC):
        return _jpeg(data, file)
    raise ImageError(
        "not a PNG or JPEG picture",
        file=file,
        value=data[:8],
        remedy="Supported are PNG and JPEG; convert the page to one of them",
    )


def truncated(file: str, size: int) -> ImageError:
    """Return the error for a picture whose end is missing."""
    return ImageError(
        "the picture is cut short", file=file, value=f"{size} bytes", remedy="Copy the file again"
    )


def damaged(what: str, file: str, value: object) -> ImageError:
    """Return the error for a picture whose bytes contradict its structure."""
    return ImageError(what, file=file, value=value, remedy="Copy or scan the page again")


def _png(data: bytes, file: str) -> Header:
    view = memoryview(data)
    position, fields, orientation, clear = len(PNG_MAGIC), None, 1, None
    while True:
        if position + 12 > len(data):
            raise truncated(file, len(data))
        length = int.from_bytes(view[position : position + 4], "big")
        name = bytes(view[position + 4 : position + 8])
        end = position + 12 + length
        if end > len(data):
            raise truncated(file, len(data))
        body = view[position + 8 : end - 4]
        if zlib.crc32(view[position + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise damaged("a PNG chunk fails its checksum", file, name.decode("latin-1"))
        if fields is None:
            if name != b"IHDR" or length != 13:
                raise damaged("a PNG must begin with its header chunk", file, name)
            fields = struct.unpack(">IIBBBBB", body)
        elif name == b"acTL":
            raise ImageError(
                "an animated PNG is not a page", file=file, remedy="Save one frame as plain PNG"
            )
        elif name == b"eXIf":
            orientation = exif_orientation(bytes(body))
        elif name == b"tRNS" and fields[3] == _PNG_GREY and length == 2:
            clear = int.from_bytes(body, "big") / ((1 << fields[2]) - 1)
        elif name == b"IEND":
            break
        position = end
    width, height, _, colour = fields[:4]
    channels = {2: 3, 4: 2, 6: 4}.get(colour, 1)
    return Header("PNG", height, width, channels, orientation, clear_grey=clear)


def _jpeg(data: bytes, file: str) -> Header:
    position, scans, frame, orientation, adobe = 2, 0, None, 1, False
    while True:
        if position + 2 > len(data):
            raise truncated(file, len(data))
        if data[position] != 0xFF:
            raise damaged("a JPEG marker is missing", file, f"byte {position}")
        code = data[position + 1]
        if code == 0xFF:  # fill byte
            position += 1
            continue
        position += 2
        if code == _EOI:
            break
        if code in _BARE:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        body = data[position + 2 : position + length]
        if length < 2 or len(body) != length - 2:
            raise truncated(file, len(data))
        position += length
        if code in _FRAMES:
            if len(body) < 6:
                raise damaged("a JPEG frame header is too short", file, len(body))
            frame = struct.unpack(">BHHB", body[:6])
        elif code == _APP1 and body.startswith(_EXIF):
            orientation = exif_orientation(body[len(_EXIF) :])
        elif code == _APP14 and body.startswith(b"Adobe"):
            adobe = True
        elif code == _SOS:
            scans += 1
            if scans > MAX_SCANS:
                raise damaged("a JPEG of too many scans", file, scans)
            found = _NOT_DATA.search(data, position)
            if found is None:
                raise truncated(file, len(data))
            position = found.start()
    if frame is None or not scans:
        raise damaged("a JPEG without a picture", file, f"{len(data)} bytes")
    _, height, width, channels = frame
    return Header("JPEG", height, width, channels, orientation, adobe)


def exif_orientation(tiff: bytes) -> int:
    """Return EXIF tag 0x0112 of the first directory (Exif 2.3, section 4.6.4); 1 if unreadable.

    Broken EXIF blocks are common in camera files, so they are not an error: such a page is read as
    it is stored.
    """
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, offset)
        for i in range(entries):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, offset + 2 + 12 * i)
            if tag == 0x0112:
                return value if kind == 3 and count == 1 and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1
