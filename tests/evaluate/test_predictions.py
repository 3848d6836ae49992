from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecgvision.core.errors import DataError
from ecgvision.evaluate import predictions as P


def test_round_trip_keeps_every_value(make_table, tmp_path):
    table = make_table()
    P.save(table, tmp_path / "deep/predictions.parquet")
    back = P.load(tmp_path / "deep/predictions.parquet")
    pd.testing.assert_frame_equal(back, table)
    assert P.codes_of(back) == ("NORM", "MI", "CD")
    assert [f.name for f in (tmp_path / "deep").iterdir()] == ["predictions.parquet"]


def test_a_failed_write_leaves_the_old_file(make_table, tmp_path, monkeypatch):
    path = tmp_path / "predictions.parquet"
    P.save(make_table(40), path)
    before = path.read_bytes()

    def half(self, name, **_):
        with open(name, "wb") as file:
            file.write(b"PAR1")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", half)
    with pytest.raises(OSError, match="disk full"):
        P.save(make_table(50), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_layout_may_differ_by_record(make_table):
    table = make_table(4, layout=["3x4", "6x2", "3x4", "6x2"])
    assert list(P.select(table, layout="6x2")["record_id"]) == ["test-1", "test-3"]
    assert len(P.select(table, split="val")) == 0
    assert len(P.select(table, stream="image", artefact="")) == 4


def test_missing_patient_becomes_unknown():
    records = pd.DataFrame({"record_id": [1, 2], "patient_id": ["a", None], "fold": [1, None]})
    table = P.build(
        records, split="test", stream="s", layout="", artefact="",
        logits=np.zeros((2, 1)), targets=np.array([[0], [1]]), codes=["A"],
    )  # fmt: skip
    assert list(table["patient_id"]) == ["a", ""]
    assert list(table["record_id"]) == ["1", "2"]
    assert table["fold"].isna().tolist() == [False, True]


def spoil(column, value):
    def change(table):
        table = table.copy()
        table[column] = table[column].astype(object)
        table.loc[3, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop(columns="layout"), "layout"),
        (lambda t: t.drop(columns="y_MI"), "MI"),
        (lambda t: t.assign(y_OTHER=0), "OTHER"),
        (lambda t: t.assign(p_MI=0.5), "p_"),
        (lambda t: t.assign(p_NORM=0.5, p_MI=1.5, p_CD=0.1), "p_MI"),
        (lambda t: t.drop(columns=["z_NORM", "z_MI", "z_CD"]), "z_"),
        (spoil("z_MI", float("nan")), "test-3"),
        (spoil("y_MI", 2), "y_MI"),
        (spoil("split", "train"), "train"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "test-0"),
    ],
)
def test_a_broken_table_is_refused_and_the_fault_named(make_table, change, says):
    with pytest.raises(DataError, match=says):
        P.validate(change(make_table(10)))


def test_shapes_must_agree(make_table):
    records = pd.DataFrame({"record_id": ["1"], "patient_id": ["1"], "fold": [1]})
    with pytest.raises(DataError, match="targets"):
        P.build(
            records, split="val", stream="s", layout="", artefact="",
            logits=np.zeros((1, 2)), targets=np.zeros((1, 3)), codes=["A", "B"],
        )  # fmt: skip


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(DataError, match="no predictions table"):
        P.load(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(DataError, match=r"text\.parquet.*parquet file"):
        P.load(tmp_path / "text.parquet")
