"""Packing the Challenges' folders: every spelling, broken records, folds, the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat
from sklearn.model_selection import StratifiedKFold

from data_prep.cinc import pack_cinc
from data_prep.cinc_files import database_of, find_records, fingerprint
from data_prep.cinc_folds import stratified_folds
from data_prep.cinc_header import read_about
from data_prep.pack import main
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import DataError, RecordError
from ecgvision.labels.schemes import get_scheme, targets
from ecgvision.store.packed import Store
from experiments.sources import stores
from tests.real_data import real_data

AF, NSR, RBBB, CRBBB, OLD_MI = "164889003", "426783006", "59118001", "713427006", "164867002"


def steps_of(seed: int, samples: int) -> np.ndarray:
    """(12, T) int16 that obey Einthoven's law, so that nothing is flagged."""
    steps = np.random.default_rng(seed).integers(-900, 900, (12, samples)).astype(np.int16)
    steps[2] = steps[1] - steps[0]
    return steps


def write(
    folder: Path, name: str, *, dx: str | None = f"#Dx: {AF}", about: str = "#Age: 60\n#Sex: Male",
    rate: int = 500, seconds: float = 10.0, gain: str = "1000/mV", form: str = "16+24",
    leads: tuple[str, ...] = LEADS, scale: int = 1,
) -> np.ndarray:  # fmt: skip
    """A record as the Challenges write them, the .mat by scipy; returns (12, T) steps."""
    steps = steps_of(sum(map(ord, name)), round(rate * seconds))
    folder.mkdir(parents=True, exist_ok=True)
    order = [[lead.upper() for lead in LEADS].index(lead.upper()) for lead in leads]
    savemat(folder / f"{name}.mat", {"val": steps[order] * np.int16(scale)}, format="4")
    lines = [f"{name} {len(leads)} {rate} {steps.shape[1]} 15-May-2020 15:35:30"]
    lines += [
        f"{name}.mat {form} {gain} 16 0 {steps[i, 0]} 0 0 {lead}"
        for i, lead in zip(order, leads, strict=True)
    ]
    (folder / f"{name}.hea").write_text(
        "\n".join([*lines, about, *([] if dx is None else [dx]), "#Rx: Unknown"]) + "\n"
    )
    return steps


@pytest.fixture
def training(tmp_path) -> Path:
    """One record or two of every database, in PhysioNet's folders."""
    root = tmp_path / "training"
    write(root / "cpsc_2018/g1", "A0001", dx=f"#Dx: {RBBB}")
    write(root / "cpsc_2018_extra/g1", "Q0001", dx=f"#Dx: {OLD_MI}")
    write(root / "st_petersburg_incart/g1", "I0001", rate=257, seconds=20, dx=f"#Dx: {NSR}")
    write(root / "ptb/g1", "S0001", rate=1000, seconds=30, dx=None)
    write(
        root / "ptb-xl/g1",
        "HR00001",
        gain="1000.0(0)/mv",
        form="16x1+24",
        dx=f"# Dx: {NSR},{CRBBB}",
    )
    write(root / "ptb-xl/g22", "HR21837")
    write(root / "georgia/g1", "E00001", seconds=5)
    write(root / "chapman_shaoxing/g1", "JS10646")
    write(root / "ningbo/g1", "JS10647")
    (root / "RECORDS").write_text("georgia/g1/\n")
    return root


def quality(store: Path) -> dict:
    return json.loads((store / "quality.json").read_text())


def test_a_whole_challenge(training, tmp_path, capsys):
    write(training / "st_petersburg_incart/g1", "I0001", rate=257, seconds=1800, dx=f"#Dx: {NSR}")
    store = Store(pack_cinc(training, tmp_path / "s", challenge="cinc2021"))
    store.verify()
    rows = store.records.set_index("record_id")
    assert list(rows.index) == [
        "cpsc_2018/A0001", "cpsc_2018_extra/Q0001", "st_petersburg_incart/I0001", "ptb/S0001",
        "ptb-xl/HR00001", "ptb-xl/HR21837", "georgia/E00001", "chapman_shaoxing/JS10646", "ningbo/JS10647",
    ]  # fmt: skip
    assert rows["site"].tolist() == [i.split("/")[0] for i in rows.index]
    assert rows["length"].tolist() == [5000, 5000, 900_000, 15_000, 5000, 5000, 2500, 5000, 5000]
    assert store.rate == 500
    assert rows["scp_codes"].isna().all()
    codes = [None if c is None or c != c else json.loads(c) for c in rows["snomed_codes"]]
    assert codes == [[RBBB], [OLD_MI], [NSR], None, [NSR, CRBBB], [AF], [AF], [AF], [AF]]
    assert rows["fold"].between(1, 10).all()
    assert rows["patient_id"].tolist() == [f"record:{i}" for i in rows.index]
    assert (rows["age"] == 60).all()
    assert set(rows["sex"]) == {"male"}
    report = quality(store.path)
    assert report["databases"]["ptb-xl"] == 2
    assert (report["without_diagnoses"], report["left_out"], report["not_understood"]) == (
        1,
        {},
        {},
    )
    said = capsys.readouterr().out
    assert "'ptb-xl': 2" in said
    assert "without_diagnoses 1" in said
    assert "9 records, 9 kept" in said

    for name, labelled in (("cinc2021", 7), ("cinc2020", 7), ("cpsc2018", 7)):
        assert targets(store.records, get_scheme(name))[1].sum() == labelled
    kept = targets(store.records, get_scheme("cinc2021", unlabelled="keep"))[1]
    assert kept.tolist() == [True] * 3 + [False] + [True] * 5


def test_values_are_the_files_own(training, tmp_path):
    folder = training / "georgia/g2"
    shuffled = ("V6", "AVF", "I", "II", "III", "avr", "aVL", "V1", "V2", "V3", "V4", "V5")
    expected = {
        "E00002": (write(folder, "E00002", gain="1000.0(0)/mV", form="16x1+24"), 1000),
        "E00003": (write(folder, "E00003", gain="500(0)/mV"), 500),
        "E00004": (write(folder, "E00004", leads=shuffled), 1000),
    }
    steps, _ = expected["E00005"] = (write(folder, "E00005"), 1000)
    values = np.where(np.arange(5000) == 7, -32768, steps)  # the mark of an invalid sample
    savemat(folder / "E00005.mat", {"val": values.astype(np.int16)}, format="4")
    store = Store(pack_cinc(training, tmp_path / "s", challenge="cinc2020", progress=False))
    place = {r.split("/")[1]: i for i, r in enumerate(store.records["record_id"])}
    for name, (steps, gain) in expected.items():
        got = store.read(place[name])
        if name == "E00005":
            assert np.isnan(got[:, 7]).all()
            got[:, 7] = steps[:, 7] / gain
        np.testing.assert_allclose(got, steps / gain, atol=1e-6)
    assert json.loads(store.records["flags"][place["E00004"]]) == ["reordered"]


def test_other_rates_keep_time_and_shape(tmp_path):
    t = np.arange(257 * 20) / 257
    wave = np.round(900 * np.sin(2 * np.pi * 3 * t + 0.4)).astype(np.int16)
    write(tmp_path, "I0001", rate=257, seconds=20)
    savemat(tmp_path / "I0001.mat", {"val": np.tile(wave, (12, 1))}, format="4")
    for rate in (500, 100):
        store = Store(pack_cinc(tmp_path, tmp_path / f"s{rate}", rate=rate, progress=False))
        assert store.rate == rate
        signal = store.read(0)
        assert signal.shape == (12, 20 * rate)
        expected = 0.9 * np.sin(2 * np.pi * 3 * np.arange(20 * rate) / rate + 0.4)
        inside = slice(rate, -rate)
        np.testing.assert_allclose(signal[0, inside], expected[inside], atol=0.01)
        assert "resampled:257" in json.loads(store.records["flags"][0])


def test_what_is_not_of_the_challenge_is_said(training, tmp_path, capsys):
    write(training / "mine", "X1")
    store = Store(pack_cinc(training, tmp_path / "s", challenge="cpsc2018"))
    assert store.records["record_id"].tolist() == ["cpsc_2018/A0001"]
    left = quality(store.path)["left_out"]
    assert left == {
        "unknown names": 1, "cpsc_2018_extra": 1, "st_petersburg_incart": 1, "ptb": 1, "ptb-xl": 2,
        "georgia": 1, "chapman_shaoxing": 1, "ningbo": 1,
    }  # fmt: skip
    assert "'unknown names': 1" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"no record of cpsc2018.*HR00001.*cpsc_2018"):
        pack_cinc(training / "ptb-xl", tmp_path / "t", challenge="cpsc2018")


def break_records(root: Path) -> dict[str, str]:
    """Records that are broken in every way that is known, and what the report must say of each."""
    folder = root / "georgia/g9"
    for i in range(10):
        write(folder, f"E1000{i}")
    data = (folder / "E10000.mat").read_bytes()
    (folder / "E10000.mat").write_bytes(data[:5000])
    (folder / "E10001.mat").write_bytes(b"")
    (folder / "E10002.mat").unlink()
    (folder / "E10003.hea").unlink()
    (folder / "E10004.hea").write_text("")
    savemat(folder / "E10005.mat", {"val": steps_of(0, 5000)})  # MATLAB v5
    write(folder, "E10006", dx="#Dx: 164889004")
    header = (folder / "E10007.hea").read_text()
    (folder / "E10007.hea").write_text(header.replace(" V6\n", " V5\n"))
    write(folder, "E10008", gain="0/mV")
    write(folder, "E10009", gain="4880/mV")
    return {
        "E10000": "cut short", "E10001": "cut short", "E10002": "signal file cannot be read",
        "E10003": "header cannot be read", "E10004": "header is empty", "E10005": "not a MATLAB v4",
        "E10006": "164889004", "E10007": "stands twice", "E10008": "not calibrated", "E10009": "corrected to 1000",
    }  # fmt: skip


def test_broken_records_are_reported_each_with_its_reason(training, tmp_path, capsys):
    broken = break_records(training)
    store = Store(pack_cinc(training, tmp_path / "s", challenge="cinc2021"))
    report = quality(store.path)
    reasons = {s["record_id"]: s["reason"] for s in report["skipped"]}
    assert set(reasons) == {f"georgia/{name}" for name in broken}
    for name, reason in broken.items():
        assert reason in reasons[f"georgia/{name}"]
        assert name in reasons[f"georgia/{name}"]
        assert "\n" not in reasons[f"georgia/{name}"]
    assert (len(store), report["records"], report["kept"]) == (9, 19, 9)
    assert "10 skipped" in capsys.readouterr().out


@pytest.mark.parametrize("name", [f"E1000{i}" for i in range(10)])
def test_each_stops_the_pack_where_that_is_asked(training, tmp_path, name):
    reason = break_records(training)[name]
    for file in (training / "georgia/g9").glob("*"):
        if file.stem != name:
            file.unlink()
    with pytest.raises(RecordError, match=reason) as caught:
        pack_cinc(training, tmp_path / "s", challenge="cinc2021", on_error="stop", progress=False)
    assert name in str(caught.value)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(("lines", "age", "sex", "codes"), [
    (f"#Age: 77\n#Sex: Male\n#Dx: {AF}", 77, "male", (AF,)),
    (f"# Age: 77\n# Sex: Female\n# Dx: {AF}, {NSR}", 77, "female", (AF, NSR)),
    (f"#Age : 77\n#Sex : M\n#Dx : {AF} ,{NSR}", 77, "male", (AF, NSR)),
    (f"#age:77\n#SEX:F\n#DX:{NSR},{AF},{NSR}", 77, "female", (NSR, AF)),
    (f"##Age: 7.5\n#\tSex: f\n#\tDx:\t{AF}", 7.5, "female", (AF,)),
    (f"#Dx: {AF},\n#Dx: ,{NSR},,{AF}", None, None, (AF, NSR)),  # stray commas, two lines
    (f"#Age: NaN\n#Sex: NaN\n#Dx: {AF};{NSR}", None, None, (AF, NSR)),
    ("#Age: nan\n#Sex: Unknown\n#Dx: Unknown", None, None, None),
    ("#Age: -1\n#Sex:\n#Dx:", None, None, None), ("#Age:\n#Rx: Unknown", None, None, None), ("", None, None, None),
    (f"#Age: 300\n#Dx: {AF}\r", 300, None, (AF,)),  # PTB-XL: over 89
])  # fmt: skip
def test_headers_of_every_spelling(tmp_path, lines, age, sex, codes):
    file = tmp_path / "A0001.hea"
    file.write_text(f"A0001 12 500 5000\nA0001.mat 16+24 1000/mV 16 0 0 0 0 I\n{lines}\n")
    about = read_about(file)
    assert (about.age, about.sex, about.codes, about.unread) == (age, sex, codes, ())


def test_comments_that_say_something_else_are_counted(training, tmp_path):
    write(training / "georgia/g1", "E00009", about="#Age: sixty\n#Sex: Mal")
    write(training / "georgia/g1", "E00010", about="#Age: -7\n#Sex: Mal")
    store = Store(pack_cinc(training, tmp_path / "s", progress=False))
    assert quality(store.path)["not_understood"] == {"Age: sixty": 1, "Sex: Mal": 2, "Age: -7": 1}
    row = store.records.set_index("record_id").loc["georgia/E00009"]
    assert pd.isna(row["age"])
    assert pd.isna(row["sex"])


def test_names_of_databases():
    assert [database_of(n) for n in ("JS00001", "JS10646", "JS10647", "JS45551", "JS1", "HR0001", "A00001", "a0001")] == [
        "chapman_shaoxing", "chapman_shaoxing", "ningbo", "ningbo", None, None, None, None,
    ]  # fmt: skip
    names = [f"JS{i:05d}" for i in range(10_600, 10_700)]
    assert sum(database_of(n) == "chapman_shaoxing" for n in names) == 47


def test_folders_that_do_not_serve(training, tmp_path):
    (tmp_path / "empty").mkdir()
    for root, message in (
        (tmp_path / "no", "no such folder"),
        (tmp_path / "empty", r"no \.hea or \.mat"),
    ):
        with pytest.raises(DataError, match=message):
            find_records(root)
    write(training / "copy", "A0001")
    with pytest.raises(DataError, match=r"A0001.*two folders|two folders.*A0001"):
        pack_cinc(training, tmp_path / "s", progress=False)
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(DataError, match="positive number of Hz"):
            pack_cinc(training, tmp_path / "s", rate=rate, progress=False)
    with pytest.raises(DataError, match="unknown challenge"):
        pack_cinc(training, tmp_path / "s", challenge="cinc2017", progress=False)


def ptbxl_table(file: Path, *ecg_ids: int) -> Path:
    rows = [{"ecg_id": i, "patient_id": 15000.0 + i % 2, "strat_fold": 3 + i % 2} for i in ecg_ids]
    pd.DataFrame(rows).to_csv(file, index=False)
    return file


def test_ptbxls_table_names_patients_and_folds(training, tmp_path):
    table = ptbxl_table(tmp_path / "t.csv", 1, 2, 21837)
    store = Store(pack_cinc(training, tmp_path / "s", ptbxl=table, progress=False))
    rows = store.records.set_index("record_id")
    assert rows["patient_id"][["ptb-xl/HR00001", "ptb-xl/HR21837"]].tolist() == ["15001", "15001"]
    assert rows["fold"][["ptb-xl/HR00001", "ptb-xl/HR21837"]].tolist() == [4, 4]
    assert rows["patient_id"]["georgia/E00001"] == "record:georgia/E00001"
    # A record that the table does not know cannot be given a patient: it is left out, with the reason.
    table = ptbxl_table(tmp_path / "u.csv", 1)
    store = Store(pack_cinc(training, tmp_path / "t", ptbxl=table, progress=False))
    skipped = quality(store.path)["skipped"]
    assert [s["record_id"] for s in skipped] == ["ptb-xl/HR21837"]
    assert "patient" in skipped[0]["reason"]
    with pytest.raises(RecordError, match="HR21837"):
        pack_cinc(training, tmp_path / "v", ptbxl=table, on_error="stop", progress=False)
    with pytest.raises(DataError, match="names no record"):
        pack_cinc(
            training, tmp_path / "v", ptbxl=ptbxl_table(tmp_path / "w.csv", 7), progress=False
        )
    (tmp_path / "x.csv").write_text("ecg_id\n1\n")
    with pytest.raises(DataError, match="lacks columns"):
        pack_cinc(training, tmp_path / "v", ptbxl=tmp_path / "x.csv", progress=False)


def skewed(records: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((records, 12)) < np.geomspace(0.01, 0.5, 12)).astype(np.uint8)


def spread(y: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """(C,) largest distance of a fold's positives from a tenth of all."""
    counts = np.array([y[folds == f].sum(axis=0) for f in range(1, 11)])
    return np.abs(counts - y.sum(axis=0) / 10).max(axis=0)


def test_folds_spread_every_label():
    y = skewed(3000)
    folds = stratified_folds(y, [f"p{i}" for i in range(3000)])
    assert spread(y, folds).max() < 2
    assert np.bincount(folds, minlength=11)[1:].tolist() == [300] * 10
    # Not what stratifying by one key, each record's rarest label, could do.
    rarest = np.where(y.any(1), np.argmax(y, axis=1), -1)
    keyed = np.empty(3000, int)
    for f, (_, chosen) in enumerate(
        StratifiedKFold(10, shuffle=True, random_state=0).split(y, rarest), 1
    ):
        keyed[chosen] = f
    assert spread(y, folds).mean() < 0.5 * spread(y, keyed).mean()


def test_folds_keep_patients_whole_and_repeat():
    y = skewed(1000, 1)
    patients = [f"p{i}" for i in np.random.default_rng(2).integers(0, 300, 1000)]
    folds = stratified_folds(y, patients)
    assert pd.Series(folds).groupby(patients).nunique().eq(1).all()
    assert set(folds) == set(range(1, 11))
    assert (folds == stratified_folds(y, patients)).all()
    assert (folds != stratified_folds(y, patients, seed=1)).any()


def test_a_patients_labels_are_those_of_all_records():
    y = np.concatenate(
        [skewed(1000, 4), np.zeros((1000, 12), np.uint8)]
    )  # the second shows nothing
    folds = stratified_folds(y, [f"p{i % 1000}" for i in range(2000)])
    assert spread(y, folds).max() < 2


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("records", [1, 9, 10, 23])
def test_folds_of_few_records_and_of_labels_without_choice(records, label):
    folds = stratified_folds(np.full((records, 3), label), [str(i) for i in range(records)])
    counts = np.bincount(folds, minlength=11)[1:]
    assert counts.sum() == records
    assert counts.max() - counts.min() <= 1


def test_folds_of_wrong_shape_are_refused():
    for y in (np.zeros((3, 2)), np.zeros((2, 1)), np.zeros(2)):
        with pytest.raises(DataError):
            stratified_folds(y, ["a", "b"])


def test_the_fold_of_a_record_does_not_depend_on_the_folders_order(training, tmp_path):
    for i in range(40):
        write(
            training / f"georgia/g{i % 3}",
            f"E002{i:02d}",
            seconds=1,
            dx=f"#Dx: {(AF, NSR, RBBB)[i % 3]}",
        )
    one = Store(pack_cinc(training, tmp_path / "one", progress=False)).records
    moved = tmp_path / "moved"
    for file in training.rglob("*.*"):
        target = moved / str(ord(file.stem[-1]) % 4) / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    two = Store(pack_cinc(moved, tmp_path / "two", progress=False)).records
    pd.testing.assert_frame_equal(one, two)


def test_the_command_line_and_the_cache(training, tmp_path, capsys):
    out = str(tmp_path / "s")
    assert main(["cinc2020", str(training), "--out", out, "--rate", "100", "--jobs", "1"]) == 0
    assert "7 records, 7 kept" in capsys.readouterr().out
    assert Store(out).rate == 100
    assert main(["cpsc2018", str(training), "--out", str(tmp_path / "c"), "--quiet"]) == 0
    assert main(["cinc2021", str(tmp_path / "no"), "--out", str(tmp_path / "t")]) == 2
    assert "no such folder" in capsys.readouterr().err

    data = {
        "name": "cinc2021",
        "root": str(training),
        "rate": 100,
        "ptbxl": None,
        "cache_dir": str(tmp_path / "cache"),
    }
    (first,) = stores(data)
    assert stores(data) == [first]
    table = ptbxl_table(tmp_path / "t.csv", 1, 21837)
    (with_table,) = stores(data | {"ptbxl": str(table)})
    assert with_table != first
    mark = fingerprint(training)
    write(training / "georgia/g1", "E00001", seconds=6)
    assert fingerprint(training) != mark
    assert stores(data) != [first]
    with pytest.raises(DataError, match=r"data\.ptbxl"):
        stores(data | {"ptbxl": "nowhere.csv"})


def copy_of(folder: Path, name: str, original: str) -> None:
    """The same recording under two names, with the checksums that real headers have."""
    steps = write(folder, original)
    write(folder, name)
    for record in (name, original):
        savemat(folder / f"{record}.mat", {"val": steps}, format="4")
        lines = (folder / f"{record}.hea").read_text().splitlines()
        for i, row in enumerate(steps):
            total = (int(row.astype(np.int64).sum()) + 32768) % 65536 - 32768
            fields = lines[1 + i].split()
            fields[5:7] = [str(row[0]), str(total)]
            lines[1 + i] = " ".join(fields)
        (folder / f"{record}.hea").write_text("\n".join(lines) + "\n")


def test_a_recording_under_two_names_is_one_patient_in_one_fold(tmp_path):
    root = tmp_path / "training"
    for i in range(30):
        write(root / "georgia", f"E0{i:04d}", seconds=1)
        write(
            root / "chapman_shaoxing",
            f"JS00{i:03d}",
            seconds=1,
            dx=f"#Dx: {(AF, NSR, RBBB)[i % 3]}",
        )
    for i in range(10):
        copy_of(root / "georgia", f"E1{i:04d}", f"E2{i:04d}")
    store = Store(pack_cinc(root, tmp_path / "s", challenge="cinc2021", progress=False))
    rows = store.records.set_index("record_id")
    for i in range(10):
        pair = rows.loc[[f"georgia/E1{i:04d}", f"georgia/E2{i:04d}"]]
        assert pair["patient_id"].tolist() == [f"recording:E1{i:04d}"] * 2
        assert pair["fold"].nunique() == 1
    assert rows["patient_id"].nunique() == 70
    assert quality(store.path)["duplicates"] == [[f"E1{i:04d}", f"E2{i:04d}"] for i in range(10)]
    for i in range(10):  # and where the two lie in different databases
        for suffix in (".hea", ".mat"):
            text = (root / f"georgia/E2{i:04d}{suffix}").read_bytes()
            (root / f"georgia/E2{i:04d}{suffix}").unlink()
            name = f"JS09{i:03d}"
            (root / f"chapman_shaoxing/{name}{suffix}").write_bytes(
                text.replace(f"E2{i:04d}".encode(), name.encode())
            )
    store = Store(pack_cinc(root, tmp_path / "t", challenge="cinc2021", progress=False))
    assert store.records.groupby("patient_id")["fold"].nunique().eq(1).all()
    assert store.records["patient_id"].nunique() == 70


def test_the_real_sample(tmp_path):
    root = real_data("cinc-sample")
    store = Store(pack_cinc(root, tmp_path / "s", challenge="cinc2021", progress=False))
    headers = sorted(root.rglob("*.hea"))
    report = quality(store.path)
    assert sorted(s["record_id"] for s in report["skipped"]) == [
        f"georgia/E00{n}" for n in ("009", "015", "018", "793")
    ]
    assert all("corrected to 1000" in s["reason"] for s in report["skipped"])
    headers = [h for h in headers if not h.stem.startswith("E00")]
    assert len(store) == len(headers) > 4
    rows = {r.split("/")[1]: i for i, r in enumerate(store.records["record_id"])}
    for header in headers:
        row = store.records.iloc[rows[header.stem]]
        lines = header.read_text().splitlines()
        written = next(line for line in lines if "Dx" in line).split(":")[1].strip().split(",")
        assert json.loads(row["snomed_codes"]) == list(dict.fromkeys(written))
        raw = np.fromfile(header.with_suffix(".mat"), "<i2", offset=24).reshape(-1, 12).T
        np.testing.assert_allclose(store.read(rows[header.stem]), raw / 1000, atol=1e-6)
    signals = {}
    for name in rows:
        signals.setdefault(store.read(rows[name]).tobytes(), []).append(name)
    assert [names for names in signals.values() if len(names) > 1] == report["duplicates"] != []
    target, labelled = targets(store.records, get_scheme("cinc2021"))
    scored = {c for codes in get_scheme("cinc2021").statements.values() for c in codes}
    written = [json.loads(codes) for codes in store.records["snomed_codes"]]
    assert labelled.sum() == sum(bool(scored & set(codes)) for codes in written) > 0
    rhythm = target[:, get_scheme("cinc2021").codes.index("NSR")]
    assert rhythm.tolist() == ["426783006" in codes for codes in written]
