"""A word on work that takes minutes and has no steps to count."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

EVERY = 15.0
"""Seconds between two lines (our default); shorter work says nothing."""


@contextmanager
def working(what: str, *, every: float = EVERY) -> Iterator[None]:
    """Print a line to stderr every few seconds while the block runs.

    Args:
        what: the work, such as "exporting the graph".
        every: seconds between two lines.
    """
    ended, started, stream = threading.Event(), time.monotonic(), sys.stderr

    def tell() -> None:
        while not ended.wait(every):
            with suppress(OSError, ValueError):
                print(f"{what}: {time.monotonic() - started:.0f} s", file=stream, flush=True)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
