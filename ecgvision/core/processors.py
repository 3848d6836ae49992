"""How many processor cores this process may use, and how many of them load data.

Containers and batch systems grant less than the machine has: by affinity, or by a quota of time
that a control group (cgroups of version 1 or 2, its own or one above) may spend. A process that
starts a worker for every core of the machine is then throttled.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecgvision.core.errors import ConfigError

MOST_WORKERS = 16
"""Of one process where nobody asks for a number: each holds batches and a copy of the libraries in
memory, and all are started with every pass over validation records. Our default."""


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use, at least 1: by affinity and by quota, parts of a core not
    counted.

    Args:
        root: below which `proc` and `sys` lie.
    """
    own = getattr(os, "sched_getaffinity", None)  # Linux alone
    cores = len(own(0)) if own is not None else os.cpu_count() or 1
    return max(1, math.floor(min([cores, *_quotas(root)]) + 1e-9))


def loader_workers(given: Any, devices: Any = 1) -> int:
    """Loader processes of each training process.

    By default all usable cores, shared between the training processes. None is left out for the
    training process itself: on a GPU it mostly waits, and without one its kernels take what the
    workers leave; two cores keep the two workers that they have always had.

    Args:
        given: `data.num_workers`; None takes the default.
        devices: `trainer.devices`, where a list names devices; `auto` and -1 are all GPUs.

    Raises:
        ConfigError: for what is no whole number from 0.
    """
    if given is None:
        return min(MOST_WORKERS, max(1, usable_cores() // _processes(devices)))
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ConfigError("data.num_workers must be a whole number from 0, or null", value=given)
    return given


def _processes(devices: Any) -> int:
    if isinstance(devices, (list, tuple)):
        return max(1, len(devices))
    words = [word for word in str(devices).split(",") if word.strip()]
    if len(words) > 1:  # "0,1"
        return len(words)
    try:
        count = int(words[0]) if words else 1
    except ValueError:  # auto
        count = -1
    if count < 0:
        import torch

        count = torch.cuda.device_count()
    return max(1, count)


def _quotas(root: Path) -> Iterator[float]:
    """Cores' worth of time that each control group over this process may spend."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, place = rest.partition(":")
        mounts = root / "sys/fs/cgroup"
        if number == "0" and not controllers:
            folders, read = [mounts, mounts / "unified"], _version_2
        elif "cpu" in controllers.split(","):
            folders, read = [mounts / controllers, mounts / "cpu"], _version_1
        else:
            continue
        parts = Path(place.lstrip("/")).parts
        for folder in folders:
            for depth in range(len(parts) + 1):
                if (quota := read(folder.joinpath(*parts[:depth]))) is not None:
                    yield quota


def _version_2(group: Path) -> float | None:
    """`cpu.max` holds microseconds, or max, and of how many."""
    return _ratio(_text(group / "cpu.max").split())


def _version_1(group: Path) -> float | None:
    """A quota of -1 is none."""
    names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    return _ratio([_text(group / name).strip() for name in names])


def _ratio(words: list[str]) -> float | None:
    try:
        quota, period = (int(word) for word in words)
    except ValueError:
        return None
    return quota / period if quota > 0 and period > 0 else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
