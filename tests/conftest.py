"""What several test files share: a tiny store whose labels can be seen in its signals."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings

from ecgvision.store.packed import StoreWriter

RATE = 100
CODES = ("NORM", "IMI", "NDT", "CLBBB", "LVH")  # one for each diagnostic superclass

READ_RATE = 40
"""Hz: a page of as few samples is read in a quarter of the time that the usual 100 Hz take."""

READ = ("+exp=read", "data=store", "data.num_workers=0", "data.small=true",
        "trainer.accelerator=cpu", "trainer.precision=32-true", "trainer.max_epochs=2",
        "data.batch_size=2", "data.pages_per_epoch=6", "data.val_pages=3", "data.test_pages=3",
        "data.image_size=[64,96]", "data.dpi=25", "data.train_dpi=[25]", "data.layouts=[3x4+II,6x2]",
        "data.style=kit", f"data.signal_rate={READ_RATE}")  # fmt: skip


for _profile, _examples in (("tests", 15), ("thorough", 200)):
    # without a deadline, as a busy machine is no failure
    settings.register_profile(_profile, deadline=None, max_examples=_examples)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))

TESTS = Path(__file__).parent

FIRST = ("test_page_input", "test_resume", "test_run", "test_ssl", "experiments", "notebooks",
         "trained_runs", "read", "evaluate")  # fmt: skip
"""Files and folders that take longest: begun first, none is what all others wait for at the end.
The first trains the reader that others share, which those after it do without."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        named = item.path.relative_to(TESTS).with_suffix("").parts
        return min((FIRST.index(name) for name in named if name in FIRST), default=len(FIRST))

    items.sort(key=place)  # otherwise they stay in their order


def pytest_collection_finish() -> None:
    """Imported modules and collected tests stay: they are not searched for garbage again."""
    gc.collect()
    gc.freeze()


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


@pytest.fixture(scope="session")
def reader_config() -> Callable[..., dict[str, Any]]:
    """reader_config(store, run_dir, *overrides) of +exp=read: two epochs of six small pages."""

    def make(store: Path, run_dir: Path, *more: str) -> dict[str, Any]:
        from experiments.configure import configure

        return configure([*READ, f"data.store=[{store}]", f"run_dir={run_dir}", *more])

    return make


@pytest.fixture(scope="session")
def trained_reader(
    reader_config: Callable[..., dict[str, Any]], tiny_store: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """The run directory of such a reader, finished: one for all worker processes of pytest, so
    nothing may be written into it. One thread trains it, and gives the same weights anywhere."""
    import torch

    from experiments.run import run

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of the whole session
    with FileLock(folder / "read.lock"):
        for finished in (folder / "read").glob("read/*/metrics.json"):
            return finished.parent
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return run(reader_config(tiny_store, folder / "read"))
        finally:
            torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def flat_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the reader in paper coordinates, whose small networks have learned nothing: one
    for all worker processes, so nothing may be written into it."""
    from tests.flat_bundles import write_flat_bundle

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of the whole session
    with FileLock(folder / "flat.lock"):
        made = folder / "flat-reader" / "bundle"
        return made if made.is_dir() else write_flat_bundle(made)


@contextmanager
def without_curves() -> Iterator[pytest.MonkeyPatch]:
    """Reports show no curves: to draw them takes most of a tiny run's time. For what is about
    something else; tests/evaluate looks at every figure."""
    from matplotlib.figure import Figure

    draw = Figure.savefig

    def savefig(figure: Figure, out: Any, **settings: Any) -> None:
        if settings.get("format") == "svg":
            out.write("<svg></svg>")
        else:
            draw(figure, out, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield patch


@contextmanager
def plain() -> Iterator[None]:
    """Runs are finished with an empty report and, of signal networks, without a bundle, whose graph
    takes long to trace, and reports of evaluations and studies show no curves. For what is about
    something else; the fixtures of tests/experiments/test_systems.py have both."""
    with without_curves() as patch:
        patch.setattr("ecgvision.systems.judging.export_signal", lambda *_, **__: None)
        patch.setattr("ecgvision.systems.judging.write_report", lambda path, **_: path.touch())
        yield


@pytest.fixture(scope="module")
def plain_runs() -> Iterator[None]:
    """All runs of a file are `plain`."""
    with plain():
        yield


@pytest.fixture(scope="session")
def without_bundle() -> Callable[..., Any]:
    """`with without_bundle():` runs are finished but for their bundle, whose graph takes a page
    reader the better part of a minute; for tests that are about something else."""

    @contextmanager
    def leave_out() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ecgvision.systems.judging.export_bundle", lambda *_, **__: None)
            patch.setattr("ecgvision.systems.read.judging.export_reader", lambda *_, **__: None)
            yield

    return leave_out
