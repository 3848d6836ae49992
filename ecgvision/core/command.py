"""How every command ends: exit codes, one line for an error, and streams that always take text.

Exit codes: 0 done; 2 an error that the user can correct, with one line on stderr; 130 interrupted.
Standard library only, so that command lines respond at once.
"""

from __future__ import annotations

import errno
import functools
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

from ecgvision.core.errors import EcgVisionError

TRAINING = frozenset(
    {"torch", "torchvision", "lightning", "timm", "torchmetrics", "hydra", "omegaconf", "yaml"}
    | {"wandb", "numba", "pandas", "pyarrow", "scipy", "sklearn", "matplotlib", "wfdb", "onnx"}
    | {"onnxscript", "onnx_ir", "PIL", "jinja2", "psutil", "tqdm", "albumentations", "captum"}
    | {"iterstrat", "font_amatic_sc", "requests"}
)
"""Modules of the extra `train`."""

BASE = ("numpy", "cv2")
WORKBENCH = (*BASE, "torch", "hydra", "pandas", "tqdm")
"""Modules without which `experiments` and `data_prep` cannot run."""

INSTALL = "in the checkout, pip install '.[train]' or make demo; then source .venv/bin/activate"

_REMEDIES = {
    errno.EACCES: "Check the permissions",
    errno.EPERM: "Check the permissions",
    errno.ENAMETOOLONG: "Give a shorter name",
    errno.ELOOP: "A symbolic link leads to itself",
    errno.ENOSPC: "Make room",
    errno.ENOTDIR: "A part of the path is a file",
    errno.ENOENT: "Check the path",
    errno.EISDIR: "Name a file",
    errno.EROFS: "Name a place that may be written",
}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with a message on how to go on."""


def command(
    interrupted: str = "interrupted",
) -> Callable[[Callable[..., int | None]], Callable[..., int]]:
    """Decorate a command's `main` so that it ends as all commands do; see `ending`.

    Args:
        interrupted: the line printed after Ctrl-C.
    """

    def decorate(main: Callable[..., int | None]) -> Callable[..., int]:
        @functools.wraps(main)
        def run(*args: Any, **options: Any) -> int:
            return ending(lambda: main(*args, **options), interrupted)

        return run

    return decorate


def ending(work: Callable[[], Any], interrupted: str = "interrupted") -> int:
    """Run a command's work and return its exit code; errors of the user become one line.

    Errors are those of this package, of the operating system, of settings, and of a package that is
    not installed. Any other exception is a fault of the program and is not caught.

    Args:
        work: returns the exit code or something without meaning.
        interrupted: the line printed after Ctrl-C.
    """
    open_streams()
    try:
        found = work()
        sys.stdout.flush()
        return found if isinstance(found, int) else 0
    except SystemExit as error:  # of argparse, after the help or a message
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _mute(sys.stdout)
        except OSError as fault:
            _fail(f"error: {line(fault)}")
            raise SystemExit(2) from error
        raise
    except KeyboardInterrupt as error:
        _fail(str(error) or interrupted)
        return 130
    except BrokenPipeError:  # the reader of a pipe exited, as `head` does
        _mute(sys.stdout)
        return 0
    except Exception as error:
        text = line(error)
        if text is None:
            raise
        _fail(f"error: {text}")
        return 2


def line(error: BaseException) -> str | None:
    """Return one line on an error that the user can correct; None for any other error."""
    if isinstance(error, EcgVisionError):
        return _one_line(str(error))
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        return f"this needs {package}: {INSTALL}" if package in TRAINING else None
    text = str(error)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"OmegaConfBaseException", "HydraException"}:  # a missing file's is an OSError, too
        return _one_line(text.partition("Config search path")[0])
    if isinstance(error, OSError):
        return _one_line(_system(error))
    if isinstance(error, MemoryError):
        return "there is not enough memory for this"
    if isinstance(error, UnicodeEncodeError):
        return f"a name cannot be written as {error.encoding} text: {ascii(error.object)[:200]}"
    if isinstance(error, ValueError) and "null byte" in text:
        return "a path holds a NUL character. Correct it"
    if isinstance(error, RuntimeError) and text.startswith("Symlink loop"):
        return f"{text.partition('from ')[2]}: a symbolic link leads to itself. Correct the link"
    if "BrokenProcessPool" in kinds:
        return "a worker process died, perhaps for want of memory. Repeat the command, fewer --jobs"
    return None


def _system(error: OSError) -> str:
    what = error.strerror or str(error)
    if "Original Traceback" in what:  # torch's message for an error in a loader worker
        what = what.rstrip().splitlines()[-1].partition(": ")[2]
    if error.filename is None:
        if error.errno in (errno.ENOSPC, errno.EBADF, errno.EIO):
            what = f"the output cannot be written: {what}"
        return what
    text = f"{_shown(error.filename)}: {what}"
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{text}. {remedy}" if remedy else text


def _shown(name: Any) -> str:
    """Return a file name as text; the middle of a very long one is left out."""
    text = os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else str(name)
    return text if len(text) <= 300 else f"{text[:140]} … {text[-140:]}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def open_streams() -> None:
    """Let stdout and stderr take any text, and stand in for those that are closed.

    Characters that the encoding lacks are printed as escapes. Writing to a closed stdout is an
    error; what goes to a closed stderr is lost. A closed stream's descriptor is filled, because the
    next file to be opened would take its place.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            way = os.O_RDONLY if number < 2 else os.O_WRONLY
            opened = os.open(os.devnull, way)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if getattr(stream, "errors", "") == "strict" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _fail(text: str) -> None:
    """Print a line to stderr; flush what stdout holds, and give up on a stream that fails."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _mute(stream)


def _mute(stream: TextIO) -> None:
    """Send a stream to nowhere, so that Python does not fail again when it flushes it at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent; call it in worker processes, which get the signal as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def starting(packages: Iterable[str] = WORKBENCH) -> None:
    """Prepare `python -m PACKAGE.MODULE`; call it where the package is imported.

    While Python looks for the module, `sys.argv[0]` is `-m`; otherwise nothing is done. What is not
    installed is said in one line before the module's imports fail, and so is Ctrl-C during them.
    """
    if sys.argv[:1] != ["-m"]:
        return
    sys.excepthook = _quiet_interrupt
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        open_streams()
        _fail(f"error: {sys.executable} has no {missing[0]}: {INSTALL}")
        raise SystemExit(2)


def _quiet_interrupt(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _fail("interrupted")
    else:
        sys.__excepthook__(kind, error, trace)
