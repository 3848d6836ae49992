"""Packing a PTB-XL folder and a manifest: contents, report, resuming, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_prep import chunks
from data_prep.manifest import pack_manifest
from data_prep.pack import main
from data_prep.ptbxl import check_rate, pack_ptbxl
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import DataError, LabelError, RecordError, StoreError
from ecgvision.records.reading import read_record
from ecgvision.store.packed import Store
from tests.real_data import real_data


def write_record(path: Path, *, seed: int = 0, rate: int = 100, seconds: float = 10.0) -> None:
    """A record that obeys Einthoven's law, so that nothing is flagged."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-900, 900, (12, round(rate * seconds)))
    steps[2] = steps[1] - steps[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    head = [f"{path.name} 12 {rate} {steps.shape[1]}"]
    head += [f"{path.name}.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in LEADS]
    path.with_name(path.name + ".hea").write_text("\n".join(head) + "\n")
    path.with_name(path.name + ".dat").write_bytes(steps.T.astype("<i2").tobytes())


@pytest.fixture
def manifest(tmp_path) -> Path:
    rows = []
    for i in range(10):
        write_record(tmp_path / f"src/records/{i:03d}", seed=i)
        rows.append({"record": f"records/{i:03d}", "ecg_id": i, "patient_id": None if i % 2 else 40 + i,
                     "split": ["train", "val", "test"][i % 3], "AF": i % 2, "LVH": 1 - i % 2,
                     "sex": ["m", "Female", None][i % 3], "age": 50 + i, "note": "a,b"})  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "src/manifest.csv", index=False)
    return tmp_path / "src/manifest.csv"


@pytest.fixture
def ptbxl(tmp_path) -> Path:
    root = tmp_path / "ptb-xl"
    rows = []
    for i in range(1, 6):
        for rate, tag in ((100, "lr"), (500, "hr")):
            write_record(root / f"records{rate}/00000/{i:05d}_{tag}", seed=i, rate=rate)
        rows.append({"ecg_id": i, "patient_id": 100.0 + i, "age": 300.0 if i == 1 else 50.0, "sex": i % 2,
                     "site": 2.0, "device": "CS-12", "report": "sinusrhythmus", "pacemaker": None,
                     "scp_codes": "{'NORM': 80.0, 'SR': 0.0}", "strat_fold": 2 * i, "baseline_drift": ", V6",
                     "filename_lr": f"records100/00000/{i:05d}_lr",
                     "filename_hr": f"records500/00000/{i:05d}_hr"})  # fmt: skip
    pd.DataFrame(rows).to_csv(root / "ptbxl_database.csv", index=False)
    return root


def edit(file: Path, **columns) -> None:
    table = pd.read_csv(file)
    for name, value in columns.items():
        table[name] = value
    table.to_csv(file, index=False)


def quality(store: Path) -> dict:
    return json.loads((store / "quality.json").read_text())


@pytest.mark.parametrize("rate", [100, 500])
def test_a_ptbxl_folder(ptbxl, tmp_path, rate):
    out = pack_ptbxl(ptbxl, tmp_path / "s", rate=rate, progress=False)
    store, tag = Store(out), {100: "lr", 500: "hr"}[rate]
    store.verify()
    table = store.records
    assert store.rate == rate
    assert table["record_id"].tolist() == [f"ptbxl/{i:05d}" for i in range(1, 6)]
    assert table["patient_id"].tolist() == [str(100 + i) for i in range(1, 6)]
    assert table["fold"].tolist() == [2, 4, 6, 8, 10]
    assert table["sex"].tolist() == ["female", "male", "female", "male", "female"]
    assert table["age"].tolist()[:2] == [300.0, 50.0]
    assert table["site"].tolist() == ["2"] * 5
    assert table["baseline_drift"].tolist() == [", V6"] * 5
    assert {"ecg_id", "report", "pacemaker", "filename_lr", "filename_hr"} <= set(table.columns)
    assert json.loads(table["scp_codes"][0]) == {"NORM": 80.0, "SR": 0.0}
    for i in range(5):
        expected = read_record(ptbxl / f"records{rate}/00000/{i + 1:05d}_{tag}").signal
        np.testing.assert_allclose(store.read(i), expected, rtol=1e-6)
    assert quality(out)["without_flags"] == 5


def test_rates_of_ptbxl():
    assert [check_rate(rate) for rate in (100, 500.0, None)] == [100, 500, 500]
    with pytest.raises(DataError, match="no such rate"):
        check_rate(250)


def test_folders_that_are_not_ptbxl(ptbxl, tmp_path):
    (tmp_path / "empty").mkdir()
    for root, message in ((tmp_path / "no", "no such folder"), (tmp_path / "empty", "empty"),
                          (tmp_path, "not PTB-XL")):  # fmt: skip
        with pytest.raises(DataError, match=message):
            pack_ptbxl(root, tmp_path / "s", progress=False)
    (ptbxl / "records100/00000/00003_lr.dat").unlink()
    with pytest.raises(DataError, match=r"1 of 10 record files at 100 Hz.*00003_lr\.dat"):
        pack_ptbxl(ptbxl, tmp_path / "s", rate=100, progress=False)
    edit(ptbxl / "ptbxl_database.csv", sex=7)
    with pytest.raises(DataError, match="sex"):
        pack_ptbxl(ptbxl, tmp_path / "s", rate=500, progress=False)
    assert not (tmp_path / "s").exists()


def test_a_manifest(manifest, tmp_path):
    store = Store(pack_manifest(manifest, tmp_path / "s", progress=False))
    table = store.records
    assert store.label_columns == ["AF", "LVH"]
    assert table["y_AF"].tolist() == [i % 2 for i in range(10)]
    assert table["record_id"].tolist() == [f"src/{i:03d}" for i in range(10)]
    assert table["patient_id"].tolist()[:3] == ["40", "record:src/001", "42"]
    assert table["fold"].tolist()[:3] == [1, 9, 10]
    assert table["sex"].tolist()[:2] == ["male", "female"]
    assert pd.isna(table["sex"][2])
    assert table["ecg_id"].tolist() == list(range(10))
    assert table["note"].tolist() == ["a,b"] * 10
    assert table["scp_codes"].isna().all()


def test_named_labels_and_stems_that_stand_twice(manifest, tmp_path):
    write_record(manifest.parent / "other/000", seed=99)
    table = pd.read_csv(manifest)
    table.loc[1, "record"] = "other/000"
    table.to_csv(manifest, index=False)
    out = pack_manifest(manifest, tmp_path / "s", labels=["LVH"], name="mine", progress=False)
    store = Store(out)
    assert store.label_columns == ["LVH"]
    assert store.records["record_id"].tolist()[:2] == ["mine/records/000", "mine/other/000"]
    assert store.records["AF"].tolist() == [i % 2 for i in range(10)]


@pytest.mark.parametrize(("columns", "message"), [
    ({"fold": 11}, "fold must be"), ({"fold": 1.5}, "fold must be"), ({"split": "dev"}, "unknown split"),
    ({"fold": 3}, "disagree"), ({"sex": 1}, "sex must be"), ({"age": "old"}, "number"),
    ({"scp_codes": "NORM"}, "cannot be read"), ({"scp_codes": "['NROM']"}, "unknown SCP"),
    ({"scp_codes": "{'NORM': 200}"}, "0..100"), ({"record": "records/000"}, "stands twice"),
    ({"offset": 1}, "column names"), ({"record": None}, "names no record"),
])  # fmt: skip
def test_manifests_that_contradict_themselves(manifest, tmp_path, columns, message):
    edit(manifest, **columns)
    with pytest.raises(DataError, match=message):
        pack_manifest(manifest, tmp_path / "s", progress=False)


def test_manifests_without_columns_or_rows_or_labels(manifest, tmp_path):
    for text, message in (("a,b\n1,2\n", "lacks columns"), ("record,AF\n", "no rows"), ("", "cannot be read"),
                          ("record,fold\nrecords/000,1\n", "no labels")):  # fmt: skip
        manifest.write_text(text)
        with pytest.raises(DataError, match=message):
            pack_manifest(manifest, tmp_path / "s", progress=False)
    with pytest.raises(DataError, match="no such file"):
        pack_manifest(tmp_path / "nothing.csv", tmp_path / "s", progress=False)


def test_class_columns_must_agree_with_codes(manifest, tmp_path):
    table = pd.read_csv(manifest).drop(columns=["AF", "LVH"])
    for code in ("NORM", "MI", "STTC", "CD", "HYP"):
        table[code] = int(code == "MI")
    table["scp_codes"] = [None] * 9 + ["['NORM']"]
    table.to_csv(manifest, index=False)
    with pytest.raises(LabelError, match="src/009"):
        pack_manifest(manifest, tmp_path / "s", progress=False)


def test_another_rate_stops_or_is_resampled(manifest, tmp_path):
    write_record(manifest.parent / "records/004", rate=200)
    with pytest.raises(RecordError, match=r"004.*another rate than 100 Hz.*200"):
        pack_manifest(manifest, tmp_path / "s", progress=False)
    store = Store(pack_manifest(manifest, tmp_path / "s", rate=100, progress=False))
    assert store.records["length"].tolist() == [1000] * 10
    assert json.loads(store.records["flags"][4])[0] == "resampled:200"
    assert quality(store.path)["flags"]["resampled"]["records"] == {"src/004": ["200"]}


def test_records_that_do_not_state_their_rate_take_the_one_that_is_said_of_them(manifest, tmp_path):
    array = np.zeros((12, 500), np.float32)
    np.save(manifest.parent / "records/a.npy", array)
    (manifest.parent / "records/b.csv").write_text("time,I\n0,1\n0.005,2\n0.01,1\n")
    manifest.write_text("record,AF\nrecords/a.npy,1\nrecords/b.csv,0\n")
    with pytest.raises(RecordError, match="does not state its rate"):
        pack_manifest(manifest, tmp_path / "s", progress=False)
    with pytest.raises(
        RecordError, match="does not state its rate"
    ):  # what is wanted is not what is
        pack_manifest(manifest, tmp_path / "s", rate=50, progress=False)
    store = Store(
        pack_manifest(manifest, tmp_path / "s", rate=50, unstated_rate=100, progress=False)
    )
    assert store.records["length"].tolist() == [250, 1]  # the CSV states 200 Hz
    flags = [json.loads(flags) for flags in store.records["flags"]]
    assert "resampled:100" in flags[0]
    assert "resampled:200" in flags[1]
    manifest.write_text("record,AF\nrecords/a.npy,1\n")
    words = [str(manifest), "--out", str(tmp_path / "t"), "--quiet"]
    assert main(["manifest", *words]) == 2
    assert main(["manifest", *words, "--unstated-rate", "100"]) == 0
    assert Store(tmp_path / "t").rate == 100


def test_a_broken_record_stops_or_is_skipped_and_counted(manifest, tmp_path):
    with (manifest.parent / "records/003.dat").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(RecordError, match=r"003\.dat.*cut short"):
        pack_manifest(manifest, tmp_path / "s", progress=False)
    assert not (tmp_path / "s").exists()
    store = Store(pack_manifest(manifest, tmp_path / "s", on_error="skip", progress=False))
    assert len(store) == 9
    assert "src/003" not in set(store.records["record_id"])
    report = quality(store.path)
    assert (report["records"], report["kept"]) == (10, 9)
    assert [s["record_id"] for s in report["skipped"]] == ["src/003"]
    assert "cut short" in report["skipped"][0]["reason"]


def test_nothing_readable_is_an_error_under_skip_too(manifest, tmp_path):
    for file in manifest.parent.glob("records/*.dat"):
        file.unlink()
    with pytest.raises(DataError, match="none of the records"):
        pack_manifest(manifest, tmp_path / "s", rate=100, on_error="skip", progress=False)


def test_an_interrupted_pack_continues_and_equals_a_whole_one(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 3)
    whole = Store(pack_manifest(manifest, tmp_path / "whole", progress=False))
    real, read = chunks.open_record, []

    def interrupted(path, **options):
        read.append(Path(path).name)
        if len(read) == 9:
            raise KeyboardInterrupt
        return real(path, **options)

    monkeypatch.setattr(chunks, "open_record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pack_manifest(manifest, tmp_path / "s", progress=False)
    assert not (tmp_path / "s").exists()
    with pytest.raises(StoreError):
        Store(tmp_path / ".s.work")  # what an interrupted pack leaves passes for no store
    resumed = Store(pack_manifest(manifest, tmp_path / "s", progress=False))
    # The first record is opened for its rate, too; two chunks of three stood already.
    assert read[9:] == ["000", "006", "007", "008", "009"]
    assert resumed.hash == whole.hash
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s", "src", "whole"]


def test_chunks_of_files_that_changed_are_not_reused(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 3)
    (manifest.parent / "records/009.dat").write_bytes(b"")
    with pytest.raises(RecordError):
        pack_manifest(manifest, tmp_path / "s", progress=False)
    write_record(manifest.parent / "records/000", seed=77)
    write_record(manifest.parent / "records/009", seed=9)
    store = Store(pack_manifest(manifest, tmp_path / "s", progress=False))
    expected = read_record(manifest.parent / "records/000").signal
    np.testing.assert_allclose(store.read(0), expected, rtol=1e-6)


def test_worker_processes_give_the_same_store_and_their_errors(manifest, tmp_path, monkeypatch):
    one = Store(pack_manifest(manifest, tmp_path / "one", jobs=1, progress=False))
    monkeypatch.setattr(chunks, "CHUNK", 4)
    monkeypatch.setattr(chunks, "PARALLEL_FROM", 0)
    two = Store(pack_manifest(manifest, tmp_path / "two", jobs=2, progress=False))
    assert one.hash == two.hash
    (manifest.parent / "records/001.dat").write_bytes(b"")
    with pytest.raises(RecordError, match=r"001\.dat.*cut short"):
        pack_manifest(manifest, tmp_path / "three", jobs=2, progress=False)
    assert not (tmp_path / "three").exists()


def test_the_command_line(manifest, tmp_path, capsys):
    out = tmp_path / "s"
    assert main(["manifest", str(manifest), "--out", str(out), "--jobs", "1"]) == 0
    assert "10 records, 10 kept" in capsys.readouterr().out
    assert main(["manifest", str(manifest), "--out", str(out), "--quiet"]) == 2
    assert main(["manifest", str(manifest), "--out", str(out), "--quiet", "--overwrite"]) == 0
    assert main(["ptbxl", str(tmp_path), "--out", str(tmp_path / "t")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "already" in lines[0]
    assert "not PTB-XL" in lines[1]


def test_the_real_sets(tmp_path):
    root = real_data("ptbxl-mini")
    store = Store(pack_ptbxl(root, tmp_path / "s", rate=100, progress=False))
    assert len(store) == len(pd.read_csv(root / "ptbxl_database.csv")) >= 9
    assert sorted(set(store.records["fold"])) == list(range(1, 10))
    row = len(store) // 2
    expected = read_record(root / store.records["filename_lr"][row]).signal
    np.testing.assert_allclose(store.read(row), expected, rtol=1e-6)


def test_overwriting_spares_what_is_no_store(manifest, tmp_path, capsys):
    """A folder that is no store, a file, and a folder with the source all stay; nothing is left."""
    own, file = tmp_path / "thesis", tmp_path / "note.txt"
    own.mkdir()
    (own / "chapter.tex").write_text("years of work")
    file.write_text("note")
    before = sorted(p.name for p in tmp_path.rglob("*"))
    for out in (own, file, Path(manifest).parent):
        words = ["manifest", str(manifest), "--out", str(out), "--overwrite", "--quiet"]
        assert main(words) == 2
        assert str(out) in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.rglob("*")) == before
