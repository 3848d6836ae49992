"""JPEG files (ITU-T T.81, annex B): every marker up to the end of the picture."""

from __future__ import annotations

import re
import struct

from ecgvision.deploy.containers.header import Header, damaged, exif_orientation, truncated

MAGIC = b"\xff\xd8\xff"
MAX_SCANS = 200
"""Largest number of scans (our default).

Encoders write about ten; thousands keep a decoder busy for minutes."""

_EXIF = b"Exif\x00\x00"
# A marker that ends entropy-coded data. The pattern omits fill bytes before the marker, so that the
# search can skip from one 0xFF to the next: 0.7 ms for 1.6 MB instead of 19.
_NOT_DATA = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 ... SOF15
_SOS, _EOI, _APP1, _APP14 = 0xDA, 0xD9, 0xE1, 0xEE
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def read_jpeg(data: bytes, file: str) -> Header:
    """Read and check a complete file.

    Raises:
        ImageError: if it is truncated or damaged.
    """
    position, scans, frame, orientation, adobe, block = 2, 0, None, 1, False, (8, 8)
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
            block = _block(body[6:])
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
    return Header("JPEG", height, width, channels, orientation, adobe, block)


def _block(components: bytes) -> tuple[int, int]:
    """Return the height and width of the units in which blocks are stored (annex A.2)."""
    factors = components[1::3]
    if len(factors) < 2:  # one component is not interleaved
        return 8, 8
    return 8 * max(f & 15 for f in factors), 8 * max(f >> 4 for f in factors)
