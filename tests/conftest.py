"""What several test files share: a tiny store whose labels can be seen in its signals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgvision.store import StoreWriter

RATE = 100
CODES = ("NORM", "IMI", "NDT", "CLBBB", "LVH")  # one for each diagnostic superclass


def beats(rng: np.random.Generator, positive: int, seconds: float, rate: float) -> np.ndarray:
    """Twelve leads of one spike a second, taller in the leads that stand for the label."""
    t = np.arange(round(seconds * rate)) / rate
    spike = np.exp(-(((t % 1.0) - 0.4) ** 2) / 0.0008)
    height = 0.5 + 0.1 * rng.standard_normal((12, 1))
    height[2 * positive : 2 * positive + 3] += 1.5
    return (height * spike + 0.02 * rng.standard_normal((12, len(t)))).astype(np.float32)


def write_store(
    folder: Path, *, records: int = 60, seconds: float = 10.0, rate: float = RATE, seed: int = 0,
    name: str = "tiny", folds: int = 10,
) -> Path:  # fmt: skip
    rng = np.random.default_rng(seed)
    with StoreWriter(folder, rate=rate, source=name) as writer:
        for i in range(records):
            label = int(rng.integers(5))
            writer.add(
                beats(rng, label, seconds, rate), record_id=f"{name}/{i:03d}",
                patient_id=f"{name}-p{i}", fold=i % folds + 1, scp_codes={CODES[label]: 100.0},
                columns=None, age=60.0, sex="female", device="", site="", flags=[],
            )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def make_store() -> Callable[..., Path]:
    return write_store


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 records of 10 s at 100 Hz in folds 1-10, with SCP codes of the five superclasses."""
    return write_store(tmp_path_factory.mktemp("stores") / "tiny")
