"""The command: what it refuses before it listens, and a real server under bad clients."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecgvision.cli import main
from ecgvision.deploy.serve import protocol
from tests.deploy.conftest import write_bundle
from tests.deploy.serve.conftest import picture

ENOUGH = 60.0
"""Seconds that a busy machine may take for what takes a tenth of a second."""


def test_any_address_but_loopback_needs_tokens(tmp_path: Path, capsys) -> None:
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    assert "needs --token-file" in capsys.readouterr().err
    (tmp_path / "t").write_text("short\n")
    assert main(["serve", "--host", "0.0.0.0", "--token-file", str(tmp_path / "t")]) == 2
    assert "fewer than 16" in capsys.readouterr().err


def test_an_address_that_is_taken_is_said(capsys) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert main(["serve", "--port", str(other.getsockname()[1])]) == 2
    assert "Give another --host or --port" in capsys.readouterr().err


def test_a_bundle_that_is_none_is_refused(tmp_path: Path, capsys) -> None:
    assert main(["serve", "--port", "0", "--bundle", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("words", [["--workers", "x"], ["--seconds", "0"], ["--port", "70000"]])
def test_options_have_bounds(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit):
        main(["serve", *words])
    assert words[0] in capsys.readouterr().err


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 2
    assert "pip install 'ecgvision[serve]'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A real server of a bundle written by hand, with small limits."""
    folder = tmp_path_factory.mktemp("server")
    words = ["--bundle", str(write_bundle(folder / "bundle")), "--port", "0", "--workers", "1",
             "--upload-seconds", "2", "--connections", "60", "--megabytes", "1"]  # fmt: skip
    code = ("import sys; from ecgvision.deploy.serve import protocol; protocol.HEAD_SECONDS = 2.0; "
            "from ecgvision.cli import main; sys.exit(main(['serve', *sys.argv[1:]]))")  # fmt: skip
    log = open(folder / "log", "w+")  # noqa: SIM115
    process = subprocess.Popen([sys.executable, "-c", code, *words], stderr=log, stdout=log)
    try:
        end = time.monotonic() + 2 * ENOUGH
        port = 0
        while time.monotonic() < end:
            text = (folder / "log").read_text()
            if "ecgvision at http://127.0.0.1:" in text:
                port = int(text.split("127.0.0.1:")[1].split()[0])
                with contextlib.suppress(OSError):
                    if ask(port, "/readyz")[0] == 200:
                        break
            time.sleep(0.1)
        else:
            pytest.fail(f"the server did not start: {(folder / 'log').read_text()}")
        yield SimpleNamespace(port=port, process=process, log=folder / "log")
    finally:
        process.kill()
        process.wait()
        log.close()


def ask(port: int, path: str, body: bytes | None = None) -> tuple[int, dict]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers={
        "Content-Type": "application/octet-stream"})  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=ENOUGH) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def opened(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=ENOUGH)
    made.settimeout(ENOUGH)
    return made


def all_of(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


HEAD = b"POST /v1/predict?check=false HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n"


def test_an_answer_is_given_in_a_worker_process(server) -> None:
    status, body = ask(server.port, "/v1/predict?check=false", picture())
    assert status == 200
    assert body["results"][0]["probabilities"]


def test_a_slow_upload_is_given_up(server) -> None:
    with opened(server.port) as connection:
        connection.sendall(HEAD % 1000 + b"x")
        assert b" 408 " in all_of(connection)
    assert ask(server.port, "/healthz")[0] == 200


def test_a_connection_without_a_request_is_closed(server) -> None:
    with opened(server.port) as silent, opened(server.port) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert all_of(silent) == b""
        assert all_of(slow) == b""
    assert protocol.HEAD_SECONDS == 10.0


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(server) -> None:
    with opened(server.port) as connection:
        connection.sendall(HEAD % 10**12)
        assert b" 413 " in all_of(connection)


def test_what_is_no_http_is_refused(server) -> None:
    with contextlib.ExitStack() as stack:
        connections = []
        for sent in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 20_000,
                     b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"):  # fmt: skip
            connections.append(stack.enter_context(opened(server.port)))
            with contextlib.suppress(ConnectionError):
                connections[-1].sendall(sent)
        for connection in connections:
            assert b" 200 " not in all_of(connection)[:40]
    assert ask(server.port, "/healthz")[0] == 200


def test_a_thousand_connections_do_not_end_it(server) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(1000, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 200), hard))
    with contextlib.ExitStack() as stack:
        crowd = []
        for _ in range(count):
            with contextlib.suppress(OSError):
                crowd.append(stack.enter_context(opened(server.port)))
        assert len(crowd) > count / 2
        for connection in crowd:
            with contextlib.suppress(OSError):
                connection.sendall(
                    b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
                )
        replies = [all_of(connection)[9:12] for connection in crowd]
        assert set(replies) <= {b"200", b"503", b""}
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    status, _ = ask(server.port, "/v1/predict?check=false", picture())
    assert status == 200


def test_it_finishes_what_is_open_and_ends(server) -> None:
    """The last test of this server."""
    data = picture()
    with opened(server.port) as connection:
        connection.sendall(HEAD % len(data) + data[:10])
        time.sleep(0.2)
        os.kill(server.process.pid, signal.SIGTERM)
        connection.sendall(data[10:])
        assert b" 200 " in all_of(connection)[:40]
    assert server.process.wait(ENOUGH) == 0
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line[0] == "{"]
    assert {"status": 200, "endpoint": "/v1/predict"}.items() <= lines[-1].items()
    assert "Traceback" not in server.log.read_text()
