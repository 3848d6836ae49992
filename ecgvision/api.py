"""Public functions of `import ecgvision as ev` that put several rooms together.

Each imports what it needs when it is called. `digitize`, `predict` and `open_bundle` need the base
install alone; `render` needs the extra `train`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import Ecg
from ecgvision.core.errors import BundleError
from ecgvision.shipped import NAME, STUDENT_NAME, resolve_bundle

if TYPE_CHECKING:
    from ecgvision.deploy.digitize import Digitised
    from ecgvision.deploy.open_bundle import AnyReader, AnyStudent
    from ecgvision.deploy.prediction import Prediction
    from ecgvision.render.draw import Drawing

PathLike = str | os.PathLike[str]
Picture = PathLike | NDArray[np.uint8]
"""A file of one page (PNG, JPEG, BMP, TIFF, WebP; PDF, DICOM or HEIC with the extra `files`), or
(H, W, 3) uint8 RGB."""


def render(
    ecg: Ecg, layout: str = "3x4+II", *, paper: str = "kit", dpi: float = 200,
    speed: float | None = None, gain: float | None = None, header: Sequence[str] = (),
    mask: bool = False, seed: int = 0,
) -> Drawing:  # fmt: skip
    """Draw a record as a printed page.

    Args:
        layout: a name such as `3x4+II`, or one written out such as `V1.V2_V5.V6+II`.
        paper: name of a paper; it decides colours and, unless they are given, speed and gain.
        dpi: pixels per inch.
        speed: mm/s.
        gain: mm/mV.
        header: lines of text for the top of the page.
        mask: also return the coverage of the traces.
        seed: decides what the paper leaves to chance.

    Returns:
        The page: `image` (H, W, 3) uint8 RGB, `mask`, and `geometry` with each sample's pixel.

    Raises:
        LayoutError: for an unknown layout, or one that does not fit the paper.
        ConfigError: for an unknown paper.
    """
    from ecgvision.core.layouts import get_layout
    from ecgvision.render.draw import draw
    from ecgvision.render.papers.named import get_paper

    chosen = get_paper(paper)
    asked = {"speed": speed, "gain": gain}
    given = {key: value for key, value in asked.items() if value is not None}
    page = chosen.page(get_layout(layout), dpi=dpi, **given)
    return draw(ecg.signal, ecg.rate, page, chosen.style, seed=seed, header=header, mask=mask)


def open_bundle(folder: PathLike = NAME, *, threads: int = 0) -> AnyStudent | AnyReader:
    """Open and verify a bundle: one that predicts labels, or a page reader.

    Args:
        folder: of the bundle; `shipped` is the package's page reader, `shipped-student` its
            student.
        threads: of ONNX Runtime; 0 takes one a physical core.

    Raises:
        BundleError: if the bundle is incomplete, altered or of a newer version.
    """
    from ecgvision.deploy.open_bundle import open_bundle as open_any

    return open_any(resolve_bundle(folder), threads=threads)


def digitize(
    picture: Picture, *, reader: PathLike | AnyReader = NAME, gain: float | None = None
) -> Digitised:
    """Read the waveforms of a picture of a printed page.

    Args:
        reader: a bundle, or its folder; `shipped` is the package's page reader.
        gain: mm/mV that the page is printed at (at 25 mm/s); None: as the reader finds.

    Raises:
        ImageError: if nothing can be read.
    """
    from ecgvision.deploy.bundle import LabelBundle
    from ecgvision.deploy.digitize import digitize as read
    from ecgvision.deploy.ingest import read_page

    bundle = open_bundle(reader) if isinstance(reader, str | os.PathLike) else reader
    if isinstance(bundle, LabelBundle):
        raise BundleError("this bundle is no page reader", file=bundle.folder,
                          remedy="Take `shipped`, or a bundle of +exp=read")  # fmt: skip
    factor = None if gain is None else gain / 10
    if isinstance(picture, np.ndarray):
        return read(bundle, picture, gain=factor)
    return read(bundle, read_page(picture), file=os.fspath(picture), gain=factor)


def predict(
    file: PathLike, *, bundle: PathLike | AnyStudent = STUDENT_NAME, check: bool = False,
    rate: float | None = None, unit: str | None = None, orientation: str | None = None,
) -> Prediction:  # fmt: skip
    """Probabilities and decisions for a picture of a page or, by a network of signals, a record.

    Args:
        file: a picture, or a WFDB, CSV or npy record.
        bundle: a bundle that predicts labels, or its folder; `shipped-student` is the package's,
            a network of signals behind the package's page reader.
        check: for a student that looks at the picture itself: let the package's page reader look
            first, and refuse a picture that is no readable page.
        rate, unit, orientation: what a record's file leaves out; see `read_record`.

    Raises:
        BundleError: if the bundle is incomplete, altered, or a page reader.
        ImageError: if the picture cannot be decoded or, by the reader, read.
        RecordError: if the record cannot be read.
    """
    from ecgvision.deploy.bundle import LabelBundle
    from ecgvision.deploy.predict import predict_file
    from ecgvision.deploy.predict_signal import reader_for

    opened = open_bundle(bundle) if isinstance(bundle, str | os.PathLike) else bundle
    if not isinstance(opened, LabelBundle):
        raise BundleError("this bundle is a page reader, which gives no labels",
                          file=opened.folder, remedy="Use digitize")  # fmt: skip
    reader = reader_for(opened, [file], check=check)
    return predict_file(opened, file, reader=reader, rate=rate, unit=unit, orientation=orientation)
