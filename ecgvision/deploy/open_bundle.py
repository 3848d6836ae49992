"""Opens a bundle of either kind. Base install only."""

from __future__ import annotations

from pathlib import Path

from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card_file import READER, kind_of
from ecgvision.deploy.reader_bundle import ReaderBundle


def open_bundle(folder: str | Path, *, threads: int = 0) -> Bundle | ReaderBundle:
    """Open and verify a bundle: a student of labels, or a page reader, as its card states.

    Args:
        folder: of the bundle.
        threads: of ONNX Runtime; 0 takes one a physical core.

    Raises:
        BundleError: if the bundle is incomplete, altered or of a newer version.
    """
    if kind_of(Path(folder)) == READER:
        return ReaderBundle.open(folder, threads=threads)
    return Bundle.open(folder, threads=threads)
