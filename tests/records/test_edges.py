"""Padding and calibration pulses: found at either end in any record, and in no real one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.ecg import LEADS
from ecgvision.core.limb_leads import LIMB_FROM_I_II
from ecgvision.records.edges import find_edges
from ecgvision.records.reading import read_record
from ecgvision.records.recording import open_record
from tests.real_data import real_data
from tests.records.made_records import ecg_mv, write_wfdb

RATE = 250
ECG = ecg_mv(4.0, RATE) + np.random.default_rng(1).normal(0, 0.03, (12, 1000))
ECG[:6] = LIMB_FROM_I_II @ ECG[:2]
EIGHT = ["I", "II", *LEADS[6:]]


def pulse(rows: int, height: float, before: float, wide: float, after: float) -> np.ndarray:
    parts = [
        np.zeros(round(before * RATE)),
        np.full(round(wide * RATE), height),
        np.zeros(round(after * RATE)),
    ]
    return np.tile(np.concatenate(parts), (rows, 1))


@given(
    start=st.sampled_from(["", "zeros", "held", "pulse", "zeros pulse"]),
    stop=st.sampled_from(["", "zeros", "held", "pulse", "pulse zeros"]),
    leads=st.sampled_from(["twelve", "eight", "negative"]),
    height=st.sampled_from([1.0, 0.5, 2.0, -1.0]),
    before=st.sampled_from([0.04, 0.2]),
    wide=st.sampled_from([0.1, 0.2, 0.5]),
    long=st.sampled_from([0.3, 1.62, 20.0]),
    noise=st.sampled_from([0.0, 0.004]),
    physical=st.booleans(),
)
def test_what_is_not_signal_is_found_at_both_ends(
    start, stop, leads, height, before, wide, long, noise, physical
):
    rows = ECG if leads != "eight" else ECG[[LEADS.index(x) for x in EIGHT]]
    rng = np.random.default_rng(0)

    def part(words: str, edge: int) -> np.ndarray:
        made = np.zeros((len(rows), 0))
        for word in words.split():
            if word == "zeros":
                new = np.zeros((len(rows), round(long * RATE)))
            elif word == "held":
                new = np.repeat(rows[:, [edge]], round(long * RATE), axis=1)
            else:
                new = pulse(len(rows), height, before, wide, before)
                if physical and len(rows) == 12:  # the device derives limb leads of the pulse too
                    new[:6] = LIMB_FROM_I_II @ new[:2]
                new = new + rng.normal(0, noise, new.shape)
            made = np.hstack([made, new])
        return made

    left, right = part(start, 0), part(stop, -1)
    signal = np.hstack([left, rows, right])
    names = (
        EIGHT
        if leads == "eight"
        else [f"-{x}" if leads == "negative" and x == "aVR" else x for x in LEADS]
    )
    with tempfile.TemporaryDirectory() as folder:
        record = open_record(write_wfdb(Path(folder), signal, leads=names, rate=RATE))
        edges, notes = record.edges, record.notes
    quiet = round(0.02 * RATE)  # a sample or two of signal may continue a noisy pulse
    assert left.shape[1] <= edges.start <= left.shape[1] + (quiet if start else 0)
    end = left.shape[1] + rows.shape[1]
    assert end - (quiet if stop else 0) <= edges.stop <= end
    kinds = [note.partition(":")[0] for note in notes if note.startswith(("padding", "pulse"))]
    wanted = {
        word.replace("zeros", "padding").replace("held", "padding")
        for word in (start + " " + stop).split()
    }
    assert set(kinds) <= wanted
    assert ("pulse" in kinds) == ("pulse" in wanted)
    assert bool(kinds) == bool(wanted)


@pytest.mark.parametrize("value", [0.0, 0.3, np.nan])
def test_a_record_without_deflection_has_no_edges(value):
    signal = np.full((12, 1000), value)
    found = find_edges(lambda a, b: signal[:, a:b], 1000, RATE)
    assert (found.start, found.stop, found.notes) == (0, 1000, ())


def test_missing_ends_and_dead_leads_are_no_padding():
    signal = np.hstack([np.full((12, 500), np.nan), ECG])
    signal[5, 500:] = 0.0
    assert find_edges(lambda a, b: signal[:, a:b], signal.shape[1], RATE).notes == ()
    padded = np.hstack([signal, np.zeros((12, 100))])
    assert find_edges(lambda a, b: padded[:, a:b], padded.shape[1], RATE).notes == (
        "padding:6-6.4 s",
    )


@pytest.mark.parametrize("folder", ["ptbxl-mini/records500/00000", "ptbxl-mini/records100/00000",
                                    "ptbxl-rescaled/records100", "cinc-sample"])  # fmt: skip
def test_real_records_are_signal_to_their_ends(folder):
    files = sorted(real_data(folder).glob("*.hea"))[:60]
    assert files
    for file in files:
        assert not [n for n in read_record(file).notes if n.startswith(("padding", "pulse"))]
