"""BMP files (BITMAPFILEHEADER and BITMAPINFOHEADER): the size, and that all pixels are there."""

from __future__ import annotations

import struct

from ecgvision.deploy.containers.header import Header, truncated, unsupported

MAGIC = b"BM"
_UNCOMPRESSED, _RUNS_OF_BYTES, _RUNS_OF_NIBBLES, _MASKS = 0, 1, 2, 3
_BITS = {_UNCOMPRESSED: (1, 4, 8, 16, 24, 32), _RUNS_OF_BYTES: (8,), _RUNS_OF_NIBBLES: (4,),
         _MASKS: (16, 32)}  # fmt: skip


def read_bmp(data: bytes, file: str) -> Header:
    """Read and check a complete file. A BMP has no checksum: only missing bytes are noticed.

    Raises:
        ImageError: if it is truncated or of a variant that is not read.
    """
    if len(data) < 54:
        raise truncated(file, len(data))
    stated, pixels, size = struct.unpack_from("<I4xII", data, 2)
    if size < 40:
        raise unsupported("a BMP of OS/2 is not read", file, size)
    width, height, planes, bits, method = struct.unpack_from("<iiHHI", data, 18)
    if width < 1 or height == 0 or planes != 1 or bits not in _BITS.get(method, ()):
        raise unsupported("a BMP of this kind is not read", file, (width, height, bits, method))
    height = abs(height)  # negative where the first row is the top one
    needed = stated
    if method in (_UNCOMPRESSED, _MASKS):
        needed = pixels + height * ((width * bits + 31) // 32 * 4)
    if len(data) < max(needed, 54) or pixels < 54:
        raise truncated(file, len(data))
    return Header("BMP", height, width, 3)
