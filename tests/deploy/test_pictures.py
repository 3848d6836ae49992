"""Containers beside PNG and JPEG, damaged pictures, and kinds that are refused by name."""

from __future__ import annotations

import os
import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ecgvision.core.errors import ImageError
from ecgvision.deploy import decoding
from ecgvision.deploy.containers import read_header
from ecgvision.deploy.documents import SUFFIXES
from ecgvision.deploy.files import expand
from ecgvision.deploy.ingest import read_page
from ecgvision.deploy.limits import DEFAULT, MIN_SIDE
from tests.deploy.test_ingest import as_pillow, chunk, encoded, page, png_claiming, read, refusal

MODES = {
    "BMP": ["1", "L", "P", "RGB"],
    "TIFF": ["1", "L", "P", "RGB", "RGBA"],
    "WEBP": ["RGB", "RGBA"],
}
COMPRESSIONS = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"]


@pytest.mark.parametrize(("kind", "mode"), [(k, m) for k, modes in MODES.items() for m in modes])
def test_other_containers_read_as_in_pillow(tmp_path: Path, kind: str, mode: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(Image.fromarray(page()).convert(mode), kind, **options)
    np.testing.assert_array_equal(read(tmp_path, data), as_pillow(data))


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_tiff_of_every_compression(tmp_path: Path, compression: str, mode: str) -> None:
    data = encoded(Image.fromarray(page()).convert(mode), "TIFF", compression=compression)
    np.testing.assert_array_equal(read(tmp_path, data), as_pillow(data))


def test_a_fax_s_tiff(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(page()).convert("1"), "TIFF", compression="group4")
    np.testing.assert_array_equal(read(tmp_path, data), as_pillow(data))


def test_a_tiff_whose_white_is_zero(tmp_path: Path) -> None:
    grey = Image.fromarray(page()).convert("L")
    data = bytearray(encoded(grey, "TIFF"))
    place = data.index(struct.pack("<HHI", 262, 3, 1)) + 8
    data[place] = 0
    wanted = 255 - np.asarray(grey)
    np.testing.assert_array_equal(read(tmp_path, bytes(data))[..., 0], wanted)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_orientation_is_undone(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"exif": exif, "lossless": True} if kind == "WEBP" else {"tiffinfo": {274: orientation}}  # fmt: skip
    data = encoded(Image.fromarray(page()), kind, **options)
    np.testing.assert_array_equal(read(tmp_path, data), as_pillow(data))


def test_sixteen_bit_tiff_is_rounded(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (80, 100), dtype=np.uint16)
    data = encoded(Image.fromarray(deep), "TIFF")
    assert np.abs(read(tmp_path, data)[..., 0] - deep / 257).max() <= 0.5 + 1e-9


def test_several_pages_or_pictures_are_refused(tmp_path: Path) -> None:
    first, second = Image.fromarray(page()), Image.fromarray(255 - page())
    pages = encoded(first, "TIFF", save_all=True, append_images=[second])
    assert "several pages" in refusal(tmp_path, pages)
    moving = encoded(first, "WEBP", save_all=True, append_images=[second])
    assert "animated" in refusal(tmp_path, moving)


@pytest.mark.parametrize("mode", ["CMYK", "LAB"])
def test_a_tiff_of_other_colours_is_refused(tmp_path: Path, mode: str) -> None:
    data = encoded(Image.fromarray(page()).convert(mode), "TIFF")
    assert "colours" in refusal(tmp_path, data)


OTHERS = {
    b"GIF89a\x01\x00": "GIF.*PNG",
    b"\0\0\0\x1cftypavif\0\0\0\0": "AVIF.*heif-convert",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000.*PNG",
    b"<svg xmlns='x'>": "SVG.*rsvg",
    b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg>": "SVG.*rsvg",
    b"II+\0\x08\0\0\0": "BigTIFF",
    b"%!PS-Adobe-3.0": "PostScript",
    b"<?xml version='1.0'?><html>": "HTML.*PDF",
    b"\n<!DOCTYPE html>\n<html>": "HTML.*PDF",
    b"\0\0\0\x18ftypmp42\0\0\0\0": "video",
    b"PK\x03\x04": "archive.*[Uu]npack",
    b"\x1f\x8b\x08\0": "archive.*[Uu]npack",
    b"nothing known": "no kind that is read",
}


@pytest.mark.parametrize(("start", "said"), OTHERS.items())
def test_other_kinds_are_refused_with_a_way_to_convert_them(
    tmp_path: Path, start: bytes, said: str
) -> None:
    (tmp_path / "page.bin").write_bytes(start + bytes(200))
    with pytest.raises(ImageError, match=said):
        read_page(tmp_path / "page.bin")


def small() -> dict[str, bytes]:
    image = Image.fromarray(page(MIN_SIDE, MIN_SIDE))
    return {
        "bmp": encoded(image, "BMP"),
        "tiff": encoded(image, "TIFF", compression="tiff_lzw"),
        "webp": encoded(image, "WEBP", lossless=True),
        "lossy": encoded(image, "WEBP", quality=50),
        "jpeg": encoded(image, "JPEG", quality=60),
    }


@pytest.mark.parametrize("kind", small())
def test_a_file_cut_at_any_byte_is_refused(tmp_path: Path, kind: str) -> None:
    data = small()[kind]
    assert read(tmp_path, data).shape == (MIN_SIDE, MIN_SIDE, 3)
    step = max(1, len(data) // 400)
    for end in [*range(0, len(data), step), len(data) - 1]:
        refusal(tmp_path, data[:end])


@pytest.mark.parametrize("kind", small())
@given(data=st.data())
@settings(deadline=None, max_examples=50)
def test_a_changed_byte_never_crashes_or_prints(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    whole = bytearray(small()[kind])
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    file = tmp_path_factory.mktemp("changed") / "page"
    file.write_bytes(whole)
    with (file.parent / "stderr").open("w+b") as caught:
        own = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            assert read_page(file).dtype == np.uint8
        except ImageError:
            pass
        finally:
            os.dup2(own, 2)
            os.close(own)
        caught.seek(0)
        assert caught.read() == b""


def test_a_share_of_changed_bytes_in_a_jpeg_is_caught() -> None:
    """Of one-byte changes at least 15 % are refused; the others are valid data of another picture."""
    rng = np.random.default_rng(0)
    noisy = page(300, 400).astype(int) + rng.integers(-9, 9, (300, 400, 3))
    data = encoded(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), "JPEG", quality=85)
    caught = 0
    for _ in range(300):
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= int(rng.integers(1, 256))
        try:
            decoding.decode(bytes(changed), read_header(bytes(changed), "x"), "x")
        except ImageError:
            caught += 1
    assert caught >= 45


WARNINGS = ["Corrupt JPEG data: premature end of data segment", "Premature end of JPEG file",
            "Corrupt JPEG data: bad Huffman code", "Corrupt JPEG data: 12 extraneous bytes before marker 0xd9",
            "Inconsistent progression sequence for component 0 coefficient 1"]  # fmt: skip


@pytest.mark.parametrize("text", WARNINGS)
def test_a_decoder_s_warning_refuses_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    real = cv2.imdecode

    def warns(*words: object) -> object:
        os.write(2, f"{text}\n".encode())
        return real(*words)

    monkeypatch.setattr(decoding.cv2, "imdecode", warns)
    data = encoded(Image.fromarray(page()), "JPEG")
    assert text[:40] in refusal(tmp_path, data)
    assert capfd.readouterr().err == ""


def test_what_another_thread_says_meanwhile_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real = cv2.imdecode

    def warns(*words: object) -> object:
        os.write(2, b"libpng warning: iCCP: known incorrect sRGB profile\na log of the server\n")
        return real(*words)

    monkeypatch.setattr(decoding.cv2, "imdecode", warns)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, daemon=True)
    thread.start()
    try:
        read(tmp_path, encoded(Image.fromarray(page()), "PNG"))
    finally:
        stop.set()
        thread.join()
    assert capfd.readouterr().err == "a log of the server\n"


def test_a_phone_s_largest_pictures_are_within_the_limit(tmp_path: Path) -> None:
    for size in ((9248, 6936), (12000, 9000)):  # 64.1 and 108 million pixels
        assert size[0] * size[1] <= DEFAULT.pixels
        text = refusal(tmp_path, png_claiming(*size))  # it fails for its pixels, not for its size
        assert "decoded" in text
    assert "too large" in refusal(tmp_path, png_claiming(16000, 8001))


def bmp_claiming(width: int, height: int, bits: int = 24, method: int = 0) -> bytes:
    head = struct.pack("<IiiHHI20x", 40, width, height, 1, bits, method)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


@pytest.mark.parametrize("values", [(2**31 - 1, 2**31 - 1), (-5, 80), (80, 0), (80, -(2**31)), (15_000, 20_000)])  # fmt: skip
def test_sizes_that_are_none_are_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: tuple[int, int]
) -> None:
    monkeypatch.setattr(decoding.cv2, "imdecode", lambda *_: pytest.fail("was decoded"))
    refusal(tmp_path, bmp_claiming(*values))
    refusal(tmp_path, bmp_claiming(*values, bits=8, method=1))
    width, height = (abs(v) & 0xFFFFFFFF for v in values)
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1),
               (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 0)]  # fmt: skip
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    tiff = b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)
    refusal(tmp_path, tiff)


@given(start=st.sampled_from([b"BM", b"II*\0", b"MM\0*", b"RIFF\x40\0\0\0WEBP", b"RIFF\x40\0\0\0WEBPVP8X"]), rest=st.binary(max_size=300))  # fmt: skip
@settings(deadline=None, max_examples=50)
def test_random_bytes_after_a_magic_are_refused(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes
) -> None:
    file = tmp_path_factory.mktemp("random") / "page"
    file.write_bytes(start + rest)
    with pytest.raises(ImageError):
        read_page(file)


def test_folders_hold_every_kind_that_is_read(tmp_path: Path) -> None:
    names = [f"p{i:02d}{suffix}" for i, suffix in enumerate(SUFFIXES)]
    for name in names:
        (tmp_path / name).touch()
    assert [Path(f).name for f in expand([str(tmp_path)]).files] == names


def test_a_png_profile_s_warning_is_not_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded(Image.fromarray(page()), "PNG")
    at = data.index(b"IDAT") - 4
    profile = chunk(b"iCCP", b"x\0\0" + b"not zlib at all")
    read(tmp_path, data[:at] + profile + data[at:])
    assert capfd.readouterr().err == ""
