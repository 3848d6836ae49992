"""The pictures a command was given: folders, and a counter for people."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ecgvision.core.errors import ImageError
from ecgvision.deploy.files import counted, expand


def test_folders_stand_for_their_pictures(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.JPG", "a.png", "notes.txt", "deep/c.png", "d.jpeg"):
        (tmp_path / name).touch()
    found = [Path(f).name for f in expand([str(tmp_path), "x.bin"])]
    assert found == ["a.png", "b.JPG", "d.jpeg", "x.bin"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ImageError, match="no pictures"):
        expand([str(tmp_path / "none")])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_counter_shows_on_a_terminal_only() -> None:
    files = [str(i) for i in range(11)]
    terminal, pipe = Terminal(), io.StringIO()
    assert list(counted(files, terminal)) == files
    assert "11/11" in terminal.getvalue()
    assert list(counted(files, pipe)) == files
    assert pipe.getvalue() == ""
