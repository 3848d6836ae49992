"""Number of usable processor cores, and number of data-loading workers.

Containers and batch systems often grant fewer cores than the machine has. They limit a process by
CPU affinity or by the CPU-time quota of a control group (cgroups of version 1 or 2, the process's
own group or a parent). A process that starts one worker per core of the machine is then throttled.
"""

from __future__ import annotations

import math
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ecgvision.core.errors import ConfigError

MAX_WORKERS = 16
"""Maximum number of workers per process if none is configured (our default).

Each worker holds batches and a copy of the libraries in memory, and all of them are started for
every pass over validation records.
"""

GPU_FILES = ("nvidia[0-9]*", "nvidiactl", "nvhost-gpu", "nvgpu", "dxg", "kfd")
"""Device files of NVIDIA's drivers, of theirs on Jetson boards, of WSL and of AMD's."""


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores that this process may use, at least 1.

    The number is limited by CPU affinity and by CPU quota, and rounded down.

    Args:
        root: directory that contains `proc` and `sys`.
    """
    own = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(own(0)) if own is not None else os.cpu_count() or 1
    return max(1, math.floor(min([cores, *_quotas(root)]) + 1e-9))


def usable_threads(given: int) -> int:
    """Return a number of threads that is at most that of usable cores.

    Args:
        given: 0 leaves the choice to the library, unless the process may use fewer cores than the
            machine has, which the library does not see.
    """
    cores = usable_cores()
    if given == 0:
        return cores if cores < (os.cpu_count() or 1) else 0
    return min(given, cores)


def gpu_may_be_here(accelerator: str = "gpu", *, root: Path = Path("/")) -> bool:
    """Return False where there is surely no GPU, without importing torch.

    On Linux a GPU has a device file, and CUDA_VISIBLE_DEVICES may hide it.

    Args:
        accelerator: `gpu` for any; `cuda` or `mps`.
        root: directory that contains `dev`.
    """
    if sys.platform == "darwin":
        return accelerator != "cuda" and platform.machine() == "arm64"
    if accelerator == "mps" or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    return sys.platform != "linux" or any(any((root / "dev").glob(name)) for name in GPU_FILES)


def loader_workers(given: Any, devices: Any = 1) -> int:
    """Return the number of loader processes per training process.

    The default shares all usable cores between the training processes. No core is reserved for the
    training process itself: with a GPU it mostly waits, and without a GPU its kernels use what the
    workers leave. One training process on two cores therefore gets two workers.

    Args:
        given: `data.num_workers`; None selects the default.
        devices: `trainer.devices`; a list names devices, `auto` and -1 stand for all GPUs.

    Raises:
        ConfigError: if `given` is not a whole number from 0.
    """
    if given is None:
        return min(MAX_WORKERS, max(1, usable_cores() // _processes(devices)))
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ConfigError("data.num_workers must be a whole number from 0, or null", value=given)
    return given


def threads_beside_loaders(devices: Any = 1) -> int | None:
    """Return the number of threads that a network trained on the CPU takes while pages are drawn.

    Our default is half of the process's cores, as with all of them the loaders and the network wait
    for each other: on two cores VizECGNet's step takes 1.25 times as long. None where
    OMP_NUM_THREADS states a number.

    Args:
        devices: `trainer.devices`.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return None
    return max(1, usable_cores() // _processes(devices) // 2)


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
    """Yield the CPU quota, in cores, of the process's control group and of each parent group."""
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
    """Return the quota in `cpu.max`, which holds microseconds (or `max`) and the period."""
    return _ratio(_text(group / "cpu.max").split())


def _version_1(group: Path) -> float | None:
    """Return the quota of a version 1 group; -1 means no quota."""
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
