"""Documents for tests: PDF, multi-page TIFF, DICOM and HEIC files of given pages."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pillow_heif
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)


def numbered(number: int, height: int = 80, width: int = 100) -> np.ndarray:
    """A page whose ink tells its number: a block that lies lower on each."""
    image = np.full((height, width, 3), 255, np.uint8)
    image[8 * number : 8 * number + 8, 10:50] = (200, 30, 40)
    return image


def pdf(pages: Sequence[np.ndarray], dpi: float = 72.0) -> bytes:
    """A PDF of scanned pages."""
    first, *others = (Image.fromarray(page) for page in pages)
    out = io.BytesIO()
    first.save(out, "PDF", save_all=True, append_images=others, resolution=dpi, quality=95)
    return out.getvalue()


def drawn_pdf(content: bytes, *, box: str = "0 0 720 360", extra: bytes = b"") -> bytes:
    """A PDF of one page with the given drawing operators."""
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R " + extra + b" >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents 4 0 R >>".encode(),
        b"<< /Length %d >>\nstream\n" % len(content) + content + b"\nendstream",
    ]
    return assemble(parts)


def assemble(parts: Sequence[bytes]) -> bytes:
    """A PDF of objects, numbered from 1; the first is the catalog."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + part + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(parts) + 1)
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def tiff(pages: Sequence[np.ndarray], **options: object) -> bytes:
    first, *others = (Image.fromarray(page) for page in pages)
    out = io.BytesIO()
    first.save(out, "TIFF", save_all=True, append_images=others, **options)
    return out.getvalue()


def heic(page: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(page)).save(out, quality=90, **options)
    return out.getvalue()


def dicom(frames: np.ndarray, **values: object) -> bytes:
    """A secondary capture of (H, W), (H, W, 3), or (N, H, W, 3) pixels."""
    colour = frames.shape[-1] == 3
    many = frames.ndim == (4 if colour else 3)
    made = _dataset(MultiFrameTrueColorSecondaryCaptureImageStorage if many
                    else SecondaryCaptureImageStorage)  # fmt: skip
    made.Rows, made.Columns = frames.shape[many : many + 2]
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    if many:
        made.NumberOfFrames = len(frames)
    bits = 8 * frames.dtype.itemsize
    made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
    made.PixelRepresentation = 0
    made.PixelData = frames.tobytes()
    for name, value in values.items():
        setattr(made, name, value)
    return written(made)


def jpeg_dicom(page: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(page).save(out, "JPEG", quality=95, subsampling=0)
    made = pydicom.dcmread(io.BytesIO(dicom(page)))
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    made.PhotometricInterpretation = "YBR_FULL_422"
    made.PixelData = pydicom.encaps.encapsulate([out.getvalue()])
    made["PixelData"].VR = "OB"
    return written(made)


def dicom_pdf(content: bytes) -> bytes:
    made = _dataset(EncapsulatedPDFStorage)
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return written(made)


def written(made: Dataset) -> bytes:
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _dataset(kind: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = kind
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.PatientName, made.PatientID, made.Modality = "Test^Nobody", "0", "OT"
    return made
