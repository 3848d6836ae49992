"""WebP files (RFC 9649): the chunks of the container, and the size of the one picture."""

from __future__ import annotations

from ecgvision.deploy.containers.header import (
    Header,
    damaged,
    exif_orientation,
    truncated,
    unsupported,
)

MAGIC = b"RIFF"
_ANIMATED = 2


def is_webp(data: bytes) -> bool:
    """Return whether the file begins as a WebP does."""
    return data[:4] == MAGIC and data[8:12] == b"WEBP"


def read_webp(data: bytes, file: str) -> Header:
    """Read and check a complete file.

    WebP has no checksum: of changed bytes only those are noticed that its decoder cannot read.

    Raises:
        ImageError: if it is truncated, damaged or animated.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise truncated(file, len(data))
    position, size, orientation, channels = 12, None, 1, 3
    while position + 8 <= end:
        name = data[position : position + 4]
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        body = data[position + 8 : position + 8 + length]
        if len(body) < length or position + 8 + length > end:
            raise truncated(file, len(data))
        if name == b"VP8X" and length >= 10 and body[0] & _ANIMATED:
            raise unsupported("an animated WebP is not a page", file)
        if name == b"EXIF":
            orientation = exif_orientation(body.removeprefix(b"Exif\0\0"))
        elif name == b"VP8 " and length >= 10 and body[3:6] == b"\x9d\x01\x2a":
            size = [int.from_bytes(body[i : i + 2], "little") & 0x3FFF for i in (8, 6)]
        elif name == b"VP8L" and length >= 5 and body[0] == 0x2F:
            bits = int.from_bytes(body[1:5], "little")
            size, channels = [(bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1], 4
        elif name == b"ALPH":
            channels = 4
        position += 8 + length + length % 2
    if size is None:
        raise damaged("a WebP without a picture", file, f"{len(data)} bytes")
    return Header("WebP", size[0], size[1], channels, orientation)
