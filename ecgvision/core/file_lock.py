"""A lock file by which one process at a time works on something."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecgvision.core.errors import EcgVisionError


@contextmanager
def only_process(file: Path, refusal: EcgVisionError) -> Iterator[None]:
    """Hold a lock file within the block; the kernel lets go of it however the process ends.

    The file stays: to remove it would let a process that has just opened it hold it beside one that
    makes it anew.

    Args:
        file: the lock file.
        refusal: raised if another process holds it.
    """
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        yield
