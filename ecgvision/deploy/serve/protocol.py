"""HTTP connections that must begin a request in time."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""Time from the opening of a connection to the end of its first request's headers (our default)."""


class TimedProtocol(H11Protocol):
    """uvicorn's protocol, which itself waits for headers without end."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not None:  # the headers are complete
            self._head.cancel()

    def _give_up(self) -> None:
        if self.cycle is None and isinstance(self.transport, asyncio.Transport):
            self.transport.close()
