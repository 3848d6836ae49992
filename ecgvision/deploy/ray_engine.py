"""Prediction of many files by Ray Data, for `predict --engine ray`; needs the extra `ray`.

Files are read where they lie, in a folder that every node sees or in a bucket, and scored by
actors that open the bundle once. A worker that dies is replaced and its files are scored again;
each page stands in the table once, because a block counts only when it is complete.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.errors import ConfigError, ImageError, OutputError
from ecgvision.core.outputs import OutputPlan
from ecgvision.core.processors import usable_cores
from ecgvision.deploy.documents import SUFFIXES, open_document
from ecgvision.deploy.open_bundle import AnyStudent, open_reader, open_student
from ecgvision.deploy.predict import Prediction, predict_picture
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.shipped import NAME, resolve_bundle

BATCH = 8
"""Files that an actor is given at a time (our default)."""


class Scorer:
    """Scores files; an actor of Ray holds one.

    Args:
        folder: of the bundle, on every node.
        check: let the page reader look first; see `predict_file`.
    """

    def __init__(self, folder: str, check: bool) -> None:
        import cv2

        cv2.setNumThreads(1)
        self.bundle = open_student(folder, threads=1)
        wanted = check or isinstance(self.bundle, SignalBundle)
        self.reader = open_reader(resolve_bundle(NAME), threads=1) if wanted else None

    def __call__(self, batch: dict[str, NDArray[Any]]) -> Any:
        """Return the table of all pages of a batch with `path` and `bytes`."""
        pages = [
            page
            for path, data in zip(batch["path"].tolist(), batch["bytes"].tolist(), strict=True)
            for page in self.pages(path, data)
        ]
        return as_table(self.bundle, pages)

    def pages(self, path: str, data: bytes) -> list[Prediction]:
        """Return the answer to each page of a file, or its error."""
        try:
            if not data:
                raise ImageError("the file is empty", file=path)
            document = open_document(data, path)
        except ImageError as error:
            return [Prediction(file=path, error=str(error))]
        found, count = [], len(document)
        for number in range(1, count + 1):
            try:
                found.append(predict_picture(
                    self.bundle, document.read(number - 1), path, reader=self.reader,
                    number=number, pages=count,
                ))  # fmt: skip
            except ImageError as error:
                found.append(Prediction(file=path, error=str(error), number=number, pages=count))
        return found


def as_table(bundle: AnyStudent, pages: Sequence[Prediction]) -> Any:
    """Return answers as an Arrow table of one row a page."""
    import pyarrow as pa

    size, labels = range(len(bundle.codes)), bundle.codes
    fields: list[tuple[str, Any, list[Any]]] = [
        ("file", pa.string(), [page.file for page in pages]),
        ("page_number", pa.int32(), [page.number for page in pages]),
        ("pages", pa.int32(), [page.pages for page in pages]),
        ("height", pa.int32(), [page.page and page.page[0] for page in pages]),
        ("width", pa.int32(), [page.page and page.page[1] for page in pages]),
        *((f"p_{labels[i]}", pa.float32(),
           [None if page.error else page.probabilities[i] for page in pages]) for i in size),
        *((f"positive_{labels[i]}", pa.bool_(),
           [None if page.error else page.decisions[i] for page in pages]) for i in size),
        ("error", pa.string(), [page.error for page in pages]),
        ("bundle", pa.string(), [bundle.id] * len(pages)),
    ]  # fmt: skip
    return pa.table({name: pa.array(values, kind) for name, kind, values in fields})


def run(
    folder: str | os.PathLike[str], paths: Sequence[str], out: str | None, *,
    address: str | None = None, check: bool = False, scorer: type[Scorer] = Scorer,
) -> int:  # fmt: skip
    """Score files and write a table; return the exit code.

    Args:
        folder: of the bundle.
        paths: files, folders or addresses of buckets that Ray reads.
        out: the table, `.parquet`.
        address: of a running Ray cluster; None: start one on this machine.
        check: as for `Scorer`.
        scorer: class of the actors.

    Raises:
        ConfigError: if Ray is not installed or cannot be reached, or there are no files.
        OutputError: if the table cannot be written.
    """
    if out is None or Path(out).suffix != ".parquet":
        raise OutputError(
            "--engine ray writes a table", value=out, remedy="Give --out NAME.parquet"
        )
    target = OutputPlan(path for path in paths if "://" not in path).add("--out", out)
    try:
        import pyarrow.parquet as pq
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise ConfigError(f"--engine ray needs {error.name}, which is not installed",
                          remedy="pip install 'ecgvision[ray]' (in the checkout '.[ray]')",
                          ) from error  # fmt: skip
    open_student(folder, threads=1)  # its errors are told before anything starts
    _start(ray, address)
    pages = failed = 0
    try:
        scored = _scored(ray, os.fspath(folder), paths, check, scorer)
        writer = None
        with atomic_file(target) as part:
            for table in scored.iter_batches(batch_format="pyarrow", batch_size=None):
                if writer is None:
                    writer = pq.ParquetWriter(part, table.schema)
                writer.write_table(table)
                pages += len(table)
                failed += len(table) - table["error"].null_count
            if writer is None:
                raise ConfigError("no files to score", value=", ".join(paths)[:200],
                                  remedy=f"Looked for {', '.join(SUFFIXES)}")  # fmt: skip
            writer.close()
    except FileNotFoundError as error:
        raise ConfigError("the files cannot be found", value=str(error)[:200],
                          remedy="Check the path") from error  # fmt: skip
    finally:
        ray.shutdown()
    print(f"written: {out}, {pages} pages, {failed} of them could not be read", file=sys.stderr)
    return 2 if failed else 0


def _start(ray: Any, address: str | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local = {"num_cpus": max(2, usable_cores()), "include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="error",
                 **({} if address else local))  # fmt: skip
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigError("Ray cannot be reached", value=address or "this machine",
                          remedy=str(error)[:200]) from error  # fmt: skip


def _scored(
    ray: Any, folder: str, paths: Sequence[str], check: bool, scorer: type[Scorer]
) -> Any:  # fmt: skip
    """Return the data set of all answers."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    found = ray.data.read_binary_files(
        [path if "://" in path else os.path.abspath(path) for path in paths], include_paths=True,
        file_extensions=[suffix[1:] for suffix in SUFFIXES],
    )  # fmt: skip
    workers = max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)  # one reads
    return found.map_batches(
        scorer, fn_constructor_args=(folder, check), batch_size=BATCH, batch_format="numpy",
        concurrency=(1, workers), num_cpus=1,
    )  # fmt: skip
