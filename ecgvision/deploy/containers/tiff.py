"""TIFF files (revision 6.0): the one page's directory, and that all of its pixels are there."""

from __future__ import annotations

import struct

from ecgvision.deploy.containers.header import Header, damaged, truncated, unsupported

MAGICS = (b"II*\0", b"MM\0*")
BIG = (b"II+\0", b"MM\0+")
MAX_ENTRIES = 4096
"""Largest number of entries of a directory (our default; scanners write about twenty)."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_LETTERS = {1: "B", 3: "H", 4: "I"}
_WIDTH, _HEIGHT, _BITS, _METHOD, _COLOURS, _SAMPLES = 256, 257, 258, 259, 262, 277
_ORIENTATION, _PLANES = 274, 284
_PLACES = ((273, 279), (324, 325))  # of strips and of tiles, with their lengths
_METHODS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
_GREY_OR_RGB = frozenset({0, 1, 2, 3, 6})  # white is 0, black is 0, RGB, palette, YCbCr


def read_tiff(data: bytes, file: str) -> Header:
    """Read and check a complete file of one page.

    TIFF has no checksum: of changed bytes only those are noticed that contradict the structure, or
    that the decoder cannot read.

    Raises:
        ImageError: if it is truncated or damaged, has several pages, or is of a variant that is not
            read: inks, other colour spaces, or other than 1, 8 or 16 bits.
    """
    order = "<" if data[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        if not 0 < count <= MAX_ENTRIES:
            raise damaged("a TIFF directory without entries", file, count)
        (following,) = struct.unpack_from(order + "I", data, at + 2 + 12 * count)
        entries = [
            struct.unpack_from(order + "HHI", data, at + 2 + 12 * i) + (at + 10 + 12 * i,)
            for i in range(count)
        ]
        tags = {
            tag: _values(data, order, kind, number, place) for tag, kind, number, place in entries
        }
    except (struct.error, OverflowError):
        raise truncated(file, len(data)) from None
    if following:
        raise unsupported("a TIFF of several pages", file)
    return _header(tags, len(data), file)


def _values(data: bytes, order: str, kind: int, number: int, place: int) -> tuple[int, ...]:
    """Return the whole numbers of an entry; empty for values of other types.

    Raises:
        struct.error: if they lie beyond the end of the file.
    """
    letter, size = _LETTERS.get(kind), _SIZES.get(kind, 0) * number
    if size > 4:
        (place,) = struct.unpack_from(order + "I", data, place)
        if place + size > len(data):
            raise struct.error
    if letter is None:
        return ()
    return struct.unpack_from(f"{order}{number}{letter}", data, place)


def _header(tags: dict[int, tuple[int, ...]], size: int, file: str) -> Header:
    def one(tag: int, default: int) -> int:
        return (tags.get(tag) or (default,))[0]

    height, width, samples = one(_HEIGHT, 0), one(_WIDTH, 0), one(_SAMPLES, 1)
    bits, method, colours = set(tags.get(_BITS) or (1,)), one(_METHOD, 1), one(_COLOURS, -1)
    if not height or not width:
        raise damaged("a TIFF without a picture", file, (width, height))
    kind = (sorted(bits), samples, colours, method)
    if colours not in _GREY_OR_RGB or method not in _METHODS or samples not in (1, 2, 3, 4):
        raise unsupported("a TIFF of these colours or this compression is not read", file, kind)
    if len(bits) != 1 or not bits <= {1, 4, 8, 16} or one(_PLANES, 1) != 1:
        raise unsupported("a TIFF of these bits or planes is not read", file, kind)
    parts = [
        (start, length)
        for starts, lengths in _PLACES
        for start, length in zip(tags.get(starts, ()), tags.get(lengths, ()), strict=False)
    ]
    if not parts:
        raise damaged("a TIFF without pixels", file, f"{size} bytes")
    if any(start + length > size for start, length in parts):
        raise truncated(file, size)
    if one(_ORIENTATION, 1) >= 5:  # the decoder turns the picture itself
        height, width = width, height
    return Header("TIFF", height, width, samples)
