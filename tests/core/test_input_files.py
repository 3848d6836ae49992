"""Files from outside: regular ones of a reasonable size, whoever opens them."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ecgvision.core.command import line
from ecgvision.core.input_files import check_input, open_input, read_bytes, read_json, read_text

KINDS = ("pipe", "device", "full", "loop", "folder", "missing", "below a file", "long")


def hostile(folder: Path, kind: str, name: str = "f") -> Path:
    """Make something of the kind under a name, and return its path."""
    file = folder / name
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "full":
        file.symlink_to("/dev/full")
    elif kind == "loop":
        file.symlink_to(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "below a file":
        (folder / "plain").touch()
        file = folder / "plain" / name
    elif kind == "long":
        file = folder / ("x" * 300 + name)
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_regular_file_is_an_error_of_the_system(tmp_path: Path, kind: str) -> None:
    file = hostile(tmp_path, kind)
    for use in (open_input, check_input, read_text, read_json):
        with pytest.raises(OSError) as caught:
            use(file)
        assert caught.value.filename is not None
        assert caught.value.strerror


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as stream:
        stream.truncate(10**13)
    with pytest.raises(OSError, match="larger than 10 bytes"):
        read_bytes(file, limit=10)
    (tmp_path / "ten").write_bytes(bytes(10))
    assert len(read_bytes(tmp_path / "ten", limit=10)) == 10
    with pytest.raises(OSError, match="larger"):  # its size is given as 0
        read_bytes("/proc/self/maps", limit=10)


def test_a_small_file_needs_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "small"
    file.write_text("text")
    tracemalloc.start()
    assert read_text(file) == "text"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "1e999", "1" * 400, "[" * 10**5, "", "{", "\x00"])  # fmt: skip
def test_json_that_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(ValueError):
        read_json(file, strict=True)


def record_of(name: str) -> Callable[[Path], Any]:
    def read(file: Path) -> Any:
        from ecgvision.records.reading import read_record

        return read_record(file, rate=500)

    read.__name__ = name
    return read


def readers() -> dict[str, Callable[[Path], Any]]:
    """Everything that opens a file that a user names, by the file's name."""
    from data_prep.cinc_header import check_mat, read_about
    from data_prep.manifest import fingerprint
    from data_prep.tables import read_table
    from ecgvision.core.run_folder import read_config, read_metrics
    from ecgvision.data.drawn_pages import read_manifest
    from ecgvision.deploy.ingest import read_page
    from ecgvision.deploy.open_bundle import open_bundle
    from ecgvision.evaluate.metrics.compare import read_probabilities
    from ecgvision.evaluate.predictions import load
    from ecgvision.nn.checkpoints import read_weights
    from ecgvision.store.packed import check_store

    return {
        "page.png": read_page,
        "r.csv": record_of("csv"),
        "r.npy": record_of("npy"),
        "r.hea": record_of("wfdb"),
        "manifest.csv": lambda file: read_table(file, ["record"]),
        "own.csv": fingerprint,
        "h.hea": read_about,
        "m.mat": check_mat,
        "config.yaml": lambda file: read_config(file.parent),
        "metrics.json": lambda file: read_metrics(file.parent),
        "images.json": lambda file: read_manifest(file.parent),
        "store.json": lambda file: check_store(file.parent),
        "bundle.json": lambda file: open_bundle(file.parent),
        "p.csv": read_probabilities,
        "p.parquet": load,
        "w.ckpt": read_weights,
    }


@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "folder"])
def test_no_reader_waits_or_reads_on_for_ever(tmp_path: Path, kind: str) -> None:
    for number, (name, read) in enumerate(readers().items()):
        (tmp_path / str(number)).mkdir()
        file = hostile(tmp_path / str(number), kind, name)
        ended = threading.Event()
        said: list[str | None] = []

        def work(read: Any = read, file: Path = file, ended: Any = ended, said: Any = said) -> None:
            try:
                read(file)
            except Exception as error:
                said.append(line(error))  # what a command would print
            ended.set()

        threading.Thread(target=work, daemon=True).start()
        assert ended.wait(20), name
        assert all(said), name
        assert len(said) == 1, name
