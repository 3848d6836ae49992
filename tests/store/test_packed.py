"""Packed stores: what goes in comes out, and nothing damaged or half-written is opened."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import StoreError
from ecgvision.store.format import COLUMNS, decode, encode
from ecgvision.store.packed import Store, StoreWriter


def add(writer: StoreWriter, name: str, signal: np.ndarray, **about) -> None:
    facts = {"patient_id": None, "fold": 1, "scp_codes": None, **about}
    writer.add(signal.astype(np.float32), record_id=name, **facts)


def recording(seed: int, length: int, *, missing: float = 0.0, grid: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 1, (12, length)).astype(np.float32)
    if grid:
        signal = (np.rint(signal * 1000) / 1000).astype(np.float32)
    signal[rng.random(signal.shape) < missing] = np.nan
    return signal


@pytest.fixture
def store(tmp_path) -> Path:
    with StoreWriter(tmp_path / "s", rate=100, source="test", label_columns=["A"]) as writer:
        add(writer, "t/0", recording(0, 50, missing=0.1), columns={"A": 1}, fold=3,
            scp_codes={"NORM": 100.0}, age=50.0, sex="male", flags=["short"], metadata={"ecg_id": 7})  # fmt: skip
        add(writer, "t/1", recording(1, 80), fold=None, metadata={"ecg_id": 8, "note": "x"})
    return tmp_path / "s"


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 60), st.sampled_from([0.0, 0.3, 1.0]), st.booleans()),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_round_trip_of_any_lengths_and_gaps(shapes):
    signals = [recording(s, n, missing=m, grid=g) for s, n, m, g in shapes]
    with tempfile.TemporaryDirectory() as folder:
        with StoreWriter(Path(folder) / "s", rate=250, source="test") as writer:
            for i, signal in enumerate(signals):
                add(writer, f"t/{i}", signal)
        store = Store(Path(folder) / "s")
        store.verify()
        assert len(store) == len(signals)
        for row, (signal, (*_, grid)) in enumerate(zip(signals, shapes, strict=True)):
            back = store.read(row)
            assert back.dtype == np.float32
            np.testing.assert_array_equal(np.isnan(back), np.isnan(signal))
            # Half a step, and the rounding of float32; nothing at all on the 1 uV grid.
            step = 0.0 if grid else float(store.records["scale"][row]) / 2
            np.testing.assert_allclose(back, signal, rtol=3e-7, atol=step * 1.0001)


@pytest.mark.parametrize("peak", [1e-6, 0.5, 32.767, 32.768, 500.0])
def test_the_largest_value_fits_and_is_no_missing_mark(peak):
    signal = np.zeros((12, 4), np.float32)
    signal[0] = [-peak, peak, 0, np.nan]
    steps, scale = encode(signal)
    back = decode(steps, scale)
    assert np.isnan(back).sum() == 1
    np.testing.assert_allclose(back[0, :3], signal[0, :3], atol=0.51 * scale)
    assert scale <= max(0.001, peak / 32000)


@pytest.mark.parametrize("signal", [np.zeros((11, 5)), np.zeros((12, 0)), np.full((12, 3), np.inf)])
def test_encode_refuses(signal):
    with pytest.raises(StoreError):
        encode(signal)


def test_the_table_says_who_each_record_is(store):
    opened = Store(store)
    table = opened.records
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    assert table["patient_id"].tolist() == ["record:t/0", "record:t/1"]
    assert table["fold"].tolist() == [3, pd.NA]
    assert table["y_A"].tolist() == [1, pd.NA]
    assert json.loads(table["scp_codes"][0]) == {"NORM": 100.0}
    assert pd.isna(table["scp_codes"][1])
    assert json.loads(table["flags"][0]) == ["short"]
    assert table["ecg_id"].tolist() == [7, 8]
    assert opened.label_columns == ["A"]
    assert opened.manifest["counts"] == {"records": 2, "values": 12 * 130, "patients": 2}
    with pytest.raises(IndexError):
        opened.read(2)
    with pytest.raises(IndexError):
        opened.read(-1)


def test_the_same_input_gives_the_same_hash(tmp_path):
    hashes = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        with StoreWriter(tmp_path / name, rate=100, source="test") as writer:
            add(writer, "t/0", recording(seed, 50))
        hashes.append(Store(tmp_path / name).hash)
    assert hashes[0] == hashes[1] != hashes[2]


def read_in_child(store: Store, row: int, queue) -> None:
    queue.put(float(np.nansum(store.read(row))))


def test_a_pickle_is_the_path_and_works_in_a_spawned_process(store):
    opened = Store(store)
    text = pickle.dumps(opened)
    assert len(text) < 300
    np.testing.assert_array_equal(pickle.loads(text).read(1), opened.read(1))
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    child = context.Process(target=read_in_child, args=(opened, 1, queue))
    child.start()
    assert queue.get(timeout=60) == pytest.approx(float(np.nansum(opened.read(1))))
    child.join()
    queue.close()
    assert child.exitcode == 0


@pytest.mark.parametrize("name", ["signals.npy", "records.parquet"])
def test_files_cut_short_or_missing_are_refused(store, name):
    data = (store / name).read_bytes()
    for keep in (0, 1, len(data) // 2, len(data) - 1):
        (store / name).write_bytes(data[:keep])
        with pytest.raises(StoreError, match=name):
            Store(store)
    (store / name).unlink()
    with pytest.raises(StoreError, match=name):
        Store(store)


def test_an_altered_byte_is_found_by_verify(store):
    data = bytearray((store / "signals.npy").read_bytes())
    data[-1] ^= 1
    (store / "signals.npy").write_bytes(bytes(data))
    with pytest.raises(StoreError, match="sha256"):
        Store(store).verify()


@pytest.mark.parametrize("change", [
    {"version": 2}, {"format": "other"}, {"rate": 0}, {"rate": "x"}, {"counts": None}, {"bytes": {}},
    {"counts": {"records": 3, "values": 1560}}, {"counts": {"records": 2, "values": 1561}},
])  # fmt: skip
def test_another_version_or_a_wrong_manifest_is_refused(store, change):
    file = store / "store.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(StoreError):
        Store(store)


def test_what_is_no_store_is_refused(store, tmp_path):
    for text in ("", "{", "[]", "null"):
        (store / "store.json").write_text(text)
        with pytest.raises(StoreError, match=r"store\.json"):
            Store(store)
    (store / "store.json").unlink()
    with pytest.raises(StoreError, match="half-written"):
        Store(store)
    with pytest.raises(StoreError, match="no store here"):
        Store(tmp_path / "nothing")


def interrupted(path: Path) -> None:
    with StoreWriter(path, rate=100, source="t") as writer:
        add(writer, "t/0", recording(0, 50))
        raise KeyboardInterrupt


def test_an_exception_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_replaced_only_when_asked_and_only_when_whole(store):
    before = Store(store).hash
    with pytest.raises(StoreError, match="already"):
        StoreWriter(store, rate=100, source="t")
    with (
        pytest.raises(StoreError),
        StoreWriter(store, rate=100, source="t", overwrite=True) as writer,
    ):
        add(writer, "t/0", np.full((12, 5), np.inf))
    assert Store(store).hash == before
    with StoreWriter(store, rate=100, source="t", overwrite=True) as writer:
        add(writer, "t/9", recording(5, 20))
    assert len(Store(store)) == 1
    assert [p.name for p in store.parent.iterdir()] == [store.name]


@pytest.mark.parametrize("about", [
    {"record_id": ""}, {"record_id": "t/0"}, {"sex": "M"}, {"columns": {"B": 1}}, {"columns": {"A": 2}},
])  # fmt: skip
def test_the_writer_refuses_bad_rows(tmp_path, about):
    facts = {"record_id": "t/1", "patient_id": None, "fold": 1, "scp_codes": None} | about
    with StoreWriter(tmp_path / "s", rate=1, source="t", label_columns=["A"]) as writer:
        add(writer, "t/0", recording(0, 5))
        with pytest.raises(StoreError):
            writer.add(recording(1, 5), **facts)
    assert len(Store(tmp_path / "s")) == 1  # a refused row leaves no trace
    np.testing.assert_allclose(Store(tmp_path / "s").read(0), recording(0, 5), atol=1e-3)


def test_metadata_of_mixed_kinds_become_text(tmp_path):
    with StoreWriter(tmp_path / "s", rate=1, source="t") as writer:
        for i, value in enumerate([1, "a", None]):
            add(writer, f"t/{i}", recording(i, 5), metadata={"mixed": value})
    assert Store(tmp_path / "s").records["mixed"].tolist()[:2] == ["1", "a"]


def test_a_copied_store_opens_elsewhere(store, tmp_path):
    shutil.copytree(store, tmp_path / "elsewhere")
    assert Store(tmp_path / "elsewhere").hash == Store(store).hash
