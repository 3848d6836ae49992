"""Label schemes against the official table, and the rule for codes and columns."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import LabelError
from ecgvision.labels.schemes import SCHEMES, column_scheme, get_scheme, targets
from ecgvision.labels.scp_tables import SNOMED, STATEMENTS
from tests.real_data import real_data

SUPER = ("NORM", "MI", "STTC", "CD", "HYP")
STATEMENT = st.sampled_from([s.code for s in STATEMENTS])


def official() -> pd.DataFrame:
    file = real_data("ptbxl-mini/scp_statements.csv")
    return pd.read_csv(file, index_col=0)


def table(rows: list[dict]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [{"record_id": f"r{i}", "scp_codes": None} | r for i, r in enumerate(rows)]
    )
    for name in frame.columns:
        if name.startswith("y_"):
            frame[name] = frame[name].astype("Int8")
    return frame


def test_sizes_and_orders_are_the_published_ones():
    sizes = {name: len(s) for name, s in SCHEMES.items()}
    assert sizes == {
        "superdiagnostic": 5, "subdiagnostic": 23, "diagnostic": 44, "form": 19, "rhythm": 12, "all": 71,
        "cinc2020": 24, "cinc2021": 26, "cpsc2018": 9,
    }  # fmt: skip
    assert SCHEMES["superdiagnostic"].codes == SUPER
    assert ", ".join(SCHEMES["subdiagnostic"].codes) == (
        "NORM, LAFB/LPFB, IRBBB, ILBBB, CLBBB, CRBBB, _AVB, IVCD, WPW, LVH, RVH, LAO/LAE, RAO/RAE, "
        "SEHYP, AMI, IMI, LMI, PMI, ISCA, ISCI, ISC_, STTC, NST_"
    )


def test_statements_equal_the_official_table():
    file = official()
    assert [s.code for s in STATEMENTS] == list(file.index)
    for statement in STATEMENTS:
        row = file.loc[statement.code]
        kinds = {
            k for k, c in zip("DFR", ("diagnostic", "form", "rhythm"), strict=True) if row[c] == 1
        }
        assert set(statement.kinds) == kinds
        if "D" in kinds:
            assert statement.superclass == row["diagnostic_class"]
            assert statement.subclass == row["diagnostic_subclass"]
        else:
            assert statement.superclass == statement.subclass == ""
    for name in ("diagnostic", "form", "rhythm"):
        assert SCHEMES[name].codes == tuple(file.index[file[name] == 1])


def test_each_diagnostic_statement_counts_for_one_class():
    diagnostic = sorted(s.code for s in STATEMENTS if "D" in s.kinds)
    for name in ("superdiagnostic", "subdiagnostic", "diagnostic"):
        assert (
            sorted(c for members in SCHEMES[name].statements.values() for c in members)
            == diagnostic
        )


def test_snomed_codes_are_those_of_the_challenge():
    files = sorted(real_data("cinc2021").glob("dx_mapping_*.csv"))
    known = set(pd.concat(map(pd.read_csv, files))["SNOMEDCTCode"].astype(str))
    assert set(SNOMED.values()) <= known
    assert len(set(SNOMED.values())) == len(SNOMED)


def test_schemes_are_pinned():
    # A change here breaks every checkpoint and bundle: raise the scheme's version with it.
    assert {name: s.hash for name, s in SCHEMES.items()} == {
        "superdiagnostic": "dd38239faad195ad",
        "subdiagnostic": "30a2cdf9b6723804",
        "diagnostic": "9f9ac6f8975fe32a",
        "form": "b9918aa12bda7c27",
        "rhythm": "5ee0526b32fb780e",
        "all": "ada639554c1cb561",
        "cinc2020": "2220c0460a9244e6",
        "cinc2021": "0a82e4cc33d612a6",
        "cpsc2018": "013895862e21935b",
    }


def test_the_hash_covers_order_and_policy():
    hashes = {
        get_scheme("form").hash,
        get_scheme("form", min_likelihood=50).hash,
        get_scheme("form", unlabelled="keep").hash,
        column_scheme(["a", "b"]).hash,
        column_scheme(["b", "a"]).hash,
    }
    assert len(hashes) == 5


@given(
    st.dictionaries(STATEMENT, st.sampled_from([0.0, 15.0, 50.0, 100.0])), st.sampled_from([0, 50])
)
def test_encode_equals_a_loop_over_statements(scp, cut):
    for name in (n for n, s in SCHEMES.items() if s.vocabulary == "scp"):
        scheme = get_scheme(name, min_likelihood=cut)
        expected = [0] * len(scheme)
        for s in STATEMENTS:
            if s.code in scp and scp[s.code] >= cut:
                wanted = {"superdiagnostic": s.superclass, "subdiagnostic": s.subclass}.get(
                    name, s.code
                )
                if wanted in scheme.codes:
                    expected[scheme.codes.index(wanted)] = 1
        encoded = scheme.encode(scp)
        assert encoded.dtype == np.uint8
        assert encoded.tolist() == expected


@pytest.mark.parametrize("scp", [{"NROM": 100.0}, {"NORM": -1.0}, {"NORM": 101.0}])
def test_encode_refuses_unknown_statements_and_likelihoods(scp):
    with pytest.raises(LabelError):
        get_scheme("superdiagnostic").encode(scp)


def test_columns_serve_where_codes_are_absent():
    frame = table([
        {"scp_codes": '{"IMI": 100, "SR": 0}', **{f"y_{c}": int(c == "MI") for c in SUPER}},
        {**{f"y_{c}": int(c == "CD") for c in SUPER}},
        {"scp_codes": '{"NORM": 80}', **{f"y_{c}": None for c in SUPER}},
        {**{f"y_{c}": None for c in SUPER}},
        {"scp_codes": '{"SR": 0}', **{f"y_{c}": 0 for c in SUPER}},
    ])  # fmt: skip
    target, labelled = targets(frame, get_scheme("superdiagnostic"))
    assert target.tolist() == [[0, 1, 0, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0], [0] * 5, [0] * 5]
    assert labelled.tolist() == [True, True, True, False, False]
    kept = targets(frame, get_scheme("superdiagnostic", unlabelled="keep"))[1]
    assert kept.tolist() == [True, True, True, False, True]  # unknown is never a negative


def test_columns_do_not_serve_other_schemes():
    frame = table([{f"y_{c}": int(c == "CD") for c in SUPER}])
    assert not targets(frame, get_scheme("rhythm", unlabelled="keep"))[1].any()


def test_contradiction_names_the_record():
    row = {"scp_codes": '{"IMI": 100}', **{f"y_{c}": int(c == "CD") for c in SUPER}}
    with pytest.raises(LabelError, match=r"r1.*MI.*CD"):
        targets(table([{"scp_codes": '{"NORM": 1}'}, row]), get_scheme("superdiagnostic"))


def test_a_likelihood_cut_is_no_contradiction():
    row = {"scp_codes": '{"IMI": 15}', **{f"y_{c}": int(c == "MI") for c in SUPER}}
    target, labelled = targets(table([row]), get_scheme("superdiagnostic", min_likelihood=50))
    assert not target.any()
    assert not labelled.any()


@pytest.mark.parametrize("codes", ["[1]", "NORM", '{"NORM": "x"}', '{"NROM": 1}'])
def test_damaged_codes_name_the_record(codes):
    with pytest.raises(LabelError, match="r0"):
        targets(table([{"scp_codes": codes}]), get_scheme("superdiagnostic"))


def test_own_columns_keep_order_and_negatives():
    frame = table([{"y_b": 1, "y_a": 0}, {"y_b": 0, "y_a": 0}, {"y_b": 1, "y_a": None}])
    target, labelled = targets(frame, column_scheme(["b", "a"]))
    assert target.tolist() == [[1, 0], [0, 0], [0, 0]]
    assert labelled.tolist() == [True, True, False]
    with pytest.raises(LabelError, match="no such label columns"):
        targets(frame, column_scheme(["c"]))


@pytest.mark.parametrize("make", [
    lambda: get_scheme("super"), lambda: get_scheme("form", min_likelihood=101),
    lambda: get_scheme("form", unlabelled="ignore"), lambda: get_scheme("cinc2020", min_likelihood=1), lambda: column_scheme([]),
    lambda: column_scheme(["a", "a"]), lambda: column_scheme(["a"], names=["x", "y"]),
])  # fmt: skip
def test_bad_schemes_are_refused(make):
    with pytest.raises(LabelError):
        make()


def test_columns_agree_with_codes_throughout_the_real_manifest():
    file = real_data("ptbxl-rescaled/manifest.csv")
    from data_prep.tables import parse_scp

    frame = pd.read_csv(file).rename(columns={c: f"y_{c}" for c in SUPER} | {"record": "record_id"})
    known = frame["scp_codes"].notna()
    frame["scp_codes"] = [
        None if (scp := parse_scp(c, "row")) is None else json.dumps(scp)
        for c in frame["scp_codes"]
    ]
    target, labelled = targets(frame, get_scheme("superdiagnostic"))
    assert 0 < known.sum() < len(frame)
    assert labelled.all()
    assert (target == frame[[f"y_{c}" for c in SUPER]].to_numpy()).all()
