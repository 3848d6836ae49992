"""PNG files (third edition of the specification, section 5): every chunk against its checksum."""

from __future__ import annotations

import struct
import zlib

from ecgvision.core.errors import ImageError
from ecgvision.deploy.containers.header import Header, damaged, exif_orientation, truncated

MAGIC = b"\x89PNG\r\n\x1a\n"
_GREY = 0


def read_png(data: bytes, file: str) -> Header:
    """Read and check a complete file.

    Raises:
        ImageError: if it is truncated, damaged or animated.
    """
    view = memoryview(data)
    position, fields, orientation, clear = len(MAGIC), None, 1, None
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
        elif name == b"tRNS" and fields[3] == _GREY and length == 2:
            clear = int.from_bytes(body, "big") / ((1 << fields[2]) - 1)
        elif name == b"IEND":
            break
        position = end
    width, height, _, colour = fields[:4]
    channels = {2: 3, 4: 2, 6: 4}.get(colour, 1)
    return Header("PNG", height, width, channels, orientation, clear_grey=clear)
