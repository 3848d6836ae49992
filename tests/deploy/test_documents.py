"""Files of several pages, and of kinds that need a package: each page read, or refused by name."""

from __future__ import annotations

import builtins
import io
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLosslessSV1

from ecgvision.cli import main
from ecgvision.core.errors import FormatError, ImageError, LimitError
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.documents import open_document
from ecgvision.deploy.ingest import read_page
from ecgvision.deploy.limits import Limits
from ecgvision.deploy.predict import predict_files
from tests.deploy import documents
from tests.deploy.documents import numbered

THREE = [numbered(number) for number in (1, 4, 7)]
KINDS = {
    "pdf": documents.pdf(THREE),
    "tiff": documents.tiff(THREE, compression="tiff_lzw"),
    "dicom": documents.dicom(np.stack(THREE)),
    "dicom-pdf": documents.dicom_pdf(documents.pdf(THREE)),
}


def ink(page: np.ndarray) -> tuple[float, float]:
    """Centre of the ink, as shares of height and width."""
    dark = np.argwhere(page[..., 1] < 128)
    return tuple(((dark.mean(0) + 0.5) / page.shape[:2]).tolist())


def read_all(data: bytes, file: str) -> list[np.ndarray]:
    found = open_document(data, file)
    return [found.read(index) for index in range(len(found))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_of_a_document_is_read_as_it_was_drawn(kind: str) -> None:
    found = open_document(KINDS[kind], "study")
    assert len(found) == 3
    for index, page in enumerate(THREE):
        read = found.read(index)
        assert read.dtype == np.uint8
        assert read.flags.c_contiguous
        assert ink(read) == pytest.approx(ink(page), abs=0.01)
        if "pdf" not in kind:
            np.testing.assert_array_equal(read, page)


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_pages_are_refused_and_not_cut(kind: str) -> None:
    with pytest.raises(LimitError, match=r"study.*too many pages.*3.*At most 2"):
        open_document(KINDS[kind], "study", Limits(pages=2))


@pytest.mark.parametrize("kind", [*KINDS, "heic"])
def test_large_pages_are_refused_or_drawn_coarser(kind: str) -> None:
    data = KINDS.get(kind) or documents.heic(THREE[0])
    limits = Limits(pixels=7999)
    if "pdf" in kind:
        assert open_document(data, "study", limits).read(0).shape[0] < 80
        return
    with pytest.raises(LimitError, match="7,999"):
        open_document(data, "study", limits).read(0)


def test_one_page_of_a_document_is_a_page(tmp_path: Path) -> None:
    for name, data in {
        "a.pdf": documents.pdf(THREE[:1]),
        "b.dcm": documents.dicom(THREE[0]),
    }.items():
        (tmp_path / name).write_bytes(data)
        assert ink(read_page(tmp_path / name)) == pytest.approx(ink(THREE[0]), abs=0.01)
    (tmp_path / "c.pdf").write_bytes(KINDS["pdf"])
    with pytest.raises(ImageError, match=r"several pages.*3"):
        read_page(tmp_path / "c.pdf")


def test_scans_in_a_pdf_keep_their_resolution_and_drawings_get_theirs() -> None:
    scan = numbered(3, 300, 400)
    assert open_document(documents.pdf([scan], dpi=300), "x").read(0).shape == (300, 400, 3)
    assert open_document(documents.pdf([scan], dpi=72), "x").read(0).shape[1] == pytest.approx(
        400 / 72 * 200, abs=2
    )
    trace = documents.drawn_pdf(b"2 w 0 180 m 720 180 l S")
    page = open_document(trace, "x").read(0)
    assert page.shape == (1000, 2000, 3)
    assert ink(page) == pytest.approx((0.5, 0.5), abs=0.002)


def test_huge_paper_is_drawn_coarser_and_odd_paper_refused() -> None:
    page = open_document(documents.drawn_pdf(b"", box="0 0 14400 14400"), "x").read(0)
    assert page.shape[0] * page.shape[1] <= 40_000_000
    with pytest.raises(ImageError):
        open_document(documents.drawn_pdf(b"", box="0 0 5 5"), "x").read(0)


def test_a_page_that_takes_too_long_is_given_up() -> None:
    circle = b"0 0 m 100 400 300 -400 720 360 c S\n"
    slow = open_document(documents.drawn_pdf(circle * 200_000), "x", Limits(seconds=1))
    for _ in range(2):
        with pytest.raises(LimitError, match="takes too long"):
            slow.read(0)


def test_a_pdf_that_stops_its_reader_is_refused() -> None:
    found = open_document(KINDS["pdf"], "x")
    found._process.kill()
    with pytest.raises(ImageError, match="stopped its reader"):
        found.read(0)
    assert ink(found.read(2)) == pytest.approx(ink(THREE[2]), abs=0.01)  # another goes on


def test_scripts_of_a_pdf_are_not_run_and_its_page_is_read() -> None:
    action = b"/OpenAction << /S /JavaScript /JS (app.alert\\('x'\\); while\\(true\\){}) >>"
    page = open_document(documents.drawn_pdf(b"9 w 0 180 m 720 180 l S", extra=action), "x").read(0)
    assert ink(page) == pytest.approx((0.5, 0.5), abs=0.01)


def test_an_encrypted_pdf_is_refused() -> None:
    cipher = (b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + b"41" * 32 + b"> /U <"
              + b"42" * 32 + b"> >>")  # fmt: skip
    data = documents.drawn_pdf(b"").replace(b"trailer\n<<", b"trailer\n<< " + cipher
                                            + b" /ID [<00><00>]")  # fmt: skip
    with pytest.raises(ImageError, match=r"encrypted.*password"):
        open_document(data, "x")


@pytest.mark.parametrize("kind", [*KINDS, "heic"])
def test_a_document_cut_short_is_refused_or_lacks_pages_by_name(kind: str) -> None:
    data = KINDS.get(kind) or documents.heic(THREE[0])
    for tenth in range(10):
        with pytest.raises(ImageError):
            read_all(data[: len(data) * tenth // 10] or b"\0", "study")


def test_tiff_pages_that_lead_in_a_circle_are_refused() -> None:
    data = bytearray(documents.tiff(THREE[:1]))
    (at,) = np.frombuffer(data[4:8], "<u4")
    (count,) = np.frombuffer(data[at : at + 2], "<u2")
    end = int(at) + 2 + 12 * int(count)
    data[end : end + 4] = data[4:8]
    with pytest.raises(ImageError, match="leads back"):
        open_document(bytes(data), "x")


@pytest.mark.parametrize("made", [documents.jpeg_dicom, documents.heic], ids=["jpeg-dicom", "heic"])
def test_lossy_pictures_inside_are_decoded(made) -> None:
    page = numbered(5, 128, 160)
    gap = np.abs(open_document(made(page), "x").read(0).astype(int) - page)
    assert gap.mean() < 4


def test_grey_dicom_is_read_as_it_is_shown() -> None:
    grey = np.tile(np.linspace(0, 4095, 100).astype(np.uint16), (80, 1))
    plain = open_document(documents.dicom(grey, BitsStored=12, HighBit=11), "x").read(0)
    np.testing.assert_allclose(plain[0, :, 0], grey[0] / 4095 * 255, atol=0.6)
    negative = documents.dicom(grey, BitsStored=12, HighBit=11,
                               PhotometricInterpretation="MONOCHROME1")  # fmt: skip
    np.testing.assert_array_equal(open_document(negative, "x").read(0), 255 - plain)
    window = documents.dicom(grey, BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=1024)
    shown = open_document(window, "x").read(0)[0, :, 0]
    assert shown[:30].max() == 0
    assert shown[70:].min() == 255


def test_dicom_without_a_page_is_refused_by_name() -> None:
    none = pydicom.dcmread(io.BytesIO(documents.dicom(THREE[0])))
    del none.PixelData
    with pytest.raises(FormatError, match="without pages"):
        open_document(documents.written(none), "x")
    with pytest.raises(FormatError, match="other than a PDF"):
        open_document(documents.dicom_pdf(b"<xml/>"), "x")
    wave = pydicom.dcmread(io.BytesIO(documents.dicom(THREE[0])))
    wave.WaveformSequence = []
    with pytest.raises(FormatError, match="record"):
        open_document(documents.written(wave), "x")


def test_dicom_of_other_compressions_is_refused_by_name() -> None:
    packed = pydicom.dcmread(io.BytesIO(documents.jpeg_dicom(THREE[0])))
    packed.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    with pytest.raises(FormatError, match=r"compression.*Lossless"):
        open_document(documents.written(packed), "x").read(0)
    deflated = pydicom.dcmread(io.BytesIO(documents.dicom(THREE[0])))
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(FormatError, match="deflated"):
        open_document(documents.written(deflated), "x")


MISSING = {"pypdfium2": "pdf", "pydicom": "dicom", "pillow_heif": "heic"}


@pytest.mark.parametrize("module", MISSING)
def test_a_package_that_is_missing_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = MISSING[module]
    data = KINDS.get(kind) or documents.heic(THREE[0])
    found = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.partition(".")[0] == module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return found(name, *rest)

    monkeypatch.setattr("importlib.import_module", without)
    with pytest.raises(FormatError, match=r"not installed.*ecgvision\[files\].*Or .+"):
        open_document(data, "study")


def test_predict_gives_a_row_for_each_page(bundle_folder: Path, tmp_path: Path, capsys) -> None:
    pages = [numbered(1), numbered(2, 40, 40), numbered(3)]
    (tmp_path / "fax.tiff").write_bytes(documents.tiff(pages))
    answers = list(predict_files(Bundle.open(bundle_folder, threads=1), [tmp_path / "fax.tiff"]))
    assert [(a.number, a.pages, a.error is None) for a in answers] == [
        (1, 3, True), (2, 3, False), (3, 3, True)]  # fmt: skip
    assert "fax.tiff, page 2: " in answers[1].error
    assert (
        main(["predict", "--bundle", str(bundle_folder), str(tmp_path / "fax.tiff"), "--json"]) == 2
    )
    results = json.loads(capsys.readouterr().out)["results"]
    assert [(r["page_number"], r["pages"]) for r in results] == [(1, 3), (2, 3), (3, 3)]


def test_digitize_writes_a_record_for_each_page(tmp_path: Path, capsys) -> None:
    from ecgvision.core.layouts import get_layout
    from ecgvision.core.page import Page
    from ecgvision.render.draw import draw

    t = np.arange(5000) / 500
    spike = 1.2 * np.exp(-(((t % 0.8) - 0.4) ** 2) / 0.0008) - 0.1
    signal = (spike * np.linspace(0.5, 1, 12)[:, None]).astype(np.float32)
    page = draw(signal, 500.0, Page(get_layout("3x4+II"), dpi=100), seed=0).image
    blank = np.full_like(page, 255)
    (tmp_path / "study.pdf").write_bytes(documents.pdf([page, blank], dpi=100))
    words = [
        "digitize",
        str(tmp_path / "study.pdf"),
        "--out",
        str(tmp_path / "record.csv"),
        "--json",
    ]
    assert main(words) == 2
    first, second = json.loads(capsys.readouterr().out)["results"]
    assert (first["page_number"], first["pages"]) == (1, 2)
    assert "page 2" in second["error"]
    assert (tmp_path / "record-p1.csv").is_file()
    assert not (tmp_path / "record-p2.csv").exists()
