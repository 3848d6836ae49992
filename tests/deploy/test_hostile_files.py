"""Hundreds of hostile files, each given to a worker process: one typed answer, within its limits."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgvision.core.errors import EcgVisionError, ImageError
from ecgvision.deploy.documents import open_document
from ecgvision.deploy.files import expand
from ecgvision.deploy.ingest import open_pages
from ecgvision.deploy.limits import Limits
from ecgvision.deploy.serve.pool import Workers
from ecgvision.deploy.serve.problems import STATUS, Problem, as_json
from ecgvision.deploy.serve.settings import ServeSettings
from ecgvision.deploy.serve.work import Answer
from tests.deploy import hostile_files

LIMITS = Limits(bytes=64_000_000, pixels=20_000_000, pages=20, seconds=1)
SECONDS = 120
"""Seconds after which a worker is ended, which none may need even on a busy machine."""


def decode(data: bytes, limits: Limits) -> Answer:
    """Open a file and decode every page of it."""
    try:
        found = open_document(data, "upload", limits)
        for page in range(len(found)):
            image = found.read(page)
            assert image.ndim == 3
            assert image.dtype == np.uint8
    except EcgVisionError as error:
        return Answer(STATUS[as_json(error)["code"]], str(error).encode())
    return Answer(200, b"")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Status and message of every hostile file, by its name."""
    from tests.deploy.conftest import write_bundle

    bundle = write_bundle(tmp_path_factory.mktemp("bundle") / "bundle")

    async def ask() -> dict[str, tuple[int, str]]:
        workers = Workers(
            ServeSettings(bundle=str(bundle), workers=1, seconds=SECONDS, gigabytes=1)
        )
        out = {}
        try:
            await workers.warm()
            for name, data in hostile_files.every().items():
                try:
                    found = await workers.run(decode, data, LIMITS)
                    out[name] = (found.status, found.body.decode())
                except Problem as problem:
                    out[name] = (problem.status, problem.code)
            good = await workers.run(decode, hostile_files.whole()["png"], LIMITS)
            assert good.status == 200  # it goes on
            assert not workers.ended, out
        finally:
            workers.stop()
        return out

    return asyncio.run(ask())


def test_every_file_has_one_typed_answer(answers: dict[str, tuple[int, str]]) -> None:
    assert len(answers) >= 300
    assert {status for status, _ in answers.values()} <= {200, 413, 415, 422}
    for name, (status, text) in answers.items():
        assert status == 200 or "upload" in text, (name, text)


def test_what_is_cut_or_lies_is_refused(answers: dict[str, tuple[int, str]]) -> None:
    read = {name for name, (status, _) in answers.items() if status == 200}
    families = ("cut", "noise", "large", "bomb", "empty", "byte", "zeros", "tiny", "line", "locked",
                "deflated", "no-pixels", "page.", "picture.", "pages.", "circle.", "tree-circle")  # fmt: skip
    assert sorted(name for name in read if name.startswith(families)) == []
    assert {name for name in answers if name.startswith("is-another")} <= read
    assert {"script.pdf", "launch.pdf", "address.pdf"} <= read  # their page is read, nothing is run
    for name in ("large.png", "large.dcm", "pages.pdf", "pages.tif", "frames.dcm",
                 "inside.dcm"):  # fmt: skip
        assert answers[name][0] == 413, (name, answers[name])
    assert "takes too long" in answers["form-circle.pdf"][1]
    for name in ("page.svg", "page.html", "bomb.zip", "object.pkl", "film.mp4", "laughs.xml"):
        assert answers[name][0] == 415, (name, answers[name])


def test_a_folder_is_read_whatever_lies_in_it(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "outside.png"
    folder.mkdir()
    outside.write_bytes(hostile_files.whole()["png"])
    (folder / "folder.png").mkdir()
    (folder / "link.png").symlink_to(outside)
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "gone.png").symlink_to(tmp_path / "absent")
    os.mkfifo(folder / "pipe.png")
    said = {}
    for file in expand([str(folder)]).files:
        try:
            said[Path(file).name] = str(len(open_pages(file)))
        except ImageError as error:
            said[Path(file).name] = str(error)
    assert said.keys() == {"link.png", "loop.png", "gone.png", "pipe.png"}
    assert said["link.png"] == "1"  # a link is the file that it leads to
    assert "not a regular file" in said["pipe.png"]
    assert "no such file" in said["gone.png"]
    assert "cannot be read" in said["loop.png"]


def test_the_script_writes_them(tmp_path: Path) -> None:
    hostile_files.write(tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) >= 300


KINDS = [kind for kind in hostile_files.whole() if "pdf" not in kind]
"""Those without a process of their own, of which many can be tried."""


@settings(max_examples=50, deadline=None)
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_any_change_of_bytes_gives_a_page_or_a_typed_refusal(
    kind: str, data: st.DataObject
) -> None:
    content = bytearray(hostile_files.whole()[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        new = data.draw(st.binary(max_size=8))
        content[at : at + data.draw(st.integers(0, 8))] = new
        if not content:
            content = bytearray(b"\0")
    answer = decode(bytes(content), LIMITS)
    assert answer.status in (200, 413, 415, 422)


def test_the_files_that_are_altered_are_good() -> None:
    for name, data in hostile_files.whole().items():
        assert decode(data, LIMITS).status == 200, name
