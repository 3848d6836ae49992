"""Hostile files by name: every kind cut and altered, bombs, lies of size, and what is no page.

`python -m tests.deploy.hostile_files FOLDER` writes them.
"""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.deploy import documents
from tests.deploy.documents import assemble, drawn_pdf, numbered

TENTHS, FLIPS, PDF_FLIPS = 10, 14, 5
"""Cuts and flipped bytes of each kind; each altered PDF takes a process."""


@cache
def whole() -> dict[str, bytes]:
    """A good file of every kind that is read, by its suffix."""
    page = numbered(3)
    return {
        "png": _picture(page, "PNG"), "jpg": _picture(page, "JPEG", quality=90),
        "bmp": _picture(page, "BMP"), "webp": _picture(page, "WEBP", quality=80),
        "tif": documents.tiff([page], compression="tiff_lzw"),
        "fax.tiff": documents.tiff([page, numbered(5)]), "pdf": documents.pdf([page, numbered(5)]),
        "drawn.pdf": drawn_pdf(b"2 w 0 180 m 720 180 l S"), "dcm": documents.dicom(page),
        "jpeg.dcm": documents.jpeg_dicom(page), "pdf.dcm": documents.dicom_pdf(documents.pdf([page])),
        "heic": documents.heic(numbered(3, 128, 160)),
    }  # fmt: skip


def cut() -> Iterator[tuple[str, bytes]]:
    """Every kind cut at each tenth; none of them is a whole file."""
    for suffix, data in whole().items():
        for tenth in range(TENTHS):
            yield f"cut-{tenth}.{suffix}", data[: len(data) * tenth // TENTHS]


def flipped() -> Iterator[tuple[str, bytes]]:
    """Every kind with single bytes altered; a file without a checksum may still be read."""
    chance = random.Random(0)
    for suffix, data in whole().items():
        for number in range(PDF_FLIPS if "pdf" in suffix else FLIPS):
            altered = bytearray(data)
            at = chance.randrange(min(400, len(data)) if number % 2 else len(data))
            altered[at] ^= 1 << chance.randrange(8)
            yield f"flip-{number}.{suffix}", bytes(altered)


def renamed() -> Iterator[tuple[str, bytes]]:
    """Good files under the suffix of another kind."""
    kinds = list(whole().items())
    for number, (_, data) in enumerate(kinds):
        yield f"is-another.{kinds[number - 1][0]}", data


def liars() -> Iterator[tuple[str, bytes]]:
    """Headers of 30,000 x 30,000 pixels, numbers of pages, and streams that grow without end."""
    side = 30_000
    yield "large.png", _png(side, side, zlib.compress(bytes(1000)))
    yield "bomb.png", _png(60_000, 4_000, zlib.compress(bytes(10_000_000), 9))
    yield "profile-bomb.png", _png(80, 100, zlib.compress(bytes(80 * 101)),
                                   b"iCCP", b"x\0\0" + zlib.compress(bytes(30_000_000), 9))  # fmt: skip
    jpeg = bytearray(whole()["jpg"])
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    yield "large.jpg", bytes(jpeg)
    scan = jpeg[jpeg.index(b"\xff\xda") : -2]
    yield "scans.jpg", whole()["jpg"][:-2] + bytes(scan) * 300 + b"\xff\xd9"
    bmp = bytearray(whole()["bmp"])
    bmp[18:26] = struct.pack("<ii", side, side)
    yield "large.bmp", bytes(bmp)
    yield "large.tif", _tiff_of(side)
    yield "large.webp", _webp_of(16_383)
    many = documents.tiff([numbered(1)] * 30)
    yield "pages.tif", many
    yield "circle.tif", _circle()
    heic = bytearray(whole()["heic"])
    at = heic.index(b"ispe") + 8
    heic[at : at + 8] = struct.pack(">II", side, side)
    yield "large.heic", bytes(heic)
    for name, values in {"large": {"Rows": side, "Columns": side}, "frames": {"NumberOfFrames": 10**6},
                         "none": {"Rows": 0}, "bits": {"BitsAllocated": 64}}.items():  # fmt: skip
        yield f"{name}.dcm", documents.dicom(numbered(1), **values)
    yield "nested.dcm", _nested_dicom(200)
    deflated = pydicom.dcmread(io.BytesIO(whole()["dcm"]))
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    deflated.PixelData = bytes(20_000_000)
    yield "deflated.dcm", documents.written(deflated)
    none = pydicom.dcmread(io.BytesIO(whole()["dcm"]))
    del none.PixelData
    yield "no-pixels.dcm", documents.written(none)


def pdfs() -> Iterator[tuple[str, bytes]]:
    """Documents that run scripts, grow, turn in circles or are locked."""
    script = b"/OpenAction << /S /JavaScript /JS (while\\(true\\){}) >>"
    yield "script.pdf", drawn_pdf(b"", extra=script)
    yield "launch.pdf", drawn_pdf(b"", extra=b"/OpenAction << /S /Launch /F (/bin/sh) >>")
    yield (
        "address.pdf",
        drawn_pdf(b"", extra=b"/OpenAction << /S /URI /URI (http://127.0.0.1:1/) >>"),
    )
    yield "pages.pdf", _pdf_of_pages(10_000)
    yield "paper.pdf", drawn_pdf(b"0 0 m 1e9 1e9 l S", box="0 0 100000000 100000000")
    yield "no-paper.pdf", drawn_pdf(b"", box="0 0 0 0")
    yield "negative-paper.pdf", drawn_pdf(b"", box="500 500 -500 -500")
    yield "slow.pdf", drawn_pdf(b"0 0 m 100 400 300 -400 720 360 c S\n" * 100_000)
    yield "deep.pdf", drawn_pdf(b"q " * 100_000)
    packed = zlib.compress(zlib.compress(b"0 0 m 9 9 l S\n" * 600_000, 9), 9)
    yield "bomb.pdf", _pdf_stream(packed, b"/Filter [/FlateDecode /FlateDecode]")
    yield "image.pdf", _pdf_image(30_000)
    yield "form-circle.pdf", _pdf_form_circle()
    yield "tree-circle.pdf", assemble([b"<< /Type /Catalog /Pages 2 0 R >>",
                                       b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"])  # fmt: skip
    yield "no-pages.pdf", assemble([b"<< /Type /Catalog /Pages 2 0 R >>",
                                    b"<< /Type /Pages /Kids [] /Count 0 >>"])  # fmt: skip
    yield "counts.pdf", assemble([b"<< /Type /Catalog /Pages 2 0 R >>",
                                  b"<< /Type /Pages /Kids [] /Count 2000000000 >>"])  # fmt: skip
    lock = (b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"41" * 32 + b"> /U <"
            + b"42" * 32 + b"> >> /ID [<00><00>]")  # fmt: skip
    yield "locked.pdf", drawn_pdf(b"").replace(b"trailer\n<<", b"trailer\n<< " + lock)
    yield "head-only.pdf", b"%PDF-1.7\n%%EOF\n"
    yield "inside.dcm", documents.dicom_pdf(_pdf_of_pages(10_000))


def others() -> Iterator[tuple[str, bytes]]:
    """What is no page, and the first bytes of every kind before noise."""
    chance = random.Random(1)
    yield "empty.png", b""
    yield "byte.png", b"\x89"
    yield "zeros.png", bytes(100_000)
    yield "page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"
    yield "page.html", b"<!doctype html><html><script>alert(1)</script></html>"
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 12))
    yield (
        "laughs.xml",
        b'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY l0 "ha">' + laughs + b"]><z>&l11;</z>",
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("page.png", bytes(10_000_000))
    yield "bomb.zip", packed.getvalue()
    yield "bomb.png.gz", gzip.compress(bytes(10_000_000))
    yield "object.pkl", pickle.dumps(print)
    yield "program.png", b"\x7fELF" + bytes(500)
    yield "film.mp4", b"\0\0\0\x18ftypmp42" + bytes(100)
    yield "picture.avif", b"\0\0\0\x18ftypavif" + bytes(100)
    yield "picture.gif", _picture(numbered(1), "GIF")
    yield "picture.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100)
    yield "page.ps", b"%!PS-Adobe-3.0\n{} loop\n"
    yield "tiny.png", _picture(numbered(1)[:1, :1], "PNG")
    yield "line.png", _picture(np.zeros((1, 9000, 3), np.uint8), "PNG")
    yield "page.json", b"[" * 100_000
    for suffix, data in whole().items():
        for length in (4, 16):
            noise = chance.randbytes(3000)
            start = 132 if "dcm" in suffix else length
            yield f"noise-{length}.{suffix}", data[:start] + noise


def every() -> dict[str, bytes]:
    """All hostile files by their name."""
    found: dict[str, bytes] = {}
    for family in (cut, flipped, renamed, liars, pdfs, others):
        for name, data in family():
            assert name not in found
            found[name] = data
    return found


def _picture(page: np.ndarray, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(page).save(out, kind, **options)
    return out.getvalue()


def _png(height: int, width: int, data: bytes, kind: bytes = b"", more: bytes = b"") -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    extra = chunk(kind, more) if kind else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def _tiff_of(side: int) -> bytes:
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
            (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, side), (279, 4, 1, 100)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return (
        b"II*\0"
        + struct.pack("<I", 200)
        + bytes(192)
        + struct.pack("<H", len(tags))
        + entries
        + bytes(4)
    )


def _circle() -> bytes:
    data = bytearray(documents.tiff([numbered(1)]))
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    struct.pack_into("<I", data, at + 2 + 12 * count, at)
    return bytes(data)


def _webp_of(side: int) -> bytes:
    body = (
        b"VP8L"
        + struct.pack("<I", 10)
        + b"\x2f"
        + struct.pack("<I", (side - 1) | (side - 1) << 14)
        + bytes(5)
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _nested_dicom(depth: int) -> bytes:
    from pydicom.dataset import Dataset

    inner = Dataset()
    inner.CodeValue = "x"
    for _ in range(depth):
        outer = Dataset()
        outer.ConceptNameCodeSequence = [inner]
        inner = outer
    made = pydicom.dcmread(io.BytesIO(whole()["dcm"]))
    made.ConceptNameCodeSequence = [inner]
    return documents.written(made)


def _pdf_of_pages(pages: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % (number + 3) for number in range(pages))
    one = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] >>"
    return assemble([b"<< /Type /Catalog /Pages 2 0 R >>",
                     b"<< /Type /Pages /Kids [" + kids + b"] /Count %d >>" % pages,
                     *[one] * pages])  # fmt: skip


def _pdf_stream(content: bytes, about: bytes) -> bytes:
    return assemble([
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R >>",
        b"<< /Length %d " % len(content) + about + b" >>\nstream\n" + content + b"\nendstream",
    ])  # fmt: skip


def _pdf_image(side: int) -> bytes:
    data = zlib.compress(bytes(1_000_000), 9)
    image = (b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB "
             b"/BitsPerComponent 8 /Filter /FlateDecode /Length %d >>\nstream\n" % (side, side, len(data))
             + data + b"\nendstream")  # fmt: skip
    return _pdf_object(image, b"300 0 0 300 0 0 cm /X Do")


def _pdf_form_circle() -> bytes:
    form = (b"<< /Type /XObject /Subtype /Form /BBox [0 0 300 300] /Resources << /XObject << /X 5 0 R >> >>"
            b" /Length 12 >>\nstream\n/X Do /X Do \nendstream")  # fmt: skip
    return _pdf_object(form, b"/X Do")


def _pdf_object(item: bytes, content: bytes) -> bytes:
    return assemble([
        b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R "
        b"/Resources << /XObject << /X 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n" % len(content) + content + b"\nendstream", item,
    ])  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in every().items():
        (folder / file).write_bytes(content)
