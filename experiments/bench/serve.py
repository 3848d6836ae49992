"""Benchmark of the server: its throughput under load, against the same work in bare processes.

    pip install '.[load]'
    python -m experiments.bench serve --seconds 60

Both use as many processes. The load is made by locust on loopback, at once below and then above the
limit of requests: below it no request may fail, above it each is answered or refused by 429 or 503.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from ecgvision.core.arguments import COUNT, SECONDS
from ecgvision.core.errors import ConfigError
from ecgvision.core.processors import usable_cores
from ecgvision.shipped import STUDENT_NAME

TARGET_SHARE = 0.9
CALM, FULL = 2, 4
"""Users for each worker below the limit, and for each place in the queue above it."""
PAGE = Path(__file__).parents[2] / "docs" / "page.png"

USER = """
from locust import HttpUser, task

class Reader(HttpUser):
    @task
    def page(self):
        with self.client.post("/v1/predict", data=DATA, catch_response=True) as reply:
            if reply.status_code in REFUSED:
                reply.request_meta["name"] = "refused"
                reply.success()
            elif reply.status_code != 200:
                reply.failure(str(reply.status_code))

DATA = open({file!r}, "rb").read()
REFUSED = {refused!r}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add file, bundle, workers and seconds."""
    parser.add_argument(
        "file", nargs="?", default=str(PAGE), help="the page (default: %(default)s)"
    )
    parser.add_argument("--bundle", default=STUDENT_NAME, help="default: %(default)s")
    parser.add_argument("--workers", type=COUNT, help="processes (default: one a core)")
    parser.add_argument("--seconds", type=SECONDS, default=60.0, help="of each load")


def lacking() -> str:
    """Return what is not installed."""
    missing = [name for name in ("fastapi", "locust") if find_spec(name) is None]
    return f"it needs {' and '.join(missing)}: pip install '.[serve,load]'" if missing else ""


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure pages a second of bare processes and of the server, and times of answers in ms."""
    if why := lacking():
        raise ConfigError(why)
    workers = args.workers or usable_cores()
    bare = bare_rate(args.bundle, args.file, workers, args.seconds)
    queue = 4 * workers
    with tempfile.TemporaryDirectory() as name, Server(args.bundle, workers, queue) as address:
        calm = load(address, args.file, CALM * workers, args.seconds, (), Path(name))
        full = load(
            address, args.file, FULL * (workers + queue), args.seconds, (429, 503), Path(name)
        )
    return {
        "workers": workers, "bare_pages_per_second": bare, "below_limit": calm, "above_limit": full,
        "share_of_bare": calm["requests_per_second"] / bare, "target_share": TARGET_SHARE,
    }  # fmt: skip


class Server:
    """A server in a process of its own, as a context that gives its address."""

    def __init__(self, bundle: str, workers: int, queue: int) -> None:
        words = ["--bundle", bundle, "--port", "0", "--workers", str(workers), "--queue",
                 str(queue), "--per-client", "1000", "--seconds", "600"]  # fmt: skip
        self._words = [sys.executable, "-m", "ecgvision.cli", "serve", *words]

    def __enter__(self) -> str:
        self._log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        self._process = subprocess.Popen(self._words, stderr=self._log)
        while self._process.poll() is None:
            text = Path(self._log.name).read_text(encoding="utf-8")
            if "http://" in text:
                address = "http://" + text.split("http://")[1].split()[0]
                try:
                    urlopen(f"{address}/readyz", timeout=60).close()
                    return address
                except OSError:
                    pass
            time.sleep(0.2)
        raise ConfigError("the server did not start", value=Path(self._log.name).read_text()[:200])

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()


def load(
    address: str, file: str, users: int, seconds: float, refused: tuple[int, ...], folder: Path
) -> dict[str, Any]:
    """Let users of locust ask for the page one request after the other; return its figures."""
    script = folder / "locustfile.py"
    script.write_text(
        USER.format(file=str(Path(file).resolve()), refused=refused), encoding="utf-8"
    )
    words = [sys.executable, "-m", "locust", "-f", str(script), "--headless", "--host", address,
             "-u", str(users), "-r", str(users), "-t", f"{round(seconds)}s", "--json",
             "--exit-code-on-error", "0"]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    told = {entry["name"]: entry for entry in json.loads(done.stdout)}
    found = told.pop("/v1/predict", None)
    if found is None:
        raise ConfigError("no request was answered in time", value=f"{seconds:g} s",
                          remedy="Give more --seconds")  # fmt: skip
    times = sorted((float(ms), count) for ms, count in found["response_times"].items())
    return {
        "users": users, "requests": found["num_requests"], "failures": found["num_failures"],
        "refused": sum(entry["num_requests"] for entry in told.values()),
        "requests_per_second": found["num_requests"]
        / (found["last_request_timestamp"] - found["start_time"]),
        **{f"p{share}_ms": _quantile(times, share / 100) for share in (50, 95)},
    }  # fmt: skip


def _quantile(times: list[tuple[float, int]], share: float) -> float:
    left = share * sum(count for _, count in times)
    for ms, count in times:
        left -= count
        if left <= 0:
            return ms
    return times[-1][0] if times else float("nan")


def bare_rate(bundle: str, file: str, workers: int, seconds: float) -> float:
    """Return the pages a second that processes answer without a server."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        pool.starmap(answer_for, [(bundle, file, 0.0)] * workers)  # open the bundles
        began = time.perf_counter()
        counts = pool.starmap(answer_for, [(bundle, file, seconds)] * workers, chunksize=1)
        return sum(counts) / (time.perf_counter() - began)


_models: Any = None


def answer_for(bundle: str, file: str, seconds: float) -> int:
    """Answer a page again and again for so many seconds, at least once; return how often."""
    global _models
    from ecgvision.deploy.limits import DEFAULT
    from ecgvision.deploy.serve import work

    if _models is None:
        _models = work.open_models(bundle)
        work.use(_models)
    data, count, end = Path(file).read_bytes(), 0, time.perf_counter() + seconds
    while count == 0 or time.perf_counter() < end:
        answer = work.predict(data, DEFAULT, True)
        if answer.status != 200:
            raise ConfigError("the page is refused", file=file, value=answer.body[:200].decode())
        count += 1
    return count
