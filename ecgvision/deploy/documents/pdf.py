"""Pages of a PDF, drawn by PDFium in a process of its own; see `pdf_process`.

A few bytes of a PDF can ask for work without end, which nothing within a process can interrupt.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import weakref
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ImageError, LimitError
from ecgvision.deploy.containers import damaged, truncated
from ecgvision.deploy.documents.base import check_pages, need, page_name
from ecgvision.deploy.limits import MIN_SIDE, Limits
from ecgvision.deploy.picture import check_size

PROCESS = "ecgvision.deploy.pdf_process"
MEMORY = 4 << 30
"""Bytes that the process may use (our default: the largest page takes a tenth)."""

_HEAD = 1024
"""A PDF's header lies within its first 1024 bytes, its end mark within the last (ISO 32000-1,
annex H, notes 13 and 18)."""
OTHERWISE = "draw its page as a picture: pdftoppm -r 200 -png FILE.pdf page"


def is_pdf(data: bytes) -> bool:
    """Return whether the file begins as a PDF does."""
    return data[:_HEAD].lstrip().startswith(b"%PDF")


def open_pdf(data: bytes, file: str, limits: Limits) -> PdfPages:
    """Open a PDF.

    Raises:
        FormatError: if pypdfium2 is not installed.
        ImageError: if it is truncated, damaged or encrypted.
        LimitError: if it has too many pages, or opening it takes too long.
    """
    need("pypdfium2", "pypdfium2", "a PDF", file, OTHERWISE)
    if b"%%EOF" not in data[-_HEAD:]:
        raise truncated(file, len(data))
    return PdfPages(data, file, limits)


class PdfPages:
    """The pages of an open PDF."""

    def __init__(self, data: bytes, file: str, limits: Limits) -> None:
        self._file, self._limits, self._data = file, limits, data
        self._process: subprocess.Popen[bytes] | None = None
        self._pages = self._start(file)
        check_pages(self._pages, file, limits)

    def __len__(self) -> int:
        return self._pages

    def read(self, page: int) -> NDArray[np.uint8]:
        name = page_name(self._file, page, len(self))
        if self._process is None:  # an earlier page has ended it
            self._start(name)
        reply = self._ask(b"%d\n" % page, name)
        height, width = reply["size"]
        check_size(height, width, name, self._limits)
        assert self._process is not None
        assert self._process.stdout is not None
        pixels = self._process.stdout.read(height * width * 3)
        if len(pixels) < height * width * 3:
            raise self._ended(name)
        return np.frombuffer(bytearray(pixels), np.uint8).reshape(height, width, 3)

    def _start(self, name: str) -> int:
        """Start the process, give it the document, and return the number of pages."""
        process = subprocess.Popen(
            [sys.executable, "-m", PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._process = process
        self._close = weakref.finalize(self, _end, process)
        head = {
            "length": len(self._data), "seconds": self._limits.seconds, "memory": MEMORY,
            "pixels": self._limits.pixels, "side": self._limits.side, "least": MIN_SIDE,
        }  # fmt: skip
        return int(self._ask(json.dumps(head).encode() + b"\n" + self._data, name)["pages"])

    def _ask(self, request: bytes, name: str) -> dict[str, Any]:
        """Return the process's reply.

        Raises:
            ImageError: if the document or page is damaged or encrypted.
            LimitError: if it takes too long.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(request)
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._ended(name)
        reply: dict[str, Any] = json.loads(line)
        if reply.get("error") == "encrypted":
            raise ImageError("the PDF is encrypted", file=name,
                             remedy="Save it without a password")  # fmt: skip
        if "error" in reply:
            raise damaged("the PDF cannot be read", name, reply["error"])
        return reply

    def _ended(self, name: str) -> ImageError:
        """Return why the process has ended, and leave it."""
        assert self._process is not None
        code = self._process.wait()
        self._close()
        self._process = None
        if code == -getattr(signal, "SIGPROF", 0):
            return LimitError("reading the PDF takes too long", file=name,
                              value=f"over {self._limits.seconds:g} s",
                              remedy="Save the page as a picture")  # fmt: skip
        return damaged("the PDF stopped its reader", name, f"exit code {code}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            if stream is not None:
                stream.close()
    process.kill()
    process.wait()
