"""Checks and headers of every request: names of the server, and what a page may do."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ecgvision.deploy.serve.problems import Problem

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}  # fmt: skip


class Guard:
    """Middleware.

    On loopback only loopback's names are answered, so that a website that lets its own name lead
    there cannot read answers. A page of another origin may not send requests.

    Args:
        app: the application.
        local: whether the server listens on loopback only.
    """

    def __init__(self, app: ASGIApp, local: bool) -> None:
        self._app, self._local = app, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    found.setdefault(name, value)
            await send(message)

        if (problem := self._problem(Headers(scope=scope))) is not None:
            refusal = JSONResponse({"error": problem.body()}, problem.status)
            await refusal(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _problem(self, headers: Headers) -> Problem | None:
        host = headers.get("host", "")
        try:
            name = urlsplit(f"//{host}").hostname or ""
            origin = urlsplit(headers.get("origin", "")).netloc
        except ValueError:
            return Problem("unknown_host", "the host or origin is no address")
        if self._local and name not in LOOPBACK:
            return Problem("unknown_host", "this server answers as 127.0.0.1 or localhost only")
        if "origin" in headers and origin != host:
            return Problem("unknown_host", "pages of other origins may not use this server")
        return None
