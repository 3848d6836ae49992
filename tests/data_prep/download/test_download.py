"""Downloads from a server that drops, delays, lies and ignores what it is asked."""

from __future__ import annotations

import fcntl
import hashlib
import json

import pytest

from data_prep.download import __main__ as download
from data_prep.download import http as http_module
from data_prep.download.catalogue import SOURCES
from data_prep.download.fetch import LOCK, fetch_all
from data_prep.download.http import Http
from data_prep.download.listing import physionet, zenodo
from ecgvision.core.errors import DataError
from tests.data_prep.download.server import SIZE, Served, serving

BIG = "records500/00000/00001_hr.dat"
SMALL = "records500/00000/00002_hr.dat"


@pytest.fixture
def served():
    return Served()


@pytest.fixture
def base(served, monkeypatch):
    monkeypatch.setattr(http_module, "PAUSE", 0.0)
    with serving(served) as address:
        yield address


@pytest.fixture
def http():
    return Http(4, pause=0.0, timeout=(5, 5))


def run(base, root, *more):
    return download.main(["ptbxl", "--root", str(root), "--mirror", base, *more])


def check(root, served, names=None):
    for name in served.files if names is None else names:
        assert (root / name).read_bytes() == served.files[name]
    assert not list(root.rglob("*.part"))


def test_all_of_a_database_arrives_and_a_second_call_fetches_nothing(
    base, served, tmp_path, capsys
):
    assert run(base, tmp_path / "db") == 0
    check(tmp_path / "db", served)
    assert "10 files, of which 0 were there, 10 fetched" in capsys.readouterr().out
    before = served.asked.copy()
    assert run(base, tmp_path / "db") == 0
    assert served.asked - before == {"SHA256SUMS.txt": 1}
    assert "pack it: python -m data_prep.pack ptbxl" in capsys.readouterr().out


def test_only_the_wanted_rate_is_fetched(base, served, tmp_path):
    assert run(base, tmp_path, "--rate", "100") == 0
    check(tmp_path, served, [name for name in served.files if "500" not in name])
    assert not (tmp_path / "records500").exists()


def test_only_what_is_missing_or_damaged_is_fetched_again(base, served, tmp_path, capsys):
    assert run(base, tmp_path) == 0
    (tmp_path / SMALL).write_bytes(b"damaged")
    (tmp_path / "scp_statements.csv").unlink()
    before = served.asked.copy()
    assert run(base, tmp_path) == 0
    assert served.asked - before == {"SHA256SUMS.txt": 1, SMALL: 1, "scp_statements.csv": 1}
    check(tmp_path, served)
    assert "2 fetched, 1 of these in place of damaged ones" in capsys.readouterr().out


def test_a_broken_connection_is_resumed_where_it_broke(base, served, tmp_path):
    served.faults[BIG] = ["drop", "drop", "drop"]
    assert run(base, tmp_path) == 0
    check(tmp_path, served)
    asked = [
        int(text.removeprefix("bytes=").rstrip("-")) for path, text in served.ranges if path == BIG
    ]
    assert SIZE // 4 < asked[0] <= SIZE // 2
    assert asked == sorted(asked)


def test_what_an_interrupted_download_left_is_continued(base, served, tmp_path):
    part = tmp_path / (BIG + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(served.files[BIG][:1000])
    assert run(base, tmp_path) == 0
    check(tmp_path, served)
    assert (BIG, "bytes=1000-") in served.ranges


@pytest.mark.parametrize("left", [b"of another version", b"x" * (SIZE + 5)])
def test_what_was_left_of_another_file_is_thrown_away(base, served, tmp_path, left):
    part = tmp_path / (BIG + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    assert run(base, tmp_path) == 0
    check(tmp_path, served)


def test_a_complete_part_is_taken_as_it_is(base, served, tmp_path):
    part = tmp_path / (BIG + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(served.files[BIG])
    assert run(base, tmp_path) == 0
    check(tmp_path, served)


@pytest.mark.parametrize("fault", ["busy", "broken", "wrong"])
def test_a_passing_fault_is_overcome(base, served, tmp_path, fault):
    served.faults = {SMALL: [fault], "ptbxl_database.csv": [fault]}
    assert run(base, tmp_path) == 0
    check(tmp_path, served)


def test_a_server_that_ignores_ranges_is_asked_from_the_start(base, served, tmp_path):
    served.faults[BIG] = ["drop", "whole"]
    assert run(base, tmp_path) == 0
    check(tmp_path, served)


@pytest.mark.parametrize(("fault", "said"), [
    ("wrong", "differs from its checksum"), ("page", "web page"), ("gone", "404"),
    ("broken", "busy or broken"), ("busy", "busy or broken"),
])  # fmt: skip
def test_a_lasting_fault_ends_with_one_line_and_nothing_wrong_in_place(
    base, served, tmp_path, capsys, fault, said, monkeypatch
):
    monkeypatch.setattr(http_module, "TRIES", 1)
    served.faults[SMALL] = [fault] * 50
    assert run(base, tmp_path) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in error
    assert SMALL in error
    assert not (tmp_path / SMALL).exists()


def test_a_list_that_is_a_web_page_or_leaves_the_folder_is_refused(base, served, tmp_path, capsys):
    served.faults["SHA256SUMS.txt"] = ["page"]
    assert run(base, tmp_path) == 2
    assert "web page" in capsys.readouterr().err
    for path in ("../evil", "/etc/evil", "a/../../evil"):
        served.sums = f"{'0' * 64}  {path}\n"
        assert run(base, tmp_path) == 2
        assert "outside" in capsys.readouterr().err
    served.sums = "not a list\n"
    assert run(base, tmp_path) == 2
    assert "line 1" in capsys.readouterr().err
    served.sums = ""
    assert run(base, tmp_path) == 2
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_told_in_a_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(http_module, "TRIES", 0)
    assert run("http://127.0.0.1:9/", tmp_path) == 2
    assert "cannot be reached" in capsys.readouterr().err
    assert run("ftp://x", tmp_path) == 2
    assert "--mirror" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert run("http://127.0.0.1:9/", tmp_path / "file") == 2


def test_two_processes_do_not_write_one_folder(base, tmp_path, http):
    with open(tmp_path / LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another process"):
            fetch_all(http, physionet(http, base), tmp_path, progress=False)


def test_a_folder_that_cannot_be_written_is_told(base, tmp_path, capsys):
    (tmp_path / "records500").write_text("a file in the folder's place")
    assert run(base, tmp_path) == 2
    assert "records500" in capsys.readouterr().err


def test_a_zenodo_record_is_listed_and_fetched(base, served, tmp_path, http):
    data = served.files[SMALL]
    record = {"files": [{"key": "exams.csv", "checksum": "md5:" + hashlib.md5(data).hexdigest(),
                         "links": {"self": base + SMALL}}]}  # fmt: skip
    served.files["record"] = json.dumps(record).encode()
    assert download.main(["code15", "--root", str(tmp_path), "--mirror", base + "record"]) == 0
    assert (tmp_path / "exams.csv").read_bytes() == data
    for wrong in (b"{}", b"[]", b'{"files": [{"key": "a"}]}', b'{"files": []}'):
        served.files["record"] = wrong
        with pytest.raises(DataError):
            zenodo(http, base + "record")


def test_files_can_be_listed_first(base, tmp_path, capsys):
    assert run(base, tmp_path, "--rate", "500", "--list") == 0
    assert BIG in capsys.readouterr().out.split()
    assert list(tmp_path.iterdir()) == []


def test_every_database_has_an_address_and_a_licence():
    for source in SOURCES.values():
        assert source.base.startswith("https://")
        assert source.licence
        assert source.title
    assert not SOURCES["cpsc2018"].wants("training/georgia/g1/E00001.hea", ())
    assert SOURCES["cpsc2018"].wants("training/cpsc_2018/g1/A0001.hea", ())
