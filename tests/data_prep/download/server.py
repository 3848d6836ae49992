"""A small database on a loopback server that misbehaves as real ones do."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SIZE = 300_000


def contents() -> dict[str, bytes]:
    """Files in PTB-XL's layout, one of them larger than a piece of an answer."""
    names = ["ptbxl_database.csv", "scp_statements.csv"]
    for folder, ending in (("records100", "lr"), ("records500", "hr")):
        names += [
            f"{folder}/00000/0000{k}_{ending}.{kind}" for k in (1, 2) for kind in ("hea", "dat")
        ]
    found = {name: (name * 40).encode() for name in names}
    found["records500/00000/00001_hr.dat"] = hashlib.shake_128(b"big").digest(SIZE)
    return found


class Served:
    """What the server holds and how it behaves.

    Attributes:
        files: by path.
        faults: path to what happens to its next answers, in order: `drop` (half of the body),
            `busy` (429), `broken` (500), `whole` (no ranges), `wrong` (a byte differs), `page`
            (a web page), `gone` (404).
        asked: number of requests of each path; `ranges`: the ranges asked for.
    """

    def __init__(self) -> None:
        self.files = contents()
        self.faults: dict[str, list[str]] = {}
        self.asked: Counter[str] = Counter()
        self.ranges: list[tuple[str, str]] = []
        self.sums: str | None = None

    def sha256sums(self) -> str:
        if self.sums is not None:
            return self.sums
        return "".join(f"{hashlib.sha256(v).hexdigest()}  {k}\n" for k, v in self.files.items())


@contextmanager
def serving(served: Served) -> Iterator[str]:
    """Serve on loopback; yields the address of the folder."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.removeprefix("/db/")
            served.asked[path] += 1
            asked = self.headers.get("Range")
            if asked:
                served.ranges.append((path, asked))
            fault = (served.faults.get(path) or [""]).pop(0) if served.faults.get(path) else ""
            if fault in ("busy", "broken", "gone"):
                code = {"busy": 429, "broken": 500, "gone": 404}[fault]
                self._head(code, 0, {"Retry-After": "0"} if fault == "busy" else {})
                return
            if fault == "page":
                body = b"<html>log in</html>"
                self._head(200, len(body), {"Content-Type": "text/html; charset=utf-8"})
                self.wfile.write(body)
                return
            if path == "SHA256SUMS.txt":
                body = served.sha256sums().encode()
            elif path in served.files:
                body = served.files[path]
            else:
                self._head(404, 0, {})
                return
            code, more, start = 200, {}, 0
            if asked and fault != "whole":
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self._head(416, 0, {"Content-Range": f"bytes */{len(body)}"})
                    return
                code, more = 206, {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            body = body[start:]
            if fault == "wrong":
                body = bytes([body[0] ^ 1]) + body[1:]
            self._head(code, len(body), {"Content-Type": "application/octet-stream", **more})
            self.wfile.write(body[: len(body) // 2] if fault == "drop" else body)
            if fault == "drop":
                self.close_connection = True

        def _head(self, code: int, length: int, headers: dict[str, str]) -> None:
            self.send_response(code)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/db/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
