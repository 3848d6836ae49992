"""Audit lines: what was asked of which bundle, and its answers; no picture, name or path."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from ecgvision.core.errors import OutputError


class Audit:
    """Writes a JSON object a line, to a file that is added to or to stderr.

    Raises:
        OutputError: if the file cannot be written.
    """

    def __init__(self, file: str | None) -> None:
        self._lock = threading.Lock()
        self._stream: TextIO = sys.stderr
        if file is not None:
            try:
                number = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            except OSError as error:
                raise OutputError("the audit file cannot be written", file=Path(file),
                                  value=error.strerror) from error  # fmt: skip
            self._stream = os.fdopen(number, "a", encoding="utf-8")

    def write(self, **values: Any) -> None:
        """Write a line of the time and the values given."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        text = json.dumps({"time": now} | values, separators=(",", ":"))
        with self._lock:
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # a full disk does not end the service
                print("an audit line could not be written", file=sys.stderr)


def input_hash(data: bytes) -> str:
    """Return the sha256 of an upload."""
    return hashlib.sha256(data).hexdigest()
