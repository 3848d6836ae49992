"""Pages drawn by a user's ecg-image-kit checkout, with corrected geometry.

The checkout (commit 27b90f5; `--kit` or ECG_IMAGE_KIT_HOME) runs in a separate process under its
own interpreter. It receives each cell's piece of signal at the time given by the layout, so columns
show their true time in every layout. Its points are checked against the layout's geometry. They are
then moved through padding, rotation and crop as these were really drawn.

The adapter's tests run against a real checkout with

    ECG_IMAGE_KIT_HOME=CHECKOUT ECG_IMAGE_KIT_PYTHON=PYTHON pytest tests/render/test_kit.py
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError, RecordError
from ecgvision.core.page import Page
from ecgvision.render.geometry import Box, CellGeometry, Geometry
from ecgvision.render.kit.checkout import commit_of, digest_of, find_checkout, find_python
from ecgvision.render.kit.flags import KitFlags
from ecgvision.render.kit.page import check_page, compare, drawn_cell, header, kit_order, piece
from ecgvision.render.kit.process import PAGE_SECONDS, KitError, KitProcess

__all__ = ["Kit", "KitError", "KitPage"]

TRACE_PT = 0.75


@dataclass(frozen=True, eq=False)
class KitPage:
    """A page that the kit drew.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 coverage of the leads' traces, drawn by this project's renderer at the
            kit's points and moved with the page; None if not requested.
        geometry: the dict of `Geometry.to_dict`, in pixels of the finished image, with `backend`,
            `kit` (commit, digest of its files, flags, seed, what was drawn) and `warp`, the 2 x 3
            matrix from the pixels of `Page` to those of the image.
        cpu_seconds: CPU time of the kit itself, without starting, reading and checking.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    geometry: dict[str, Any] = field(repr=False)
    cpu_seconds: float


class Kit:
    """A checkout that draws pages; close it, or use it in a `with` block.

    One `Kit` draws one page at a time. Several can be used in parallel, also on one checkout.

    Args:
        checkout: folder of the repository or of its generator; None reads ECG_IMAGE_KIT_HOME.
        python: its interpreter; None reads ECG_IMAGE_KIT_PYTHON, else takes the `.venv` or `venv`
            of the checkout, else the running interpreter.
        flags: checked flags of the kit (`flags.check`).
        timeout: seconds a page may take before the worker is killed.

    Raises:
        ConfigError: if the folder is not a checkout or the timeout is not positive.
    """

    def __init__(
        self,
        checkout: str | Path | None = None,
        *,
        python: str | None = None,
        flags: KitFlags | None = None,
        timeout: float = PAGE_SECONDS,
    ) -> None:
        if not timeout > 0:
            raise ConfigError("the kit's timeout must be positive seconds", value=timeout)
        self.folder = find_checkout(checkout)
        self.python = find_python(self.folder, python)
        self.flags = flags or KitFlags()
        self.commit, self.digest = commit_of(self.folder), digest_of(self.folder)
        self._worker = KitProcess(
            self.folder, self.python, self.flags.words, self.flags.effects, timeout=timeout
        )

    def __enter__(self) -> Kit:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker process."""
        self._worker.close()

    def check(self) -> dict[str, str]:
        """Start the worker, which checks the checkout and its packages; return their versions.

        Raises:
            ConfigError: naming what is missing and the remedy.
        """
        return self._worker.start()

    def draw(
        self,
        signal: NDArray[np.floating[Any]],
        rate: float,
        page: Page,
        *,
        name: str = "record",
        seed: int = 0,
        about: Sequence[str] = (),
        mask: bool = False,
        points: bool = True,
    ) -> KitPage:
        """Draw the page of one recording.

        Args:
            signal: (12, T) in mV, leads in the order of `LEADS`; NaN, and missing parts of the
                page's window, leave a gap.
            rate: Hz.
            page: layout and dpi; see `check_page` for what the kit can draw.
            name: printed in a header and encoded in a QR code.
            seed: determines everything random.
            about: `Key: value` lines for the header, e.g. `Age: 61` and `Sex: F`.
            mask: also return the coverage of the traces.
            points: keep the pixel of every sample in the geometry.

        Raises:
            LayoutError: if the kit cannot draw the page.
            RecordError: if the signal has another shape or infinite values, or the rate is not
                positive.
            KitError: if the kit failed, died, hung, or drew something else than the page.
            ConfigError: see `check`.
        """
        check_page(page)
        if signal.ndim != 2 or signal.shape[0] != len(LEADS) or signal.shape[1] < 1:
            raise RecordError("signal must have shape (12, T)", file=name, value=signal.shape)
        if not (np.isfinite(rate) and rate > 0):
            raise RecordError("rate must be a positive number of Hz", file=name, value=rate)
        if np.isinf(signal).any():
            raise RecordError("signal holds infinite values", file=name)
        order = kit_order(page.layout)
        cells = [page.cells[i] for i in order]
        pieces = [piece(page, c, signal, rate) for c in cells]
        out = self._worker.scratch / ".page"
        shutil.rmtree(out, ignore_errors=True)
        try:
            out.mkdir()
            np.savez(out / "segments.npz", **{str(i): p for i, p in enumerate(pieces)})  # type: ignore[arg-type]
        except OSError as error:
            raise _disk(out, error.strerror) from error
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name) or "record"
        answer = self._ask(
            {
                "name": safe,
                "seed": seed,
                "rate": rate,
                "dpi": int(page.dpi),
                "columns": page.layout.columns,
                "seconds": page.layout.seconds,
                "names": [c.label for c in cells if not c.strip],
                "strip": next((c.label for c in cells if c.strip), None),
                "segments": str(out / "segments.npz"),
                "header": header(safe, rate, about),
                "out": str(out),
            }
        )
        return self._mend(answer, page, order, pieces, signal.shape[1], rate, seed, mask, points)

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._worker.draw(job)
        except KitError as error:
            if "[Errno 28]" in str(error):  # every other page would fail as well
                raise _disk(self._worker.scratch, "No space left on device") from error
            raise

    def _mend(
        self, answer: dict[str, Any], page: Page, order: Sequence[int],
        pieces: Sequence[NDArray[np.float64]], length: int, rate: float, seed: int, mask: bool,
        points: bool,
    ) -> KitPage:  # fmt: skip
        page = replace(page, dpi=float(answer["dpi"]), pulse=bool(answer["pulse"]))
        high, wide = answer["size"]
        # At odd resolutions the kit cuts half a pixel off the top, while `Page` rounds it up.
        lift = float(high - page.size[0])
        pixels = np.load(answer["points"], allow_pickle=False)
        ends = np.cumsum([0, *answer["counts"]])
        parts = [pixels[a:b] for a, b in itertools.pairwise(ends)]
        if len(parts) != len(order):
            raise KitError("the kit lists other leads than the layout", value=len(parts))
        found: list[CellGeometry] = []
        for part, mv, label, index in zip(parts, pieces, answer["labels"], order, strict=True):
            compare(page, page.cells[index], part, mv, rate, lift)
            found.append(drawn_cell(page, index, part, label, length, rate, lift))
        found.sort(key=lambda c: c.index)
        image = cv2.imread(answer["png"], cv2.IMREAD_COLOR)
        pad = int(answer["pad"])
        if image is None or image.shape[:2] != (high + 2 * pad, wide + 2 * pad):
            raise KitError("the kit's picture has another size than it says")
        warp = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        if answer.get("warp") is not None:
            warp[:2] = answer["warp"]
        onto = warp @ _shift(pad, pad)
        coverage = None
        if mask:
            coverage = _coverage(page, found, (high, wide), pad, warp)
        geometry = Geometry(page, rate, tuple(_moved(c, onto, points) for c in found)).to_dict()
        geometry["size"] = list(image.shape[:2])
        geometry |= {
            "backend": "ecg-image-kit",
            "warp": np.round((onto @ _shift(0, lift))[:2], 9).tolist(),
            "kit": {
                "commit": self.commit,
                "digest": self.digest,
                "flags": list(self.flags.words),
                "seed": seed,
                "drawn": {**answer["drawn"], "dpi": answer["dpi"], "pad": pad},
            },
        }
        rgb = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        return KitPage(rgb, coverage, geometry, float(answer["cpu_seconds"]))


def _disk(place: Path, why: str | None) -> ConfigError:
    return ConfigError(
        f"the kit's scratch folder cannot be written: {why}",
        file=place,
        remedy="Make room there, or set TMPDIR to a folder with more",
    )


def _shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def _onto(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move points by a 3 x 3 matrix whose last row is 0, 0, 1."""
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2])


def _moved(cell: CellGeometry, matrix: NDArray[np.float64], points: bool) -> CellGeometry:
    """Return the cell on the finished image.

    Boxes enclose their moved corners. The baseline is taken at the cell's start.
    """
    start = _onto(matrix, np.array([[cell.box[0], cell.baseline]]))
    return replace(
        cell,
        baseline=float(start[0, 1]),
        box=_box(matrix, cell.box),
        label=None if cell.label is None else _box(matrix, cell.label),
        points=_moved_points(matrix, cell) if points else None,
    )


def _moved_points(matrix: NDArray[np.float64], cell: CellGeometry) -> NDArray[np.float64] | None:
    """Return the cell's moved points.

    An unobserved point gets the x at which its 0 mV would be, and a NaN y.
    """
    if cell.points is None:
        return None
    gap = np.isnan(cell.points[:, 1])
    there = cell.points.copy()
    there[gap, 1] = cell.baseline
    there = _onto(matrix, there)
    there[gap, 1] = np.nan
    return there


def _box(matrix: NDArray[np.float64], box: Box) -> Box:
    left, top, right, bottom = box
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
    moved = _onto(matrix, corners)
    (x0, y0), (x1, y1) = moved.min(0).tolist(), moved.max(0).tolist()
    return x0, y0, x1, y1


def _coverage(
    page: Page, cells: Sequence[CellGeometry], size: tuple[int, int], pad: int,
    warp: NDArray[np.float64],
) -> NDArray[np.uint8]:  # fmt: skip
    """Return the traces' ink on the finished image."""
    from ecgvision.render.kernels import stroke

    ink = np.zeros(size, np.uint8)
    half = TRACE_PT * page.dpi / 72 / 2
    for cell in cells:
        assert cell.points is not None
        stroke(np.ascontiguousarray(cell.points), half, 0, len(cell.points), ink)
    if pad:
        ink = np.asarray(cv2.copyMakeBorder(ink, pad, pad, pad, pad, cv2.BORDER_CONSTANT), np.uint8)
    if np.array_equal(warp, np.eye(3)):
        return ink
    # OpenCV's coordinates refer to pixel centres, this project's to pixel corners
    middle = (_shift(-0.5, -0.5) @ warp @ _shift(0.5, 0.5))[:2]
    return np.asarray(cv2.warpAffine(ink, middle, (ink.shape[1], ink.shape[0])), np.uint8)
