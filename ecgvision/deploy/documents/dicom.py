"""Pages of a DICOM file: frames of a picture, or pages of an encapsulated PDF (PS3.3).

Waveform objects are records, not pictures; `ecgvision.records` reads them.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import FormatError, ImageError
from ecgvision.deploy.containers import damaged
from ecgvision.deploy.documents.base import Document, check_pages, need, page_name
from ecgvision.deploy.documents.pdf import is_pdf, open_pdf
from ecgvision.deploy.limits import Limits
from ecgvision.deploy.picture import check_size

_SYNTAX = re.compile(rb"\x02\x00\x10\x00UI(..)", re.DOTALL)
_DEFLATED = b"1.2.840.10008.1.2.1.99"
OTHERWISE = "write its picture as PNG: dcmj2pnm +on FILE page.png (of DCMTK)"
_GREY = ("MONOCHROME1", "MONOCHROME2")


def is_dicom(data: bytes) -> bool:
    """Return whether the file has the mark of PS3.10, section 7.1."""
    return data[128:132] == b"DICM"


def open_dicom(data: bytes, file: str, limits: Limits) -> Document:
    """Open a DICOM file.

    Raises:
        FormatError: if pydicom is not installed, or for a waveform, a compression that is not read,
            or an object without pages.
        ImageError: if it is damaged or its pages are too small.
        LimitError: if its pages are too many or too large.
    """
    need("pydicom", "pydicom", "a DICOM file", file, OTHERWISE)
    dataset = _parse(data, file)
    if "EncapsulatedDocument" in dataset:
        content = bytes(dataset.EncapsulatedDocument)
        if not is_pdf(content):
            raise FormatError("an encapsulated document other than a PDF is not read", file=file,
                              value=str(dataset.get("MIMETypeOfEncapsulatedDocument", "")),
                              remedy=OTHERWISE.capitalize())  # fmt: skip
        return open_pdf(content, file, limits)
    if "WaveformSequence" in dataset:
        raise FormatError(
            "a DICOM waveform is a record, not a picture", file=file,
            remedy="Read it as a record: ecgvision predict FILE",
        )  # fmt: skip
    if "PixelData" not in dataset:
        raise FormatError("a DICOM object without pages", file=file,
                          value=str(dataset.get("Modality", "")) or None,
                          remedy="Export the page as a picture or PDF")  # fmt: skip
    return DicomFrames(dataset, file, limits)


def _parse(data: bytes, file: str) -> Any:
    import pydicom

    if found := _SYNTAX.search(data[:4096]):
        length = int.from_bytes(found[1], "little")
        syntax = data[found.end() : found.end() + length].strip(b"\0 ")
        if syntax == _DEFLATED:  # its size cannot be known before it is unpacked
            raise FormatError(
                "a DICOM file with a deflated dataset is not read", file=file,
                remedy="Save it without compression: dcmconv +te FILE out.dcm",
            )  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(io.BytesIO(data))
    except Exception as error:  # of a damaged file pydicom raises exceptions of many kinds
        raise damaged("the DICOM file cannot be read", file, f"{error}"[:100]) from error


class DicomFrames:
    """The frames of a DICOM picture.

    Args:
        dataset: of pydicom, with pixels.
    """

    def __init__(self, dataset: Any, file: str, limits: Limits) -> None:
        self._dataset, self._file, self._limits = dataset, file, limits
        try:
            self._frames = int(dataset.get("NumberOfFrames", 1) or 1)
            height, width = int(dataset.Rows), int(dataset.Columns)
        except Exception as error:
            raise damaged(
                "the DICOM file does not state its size", file, str(error)[:100]
            ) from error
        check_pages(self._frames, file, limits)
        check_size(height, width, file, limits)

    def __len__(self) -> int:
        return self._frames

    def read(self, page: int) -> NDArray[np.uint8]:
        name = page_name(self._file, page, self._frames)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _frame(self._dataset, page)
        except ImageError:
            raise
        except Exception as error:
            text = str(error)
            if "plugin" in text or ("decod" in text and "missing" in text):
                syntax = getattr(self._dataset.file_meta, "TransferSyntaxUID", None)
                raise FormatError("a DICOM picture of this compression is not read", file=name,
                                  value=getattr(syntax, "name", None),
                                  remedy=OTHERWISE.capitalize()) from error  # fmt: skip
            raise damaged("the DICOM picture is damaged", name, text[:100]) from error


def _frame(dataset: Any, index: int) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

    found = pixel_array(dataset, index=index)  # YBR is converted to RGB
    meaning = str(dataset.PhotometricInterpretation)
    if meaning == "PALETTE COLOR":
        found = apply_color_lut(found, dataset)
        return _eight_bits(found, 0.0, float(np.iinfo(found.dtype).max))
    if meaning not in _GREY:
        return _eight_bits(found, 0.0, 2.0 ** int(dataset.BitsStored) - 1)
    low, high = 0.0, 2.0 ** int(dataset.BitsStored) - 1
    if int(dataset.get("PixelRepresentation", 0)):
        low, high = -(high + 1) / 2, (high - 1) / 2
    if "RescaleSlope" in dataset or "VOILUTSequence" in dataset:
        found = apply_voi_lut(apply_modality_lut(found, dataset), dataset)
        low, high = float(found.min()), float(found.max())
    elif "WindowCenter" in dataset:  # its result spans all values of the stored bits
        found = apply_voi_lut(found, dataset)
    grey = _eight_bits(found, low, high)
    if meaning == "MONOCHROME1":  # the lowest value is white
        grey = np.asarray(255 - grey, np.uint8)
    return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=-1))


def _eight_bits(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    if values.dtype == np.uint8 and (low, high) == (0, 255):
        return np.ascontiguousarray(values)
    spread = max(high - low, 1e-9)
    scaled = (values.astype(np.float32) - low) * np.float32(255 / spread)
    return np.ascontiguousarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
