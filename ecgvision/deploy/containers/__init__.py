"""Headers of picture files, read and checked before any pixel is decoded.

Decoders are lenient: a JPEG cut in half is decoded with a grey lower half. A page that was only
partly transferred must not be classified, so the containers are parsed to their end here. Standard
library only.
"""

from __future__ import annotations

from ecgvision.deploy.containers import bmp, jpeg, png, tiff
from ecgvision.deploy.containers.bmp import read_bmp
from ecgvision.deploy.containers.header import Header, damaged, exif_orientation, truncated
from ecgvision.deploy.containers.jpeg import read_jpeg
from ecgvision.deploy.containers.png import read_png
from ecgvision.deploy.containers.refused import refusal
from ecgvision.deploy.containers.tiff import read_tiff
from ecgvision.deploy.containers.webp import is_webp, read_webp

__all__ = ["Header", "damaged", "exif_orientation", "read_header", "truncated"]


def read_header(data: bytes, file: str) -> Header:
    """Read and check the container of a complete PNG, JPEG, BMP, TIFF or WebP file.

    Raises:
        ImageError: if the file is of another kind, truncated or damaged.
    """
    if data.startswith(png.MAGIC):
        return read_png(data, file)
    if data.startswith(jpeg.MAGIC):
        return read_jpeg(data, file)
    if data.startswith(tiff.MAGICS):
        return read_tiff(data, file)
    if is_webp(data):
        return read_webp(data, file)
    if data.startswith(bmp.MAGIC):
        return read_bmp(data, file)
    raise refusal(data, file)
