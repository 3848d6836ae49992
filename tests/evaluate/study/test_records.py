"""Which rows a study compares, and what it refuses to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.evaluate import predictions
from ecgvision.evaluate.study.table import Arm, study_table

LAYOUTS = ("3x4", "6x2", "12x1")


@pytest.fixture
def make_run(make_table):
    """make_run(seed, ...): one run's test rows in every layout."""

    def make(seed=0, *, n=80, **options):
        tables = [
            make_table(n, layout=w, seed=100 * seed + i, **options) for i, w in enumerate(LAYOUTS)
        ]
        return pd.concat(tables, ignore_index=True)

    return make


def macro_auroc(table, layout):
    rows = predictions.select(table, layout=layout)
    return np.mean(
        [roc_auc_score(rows[f"y_{c}"], rows[f"z_{c}"]) for c in predictions.codes_of(rows)]
    )


def test_views_are_layouts_or_layouts_at_artefacts(make_run):
    runs = [make_run(s, artefact=a) for s, a in enumerate(("none", "photo"))]
    both = pd.concat(runs, ignore_index=True)
    table = study_table(
        [Arm("a", [both], "image")], reference=None, views=["6x2@photo", "3x4@none"], draws=5
    )
    assert table.views == ("6x2@photo", "3x4@none")
    assert table.several_artefacts
    assert table.entry("a", ("view", "6x2@photo")).value == pytest.approx(
        macro_auroc(runs[1], "6x2")
    )
    table = study_table([Arm("a", runs[:1], "image")], reference=None, draws=5)
    assert table.views == LAYOUTS  # in the order of the rows


def test_common_records_are_taken_when_asked_for_and_the_rest_counted(make_run):
    run = make_run(n=80)
    short = run[run["record_id"] != "test-3"]
    shorter = run[~((run["record_id"] == "test-8") & (run["layout"] == "6x2"))]
    arms = [Arm("a", [run, shorter], "image"), Arm("b", [short, run], "image")]
    with pytest.raises(DataError, match=r"79 records of view '6x2' and .* 80.*test-8"):
        study_table(arms[:1], reference=None, draws=5)
    with pytest.raises(DataError, match=r"'b'.*79 records.*test-3"):
        study_table([Arm("a", [run], "image"), arms[1]], reference=None, draws=5)
    table = study_table(arms, reference="a", draws=5, common=True)
    assert table.left_out == {"3x4": 1, "6x2": 2, "12x1": 1}
    assert table.records == {"3x4": 79, "6x2": 78, "12x1": 79}
    assert (table.patients, table.same_records) == (40, False)
    back = [Arm(a.name, a.tables[::-1], "image") for a in arms]  # the first table not whole
    assert study_table(back, reference="a", draws=5, common=True).left_out == table.left_out
    kept = run[~run["record_id"].isin(["test-3", "test-8"])]
    assert table.entry("b", ("view", "6x2")).value == pytest.approx(macro_auroc(kept, "6x2"))


def test_a_patient_that_one_table_knows_serves_all(make_run):
    run = make_run()
    tables = [
        study_table([Arm("a", [t, run], "image")], reference=None, draws=20)
        for t in (run, run.assign(patient_id=""))
    ]
    assert tables[0] == tables[1]
    unknown = study_table(
        [Arm("a", [run.assign(patient_id="")], "image")], reference=None, draws=20
    )
    assert unknown.patients == 80


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.assign(y_MI=1 - t["y_MI"]), "targets of 80 records differ .*'b'"),
        (lambda t: t.assign(patient_id="one"), "patients of a record differ .*'b'"),
        (lambda t: t.rename(columns=lambda c: c.replace("MI", "XX")), "other labels"),
        (lambda t: t[t["layout"] != "6x2"], "no view '6x2'.*3x4, 12x1"),
        (lambda t: t.assign(artefact=np.where(t["layout"] == "6x2", "photo", "none")), "no view"),
        (lambda t: t.assign(stream="signal"), r"no test row of stream 'image'.*test:signal"),
        (lambda t: t.assign(split="val"), "no test row"),
        (lambda t: t.assign(record_id="x" + t["record_id"]), "80 records .* 80.*test-0"),
        (lambda t: t.assign(z_MI=np.nan), "'b'.*not finite"),
    ],
)
def test_arms_that_cannot_be_compared(make_run, change, says):
    arms = [Arm("a", [make_run(0)], "image"), Arm("b", [make_run(1), change(make_run(2))], "image")]
    with pytest.raises(DataError, match=says):
        study_table(arms, reference="a", draws=5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reference": "c"}, "no arm"),
        ({"draws": 0}, "draws"),
        ({"views": []}, "views"),
        ({"views": ["3x4", "3x4"]}, "views"),
        ({"arms": []}, "at least one"),
        ({"arms": [("a", 1, None), ("a", 1, None)]}, "share a name"),
        ({"arms": [("a", 0, None)]}, "no predictions table"),
        ({"arms": [("a", 1, 0.1), ("b", 1, 0.1)]}, "share their x"),
        ({"arms": [("a", 1, float("nan"))]}, "finite"),
    ],
)
def test_questions_that_make_no_sense(make_run, change, says):
    plain = {"arms": [("a", 1, None)], "reference": None} | change
    arms = [Arm(name, [make_run()] * n, "image", x=x) for name, n, x in plain.pop("arms")]
    with pytest.raises(ConfigError, match=says):
        study_table(arms, **plain)
