"""Outputs never take the place of an input, of each other or of something else; all or none appear."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ecgvision.core.atomic_io import atomic_file, atomic_files, put_in_place, write_json
from ecgvision.core.errors import OutputError
from ecgvision.core.outputs import OutputPlan, check_outside, check_replaceable
from tests.core.test_input_files import hostile


def content(folder: Path) -> dict[str, bytes | None]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() and not p.is_symlink() else None
        for p in folder.rglob("*")
    }


def same(folder: Path) -> dict[str, Callable[[], Path]]:
    """Ways to name the file `folder/a` once more."""
    file = folder / "a"

    def hard() -> Path:
        os.link(file, folder / "hard")
        return folder / "hard"

    def soft() -> Path:
        (folder / "soft").symlink_to(file)
        return folder / "soft"

    def through_a_link() -> Path:
        (folder / "link").symlink_to(folder)
        return folder / "link" / "a"

    return {
        "itself": lambda: file,
        "dots": lambda: folder / ".." / folder.name / "a",
        "hard": hard,
        "soft": soft,
        "through a link": through_a_link,
    }


WAYS = ("itself", "dots", "hard", "soft", "through a link")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("exists", [True, False])
def test_two_names_of_one_file_are_refused(tmp_path: Path, way: str, exists: bool) -> None:
    if exists or way == "hard":
        (tmp_path / "a").write_text("kept")
    name = same(tmp_path)[way]()
    with pytest.raises(OutputError, match="overwrite what is read"):
        OutputPlan([tmp_path / "a"]).add("--out", name)
    plan = OutputPlan()
    plan.add("--out", tmp_path / "a")
    with pytest.raises(OutputError, match="--json and --out name the same"):
        plan.add("--json", name)


@pytest.mark.parametrize("make_folders", [True, False])
@pytest.mark.parametrize("kind", ["pipe", "device", "full", "loop", "folder", "below a file", "long"])  # fmt: skip
def test_what_is_no_file_stays(tmp_path: Path, kind: str, make_folders: bool) -> None:
    file = hostile(tmp_path, kind)
    before = content(tmp_path)
    with pytest.raises(OutputError):
        OutputPlan(make_folders=make_folders).add("--out", file)
    if kind != "loop":  # a link that leads nowhere may be replaced
        with pytest.raises(OSError):
            write_json(file, {})
        with pytest.raises(OSError), atomic_file(file):
            pass
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", ["/dev/null", "/dev/full", "/proc/x", "/proc/self/x/y", "/dev/stdout", "a/" * 2500 + "b", "x" * 256])  # fmt: skip
def test_devices_and_places_of_the_system_are_refused(name: str) -> None:
    before = os.stat("/dev/null").st_mode
    for make_folders in (True, False):
        with pytest.raises(OutputError):
            OutputPlan(make_folders=make_folders).add("--out", name)
    assert os.stat("/dev/null").st_mode == before


def test_a_missing_folder_is_refused_or_made(tmp_path: Path) -> None:
    file = tmp_path / "new" / "deep" / "f"
    with pytest.raises(OutputError, match="missing"):
        OutputPlan().add("--out", file)
    plan = OutputPlan(make_folders=True)
    plan.add("--out", file)
    assert not file.parent.exists()
    plan.write({file: b"x"})
    assert file.read_bytes() == b"x"


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("at", range(6))
def test_all_files_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, old: bool
) -> None:
    files = [tmp_path / name for name in ("a.png", "m.png", "a.json")]
    if old:
        for file in files:
            file.write_text(f"old {file.name}")
    before, real, calls = content(tmp_path), os.replace, []

    def fail(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == at + 1:
            raise OSError(28, "No space left on device", str(target))
        real(source, target)

    monkeypatch.setattr("ecgvision.core.atomic_io.os.replace", fail)
    new = dict.fromkeys(files, b"new")
    fails = at < (6 if old else 3)
    if fails:
        with pytest.raises(OutputError, match="No space"):
            OutputPlan().write(new)
        assert content(tmp_path) == before
    else:
        OutputPlan().write(new)
        assert content(tmp_path) == {file.name: b"new" for file in files}


def test_one_place_that_cannot_be_written_leaves_all_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        atomic_files({tmp_path / "a": b"new", tmp_path / "folder": b"new"})
    assert content(tmp_path) == {"a": b"old", "folder": None}


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "ä" * 127):
        with atomic_file(tmp_path / name) as part:
            part.write_text("x")
        OutputPlan().write({tmp_path / name: b"y"})
        assert (tmp_path / name).read_text() == "y"
    assert len(list(tmp_path.iterdir())) == 2


def test_json_of_a_name_that_is_no_text(tmp_path: Path) -> None:
    import json

    write_json(tmp_path / "a.json", {"file": os.fsdecode(b"\xff.png")})
    assert json.loads((tmp_path / "a.json").read_text())["file"] == "\udcff.png"


def test_a_folder_is_replaced_only_if_it_is_of_the_kind(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    check_replaceable(folder, "store.json", "a store")
    folder.mkdir()
    check_replaceable(folder, "store.json", "a store")
    (folder / "thesis.tex").touch()
    with pytest.raises(OutputError, match="something else than a store"):
        check_replaceable(folder, "store.json", "a store")
    with pytest.raises(OutputError, match="a file stands"):
        check_replaceable(folder / "thesis.tex", "store.json", "a store")
    (folder / "store.json").touch()
    check_replaceable(folder, "store.json", "a store")
    for inside in (folder, folder / "own.csv", folder / ".." / "f" / "x"):
        with pytest.raises(OutputError, match="holds what is read"):
            check_outside(folder, [inside])
    check_outside(folder, [tmp_path, tmp_path / "ff"])


@pytest.mark.parametrize("kind", ["file", "link"])
def test_nothing_is_left_behind_of_what_was_replaced(tmp_path: Path, kind: str) -> None:
    target, other = tmp_path / "t", tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    target.touch() if kind == "file" else target.symlink_to(other)
    (tmp_path / "new").mkdir()
    put_in_place(tmp_path / "new", target)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "t"]
    assert (other / "kept").exists()
