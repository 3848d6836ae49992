"""Worker process under a checkout's own interpreter, controlled by lines of JSON.

The kit's pinned packages (an old numpy, tensorflow) stay separate from ours. If the worker crashes
or hangs on a page, only that page is lost and the worker is restarted.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ecgvision.core.errors import ConfigError, EcgVisionError

WORKER = Path(__file__).with_name("worker.py")
START_SECONDS = 300.0  # our default: tensorflow and spaCy take a minute on a busy machine
PAGE_SECONDS = 120.0  # our default; the slowest page seen took 13 s on an idle core
_TAIL = 300  # characters of the worker's last output in a message


class KitError(EcgVisionError):
    """A page that ecg-image-kit did not draw: it failed, died, hung or drew something else."""


class KitProcess:
    """One worker with its own scratch folder, started on first use and restarted after it died.

    The kit reads its textures from the current folder and writes its files there. The current
    folder is the scratch folder, which links to every entry of the checkout. Workers therefore do
    not interfere, and the checkout stays unchanged.

    Args:
        checkout: the folder with `ecg_plot.py`.
        python: its interpreter.
        flags, effects: see `flags.KitFlags`.
        timeout: seconds a page may take.

    Raises:
        ConfigError: if the scratch folder cannot be made.
    """

    def __init__(
        self,
        checkout: Path,
        python: str,
        flags: tuple[str, ...],
        effects: tuple[str, ...],
        *,
        timeout: float,
    ) -> None:
        self.python, self.timeout = python, timeout
        self._start = {"checkout": str(checkout), "flags": list(flags), "effects": list(effects)}
        self.scratch = _scratch(checkout)
        self.versions: dict[str, str] = {}
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()
        self._log = self.scratch / ".worker.log"

    def start(self) -> dict[str, str]:
        """Start the worker, which checks its environment; return the versions of its packages.

        Raises:
            ConfigError: if the interpreter does not run or the checkout cannot do what is asked.
        """
        if self._process is not None:
            return self.versions
        environment = {k: v for k, v in os.environ.items() if k not in _NOT_PASSED} | _SET
        self._log.write_bytes(b"")
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [self.python, str(WORKER)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=self.scratch,
                    env=environment,
                    text=True,
                    start_new_session=True,  # so that its child processes end with it
                )
        except OSError as error:
            raise ConfigError(
                f"the kit's interpreter does not start: {error.strerror}",
                file=self.python,
                remedy="Name the one of your checkout with --kit-python",
            ) from error
        assert self._process.stdout is not None
        self._answers = queue.Queue()
        threading.Thread(
            target=_pump, args=(self._process.stdout, self._answers), daemon=True
        ).start()
        try:
            reply = self._ask(self._start, START_SECONDS)
        except KitError as error:
            raise ConfigError(
                f"the kit's worker did not start: {error}",
                file=self.python,
                remedy="Name an interpreter with the checkout's requirements by --kit-python",
            ) from error
        if "ready" not in reply:
            self.stop()
            raise ConfigError(
                str(reply.get("refused")),
                file=self._start["checkout"],  # type: ignore[arg-type]
                remedy=str(reply.get("remedy")),
            )
        self.versions = reply["ready"]
        return self.versions

    def draw(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Return the worker's description of the page it drew.

        Raises:
            KitError: if the kit failed, died or took longer than the timeout; the next call starts
                another worker.
            ConfigError: see `start`.
        """
        self.start()
        os.truncate(self._log, 0)
        reply = self._ask(job, self.timeout)
        if "page" not in reply:
            raise KitError(f"the kit failed: {reply.get('failed', reply)}")
        page: dict[str, Any] = reply["page"]
        return page

    def stop(self) -> None:
        """Kill the worker and its child processes."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def close(self) -> None:
        """Kill the worker and remove its scratch folder."""
        self.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _ask(self, document: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died; the end of its output follows
            process.stdin.write(json.dumps(document) + "\n")
            process.stdin.flush()
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            raise KitError(
                f"the kit's worker was ended after {seconds:g} s without a page"
            ) from None
        try:
            reply: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            code = process.poll()
            self.stop()
            last = self._log.read_bytes()[-_TAIL:].decode(errors="replace").strip()
            raise KitError(f"the kit's worker died (exit {code}) {last}") from None
        return reply


def _scratch(checkout: Path) -> Path:
    try:
        folder = Path(tempfile.mkdtemp(prefix="ecgvision-kit-"))
        for entry in checkout.iterdir():
            (folder / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
    except OSError as error:
        raise ConfigError(
            f"no scratch folder for the kit can be made: {error.strerror}",
            file=tempfile.gettempdir(),
            remedy="Make room there, or set TMPDIR to another folder",
        ) from error
    return folder


_NOT_PASSED = frozenset({"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"})  # of our interpreter
_SET = {
    "MPLBACKEND": "Agg",
    "PYTHONDONTWRITEBYTECODE": "1",  # keeps the checkout unchanged
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "OMP_NUM_THREADS": "1",  # pages are drawn by parallel processes
    "OPENBLAS_NUM_THREADS": "1",
}


def _pump(source: IO[str], answers: queue.Queue[str]) -> None:
    """Forward the worker's lines as they arrive; an empty one marks the end."""
    with contextlib.suppress(ValueError):  # closed while reading
        for line in source:
            answers.put(line)
    answers.put("")
