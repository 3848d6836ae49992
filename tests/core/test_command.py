"""Every command ends alike: with a code, and one line on what the user can correct."""

from __future__ import annotations

import ast
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ecgvision.core import command as module
from ecgvision.core.command import TRAINING, command, line
from ecgvision.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ecgvision", "data_prep", "experiments")


def run_shell(text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line; $PYTHON is the interpreter."""
    own = {**os.environ, "PYTHON": sys.executable, **environment}
    own.pop("PYTHONUNBUFFERED", None)  # argparse hides a failing write; a later flush tells of it
    return subprocess.run(
        ["bash", "-c", text],
        cwd=ROOT,
        env=own,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
    )


def program(body: str) -> str:
    """Shell words that run `body` as a command's main."""
    text = f"import sys; from ecgvision.core.command import ending\ndef work():\n    {body}\nsys.exit(ending(work))"
    return f"$PYTHON -c '{text}'"


def programs() -> list[Path]:
    return [
        file
        for package in PACKAGES
        for file in sorted((ROOT / package).rglob("*.py"))
        if '__name__ == "__main__"' in file.read_text(encoding="utf-8")
        and "render/kit/worker" not in str(file)  # runs in the kit's own interpreter
        and "deploy/pdf_process" not in str(file)  # speaks to its parent alone
    ]


@pytest.mark.parametrize("file", programs(), ids=lambda f: str(f.relative_to(ROOT)))
def test_every_program_ends_by_the_one_place(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    main = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "main")
    assert [ast.unparse(d.func) for d in main.decorator_list if isinstance(d, ast.Call)] == [
        "command"
    ]


def test_the_command_of_the_package_ends_there_too() -> None:
    from ecgvision import cli

    assert hasattr(cli.main, "__wrapped__")


SYSTEM = [
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "ENAMETOOLONG", "ELOOP", "ENOSPC", "ENOTDIR", "ENOENT",
                 "EISDIR", "EROFS", "EIO", "EMFILE", "EBUSY", "ESTALE", "EXDEV")
]  # fmt: skip


@pytest.mark.parametrize("number", SYSTEM)
@pytest.mark.parametrize("name", [None, "a.png", b"\xff.png", "x" * 5000, 7, Path("p\nq")])
def test_an_error_of_the_system_is_one_line(
    number: int, name: object, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise OSError(number, os.strerror(number), name)

    assert command()(fail)() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert os.strerror(number) in err
    assert err.count("\n") == 1
    assert len(err) < 500


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('open("a\\0b")', "NUL"),
        ('open("x" * 300)', "shorter"),
        ('open("x/" * 3000 + "y")', "shorter"),
        ('open("/proc/none/x", "w")', "none"),
        ('open("/proc/version/x")', "a file"),
        ('raise MemoryError', "memory"),
        ('"\\udcff".encode()', "utf-8"),
        ('import pathlib, os, tempfile; d = tempfile.mkdtemp(); os.symlink(d + "/a", d + "/a"); pathlib.Path(d, "a").resolve(strict=True)', "link"),
    ],
)  # fmt: skip
def test_hostile_names_are_one_line(body: str, says: str) -> None:
    done = run_shell(program(body))
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    assert line(KeyError("x")) is None
    assert line(ModuleNotFoundError("no", name="ecgvision.oops")) is None
    assert "numba" in (line(ModuleNotFoundError("no", name="numba.core")) or "")
    with pytest.raises(ZeroDivisionError):
        command()(lambda: 1 // 0)()


MANY = "[print(i) for i in range(40000)]"


@pytest.mark.parametrize(
    ("streams", "code", "lines"),
    [
        (">/dev/full", 2, 1),
        (">&-", 2, 1),
        (">&- 2>&-", 2, 0),
        (">/dev/full 2>/dev/full", 2, 0),
        ("2>/dev/full", 0, 0),
        ("2>&-", 0, 0),
        ("<&- >&-", 2, 1),
    ],
)
@pytest.mark.parametrize("body", ['print("a")', MANY, '__import__("argparse").ArgumentParser().parse_args(["-h"])'])  # fmt: skip
def test_a_stream_that_takes_nothing(body: str, streams: str, code: int, lines: int) -> None:
    done = run_shell(f"{program(body)} {streams}")
    assert done.returncode == code
    assert done.stderr.count("\n") == lines
    if lines:
        assert "cannot be written" in done.stderr


def test_an_error_with_nowhere_to_say_it_is_still_an_error() -> None:
    for streams in ("2>&-", "2>/dev/full"):
        assert run_shell(f"{program('open(chr(120) * 300)')} {streams}").returncode == 2


def test_a_file_does_not_take_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    file = tmp_path / "f"
    body = f'f = open("{file}", "w"); f.write("own"); f.flush(); print("loud")'
    assert run_shell(f"{program(body)} >&- 2>&- <&-").returncode == 2
    assert file.read_text() == "own"


def test_a_reader_that_leaves_is_no_error() -> None:
    done = run_shell(f"set -o pipefail; {program(MANY)} | head -1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8", "ascii:strict"])
def test_names_that_the_encoding_lacks_are_escaped(encoding: str) -> None:
    body = 'print("\\u00b5V \\u5fc3 \\udcff"); print("\\u5fc3\\udcff", file=sys.stderr)'
    done = run_shell(program(body), PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_is_130_and_one_line() -> None:
    body = 'import time; print("ready", flush=True); time.sleep(30)'
    text = f"import sys; from ecgvision.core.command import ending\ndef work():\n    {body}\nsys.exit(ending(work))"
    started = subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    assert (started.returncode, err) == (130, "interrupted\n")


def test_what_is_not_installed_is_said_before_the_imports(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["-m"])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    module.starting()
    with pytest.raises(SystemExit) as caught:
        module.starting(["nothing_of_this_name"])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert "nothing_of_this_name" in err
    assert "source .venv/bin/activate" in err
    assert err.count("\n") == 1
    monkeypatch.setattr(sys, "argv", ["pytest"])
    module.starting(["nothing_of_this_name"])  # a library that is imported does not end a program


def test_the_modules_of_the_extra_are_those_that_it_brings() -> None:
    import tomllib

    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = extra["optional-dependencies"]["train"]
    names = {w.partition(">")[0].partition("=")[0] for w in wanted}
    renamed = {"hydra-core": "hydra", "scikit-learn": "sklearn", "pillow": "PIL",
               "iterative-stratification": "iterstrat", "font-amatic-sc": "font_amatic_sc"}  # fmt: skip
    assert {renamed.get(name, name) for name in names} <= TRAINING


def test_a_message_on_how_to_go_on_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise module.Interrupted("runs/x: the same command goes on")

    assert command("other")(fail)() == 130
    assert capsys.readouterr().err == "runs/x: the same command goes on\n"


def test_an_error_of_the_package_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise ConfigError("wrong", file="a\nb.png", value="\udcff")

    started = time.monotonic()
    assert command()(fail)() == 2
    assert time.monotonic() - started < 1
    assert capsys.readouterr().err.count("\n") == 1
