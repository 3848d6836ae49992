"""Requests over HTTP(S) that are repeated where a server is busy, and resumed where it breaks off.

Repeated requests and their pauses are urllib3's; what is ours is resuming a body.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from ecgvision.core.errors import DataError

TRIES = 6
"""How often a request is repeated, and how often a broken body is resumed without any progress."""

PAUSE = 0.5
"""Seconds before the first repetition; doubled each time, unless the server says `Retry-After`."""

TIMEOUT = (15.0, 60.0)
"""Seconds to connect, and between two pieces of an answer."""

PAGES = ("text/html", "application/xhtml+xml")
BUSY = (429, 500, 502, 503, 504)
PIECE = 1 << 16
"""Bytes that are written at a time, and lost where a connection breaks."""
LIST_BYTES = 200_000_000
"""Largest list of files that is read."""


class Http:
    """Connections to servers, one session for each thread.

    Args:
        connections: that are kept open.
        pause: see `PAUSE`.
        timeout: see `TIMEOUT`.
    """

    def __init__(
        self, connections: int = 8, *, pause: float = PAUSE,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> None:  # fmt: skip
        self.connections, self.pause, self.timeout = connections, pause, timeout
        self._local = threading.local()

    def text(self, url: str) -> str:
        """Return a small answer as text.

        Raises:
            DataError: if it cannot be had, or is a web page.
        """
        with self._get(url) as answer:
            _refuse(answer, url)
            content = answer.raw.read(LIST_BYTES + 1, decode_content=True)
        if len(content) > LIST_BYTES:
            raise DataError(f"the list is longer than {LIST_BYTES:,} bytes", file=url)
        return str(content.decode("utf-8", "replace"))

    def to_file(self, url: str, part: Path, advance: Callable[[int], object]) -> None:
        """Write an answer to a file, and continue one that is there already.

        Args:
            part: the file; what it holds is taken for the beginning of the answer.
            advance: told the number of bytes written, negative if they are thrown away.

        Raises:
            DataError: if the answer cannot be had, or is a web page.
            OSError: if the file cannot be written.
        """
        part.parent.mkdir(parents=True, exist_ok=True)
        idle, told = 0, ""
        while idle < TRIES:
            start = part.stat().st_size if part.exists() else 0
            try:
                if self._continue(url, part, start, advance):
                    return
                told = "the answer ended early"
            except (requests.exceptions.ConnectionError, requests.exceptions.Timeout,
                    requests.exceptions.ChunkedEncodingError) as error:  # fmt: skip
                told = str(error)[:200]
            grown = (part.stat().st_size if part.exists() else 0) > start
            idle = 0 if grown else idle + 1
        raise DataError("the connection broke off again and again", file=url, value=told,
                        remedy="Repeat the command: it goes on where it stopped")  # fmt: skip

    def _continue(self, url: str, part: Path, start: int, advance: Callable[[int], object]) -> bool:
        """Fetch what follows the first `start` bytes; return whether the answer came to its end."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._get(url, headers) as answer:
            if start and answer.status_code == 416:  # nothing follows, or it is another file
                size = answer.headers.get("Content-Range", "").rpartition("/")[2]
                if size == str(start):
                    return True
                part.unlink()
                advance(-start)
                return False
            _refuse(answer, url)
            follows = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if start and not (answer.status_code == 206 and follows):
                advance(-start)  # the server ignores ranges
                start = 0
            length = answer.headers.get("Content-Length")
            wrote = 0
            with open(part, "ab" if start else "wb") as file:
                for piece in answer.iter_content(PIECE):
                    file.write(piece)
                    advance(len(piece))
                    wrote += len(piece)
            return length is None or "Content-Encoding" in answer.headers or wrote >= int(length)

    def _get(self, url: str, headers: dict[str, str] | None = None) -> requests.Response:
        """Send a request; the body of the answer is still to be read."""
        asked = {"Accept-Encoding": "identity", **(headers or {})}
        try:
            return self._session().get(url, headers=asked, stream=True, timeout=self.timeout)
        except requests.exceptions.RetryError as error:
            raise DataError("the server stays busy or broken", file=url, value=str(error)[:200],
                            remedy="Repeat the command later: it goes on where it stopped"
                            ) from error  # fmt: skip
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema,
                requests.exceptions.InvalidSchema) as error:  # fmt: skip
            raise DataError("this is no address", value=url,
                            remedy="Give one that begins with https://") from error  # fmt: skip
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise DataError("the server cannot be reached", file=url, value=str(error)[:200],
                            remedy="Is there a network, and is a proxy set where one is needed "
                            "(HTTPS_PROXY)?") from error  # fmt: skip

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            retry = Retry(TRIES, backoff_factor=self.pause, status_forcelist=BUSY,
                          allowed_methods=("GET",), respect_retry_after_header=True)  # fmt: skip
            session = requests.Session()
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            self._local.session = session
        found: requests.Session = self._local.session
        return found


def _refuse(answer: requests.Response, url: str) -> None:
    """Refuse an answer that is not the file.

    Raises:
        DataError: for an error of the server, or a web page.
    """
    if answer.status_code not in (200, 206):
        raise DataError("the server does not give the file", file=url,
                        value=f"{answer.status_code} {answer.reason}",
                        remedy="Is the address right, or does the data need a login?")  # fmt: skip
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml") and not url.lower().endswith(
        (".html", ".htm")
    ):
        raise DataError("the answer is a web page in place of the file", file=url,
                        remedy="Does a proxy or a login page answer in its place?")  # fmt: skip
