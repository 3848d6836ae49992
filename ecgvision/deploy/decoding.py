"""Decoding of a picture whose header was checked: strictly, and without a word on the terminal.

OpenCV's decoders go on where a picture is damaged and print a warning to the process's stderr. The
warning is caught there and refuses the picture. stderr belongs to the whole process, so pictures
are decoded one at a time.

A JPEG has no checksum, so what its decoder does not notice is looked for in the picture
(`jpeg_damage`).
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.deploy.containers.header import Header, damaged
from ecgvision.deploy.jpeg_damage import find_step

_LOCK = threading.Lock()
_DAMAGE = re.compile(
    r"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression sequence"
    r"|Unsupported marker|TIFF.*(?:rror|annot|orrupt|nvalid)|Fax\w+:|LZW\w*:|ZIP\w*:"
)
"""Warnings of libjpeg and libtiff after which pixels are missing or wrong."""
_CHATTER = re.compile(
    _DAMAGE.pattern + r"|libpng|JPEG|JFIF|Adobe|TIFF|\[ ?(?:WARN|ERROR|INFO)|imread_|imdecode_"
)
"""Lines that come from a decoder, in a process of several threads."""


def decode(data: bytes, header: Header, file: str) -> NDArray[Any]:
    """Decode to (H, W), (H, W, 3) BGR or (H, W, 4) BGRA, uint8 or uint16, without EXIF rotation.

    Raises:
        ImageError: if the picture cannot be decoded, its decoder warns of damage, or a JPEG shows
            a changed byte.
    """
    text = ""
    try:
        with _caught_stderr() as lines:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), _flags(header))
        text = "\n".join(lines)
    except cv2.error as error:
        raise damaged("the picture cannot be decoded", file, error.err) from error
    if found := _DAMAGE.search(text):
        line = text[found.start() :].splitlines()[0]
        raise damaged("the picture is damaged", file, line[:100])
    if image is None or image.shape[:2] != (header.height, header.width):
        raise damaged("the picture cannot be decoded", file, f"{header.kind}, {len(data)} bytes")
    if image.dtype not in (np.uint8, np.uint16):
        raise damaged("pixels must have 8 or 16 bits", file, str(image.dtype))
    if header.kind == "JPEG" and (row := find_step(image, header.block)) is not None:
        raise damaged("the picture is damaged: its brightness steps where a byte may have changed",
                      file, f"row {row} of pixels")  # fmt: skip
    return image


def _flags(header: Header) -> int:
    if header.kind == "JPEG":  # it has no alpha, and COLOR converts its CMYK
        return cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    if header.kind == "BMP":  # the fourth byte of its pixels is rarely an alpha, and often 0
        return cv2.IMREAD_COLOR
    return cv2.IMREAD_UNCHANGED  # keeps 16 bits and alpha


@contextmanager
def _caught_stderr() -> Iterator[list[str]]:
    """Collect the lines that are written to descriptor 2 within the block.

    What other threads write meanwhile is passed on.
    """
    lines: list[str] = []
    with _LOCK, tempfile.TemporaryFile() as caught:
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
        try:
            own = os.dup(2)
        except OSError:  # closed: a decoder's chatter goes nowhere, and its warnings are lost
            yield lines
            return
        os.dup2(caught.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(own, 2)
            caught.seek(0)
            lines += caught.read().decode("utf-8", "replace").splitlines()
            others = [] if threading.active_count() == 1 else [
                line for line in lines if line and not _CHATTER.search(line)
            ]  # fmt: skip
            with suppress(OSError):
                for line in others:
                    os.write(own, f"{line}\n".encode())
            os.close(own)
