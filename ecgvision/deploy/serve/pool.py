"""Worker processes that are ended when they exceed their time or memory, and who may use them."""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pebble import ProcessExpired, ProcessPool

from ecgvision.core.processors import usable_cores
from ecgvision.deploy.serve import work
from ecgvision.deploy.serve.problems import Problem
from ecgvision.deploy.serve.settings import ServeSettings
from ecgvision.deploy.serve.work import Answer

GIGABYTE = 1 << 30
READY_SECONDS = 120.0
"""Time for a worker to open its bundles (our default; it takes about a second)."""


class Workers:
    """A pool of worker processes.

    Args:
        settings: of the server.

    Attributes:
        ended: how many workers were ended, by reason.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.count = settings.workers or usable_cores()
        self.ended: Counter[str] = Counter()
        self._seconds = settings.seconds
        self._pool = ProcessPool(
            self.count, initializer=work.start,
            initargs=(settings.bundle, settings.gigabytes * GIGABYTE),
            context=multiprocessing.get_context("spawn"),
        )  # fmt: skip

    async def warm(self) -> None:
        """Start the workers and wait until one has opened its bundles."""
        waiting = [
            self._pool.schedule(work.ready, timeout=READY_SECONDS) for _ in range(self.count)
        ]
        await asyncio.gather(*(asyncio.wrap_future(one) for one in waiting))

    async def run(self, function: Callable[..., Answer], *args: Any) -> Answer:
        """Run a function of `work` in a worker process.

        Raises:
            Problem: if it takes too long, or its process dies.
        """
        future = self._pool.schedule(function, args=args, timeout=self._seconds)
        try:
            return await asyncio.wrap_future(future)
        except TimeoutError:
            self.ended["time"] += 1
            raise Problem("over_time", f"the file took longer than {self._seconds} s",
                          "Send fewer or smaller pages") from None  # fmt: skip
        except (ProcessExpired, MemoryError):
            self.ended["memory"] += 1
            raise Problem(
                "over_memory", "the file needs more memory than is allowed, or stopped its reader",
                "Send a smaller page, as PNG or JPEG",
            ) from None  # fmt: skip

    def stop(self) -> None:
        """End the workers; those at work at once."""
        self._pool.stop()
        self._pool.join()


class Gate:
    """Decides who is let in: a number of requests in all, and of each client.

    Args:
        settings: of the server.
        workers: number of worker processes.
    """

    def __init__(self, settings: ServeSettings, workers: int) -> None:
        self._most = workers + settings.queue
        self._per_client = settings.per_client
        self._workers = workers
        self._clients: Counter[str] = Counter()
        self._mean = 2.0  # seconds of work of a request, a running mean
        self.inside = 0

    @contextmanager
    def enter(self, client: str) -> Iterator[None]:
        """Let a request in while the block runs.

        Args:
            client: who asks.

        Raises:
            Problem: if this client has too many requests at a time, or all clients together.
        """
        if self._clients[client] >= self._per_client:
            raise Problem("too_many_requests", f"more than {self._per_client} requests at a time",
                          "Wait for an answer first", retry_after=self.wait())  # fmt: skip
        if self.inside >= self._most:
            raise Problem("busy", "all workers are busy and the queue is full", "Try again later",
                          retry_after=self.wait())  # fmt: skip
        self._clients[client] += 1
        self.inside += 1
        began = time.monotonic()
        try:
            yield
        finally:
            self._mean += 0.1 * (time.monotonic() - began - self._mean)
            self.inside -= 1
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    def wait(self) -> int:
        """Return the seconds after which a request that is refused now may be repeated."""
        return min(60, max(1, math.ceil(self.inside * self._mean / self._workers / 2)))
