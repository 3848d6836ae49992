"""A stretch of a long record: the very values of the whole one, of which nothing else is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ecgvision.data.cohort import Cohort
from ecgvision.data.pages import PageSettings
from ecgvision.data.resample import fit_length
from ecgvision.reader.data.pages import ReadingDataset
from ecgvision.reader.data.signal_variation import SignalVariation
from ecgvision.store.packed import Store, StoreWriter

RATE, SECONDS = 250, 120


@pytest.fixture(scope="module")
def long_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two records of two minutes with gaps, one of them off the 1 uV grid, and one of 3 s."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("long") / "store"
    with StoreWriter(folder, rate=RATE, source="long") as writer:
        for i, (seconds, size) in enumerate([(SECONDS, 1.0), (SECONDS, 40.0), (3, 1.0)]):
            signal = rng.normal(0, size, (12, seconds * RATE)).astype(np.float32)
            signal[:, rng.random(signal.shape[1]) < 0.01] = np.nan
            signal[i, 300:700] = np.nan
            writer.add(signal, record_id=f"long/{i}", patient_id=None, fold=i + 1,
                       scp_codes={"NORM": 100.0})  # fmt: skip
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many values each call of the store's `decode` converts."""
    import ecgvision.store.packed as module

    sizes, decode = [], module.decode
    monkeypatch.setattr(module, "decode", lambda v, s: (sizes.append(v.size), decode(v, s))[1])
    return sizes


def test_parts_are_those_of_the_whole(long_store: Path) -> None:
    store = Store(long_store)
    for row in range(3):
        whole = store.read(row)
        assert store.length(row) == whole.shape[1]
        for start, length in (
            (0, 10),
            (290, 500),
            (701, 5000),
            (whole.shape[1] - 7, 20),
            (0, None),
        ):
            part = store.read(row, start, length)
            expected = whole[:, start : None if length is None else start + length]
            assert part.flags.c_contiguous
            assert part.flags.writeable
            assert part.tobytes() == expected.tobytes()


def test_windows_are_cut_before_they_are_converted(long_store: Path, decoded: list[int]) -> None:
    cohort = Cohort(
        [long_store], "superdiagnostic", folds={"train": [1, 2], "val": [3], "test": []}
    )
    length = 10 * RATE
    for position in range(3):
        whole, spare = cohort.stores[0].read(position), cohort.stores[0].length(position) - length
        for seed in (None, *range(5)):
            rng = None if seed is None else np.random.default_rng(seed)
            start = 0 if seed is None or spare < 1 else int(
                np.random.default_rng(seed).integers(spare + 1))  # fmt: skip
            decoded.clear()
            window, rate = cohort.window(position, 10, rng)
            assert rate == RATE
            assert window.tobytes() == fit_length(whole, length, start).tobytes()
            assert max(decoded) <= 12 * length


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("variation", [None, SignalVariation()])
def test_pages_to_read_take_their_stretch_alone(
    long_store: Path, decoded: list[int], variation: SignalVariation | None, train: bool
) -> None:
    settings = PageSettings(layouts=("3x4",), image_size=(64, 96), style="plain")
    data = ReadingDataset([Store(long_store)], settings, train=train, variation=variation)
    store, length = data.stores[0], 10 * RATE
    for row in range(3):
        whole = store.read(row)
        for seed in range(4):
            decoded.clear()
            window, _ = data._window(store, row, np.random.default_rng(seed))
            assert max(decoded) <= 12 * (1.4 * length + 2)
            if data.variation is None:
                spare = whole.shape[1] - length
                rng = np.random.default_rng(seed)
                start = int(rng.integers(spare + 1)) if train and spare > 0 else 0
                expected = fit_length(whole, length, start)
            else:
                expected = data.variation(whole, length, np.random.default_rng(seed))
            assert window.tobytes() == expected.tobytes()


@pytest.mark.parametrize("seed", range(20))
def test_a_varied_stretch_does_not_hang_on_what_is_read_around_it(seed: int) -> None:
    """Missing samples beside the stretch too: they tell as in the whole record."""
    rng = np.random.default_rng(seed)
    whole = rng.normal(size=(12, 400)).astype(np.float32)
    whole[:, rng.random(400) < 0.2] = np.nan
    tempo = float(rng.choice([0.5, 1.0, 1.25, 2.0]))
    vary = SignalVariation(amplitude=(1, 1), tempo=(tempo, tempo), recombine=0, flip=0)
    draw = np.random.default_rng(seed)
    draw.uniform(0, 0)  # tempo
    spare = 399 - 99 * tempo
    at = draw.uniform(0, spare) + np.arange(100) * tempo
    expected = np.stack([np.interp(at, np.arange(400), lead) for lead in whole])
    out = vary(whole, 100, np.random.default_rng(seed))
    assert out.tobytes() == expected.astype(np.float32).tobytes()
