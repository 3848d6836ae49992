"""The Challenges' label schemes against their tables, and SNOMED CT codes as labels."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import LabelError
from ecgvision.labels.cinc_tables import CPSC2018
from ecgvision.labels.schemes import SCHEMES, get_scheme, targets
from ecgvision.labels.snomed import is_identifier
from tests.real_data import real_data

AF, NSR, RBBB, CRBBB, LBBB, CLBBB = (
    "164889003", "426783006", "59118001", "713427006", "164909002", "733534002",
)  # fmt: skip
CONCEPTS = sorted(
    {
        c
        for s in SCHEMES.values()
        if s.vocabulary == "snomed"
        for cs in s.statements.values()
        for c in cs
    }
)


def official(year: int, kind: str) -> pd.DataFrame:
    file = real_data(f"cinc{year}/dx_mapping_{kind}.csv")
    return (
        pd.read_csv(file)
        .rename(columns={"SNOMED CT Code": "SNOMEDCTCode"})
        .astype({"SNOMEDCTCode": str})
    )


@pytest.mark.parametrize(("year", "codes", "classes"), [(2020, 27, 24), (2021, 30, 26)])
def test_classes_are_the_scored_codes_with_equivalents_merged(year, codes, classes):
    scored, scheme = official(year, "scored"), SCHEMES[f"cinc{year}"]
    concepts = [c for members in scheme.statements.values() for c in members]
    assert (len(concepts), len(scheme)) == (codes, classes)
    assert sorted(concepts) == sorted(scored["SNOMEDCTCode"])
    short = dict(zip(scored["SNOMEDCTCode"], scored["Abbreviation"], strict=True))
    notes = dict(zip(scored["SNOMEDCTCode"], scored["Notes"], strict=True))
    for code, members in scheme.statements.items():
        assert code.split("/") == [short[c] for c in members]
        for concept in members:  # "We score A and B as the same diagnosis"
            named = {w.strip(".") for w in str(notes[concept]).split()} & set(concepts)
            assert (named or {concept}) == set(members)


@pytest.mark.parametrize("year", [2020, 2021])
def test_the_order_is_that_of_the_official_weights(year):
    file = real_data(f"cinc{year}/weights.csv")
    scheme = SCHEMES[f"cinc{year}"]
    place = {c: i for i, cs in enumerate(scheme.statements.values()) for c in cs}
    rows = [place[str(key).split("|")[0]] for key in pd.read_csv(file, index_col=0).index]
    assert list(dict.fromkeys(rows)) == list(range(len(scheme)))


def test_cpsc2018_is_what_the_2020_tables_count_for_cpsc():
    tables = pd.concat([official(2020, "scored"), official(2020, "unscored")])
    counted = tables[tables["CPSC"] > 0]
    assert sorted(counted["SNOMEDCTCode"]) == sorted(concept for _, concept, _ in CPSC2018)
    assert SCHEMES["cpsc2018"].codes == (
        "NORM", "AFIB", "1AVB", "CLBBB", "CRBBB", "PAC", "VPC", "STD", "STE",
    )  # fmt: skip
    # Published counts of the nine classes in the public training set (6,877 records).
    counts = dict(zip(counted["SNOMEDCTCode"], counted["CPSC"], strict=True))
    assert [counts[concept] for _, concept, _ in CPSC2018] == [
        918, 1221, 722, 236, 1857, 616, 700, 869, 220,
    ]  # fmt: skip


def test_every_official_code_is_an_identifier():
    for year in (2020, 2021):
        for kind in ("scored", "unscored"):
            assert all(map(is_identifier, official(year, kind)["SNOMEDCTCode"]))


@given(st.sampled_from(CONCEPTS), st.integers(0, 17), st.integers(1, 9))
def test_any_wrong_digit_is_found(code, place, shift):
    place %= len(code)
    wrong = code[:place] + str((int(code[place]) + shift) % 10) + code[place + 1 :]
    assert is_identifier(code)
    assert not is_identifier(wrong)


@given(st.sampled_from(CONCEPTS), st.integers(0, 16))
def test_any_swap_of_neighbours_is_found(code, place):
    place %= len(code) - 1
    a, b = code[place], code[place + 1]
    assert is_identifier(code[:place] + b + a + code[place + 2 :]) == (a == b)


@pytest.mark.parametrize(
    "text", ["", "AF", "5", "0", "164889003 ", "-164889003", "１64889003", "0" * 9, AF * 3]
)
def test_what_is_no_identifier(text):
    assert not is_identifier(text)


@given(st.lists(st.sampled_from(CONCEPTS), unique=True))
def test_encode_equals_a_loop_over_classes(codes):
    for name in ("cinc2020", "cinc2021", "cpsc2018"):
        scheme = SCHEMES[name]
        expected = [int(any(c in codes for c in scheme.statements[k])) for k in scheme.codes]
        encoded = scheme.encode(codes)
        assert encoded.dtype == np.uint8
        assert encoded.tolist() == expected


def table(rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"record_id": f"r{i}", "scp_codes": None, "snomed_codes": None} | r
            for i, r in enumerate(rows)
        ]
    )


def test_equivalent_codes_are_one_class_and_others_none():
    rows = [[AF, RBBB], [CRBBB], [LBBB], [CLBBB], ["164865005"], None]
    frame = table([{"snomed_codes": None if r is None else json.dumps(r)} for r in rows])
    for name, left in (("cinc2020", "LBBB"), ("cinc2021", "CLBBB/LBBB")):
        scheme = get_scheme(name)
        target, labelled = targets(frame, scheme)
        named = [{c for c, t in zip(scheme.codes, row, strict=True) if t} for row in target]
        both = {left} if name == "cinc2021" else set()  # 733534002 is not scored in 2020
        assert named == [{"AF", "CRBBB/RBBB"}, {"CRBBB/RBBB"}, {left}, both, set(), set()]
        assert labelled.tolist() == [True, True, True, name == "cinc2021", False, False]
        kept = targets(frame, get_scheme(name, unlabelled="keep"))[1]
        assert kept.tolist() == [True] * 5 + [False]  # unknown is never a negative


def test_each_vocabulary_reads_its_own_column():
    frame = table([{"snomed_codes": f'["{AF}"]'}, {"scp_codes": '{"NORM": 100}'}])
    for name, expected in (("cinc2021", [True, False]), ("superdiagnostic", [False, True])):
        assert targets(frame, get_scheme(name, unlabelled="keep"))[1].tolist() == expected
    without = frame.drop(columns="snomed_codes")
    assert not targets(without, get_scheme("cinc2021", unlabelled="keep"))[1].any()


@pytest.mark.parametrize("codes", ['["164889004"]', f'{{"{AF}": 100}}', "AF", '["AF"]', AF])
def test_damaged_codes_name_the_record(codes):
    frame = table([{"snomed_codes": f'["{NSR}"]'}, {"snomed_codes": codes}])
    with pytest.raises(LabelError, match="r1"):
        targets(frame, get_scheme("cinc2020"))


def test_the_hash_covers_the_concepts():
    from dataclasses import replace

    scheme = get_scheme("cinc2020")
    other = replace(scheme, statements={**scheme.statements, "LBBB": (LBBB, CLBBB)})
    assert other.hash != scheme.hash
    assert get_scheme("cinc2020", unlabelled="keep").hash != scheme.hash
