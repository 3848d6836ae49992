"""Tables of other models: what is read, and what is refused with its column and line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from ecgvision.core.errors import DataError
from ecgvision.evaluate.external import read_external


@pytest.fixture
def files(tmp_path):
    """files(answers=..., labels=...): paths of CSV files, changed by functions of their tables."""
    answers = pd.DataFrame({"id": [1, 2, 3, 4], "p_MI": [0.9, 0.1, 0.5, 1.0], "p_CD": 0.2})
    labels = pd.DataFrame({"id": [4, 3, 2, 1], "y_MI": [1, 0, 0, 1], "y_CD": [0, 1, 0, 1],
                           "who": [7, 7, 8, 9], "sex": ["m", "m", "f", None]})  # fmt: skip

    def write(change_answers=None, change_labels=None):
        paths = []
        for name, table, change in (("theirs", answers, change_answers),
                                    ("ours", labels, change_labels)):  # fmt: skip
            changed = table if change is None else change(table.copy())
            changed.to_csv(tmp_path / f"{name}.csv", index=False)
            paths.append(tmp_path / f"{name}.csv")
        return paths

    return write


def test_rows_are_brought_together_by_record(files):
    found = read_external(*files(), patients="who")
    table = found.table.set_index("record_id")
    assert list(table.index) == ["1", "2", "3", "4"]
    np.testing.assert_allclose(expit(table["z_MI"]), [0.9, 0.1, 0.5, 1.0])
    assert list(table["y_MI"]) == [1, 0, 0, 1]
    assert list(table["patient_id"]) == ["9", "8", "7", "7"]
    assert set(table["split"]) == {"test"}
    assert found.notes == ()
    assert list(found.records["sex"])[:2] == ["m", "m"]


def test_columns_may_be_named_as_the_labels(files):
    found = read_external(*files(lambda t: t.rename(columns={"p_MI": "MI", "p_CD": "CD"}),
                                 lambda t: t.rename(columns={"y_MI": "MI", "y_CD": "CD"})))  # fmt: skip
    assert list(found.table["y_CD"]) == [1, 0, 1, 0]
    assert "patient of its own" in found.notes[0]


def test_one_file_may_hold_both_and_training_rows(files, tmp_path):
    theirs, ours = (pd.read_csv(f) for f in files())
    both = theirs.merge(ours, on="id").assign(split=["train", "val", "test", "test"])
    both.to_csv(tmp_path / "both.csv", index=False)
    found = read_external(tmp_path / "both.csv", tmp_path / "both.csv", patients="who")
    assert list(found.table["split"]) == ["val", "test", "test"]


def test_logits_are_taken_as_they_are(files):
    found = read_external(*files(lambda t: t.rename(columns={"p_MI": "z_MI"}).drop(
        columns="p_CD")), codes=("MI",))  # fmt: skip
    assert list(found.table["z_MI"]) == [0.9, 0.1, 0.5, 1.0]


def test_several_answers_to_a_record_are_kept_apart(files):
    found = read_external(*files(lambda t: pd.concat(
        [t.assign(layout="3x4"), t.assign(layout="6x2")])))  # fmt: skip
    assert len(found.table) == 8
    assert list(found.table["y_MI"]) == [1, 0, 0, 1] * 2


def cell(table, column, value, row=1):
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("answers", "labels", "message"),
    [
        (lambda t: cell(t, "p_MI", 1.2), None, r"p_MI must lie between 0 and 1: line 3 \(got 1.2"),
        (lambda t: cell(t, "p_CD", None), None, "p_CD is empty or no number in line 3"),
        (lambda t: cell(t, "p_CD", "?"), None, "p_CD is empty or no number in line 3"),
        (None, lambda t: cell(t, "y_CD", None), "y_CD is empty or no number in line 3"),
        (None, lambda t: cell(t, "y_CD", 2), "y_CD must hold 0 and 1 only: line 3"),
        (None, lambda t: t.drop(columns="y_CD"), r"labels lack labels .*\(got \['CD'\]\)"),
        (lambda t: t.drop(columns="p_CD"), None, r"name more than the predictions .*\['CD'\]"),
        (lambda t: t[["id"]], None, "no column of predictions"),
        (lambda t: pd.concat([t, t.iloc[[2]]]), None, r"several rows: line 4, 6 \(got '3'"),
        (None, lambda t: pd.concat([t, t.iloc[[0]]]), r"several rows: line 2, 6 \(got '4'"),
        (lambda t: t.iloc[:3], None, r"1 records have no prediction: line 2 \(got \['4'\]"),
        (None, lambda t: t.iloc[:3], r"1 records have no label: line 2 \(got \['1'\]"),
        (None, lambda t: t.assign(id=t["id"] + 10), "no record in common"),
        (None, lambda t: t.rename(columns={"id": "nr"}), "no column id, which names the record"),
        (lambda t: cell(t, "id", None), None, "id is empty in line 3"),
        (None, lambda t: t.assign(split=["val", "test"] * 2), r"1 patients .* one split .*'7'"),
        (None, lambda t: t.assign(fold=[1, 2, 1, 1]), r"1 patients .* one fold .*'7'"),
        (None, lambda t: t.assign(split="dev"), "split must be val or test"),
        (None, lambda t: t.assign(fold="x"), "fold must be a whole number"),
        (lambda t: t.iloc[:0], None, "no rows"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused(files, answers, labels, message):
    with pytest.raises(DataError, match=message):
        read_external(*files(answers, labels), patients="who")


def test_missing_columns_and_files_are_refused(files, tmp_path):
    theirs, ours = files()
    with pytest.raises(DataError, match="no column nobody"):
        read_external(theirs, ours, patients="nobody")
    with pytest.raises(DataError, match="no column nr"):
        read_external(theirs, ours, key="nr")
    with pytest.raises(DataError, match="not a readable CSV"):
        read_external(tmp_path / "absent.csv", ours)


def test_common_records_are_judged_and_the_rest_is_said(files):
    found = read_external(*files(lambda t: t.iloc[:3]), patients="who", common=True)
    assert list(found.table["record_id"]) == ["1", "2", "3"]
    assert found.notes == ("1 records without a prediction are left out.",)
