"""Cores that may be used, by affinity and by control groups of both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ecgvision.core import processors
from ecgvision.core.errors import ConfigError
from ecgvision.core.processors import (
    MAX_WORKERS,
    loader_workers,
    threads_beside_loaders,
    usable_cores,
)


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def files(root: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


V2, V1 = "0::/a/b\n", "4:memory:/x\n3:cpu,cpuacct:/a/b\n"
FS = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, 8),
        ({"proc/self/cgroup": V2}, 8),
        ({"proc/self/cgroup": V2, f"{FS}/a/b/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": V2, f"{FS}/a/b/cpu.max": "350000 100000\n"}, 3),
        ({"proc/self/cgroup": V2, f"{FS}/a/cpu.max": "200000 100000\n",
          f"{FS}/a/b/cpu.max": "400000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", f"{FS}/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": V2, f"{FS}/a/b/cpu.max": "1600000 100000\n"}, 8),
        ({"proc/self/cgroup": V2, f"{FS}/a/b/cpu.max": "nonsense\n"}, 8),
        ({"proc/self/cgroup": V2, f"{FS}/other/cpu.max": "100000 100000\n"}, 8),
        ({"proc/self/cgroup": V1, f"{FS}/cpu,cpuacct/a/b/cpu.cfs_quota_us": "400000\n",
          f"{FS}/cpu,cpuacct/a/b/cpu.cfs_period_us": "100000\n"}, 4),
        ({"proc/self/cgroup": V1, f"{FS}/cpu/cpu.cfs_quota_us": "200000\n",
          f"{FS}/cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"proc/self/cgroup": V1, f"{FS}/cpu/a/b/cpu.cfs_quota_us": "-1\n",
          f"{FS}/cpu/a/b/cpu.cfs_period_us": "100000\n"}, 8),
        ({"proc/self/cgroup": "3:cpuset:/a\n", f"{FS}/cpuset/a/cpu.cfs_quota_us": "100000\n",
          f"{FS}/cpuset/a/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)  # fmt: skip
def test_cores_by_quota(tmp_path: Path, content: dict[str, str], expected: int) -> None:
    assert usable_cores(files(tmp_path, content)) == expected


def test_cores_by_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    assert usable_cores(tmp_path) == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("usable", "devices", "expected"),
    [
        (2, 1, 2), (1, 1, 1), (8, 2, 4), (8, [0, 1, 2], 2), (2, 4, 1), (8, "2", 4), (8, "0,3", 4),
        (64, 1, MAX_WORKERS), (64, 8, 8), (8, "auto", 4), (8, -1, 4), (8, "-1", 4),
    ],
)  # fmt: skip
def test_workers_share_the_cores(
    monkeypatch: pytest.MonkeyPatch, usable: int, devices: object, expected: int
) -> None:
    monkeypatch.setattr(processors, "usable_cores", lambda: usable)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert loader_workers(None, devices) == expected


def test_a_number_is_taken_as_it_is_and_nonsense_named() -> None:
    assert [loader_workers(n, 4) for n in (0, 1, 99)] == [0, 1, 99]
    for wrong in ("two", -1, 1.5, True):
        with pytest.raises(ConfigError, match=r"data\.num_workers"):
            loader_workers(wrong)


def test_the_configuration_asks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgvision.systems.base import loader_arguments
    from experiments.configure import configure

    monkeypatch.setattr(processors, "usable_cores", lambda: 6)
    for words, expected in (([], 6), (["trainer.devices=2"], 3), (["data.num_workers=0"], 0)):
        assert loader_arguments(configure(["+exp=signal", *words]))["num_workers"] == expected


@pytest.mark.parametrize(("devices", "expected"), [(1, 4), (2, 2), ([0, 1, 2], 1), (8, 1)])
def test_a_network_beside_busy_loaders_takes_half_the_cores(
    devices: object, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads_beside_loaders(devices) == expected
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads_beside_loaders(devices) is None
