"""Rows of manifests and tables: one record under several spellings, cells of the wrong kind, columns
that state what a record leaves out."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.manifest import fingerprint, pack_manifest
from data_prep.pack import main
from data_prep.ptbxl import pack_ptbxl
from data_prep.tables import parse_scp, whole_number
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import DataError, EcgVisionError, RecordError
from ecgvision.store.packed import Store
from tests.records.made_records import ecg_mv, write_wfdb

ECG = ecg_mv()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Records `a` and `b`, a link to `a`, and `c.npy`."""
    root = tmp_path / "src"
    root.mkdir()
    for name in "ab":
        write_wfdb(root, ECG, name=name)
    os.symlink("a.hea", root / "link.hea")
    np.save(root / "c.npy", ECG)
    np.save(root / "d.npy", ECG)
    return root


def manifest(root: Path, text: str) -> Path:
    (root / "m.csv").write_text(text, encoding="utf-8")
    return root / "m.csv"


SPELLINGS = ["a", "./a", "a.hea", "a.dat", "{root}/a", "{root}/a.hea", "../src/a", ".//a.hea",
             "link", "x/../a"]  # fmt: skip


@pytest.mark.parametrize("first", ["a", "{root}/a.dat"])
@pytest.mark.parametrize("second", SPELLINGS)
def test_one_record_in_two_spellings_stands_twice(folder, tmp_path, first, second):
    (folder / "x").mkdir()
    rows = [first.format(root=folder), "b", second.format(root=folder)]
    file = manifest(
        folder, "record,AF,fold\n" + "".join(f"{r},1,{i + 1}\n" for i, r in enumerate(rows))
    )
    with pytest.raises(
        DataError, match=r"m\.csv, row 3: a record stands twice.*Row 1 names it too"
    ):
        pack_manifest(file, tmp_path / "s", progress=False)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(("first", "second"), [("c.npy", "./c.npy"), ("c.npy", "{root}/c.npy")])
def test_arrays_too(folder, tmp_path, first, second):
    file = manifest(folder, f"record,AF\n{first},1\n{second.format(root=folder)},0\n")
    with pytest.raises(DataError, match="stands twice"):
        pack_manifest(file, tmp_path / "s", unstated_rate=250, progress=False)


@pytest.mark.parametrize("name", ["a", "a.hea", "a.dat"])
def test_a_change_of_the_samples_is_seen_in_every_spelling(folder, name):
    file = manifest(folder, f"record,AF\n{name},1\n")
    before = fingerprint(file)
    with (folder / "a.dat").open("ab") as stream:
        stream.write(b"\0")
    assert fingerprint(file) != before


@pytest.mark.parametrize(("text", "message"), [
    ("record,AF,AF\na,1,0\n", "columns stand twice.*AF"), ("record,AF, AF\na,1,0\n", "columns stand twice"),
    ("record,record,AF\na,b,0\n", "columns stand twice.*record"), ("record;AF\na;1\n", "semicolons.*commas"),
    ("record,AF\na,1,5\n", "more cells than"),
    ("record,AF,unit\na,1,mmHg\n", "row 1.*unknown unit.*mmHg"),
    ("record,AF,rate\na,1,fast\n", "row 1.*number is needed.*fast"),
    ("record,AF,rate\na,1,-5\n", "row 1.*positive number of Hz"),
    ("record,AF,orientation\na,1,T\n", "row 1.*unknown orientation.*T"),
    ("record,AF,fold\nb,0,1\na,1,1.5\n", "row 2, record a: fold must be a whole number from 1 to 10.*1.5"),
    ("record,AF,patient_id,split\na,1,p,train\nb,0,p,test\n", "patient p stands in two splits.*src/a.*src/b"),
    ("record,AF,patient_id,fold\na,1,7,9\nb,0,7.0,10\n", "patient 7 stands in two splits"),
])  # fmt: skip
def test_tables_that_contradict_themselves(folder, tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        pack_manifest(manifest(folder, text), tmp_path / "s", progress=False)


def test_labels_named_twice(folder, tmp_path):
    with pytest.raises(DataError, match="named twice"):
        pack_manifest(
            manifest(folder, "record,AF\na,1\n"),
            tmp_path / "s",
            labels=["AF", "AF"],
            progress=False,
        )


def test_row_numbers_of_pandas_are_no_label(folder, tmp_path):
    file = manifest(folder, ",record,AF\n0,a,1\n1,b,0\n")
    assert Store(pack_manifest(file, tmp_path / "s", progress=False)).label_columns == ["AF"]


def test_columns_state_what_a_record_leaves_out(folder, tmp_path):
    np.save(folder / "uv.npy", np.round(ECG.T * 1000).astype(np.int16))
    write_wfdb(folder, ECG, name="unsaid", gain="1")
    (folder / "t.csv").write_text(
        ",".join(LEADS) + "\n" + "\n".join(",".join(f"{v:.4f}" for v in row) for row in ECG.T)
    )
    file = manifest(folder, "record,AF,rate,unit,orientation\na,1,,,\nuv.npy,0,250,uV,time-first\n"
                            "unsaid,1,,uV,\nt.csv,0,250,mV,\n")  # fmt: skip
    store = Store(pack_manifest(file, tmp_path / "s", progress=False))
    for row in range(4):
        np.testing.assert_allclose(store.read(row), ECG, atol=1e-4)
    assert not {"unit", "orientation", "rate"} & set(store.records.columns)
    assert [json.loads(f) for f in store.records["flags"]][1:3] == [["short", "unit:uV"][::-1]] * 2
    report = json.loads((store.path / "quality.json").read_text())
    assert report["flags"]["unit"]["records"] == {"src/uv": ["uV"], "src/unsaid": ["uV"]}


def test_options_state_it_for_all_that_do_not(folder, tmp_path):
    np.save(folder / "c.npy", ECG.T * 1000)
    words = [
        str(manifest(folder, "record,AF\na,1\nc.npy,0\n")),
        "--out",
        str(tmp_path / "s"),
        "--quiet",
    ]
    assert main(["manifest", *words, "--unstated-rate", "250", "--orientation", "time-first"]) == 2
    assert (
        main(
            [
                "manifest",
                *words,
                "--unstated-rate",
                "250",
                "--orientation",
                "time-first",
                "--unit",
                "uV",
            ]
        )
        == 0
    )
    np.testing.assert_allclose(Store(tmp_path / "s").read(1), ECG, atol=1e-6)


def test_messages_name_the_options_of_the_command(folder, tmp_path, capsys):
    np.save(folder / "c.npy", ECG * 1000)
    words = [str(manifest(folder, "record,AF\nc.npy,0\n")), "--out", str(tmp_path / "s"), "--quiet"]
    assert main(["manifest", *words]) == 2
    assert "--unstated-rate, or a column rate of the manifest" in capsys.readouterr().err
    assert main(["manifest", *words, "--unstated-rate", "250"]) == 2
    assert "--unit, or a column unit of the manifest" in capsys.readouterr().err
    file = manifest(folder, "record,AF,rate\na,1,\nd.npy,0,500\n")
    assert main(["manifest", str(file), *words[1:]]) == 2
    assert "Give --rate to resample" in capsys.readouterr().err
    with pytest.raises(RecordError, match=r"Give data\.rate to resample"):
        pack_manifest(file, tmp_path / "s", progress=False, resampling="data.rate")


@pytest.mark.parametrize(
    "value", ["1.5", "abc", "0", "11", "-1", "1e400", "1_0", "nan?", 1.5, float("inf"), "9" * 500]
)
def test_what_is_no_whole_number_of_a_range(value):
    with pytest.raises(
        DataError, match=r"t\.csv, row 3: fold must be a whole number from 1 to 10"
    ) as caught:
        whole_number(value, "t.csv, row 3", "fold", most=10)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [3, "3", 3.0, "3.0", " 3 "])
def test_what_is_one(value):
    assert whole_number(value, "t", "fold", most=10) == 3
    assert whole_number(None, "t", "fold") is None


@pytest.mark.parametrize("number", ["1" + "0" * 400, "1e400", "-1", "100.5", "1" + "0" * 5000])
def test_likelihoods_of_any_size_are_refused(number):
    with pytest.raises(
        DataError, match=r"t, row 1: (likelihoods lie in 0..100|SCP codes cannot be read)"
    ):
        parse_scp(f"{{'NORM': {number}}}", "t, row 1")


@given(text=st.text(alphabet="{}[]()'\":, NORMSR0123456789.eE-+*", max_size=40))
def test_any_cell_of_codes_is_read_or_refused(text):
    with suppress(DataError):
        found = parse_scp(text, "t, row 1")
        assert found is None or all(0 <= v <= 100 for v in found.values())


@pytest.mark.parametrize(
    "text", ["[" * 3000, "-" * 3000 + "1", "{'NORM': 1, 'NORM': 0}", "{**{}}", "{'NORM': [1]}"]
)
def test_nested_and_doubled_codes_are_refused(text):
    with pytest.raises(DataError):
        parse_scp(text, "t")


PTBXL = {"ecg_id": 1, "patient_id": 5, "age": 50, "sex": 0, "scp_codes": "{'NORM': 100.0}", "strat_fold": 1,
         "filename_hr": "a"}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), [
    ({"ecg_id": "abc"}, "row 2: ecg_id must be a whole number from 1.*abc"),
    ({"ecg_id": 1.5}, "row 2: ecg_id must be"), ({"ecg_id": None}, "row 2: ecg_id is needed"),
    ({"strat_fold": 1.5}, "row 2, ecg_id 2: strat_fold must be a whole number from 1 to 10.*1.5"),
    ({"strat_fold": 0}, "strat_fold"), ({"strat_fold": "x"}, "strat_fold"),
    ({"ecg_id": 1}, "rows 1 and 2.*ptbxl/00001"), ({"filename_hr": "./x/../a"}, "rows 1 and 2"),
    ({"filename_hr": "link"}, "rows 1 and 2"), ({"patient_id": 5, "strat_fold": 10}, "patient 5 stands in two"),
    ({"scp_codes": "{'NORM': 1" + "0" * 400 + "}"}, "ecg_id 2: likelihoods lie in 0..100"),
])  # fmt: skip
def test_the_table_of_ptbxl(folder, tmp_path, changes, message):
    (folder / "x").mkdir()
    second = PTBXL | {"ecg_id": 2, "patient_id": 6, "filename_hr": "b"} | changes
    pd.DataFrame([PTBXL, second]).to_csv(folder / "ptbxl_database.csv", index=False)
    with pytest.raises(EcgVisionError, match=message):
        pack_ptbxl(folder, tmp_path / "s", progress=False)
