"""The pictures a command was given: folders, and a counter for people."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ecgvision.core.errors import ImageError
from ecgvision.deploy import files
from ecgvision.deploy.files import counted, expand, tell_skipped


def test_folders_stand_for_their_pictures(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.JPG", "a.png", "notes.txt", "deep/c.png", "d.jpeg"):
        (tmp_path / name).touch()
    found = [Path(f).name for f in expand([str(tmp_path), "x.bin"]).files]
    assert found == ["a.png", "b.JPG", "d.jpeg", "x.bin"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ImageError, match="no pictures"):
        expand([str(tmp_path / "none")])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_counter_shows_on_a_terminal_only() -> None:
    names = [str(i) for i in range(11)]
    terminal, pipe = Terminal(), io.StringIO()
    assert list(counted(names, terminal)) == names
    assert "11 of 11" in terminal.getvalue()
    assert list(counted(names, pipe)) == names
    assert pipe.getvalue() == ""


def test_what_a_folder_holds_besides_is_named(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "b.bmp", "c.svg", ".hidden.pdf", *(f"n{i}.heif2" for i in range(7))):
        (tmp_path / name).touch()
    found, stream = expand([str(tmp_path)]), io.StringIO()
    assert [Path(f).name for f in found.files] == ["a.png", "b.bmp"]
    assert [Path(f).name for f in found.skipped] == ["c.svg", *(f"n{i}.heif2" for i in range(7))]
    tell_skipped(found, stream)
    assert "c.svg" in stream.getvalue()
    assert "and 3 more" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1
    stream = io.StringIO()
    tell_skipped(expand([str(tmp_path / "a.png")]), stream)
    assert stream.getvalue() == ""
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "c.svg").touch()
    with pytest.raises(ImageError, match=r"no pictures.*c\.svg"):
        expand([str(tmp_path / "pdfs")])


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fail)  # root may read every folder
    with pytest.raises(ImageError, match="Permission denied"):
        expand([str(tmp_path)])


def test_lines_of_progress_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(files.time, "monotonic", lambda: now[0])
    stream, items = io.StringIO(), [f"{i}.png" for i in range(1, 13)]
    for _ in counted(items, stream, name=str):
        now[0] += 2
    told = [line.split(":")[0] for line in stream.getvalue().splitlines()]
    assert told == ["1 of 12", "4 of 12", "7 of 12", "10 of 12", "12 of 12"]
