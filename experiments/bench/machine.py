"""Description of the machine that a benchmark ran on, without which figures mean little."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ecgvision.core.processors import usable_cores

PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "torch",
    "numba",
    "wfdb",
    "matplotlib",
    "albumentations",
)


def describe() -> dict[str, Any]:
    """Return processor, cores usable by this process, present load, Python and package versions."""
    return {
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def cpu_model() -> str:
    """Return the processor's name, or its architecture if the system does not report it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
