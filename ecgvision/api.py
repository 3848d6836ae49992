"""The public functions of `import ecgvision as ev`.

Each imports what it needs when it is called. `read_record`, `read_page`, `digitize`, `predict` and
`open_bundle` need the base install alone; `render` and `open_run` need the extra `train`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import Ecg
from ecgvision.core.errors import BundleError
from ecgvision.shipped import NAME, READER

if TYPE_CHECKING:
    from ecgvision.deploy.bundle import Bundle
    from ecgvision.deploy.digitize import Digitised
    from ecgvision.deploy.predict import Prediction
    from ecgvision.deploy.reader_bundle import ReaderBundle
    from ecgvision.render.draw import Drawing
    from ecgvision.systems.base import Run

PathLike = str | os.PathLike[str]
Picture = PathLike | NDArray[np.uint8]
"""A PNG or JPEG file, or (H, W, 3) uint8 RGB."""


def read_record(path: PathLike, *, rate: float | None = None) -> Ecg:
    """Read one 12-lead record: WFDB (`.hea`), CSV or npy.

    Args:
        rate: Hz, for files that do not state it.

    Raises:
        RecordError: if it cannot be read as a 12-lead ECG; it names the file.
    """
    from ecgvision.records.reading import read_record as read

    return read(Path(path), rate=rate)


def read_page(path: PathLike) -> NDArray[np.uint8]:
    """Read a PNG or JPEG picture as (H, W, 3) uint8 RGB, upright by its EXIF orientation.

    Raises:
        ImageError: if it is no picture that can be decoded; it names the file.
    """
    from ecgvision.deploy.ingest import read_page as read

    return read(path)


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


def open_bundle(folder: PathLike = NAME, *, threads: int = 0) -> Bundle | ReaderBundle:
    """Open and verify a bundle: a student of labels, or a page reader.

    Args:
        folder: of the bundle; `shipped` is the package's page reader.
        threads: of ONNX Runtime; 0 takes one a physical core.

    Raises:
        BundleError: if the bundle is incomplete, altered or of a newer version.
    """
    from ecgvision.deploy.bundle import Bundle
    from ecgvision.deploy.card_file import READER as READER_FORMAT
    from ecgvision.deploy.card_file import kind_of
    from ecgvision.deploy.reader_bundle import ReaderBundle

    path = READER / "bundle" if os.fspath(folder) == NAME else Path(folder)
    if kind_of(path) == READER_FORMAT:
        return ReaderBundle.open(path, threads=threads)
    return Bundle.open(path, threads=threads)


def digitize(
    picture: Picture, *, reader: PathLike | ReaderBundle = NAME, gain: float | None = None
) -> Digitised:
    """Read the waveforms of a picture of a printed page.

    Args:
        reader: a bundle, or its folder; `shipped` is the package's page reader.
        gain: mm/mV that the page is printed at (at 25 mm/s); None: as the reader finds.

    Raises:
        ImageError: if nothing can be read, the page is not upright, or holds two ECGs.
    """
    from ecgvision.deploy.digitize import digitize as read
    from ecgvision.deploy.reader_bundle import ReaderBundle

    bundle = reader if isinstance(reader, ReaderBundle) else open_bundle(reader)
    if not isinstance(bundle, ReaderBundle):
        raise BundleError("this bundle is no page reader", file=bundle.folder,
                          remedy="Take `shipped`, or a bundle of +exp=read")  # fmt: skip
    file = "" if isinstance(picture, np.ndarray) else os.fspath(picture)
    image = picture if isinstance(picture, np.ndarray) else read_page(picture)
    return read(bundle, image, file=file, gain=None if gain is None else gain / 10)


def predict(bundle: PathLike | Bundle, picture: PathLike, *, check: bool = False) -> Prediction:
    """Probabilities and decisions of a student bundle for a picture.

    Args:
        bundle: a student bundle, or its folder.
        check: let the package's page reader look first, and refuse a picture that is no readable
            page. A student answers any picture.

    Raises:
        BundleError: if the bundle is incomplete, altered, or no student's.
        ImageError: if the picture cannot be decoded or, with `check`, read.
    """
    from ecgvision.deploy.bundle import Bundle
    from ecgvision.deploy.predict import predict_file
    from ecgvision.deploy.reader_bundle import ReaderBundle

    student = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    if not isinstance(student, Bundle):
        raise BundleError("this bundle is a page reader, which gives no labels",
                          file=student.folder, remedy="Use digitize")  # fmt: skip
    reader = open_bundle() if check else None
    assert reader is None or isinstance(reader, ReaderBundle)
    return predict_file(student, picture, reader=reader)


def open_run(folder: PathLike) -> Run:
    """Open a finished run: its configuration, data, and task with the best weights.

    Raises:
        ConfigError, LabelError, StoreError: if a part is missing or does not fit.
    """
    from ecgvision.runs.build import open_run as open_any

    return open_any(Path(folder))
