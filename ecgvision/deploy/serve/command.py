"""`ecgvision serve`: options, checks before anything listens, and the server itself."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
from dataclasses import fields
from typing import Any

from ecgvision.core.arguments import whole
from ecgvision.core.errors import ConfigError, OutputError
from ecgvision.deploy.serve.settings import ServeSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BOUNDS = {
    "port": (0, 65535), "workers": (0, 256), "queue": (0, 10_000), "per_client": (1, 10_000),
    "connections": (1, 100_000), "megabytes": (1, 512), "pages": (1, 10_000),
    "megapixels": (1, 1000), "seconds": (1, 3600), "upload_seconds": (1, 3600),
    "gigabytes": (1, 1024), "drain_seconds": (0, 3600),
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting."""
    for one in fields(ServeSettings):
        about = dict(one.metadata)
        shown = "" if one.default is None else " (default: %(default)s)"
        kind: dict[str, Any] = {}
        if one.name in _BOUNDS:
            kind["type"] = whole(*_BOUNDS[one.name])
        option = f"--{one.name.replace('_', '-')}"
        parser.add_argument(option, default=one.default, metavar=about["metavar"],
                            help=about["help"] + shown, **kind)  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C; return the exit code."""
    settings = ServeSettings(**{one.name: getattr(args, one.name) for one in fields(ServeSettings)})
    if settings.host not in LOOPBACK and settings.token_file is None:
        raise ConfigError(
            "any address but loopback needs --token-file", value=settings.host,
            remedy="Pictures of patients are sent there; or leave --host out",
        )  # fmt: skip
    try:
        import uvicorn  # noqa: F401

        from ecgvision.deploy.serve.app import make_app
        from ecgvision.deploy.serve.audit import Audit
        from ecgvision.deploy.serve.tokens import Tokens, read_tokens
    except ModuleNotFoundError as error:
        raise ConfigError(f"serving needs {error.name}, which is not installed",
                          remedy="pip install 'ecgvision[serve]' (in the checkout '.[serve]')",
                          ) from error  # fmt: skip
    tokens = Tokens() if settings.token_file is None else read_tokens(settings.token_file)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)  # which uvicorn raises again when it has finished
    with listen(settings.host, settings.port) as listening:
        app = make_app(settings, tokens, Audit(settings.audit))
        _serve(app, listening, settings)
    return 0


def _end(*_: object) -> None:
    raise SystemExit(0)


def _serve(app: Any, listening: socket.socket, settings: ServeSettings) -> None:
    import uvicorn

    from ecgvision.deploy.serve.protocol import TimedProtocol

    config = uvicorn.Config(
        app, http=TimedProtocol, ws="none", log_level="warning", access_log=False,
        server_header=False, limit_concurrency=settings.connections, timeout_keep_alive=15,
        timeout_graceful_shutdown=settings.drain_seconds, h11_max_incomplete_event_size=32_768,
    )  # fmt: skip
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"ecgvision at http://{shown}:{port} (research use only); Ctrl-C ends it",
          file=sys.stderr, flush=True)  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        OutputError: if the address cannot be taken.
    """
    made = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(*found[:3])
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(found[4])
        made.listen(1024)
    except OSError as error:
        if made is not None:
            made.close()
        raise OutputError("the address cannot be listened on", value=f"{host}:{port}",
                          remedy=f"{error.strerror or error}. Give another --host or --port",
                          ) from error  # fmt: skip
    return made
