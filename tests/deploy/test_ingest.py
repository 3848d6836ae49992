"""Pictures from outside: read as Pillow reads them, or refused by name."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ecgvision.core.errors import ImageError
from ecgvision.deploy import decoding
from ecgvision.deploy.containers import exif_orientation, read_header
from ecgvision.deploy.ingest import read_page
from ecgvision.deploy.limits import DEFAULT, MIN_SIDE


def page(height: int = 80, width: int = 100) -> np.ndarray:
    """A small page: paper, blocks of ink at odd places, nothing symmetric."""
    image = np.full((height, width, 3), 255, np.uint8)
    image[8:24, 10:50] = (200, 30, 40)
    image[40:, 60:90] = (20, 90, 180)
    image[::16] = (250, 210, 210)
    return image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def as_pillow(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def read(folder: Path, data: bytes) -> np.ndarray:
    file = folder / "page.bin"  # content decides, not the name
    file.write_bytes(data)
    result = read_page(file)
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    return result


def refusal(folder: Path, data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        read(folder, data)
    assert "page.bin" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_png_of_every_colour_model_reads_as_in_pillow(tmp_path: Path, mode: str) -> None:
    data = encoded(Image.fromarray(page()).convert(mode), "PNG")
    np.testing.assert_array_equal(read(tmp_path, data), as_pillow(data))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_jpeg_reads_as_in_pillow(tmp_path: Path, mode: str, options: dict) -> None:
    image = Image.fromarray(page()).convert(mode)
    data = encoded(image, "JPEG", quality=92, subsampling=0, **options)
    gap = np.abs(read(tmp_path, data).astype(int) - as_pillow(data))
    assert gap.max() <= 3  # two decoders may round differently


def test_cmyk_jpeg_of_the_adobe_kind_keeps_its_colours(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(page()).convert("CMYK"), "JPEG", quality=95, subsampling=0)
    assert read_header(data, "x").channels == 4
    assert np.abs(read(tmp_path, data).astype(int) - page()).mean() < 3


def test_cmyk_jpeg_without_the_adobe_marker_is_refused(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(page()).convert("CMYK"), "JPEG")
    at = data.index(b"\xff\xee")
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    assert "CMYK" in refusal(tmp_path, data[:at] + data[at + 2 + length :])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path, channels: int) -> None:
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 65536, (80, 100, channels), dtype=np.uint16)
    deep[..., 3:] = 65535
    data = cv2.imencode(".png", deep if channels > 1 else deep[..., 0])[1].tobytes()
    colour = deep[..., [2, 1, 0]] if channels > 1 else np.repeat(deep, 3, axis=2)
    assert np.abs(read(tmp_path, data) - colour.astype(np.float64) / 257).max() <= 0.5 + 1e-9


def test_transparency_lies_on_white_paper(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    image = np.dstack([page(), rng.integers(0, 256, (80, 100), dtype=np.uint8)])
    data = encoded(Image.fromarray(image), "PNG")
    share = image[..., 3:] / 255
    wanted = image[..., :3] * share + 255 * (1 - share)
    assert np.abs(read(tmp_path, data) - wanted).max() <= 0.51


def test_a_transparent_grey_level_other_than_white_is_refused(tmp_path: Path) -> None:
    grey = Image.fromarray(page()).convert("L")
    white = encoded(grey, "PNG", transparency=255)
    np.testing.assert_array_equal(read(tmp_path, white), as_pillow(encoded(grey, "PNG")))
    assert "transparent grey" in refusal(tmp_path, encoded(grey, "PNG", transparency=0))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(page()), kind, exif=exif)
    found, wanted = read(tmp_path, data), as_pillow(data)
    assert found.shape == wanted.shape
    assert np.abs(found.astype(int) - wanted).mean() < 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_orientation_in_both_byte_orders(order: str) -> None:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 2)
    entry = struct.pack(order + "HHIHH", 0x0100, 3, 1, 7, 0)
    entry += struct.pack(order + "HHIHH", 0x0112, 3, 1, 6, 0)
    assert exif_orientation(head + entry) == 6
    assert exif_orientation(head + entry[:14]) == 1


@given(tiff=st.binary(max_size=64))
def test_exif_of_any_bytes_is_an_orientation(tiff: bytes) -> None:
    assert 1 <= exif_orientation(b"II*\0" + tiff) <= 8


def small_files() -> dict[str, bytes]:
    image = Image.fromarray(page(MIN_SIDE, MIN_SIDE))
    return {
        "png": encoded(image, "PNG"),
        "jpeg": encoded(image, "JPEG", quality=20),
        "progressive": encoded(image, "JPEG", quality=20, progressive=True),
    }


@pytest.mark.parametrize("kind", ["png", "jpeg", "progressive"])
def test_a_file_cut_at_any_byte_is_refused(tmp_path: Path, kind: str) -> None:
    data = small_files()[kind]
    assert read(tmp_path, data).shape == (MIN_SIDE, MIN_SIDE, 3)
    for end in range(len(data)):
        refusal(tmp_path, data[:end])


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_a_changed_byte_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    whole = bytearray(small_files()[kind])
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    file = tmp_path_factory.mktemp("changed") / "page"
    file.write_bytes(whole)
    try:
        found = read_page(file)
    except ImageError:
        return
    assert kind == "jpeg"  # every byte of a PNG lies under its magic, lengths and checksums
    assert found.dtype == np.uint8


@given(
    magic=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"%PDF-1.7"]),
    rest=st.binary(max_size=400),
)
def test_random_bytes_are_refused(
    tmp_path_factory: pytest.TempPathFactory, magic: bytes, rest: bytes
) -> None:
    file = tmp_path_factory.mktemp("random") / "page"
    file.write_bytes(magic + rest)
    with pytest.raises(ImageError):
        read_page(file)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_claiming(height: int, width: int, *extra: bytes) -> bytes:
    """A PNG of valid chunks with hardly any pixels behind its header."""
    fields = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(10)))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", fields)
    return start + b"".join(extra) + body + chunk(b"IEND", b"")


def test_a_png_with_too_few_pixels_behind_a_valid_header_is_refused(tmp_path: Path) -> None:
    assert "decoded" in refusal(tmp_path, png_claiming(100, 100))


def test_an_animated_png_is_refused(tmp_path: Path) -> None:
    animation = chunk(b"acTL", struct.pack(">II", 2, 0))
    assert "animated" in refusal(tmp_path, png_claiming(100, 100, animation))


@pytest.mark.parametrize("size", [(1, 1), (MIN_SIDE - 1, 500), (500, MIN_SIDE - 1)])
def test_pictures_below_the_minimum_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    text = refusal(tmp_path, encoded(Image.new("RGB", size[::-1]), "PNG"))
    assert f"{size[1]} x {size[0]} pixels" in text


@pytest.mark.parametrize("size", [(15_000, 20_000), (400, 20_000), (400, DEFAULT.side + 1)])
def test_huge_pictures_are_refused_before_decoding(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding.cv2, "imdecode", lambda *_: pytest.fail("was decoded"))
    text = refusal(tmp_path, png_claiming(*size))
    assert "too large" in text
    assert "dpi" in text


def test_the_pixel_limit_can_be_lowered(tmp_path: Path) -> None:
    file = tmp_path / "page.png"
    file.write_bytes(encoded(Image.fromarray(page()), "PNG"))
    assert read_page(file, max_pixels=8000).shape == (80, 100, 3)
    with pytest.raises(ImageError, match="7,999"):
        read_page(file, max_pixels=7999)


def test_a_600_dpi_scan_of_a4_is_read(tmp_path: Path) -> None:
    data = encoded(Image.new("L", (7016, 4961), 255), "PNG", compress_level=1)
    assert read(tmp_path, data).shape == (4961, 7016, 3)


def test_what_is_not_a_file_or_not_a_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "note.png").write_text("ECG of Mr X")
    os.mkfifo(tmp_path / "pipe.png")
    cases = {
        "absent.png": "no such file",
        "": "folder",
        "empty.png": "empty",
        "note.png": "of no kind that is read",
        "pipe.png": "not a regular file",
        "x" * 300: "cannot be read|no such file",
    }
    for name, said in cases.items():
        with pytest.raises(ImageError, match=said):
            read_page(tmp_path / name)
