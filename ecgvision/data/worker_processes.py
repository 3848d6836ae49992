"""Data-loading processes that end with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """End this process as soon as its parent process ends, for whatever reason.

    torch's own workers check for their parent only every few seconds, and not while they wait to
    hand over a batch. Does nothing in a process that multiprocessing has not started.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
