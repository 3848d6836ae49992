"""The command that packs: its sources, what it says, and what it cuts off."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data_prep.contents import contents, contents_text
from data_prep.manifest import pack_manifest
from data_prep.pack import SOURCES, main, parser
from data_prep.render_images import not_signal
from ecgvision.core.ecg import LEADS
from ecgvision.store.packed import Store
from tests.records.made_records import RATE, ecg_mv, write_wfdb

ECG = ecg_mv(12.0) + np.random.default_rng(0).normal(0, 0.02, (12, 3000))
ECG[2] = ECG[1] - ECG[0]


@pytest.mark.parametrize(("words", "message"), [
    (["manfest", "a.csv"], "Did you mean manifest?"), (["cinc"], "Did you mean cinc20"),
    (["ptb-xl"], "Did you mean ptbxl?"), (["my/own.csv"], "Did you mean manifest my/own.csv?"),
    (["chapman"], "Sources: ptbxl, cinc2020, cinc2021, cpsc2018, manifest"), ([], "no source is named"),
])  # fmt: skip
def test_an_unknown_source_is_an_error_with_the_nearest(words, message, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_has_its_own_function_and_options(source):
    args = parser().parse_args([source, "place", "--out", "s", "--trim"])
    assert callable(args.pack)
    assert args.trim


@pytest.mark.parametrize("words", [["--help"], ["manifest", "--help"]])
def test_help_says_what_a_record_holds(words, capsys):
    with pytest.raises(SystemExit):
        main(words)
    text = capsys.readouterr().out
    assert "(12, T)" in text
    assert "CSV" in text
    if words[0] == "manifest":
        for word in (
            "row of lead names",
            "`time`",
            "I II III aVR aVL aVF V1 to V6",
            "--unit",
            "--unstated-rate",
        ):
            assert word in text


def test_labels_splits_and_patients_are_told_before_reading(tmp_path, capsys):
    for name in "abc":
        write_wfdb(tmp_path, ECG, name=name)
    file = tmp_path / "m.csv"
    file.write_text("record,AF,LVH,patient_id,fold,scp_codes\na,1,0,p,1,\"['SR', 'NORM']\"\n"
                    "b,1,,p,2,\"['SR']\"\nc,0,1,q,9,\n")  # fmt: skip
    (tmp_path / "b.dat").write_bytes(b"")
    assert main(["manifest", str(file), "--out", str(tmp_path / "s")]) == 2
    out = capsys.readouterr().out
    for line in ("splits: train 2, val 1 (folds 1-8 are train, 9 val, 10 test); 2 patients are named",
                 "1 of them stand in more than one fold", "labels, with positives: AF 2, LVH 1 (1 unknown)",
                 "SCP statements: SR 2, NORM 1"):  # fmt: skip
        assert line in out
    write_wfdb(tmp_path, ECG, name="b")
    report = json.loads(
        (pack_manifest(file, tmp_path / "s", progress=False) / "quality.json").read_text()
    )
    assert report["splits"] == {"train": 2, "val": 1, "test": 0, "no fold": 0}
    assert report["labels"]["AF"] == {"positive": 2, "negative": 1, "unknown": 0}


def test_many_labels_are_cut_short():
    found = contents([], [f"L{i}" for i in range(30)])
    assert "and 18 more" in contents_text(found)


@pytest.mark.parametrize("trim", [False, True])
def test_padding_and_pulses_are_counted_and_cut_on_request(tmp_path, trim):
    pulse = np.tile(np.repeat([0.0, 1.0, 0.0], [20, 50, 180]), (12, 1))
    write_wfdb(tmp_path, np.hstack([ECG, pulse]), name="pulse")
    write_wfdb(tmp_path, np.hstack([np.zeros((12, 648)), ECG, np.zeros((12, 648))]), name="zeros")
    write_wfdb(tmp_path, ECG, name="sound")
    (tmp_path / "m.csv").write_text("record,AF\npulse,1\nzeros,0\nsound,1\n")
    out = tmp_path / "s"
    words = ["--trim"] if trim else []
    assert main(["manifest", str(tmp_path / "m.csv"), "--out", str(out), "--quiet", *words]) == 0
    flags = json.loads((out / "quality.json").read_text())["flags"]
    assert flags["pulse"]["count"] == flags["padding"]["count"] == 1
    assert flags["trimmed"]["count"] == (2 if trim else 0)
    notes = not_signal(Store(out))
    assert [note[:14] for note in notes] == ([] if trim else ["1 records hold"] * 2)
    assert not not_signal(Store(out), 0)
    lengths = Store(out).records["length"].tolist()
    assert lengths == ([3000] * 3 if trim else [3250, 4296, 3000])


def test_notes_of_reading_are_counted(tmp_path):
    names = ["I", "II", "V1", "V2", "V3", "V4", "V5", "V6", "V7"]
    rows = ECG[[0, 1, 6, 7, 8, 9, 10, 11, 0]]
    write_wfdb(tmp_path, rows, leads=names, name="nine")
    write_wfdb(tmp_path, ECG, leads=[f"-{x}" if x == "aVR" else x for x in LEADS], name="minus")
    (tmp_path / "m.csv").write_text("record,AF\nnine,1\nminus,0\n")
    out = pack_manifest(tmp_path / "m.csv", tmp_path / "s", progress=False)
    flags = json.loads((out / "quality.json").read_text())["flags"]
    found = {kind: entry["records"] for kind, entry in flags.items() if entry["count"]}
    name = tmp_path.name
    assert found == {
        "derived": {f"{name}/nine": ["III", "aVR", "aVL", "aVF"]},
        "dropped": {f"{name}/nine": ["V7"]}, "negated": {f"{name}/minus": ["aVR"]},
    }  # fmt: skip
    assert Store(out).rate == RATE
