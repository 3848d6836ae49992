"""Opens a bundle of any kind. Base install only."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card_file import FLAT_READER, READER, SIGNAL, kind_of
from ecgvision.deploy.flat_bundle import FlatReaderBundle
from ecgvision.deploy.reader_bundle import ReaderBundle
from ecgvision.deploy.signal_bundle import SignalBundle

AnyReader = ReaderBundle | FlatReaderBundle
AnyStudent = Bundle | SignalBundle


def open_bundle(folder: str | PathLike[str], *, threads: int = 0) -> AnyStudent | AnyReader:
    """Open and verify a bundle: one that predicts labels, or a page reader, as its card states.

    Args:
        folder: of the bundle.
        threads: of ONNX Runtime; 0 takes one a physical core.

    Raises:
        BundleError: if the bundle is incomplete, altered or of a newer version.
    """
    kind = kind_of(Path(folder))
    if kind == READER:
        return ReaderBundle.open(folder, threads=threads)
    if kind == FLAT_READER:
        return FlatReaderBundle.open(folder, threads=threads)
    return open_student(folder, threads=threads)


def open_student(
    folder: str | PathLike[str], *, threads: int = 0, label_hash: str | None = None
) -> AnyStudent:
    """Open and verify a bundle that predicts labels, of a picture or of a signal.

    Args:
        label_hash: refuse a bundle of any other label scheme.

    Raises:
        BundleError: as `open_bundle`, or if the bundle is a page reader.
    """
    kind = SignalBundle if kind_of(Path(folder)) == SIGNAL else Bundle
    return kind.open(folder, threads=threads, label_hash=label_hash)


def open_reader(folder: str | PathLike[str], *, threads: int = 0) -> AnyReader:
    """Open and verify a page reader of either kind.

    Raises:
        BundleError: as `open_bundle`, or if the bundle is no page reader.
    """
    if kind_of(Path(folder)) == FLAT_READER:
        return FlatReaderBundle.open(folder, threads=threads)
    return ReaderBundle.open(folder, threads=threads)
