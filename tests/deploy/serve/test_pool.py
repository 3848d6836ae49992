"""Worker processes that take too long, need too much memory or die are replaced; the gate counts."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecgvision.deploy.serve import pool
from ecgvision.deploy.serve.pool import Gate, Workers
from ecgvision.deploy.serve.problems import Problem
from ecgvision.deploy.serve.settings import ServeSettings
from ecgvision.deploy.serve.work import Answer


def fine() -> Answer:
    return Answer(200, str(os.getpid()).encode())


def sleeps() -> Answer:
    time.sleep(60)
    return fine()


def allocates() -> Answer:
    return Answer(200, np.ones(3 << 30, np.uint8).tobytes())


def dies() -> Answer:
    os._exit(1)


def test_a_worker_that_exceeds_its_limits_is_ended_and_the_next_request_answered(
    bundle_folder: Path,
) -> None:
    settings = ServeSettings(bundle=str(bundle_folder), workers=1, seconds=5, gigabytes=2)

    async def ask() -> list[str]:
        workers = Workers(settings)
        codes = []
        try:
            await workers.warm()
            first = await workers.run(fine)
            for function in (allocates, sleeps, dies):
                with pytest.raises(Problem) as caught:
                    await workers.run(function)
                codes.append(caught.value.code)
            second = await workers.run(fine)
        finally:
            workers.stop()
        assert first.body != second.body  # of another process
        assert workers.ended == {"time": 1, "memory": 2}
        return codes

    assert asyncio.run(ask()) == ["over_memory", "over_time", "over_memory"]


def test_the_gate_lets_a_number_in_and_says_when_to_come_back() -> None:
    gate = Gate(ServeSettings(queue=2, per_client=2), workers=1)
    with gate.enter("a"), gate.enter("a"):
        with pytest.raises(Problem) as many, gate.enter("a"):
            pass
        with gate.enter("b"), pytest.raises(Problem) as busy, gate.enter("c"):
            pass
    assert (many.value.status, busy.value.status) == (429, 503)
    assert 1 <= many.value.retry_after <= 60
    assert 1 <= busy.value.retry_after <= 60
    assert gate.inside == 0
    with gate.enter("a"):
        assert gate.inside == 1


def test_as_many_workers_as_cores_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "usable_cores", lambda: 3)
    monkeypatch.setattr(pool, "ProcessPool", lambda *_, **__: None)
    assert Workers(ServeSettings()).count == 3
    assert Workers(replace(ServeSettings(), workers=2)).count == 2
