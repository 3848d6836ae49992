"""Settings of the server, each declared once: the command's options follow from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ecgvision.shipped import STUDENT_NAME

MEGABYTE = 1_000_000


def option(default: Any, help: str, *, metavar: str = "N") -> Any:
    """Return the dataclass field of an option of `ecgvision serve`."""
    return field(default=default, metadata={"help": help, "metavar": metavar})


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Settings of one server; defaults are ours, for an ordinary computer."""

    bundle: str = option(STUDENT_NAME, "folder of a bundle: a student, or a page reader alone",
                         metavar="DIR")  # fmt: skip
    host: str = option("127.0.0.1", "address to listen on; any but loopback needs --token-file",
                       metavar="HOST")  # fmt: skip
    port: int = option(8000, "port to listen on")
    token_file: str | None = option(None, "file of bearer tokens, one a line", metavar="FILE")
    audit: str | None = option(None, "file that audit lines are added to; without it they go to "
                               "stderr", metavar="FILE")  # fmt: skip
    workers: int = option(0, "worker processes; 0: one for each usable core")
    queue: int = option(16, "requests that wait for a worker; more are answered 503")
    per_client: int = option(8, "requests of one client at a time; more are answered 429")
    connections: int = option(512, "open connections; more are answered 503")
    megabytes: int = option(64, "largest upload in millions of bytes; larger ones are answered 413")
    pages: int = option(20, "pages of one upload; more are answered 413")
    megapixels: int = option(128, "largest page in millions of pixels")
    seconds: int = option(60, "time of one request's work; its process is ended after that")
    upload_seconds: int = option(30, "time of one upload; slower ones are answered 408")
    gigabytes: int = option(4, "memory of each worker process; one that needs more is ended")
    drain_seconds: int = option(30, "time for open requests when the server is stopped")
