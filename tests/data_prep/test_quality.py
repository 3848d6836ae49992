"""Quality flags: each is raised by its fault, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.quality import RULES, check, report, summary
from ecgvision.core.ecg import LEADS

RATE = 500


def sound(seconds: float = 10.0) -> np.ndarray:
    """Noise that obeys Einthoven's law."""
    signal = np.random.default_rng(0).normal(0, 0.4, (12, round(RATE * seconds))).astype(np.float32)
    signal[2] = signal[1] - signal[0]
    return signal


def test_a_sound_recording_has_no_flags():
    assert check(sound(), RATE) == []


def fault(kind: str) -> tuple[np.ndarray, str]:
    signal = sound(3.0 if kind == "short" else 10.0)
    lead, name = 7, "V2"
    if kind == "missing":
        signal[lead] = np.nan
    elif kind == "nan":
        signal[lead, 5] = np.nan
    elif kind == "flat":
        signal[lead] = 0.3
    elif kind == "flat_part":
        signal[lead, 100 : 100 + RATE] = 0.0
    elif kind == "clipped":
        signal[lead, 100:120] = signal[lead].max()
    elif kind == "amplitude":
        return signal * 1000 * np.array([[1]] * 3 + [[1]] * 9, np.float32), "amplitude"
    elif kind == "limb_leads":
        signal[[0, 1]] = signal[[1, 0]]
    return signal, kind if kind in ("short", "limb_leads") else f"{kind}:{name}"


@pytest.mark.parametrize(
    "kind", ["missing", "nan", "flat", "flat_part", "clipped", "short", "amplitude", "limb_leads"]
)
def test_each_fault_raises_its_flag_alone(kind):
    signal, flag = fault(kind)
    assert check(signal, RATE) == [flag]


def test_a_stretch_just_too_short_is_no_fault():
    signal = sound()
    signal[7, 100 : 100 + RATE - 1] = 0.0
    signal[8, 100:119] = signal[8].max()
    assert check(signal, RATE) == []


def test_an_empty_recording_is_all_missing():
    assert check(np.full((12, 10 * RATE), np.nan, np.float32), RATE) == [
        f"missing:{lead}" for lead in LEADS
    ]


def test_the_report_counts_records_not_flags():
    found = report(
        "src",
        [("a", ["nan:I", "nan:V1", "short"]), ("b", []), ("c", ["nan:II"])],
        [("d", "cut")],
        {},
    )
    assert (found["records"], found["kept"], found["without_flags"]) == (4, 3, 1)
    assert found["flags"]["nan"]["count"] == 2
    assert found["flags"]["nan"]["records"] == {"a": ["I", "V1"], "c": ["II"]}
    assert found["flags"]["short"]["records"] == {"a": []}
    assert set(found["flags"]) == set(RULES)
    text = summary(found)
    assert "4 records, 3 kept" in text
    assert "skipped d: cut" in text
