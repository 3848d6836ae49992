"""From named channels to the twelve leads: any order, sign, copy, further lead and gap."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.core.lead_names import OTHER_LEADS
from ecgvision.records.notes import NOTES, sentences
from ecgvision.records.reading import read_record
from tests.records.made_records import ecg_mv, write_wfdb

ECG = ecg_mv()
LIMBS = LEADS[:6]


@given(
    order=st.permutations(LEADS),
    kept=st.integers(1, 12),
    minus=st.sets(st.sampled_from(LEADS)),
    twice=st.sets(st.sampled_from(LEADS)),
    others=st.lists(st.sampled_from(sorted(OTHER_LEADS)), unique=True, max_size=4),
)
def test_the_twelve_rows_follow_from_the_names(order, kept, minus, twice, others):
    leads = order[:kept]
    copies = [lead for lead in leads if lead in twice]
    names = [f"-{lead}" if lead in minus else lead for lead in leads] + copies + others
    rows = [ECG[LEADS.index(lead)] * (-1 if lead in minus else 1) for lead in leads]
    rows += [ECG[LEADS.index(lead)] for lead in copies] + [ECG[0] * 3] * len(others)
    with tempfile.TemporaryDirectory() as folder:
        ecg = read_record(write_wfdb(Path(folder), np.array(rows), leads=names))
    limbs = [lead for lead in leads if lead in LIMBS]
    derived = [lead for lead in LIMBS if lead not in limbs] if len(limbs) > 1 else []
    for row, lead in enumerate(LEADS):
        if lead in leads or lead in derived:
            np.testing.assert_allclose(ecg.signal[row], ECG[row], atol=1e-6)
        else:
            assert np.isnan(ecg.signal[row]).all()
    notes = set(ecg.notes)
    assert {n for n in notes if n.startswith("negated")} == {
        f"negated:{x}" for x in minus & set(leads)
    }
    assert {n for n in notes if n.startswith("twice")} == {f"twice:{x}" for x in copies}
    assert {n for n in notes if n.startswith("dropped")} == {f"dropped:{x}" for x in others}
    assert {n for n in notes if n.startswith("derived")} == {f"derived:{x}" for x in derived}
    missing = {x for x in LEADS if x not in leads and x not in derived}
    assert {n for n in notes if n.startswith("missing")} == {f"missing:{x}" for x in missing}
    assert len(sentences(ecg.notes)) == len({n.partition(":")[0] for n in notes})


@pytest.mark.parametrize("minus", ["", "-"])
def test_a_lead_twice_with_other_samples_is_refused(tmp_path, minus):
    second = ECG[1] + (0.1 if not minus else 0)
    path = write_wfdb(tmp_path, np.vstack([ECG, second]), leads=[*LEADS, f"{minus}II"])
    with pytest.raises(RecordError, match=r"r\.hea.*twice, with different samples.*II"):
        read_record(path)


def test_a_negative_copy_of_a_lead_is_the_same_lead(tmp_path):
    path = write_wfdb(tmp_path, np.vstack([ECG, -ECG[1]]), leads=[*LEADS, "-II"])
    np.testing.assert_allclose(read_record(path).signal, ECG, atol=1e-6)


def test_a_channel_of_another_kind_is_left_out_if_the_twelve_are_there(tmp_path):
    path = write_wfdb(tmp_path, np.vstack([ECG, ECG[:1]]), leads=[*LEADS, "RESP"])
    path.write_text(path.read_text().replace("/mV 16 0 0 0 0 RESP", "/NU 16 0 0 0 0 RESP"))
    ecg = read_record(path)
    assert ecg.notes == ("dropped:RESP",)
    with pytest.raises(RecordError, match=r"unknown lead.*RESP"):
        read_record(write_wfdb(tmp_path, ECG, leads=[*LEADS[:11], "RESP"]))


def test_missing_samples_of_a_limb_lead_are_missing_in_the_derived_ones(tmp_path):
    signal = ECG[[0, 1, 6, 7, 8, 9, 10, 11]].copy()
    signal[0, :100] = np.nan
    ecg = read_record(write_wfdb(tmp_path, signal, leads=["I", "II", *LEADS[6:]]))
    assert np.isnan(ecg.signal[2:6, :100]).all()
    assert np.isfinite(ecg.signal[2:6, 100:]).all()


def test_every_note_has_a_sentence_and_a_rule_of_packing():
    from data_prep.quality import RULES

    assert set(NOTES) <= set(RULES)
    assert sentences([f"{kind}:x" for kind in NOTES]) == [
        text.format("x") for text in NOTES.values()
    ]
