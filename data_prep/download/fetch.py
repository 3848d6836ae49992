"""Fetching of a database's files: in parallel, each verified, only those that are missing."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from data_prep.download.http import Http
from data_prep.download.listing import Remote
from ecgvision.core.errors import DataError
from ecgvision.core.file_lock import only_process

PART = ".part"
LOCK = ".download.lock"


class Fetched(NamedTuple):
    """How many files were there and right, fetched, and of these damaged or outdated before."""

    there: int
    fetched: int
    replaced: int


def fetch_all(http: Http, files: Sequence[Remote], root: Path, *, progress: bool = True) -> Fetched:
    """Bring a folder to the state that the list of files says.

    A file appears under its name when it is whole and its checksum is right. What an interrupted
    download leaves, `NAME.part`, is continued.

    Args:
        files: wanted files.
        root: the folder.
        progress: show progress bars.

    Raises:
        DataError: if a file cannot be had or differs from its checksum, or if another process
            downloads to the folder.
        OSError: if the folder cannot be written.
    """
    root.mkdir(parents=True, exist_ok=True)
    busy = DataError("another process downloads to this folder", file=root,
                     remedy="Wait for it, or choose another --root")  # fmt: skip
    with only_process(root / LOCK, busy):
        missing, damaged = [], 0
        with tqdm(files, "verifying", unit="file", disable=not progress) as shown:
            for file in shown:
                state = _state(root / file.path, file)
                damaged += state == "damaged"
                if state != "right":
                    missing.append(file)
        with tqdm(total=len(missing), desc="files", unit="file", disable=not progress) as count, \
                tqdm(desc="bytes", unit="B", unit_scale=True, disable=not progress) as size, \
                ThreadPoolExecutor(http.connections) as pool:  # fmt: skip
            jobs, stop = [], threading.Event()

            def advance(count: int) -> None:
                if stop.is_set():
                    raise InterruptedError("another file failed, or the command was interrupted")
                size.update(count)

            for file in missing:
                job = pool.submit(_fetch, http, file, root, advance)
                job.add_done_callback(lambda _: count.update())
                jobs.append(job)
            try:
                done, waiting = wait(jobs, return_when=FIRST_EXCEPTION)
                for job in done:
                    job.result()
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            assert not waiting
    return Fetched(len(files) - len(missing), len(missing), damaged)


def _fetch(http: Http, file: Remote, root: Path, advance: Callable[[int], object]) -> None:
    target = root / file.path
    part = target.with_name(target.name + PART)
    found = ""
    for _ in range(2):  # what was begun may belong to another version of the file
        http.to_file(file.url, part, advance)
        found = _digest(part, file.algorithm)
        if found == file.digest:
            os.replace(part, target)
            return
        part.unlink()
    raise DataError(f"the file differs from its checksum ({file.algorithm} {file.digest})",
                    file=file.url, value=found,
                    remedy="Repeat the command; if this stays, the server holds a damaged file"
                    )  # fmt: skip


def _state(path: Path, file: Remote) -> str:
    """Return `right`, `damaged` or `missing`."""
    if not path.is_file():
        return "missing"
    return "right" if _digest(path, file.algorithm) == file.digest else "damaged"


def _digest(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return digest.hexdigest()
