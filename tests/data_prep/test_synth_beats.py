"""What the synthetic conditions show, measured on noise-free leads the way a reader would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.synthetic import dipole
from data_prep.synthetic.conditions import CONDITIONS
from data_prep.synthetic.patients import draw_patient
from data_prep.synthetic.records import STEP, Sample, record
from ecgvision.core.ecg import LEAD_INDEX
from ecgvision.labels.schemes import get_scheme

RATE = 500
SEEDS = range(6)


def sample(condition: str, seed: int, rhythm: str = "SR", nuisances: bool = False) -> Sample:
    rng = np.random.default_rng([seed, 11])
    patient = draw_patient(rng, seed, healthy=condition == "NORM")
    conditions = () if condition == "NORM" else (condition,)
    return record(rng, patient, conditions, rhythm, nuisances=nuisances)


def whole_beat(s: Sample) -> tuple[np.ndarray, int]:
    """One beat in the middle of the record, 300 ms before its QRS onset to 600 ms after."""
    onsets = s.rhythm.ventricular
    onset = round(onsets[(onsets > 2) & (onsets < 8)][2] * RATE)
    beat = s.clean[:, onset - 220 : onset + 300]
    return beat, 220


def qrs_ms(s: Sample) -> float:
    """The stretch of slopes over 8 % of the steepest in any lead; 30 ms of less end it."""
    beat, onset = whole_beat(s)
    slope = np.abs(np.diff(beat[:, onset - 15 : onset + 100], axis=1)).max(axis=0)
    steep = np.flatnonzero(slope > 0.08 * slope.max())
    quiet = np.flatnonzero(np.diff(steep) > 0.03 * RATE)
    last = steep[quiet[0]] if len(quiet) else steep[-1]
    return (last - steep[0] + 1) / RATE * 1000


def axis(s: Sample) -> float:
    beat, onset = whole_beat(s)
    area = beat[:, onset : onset + round(s.beat.qrs / 2)].sum(axis=1)
    return float(np.degrees(np.arctan2(area[5] * 2 / np.sqrt(3), area[0])))


def st_level(s: Sample, lead: str, after_j: float = 0.05) -> float:
    """mV at 50 ms after the J point, against the level before the QRS."""
    beat, onset = whole_beat(s)
    x = beat[LEAD_INDEX[lead]]
    return float(x[onset + round((s.beat.qrs / 1000 + after_j) * RATE)] - x[onset - 2])


@pytest.mark.parametrize("nuisances", [False, True])
def test_limb_lead_laws_hold_exactly_before_rounding_and_to_two_steps_after(nuisances: bool):
    s = sample("IMI", 3, nuisances=nuisances)
    i, ii, iii, avr, avl, avf = s.clean[:6]
    np.testing.assert_array_equal(iii, ii - i)
    np.testing.assert_array_equal(avr, -(i + ii) / 2)
    np.testing.assert_array_equal(avl, i - ii / 2)
    np.testing.assert_array_equal(avf, ii - i / 2)
    i, ii, iii, avr, avl, avf = s.steps[:6].astype(int)
    assert np.abs(iii - (ii - i)).max() <= 2
    assert np.abs(avr + (i + ii) / 2).max() <= 2
    assert np.abs(avl - (i - ii / 2)).max() <= 2
    assert np.abs(avf - (ii - i / 2)).max() <= 2


def test_a_disturbance_at_one_electrode_reaches_the_leads_that_use_it():
    electrodes = np.zeros((9, 1))
    electrodes[2] = 0.3  # left leg
    seen = dipole.leads(np.zeros((3, 1)), electrodes)[:, 0]
    np.testing.assert_allclose(seen[:6], [0, 0.3, 0.3, -0.15, -0.15, 0.3])
    np.testing.assert_allclose(seen[6:], -0.1)  # through Wilson's central terminal
    electrodes = np.zeros((9, 1))
    electrodes[3] = 0.2  # V1
    seen = dipole.leads(np.zeros((3, 1)), electrodes)[:, 0]
    np.testing.assert_allclose(seen, [0] * 6 + [0.2] + [0] * 5)


def test_projection_is_dowers():
    seen = dipole.leads(np.eye(3))
    np.testing.assert_allclose(seen[LEAD_INDEX["V2"]], [0.044, 0.164, -1.387])
    np.testing.assert_allclose(seen[LEAD_INDEX["III"]], [0.235 - 0.632, 1.066 + 0.235, -0.191])


@given(
    st.floats(0.1, 0.9),
    st.floats(0.004, 0.05),
    st.floats(0.004, 0.05),
    st.sampled_from([100, 250, 500]),
)
def test_a_wave_is_a_gaussian_wherever_it_falls(centre, left, right, rate):
    vcg = np.zeros((3, rate))
    v = np.array([1.0, -0.5, 0.2])
    dipole.add_wave(vcg, rate, centre, left, right, v)
    t = np.arange(rate) / rate - centre
    whole = np.exp(-(t**2) / (2 * np.where(t < 0, left, right) ** 2))
    np.testing.assert_allclose(vcg, np.outer(v, whole), atol=4e-4)


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_earns_known_codes_and_plausible_voltages(name: str):
    known = set(get_scheme("all").codes)
    for seed in SEEDS:
        s = sample(name, seed, nuisances=True)
        assert name in s.codes
        assert "NORM" not in s.codes
        assert set(s.codes) <= known
        assert set(s.codes.values()) == {100.0}
        assert 0.3 < np.ptp(s.clean, axis=1).max() < 8
        assert np.abs(s.clean).max() / STEP < 2**15


@pytest.mark.parametrize("seed", range(12))
def test_a_normal_beat_is_normal(seed: int):
    s = sample("NORM", seed)
    assert "NORM" in s.codes
    assert 60 <= qrs_ms(s) <= 110
    assert 120 <= s.beat.pr <= 200
    assert -30 <= axis(s) <= 90
    assert max(abs(st_level(s, lead)) for lead in ("I", "II", "V4", "V5", "V6")) < 0.12
    beat, onset = whole_beat(s)
    t_wave = beat[:, onset + round(s.beat.qrs / 2) + 30 : onset + 230]
    for lead in ("II", "V3", "V4", "V5"):  # T follows the QRS
        assert t_wave[LEAD_INDEX[lead]].max() > 0.03
    qrs = beat[:, onset : onset + 60]
    r, deep = qrs.max(axis=1), -qrs.min(axis=1)
    assert r[6] < deep[6]  # rS in V1
    assert r[10] > deep[10] * 0.8  # R by V5
    assert qrs[3].sum() < 0  # aVR is negative


@pytest.mark.parametrize("seed", SEEDS)
def test_left_bundle_branch_block(seed: int):
    s = sample("CLBBB", seed)
    assert qrs_ms(s) >= 120
    beat, onset = whole_beat(s)
    end = onset + round(s.beat.qrs / 2)
    v1, v6 = beat[6, onset:end], beat[11, onset:end]
    assert v6.min() > -0.1 * v6.max()  # monophasic R, no q, no S
    assert -v1.min() > 3 * v1.max()
    later = slice(end + 20, end + 150)
    assert beat[6, later].max() > 0.1  # T opposite to QRS
    assert beat[11, later].min() < -0.03
    assert st_level(s, "V1") > 0.03 > st_level(s, "V6")


@pytest.mark.parametrize("seed", SEEDS)
def test_right_bundle_branch_block(seed: int):
    s = sample("CRBBB", seed)
    assert qrs_ms(s) >= 120
    beat, onset = whole_beat(s)
    end = onset + round(s.beat.qrs / 2)
    late = slice(onset + round(s.beat.qrs / 2 * 0.6), end)
    assert beat[6, late].max() > 0.2  # R' in V1
    assert beat[6, onset : late.start].max() > 0.02  # after an r
    assert beat[0, late].min() < -0.1  # S in I and V6
    assert beat[11, late].min() < -0.1
    assert sample("IRBBB", seed).beat.qrs < 120 <= s.beat.qrs


@pytest.mark.parametrize("seed", SEEDS)
def test_fascicular_blocks_turn_the_axis(seed: int):
    s = sample("LAFB", seed)
    assert -90 <= axis(s) <= -45
    assert s.beat.qrs < 120
    beat, onset = whole_beat(s)
    avf = beat[5, onset : onset + 55]
    assert 0.02 < avf.max() < -avf.min()  # rS
    assert axis(sample("LPFB", seed)) >= 90


@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        ("IMI", ("II", "III", "aVF"), "aVL"),
        ("LMI", ("I", "aVL"), "III"),
        ("AMI", ("V2", "V3"), None),
    ],
)
def test_an_acute_infarct_lifts_st_in_its_leads_and_lowers_the_opposite(name, up, down):
    acute = [
        s for k in range(24) if "STE_" in (s := sample(name, k)).codes and "QWAVE" not in s.codes
    ]
    assert len(acute) >= 3
    for s in acute:
        assert all(st_level(s, lead) >= (0.2 if lead in ("V2", "V3") else 0.1) for lead in up)
        if down is not None:
            assert st_level(s, down) < -0.03


@pytest.mark.parametrize(
    ("name", "lead"), [("IMI", "III"), ("AMI", "V2"), ("ASMI", "V2"), ("LMI", "aVL")]
)
def test_an_old_infarct_leaves_q_waves(name: str, lead: str):
    old = [s for k in range(24) if "QWAVE" in (s := sample(name, k)).codes]
    assert len(old) >= 8
    widths = []
    for s in old:
        beat, onset = whole_beat(s)
        x = beat[LEAD_INDEX[lead], onset : onset + round(s.beat.qrs / 2)]
        negative = x < -0.02
        start = int(np.argmax(np.abs(x) > 0.04))
        assert negative[start], f"{name}: {lead} does not start downwards"
        width = int(np.argmin(negative[start:])) or len(x) - start
        depth, r = -x[start : start + width].min(), max(x.max(), 0.0)
        assert depth >= 0.25 * r
        widths.append(width / RATE)
    assert min(widths) >= 0.024
    assert np.median(widths) >= 0.04  # the textbook's, in this one lead


@pytest.mark.parametrize("seed", SEEDS)
def test_hypertrophy(seed: int):
    s = sample("LVH", seed)
    beat, onset = whole_beat(s)
    qrs = beat[:, onset : onset + 60]
    assert -qrs[6].min() + qrs[10:12].max() > 3.3  # 3.5 less breathing's 4 %
    right = sample("RVH", seed)
    assert axis(right) > 88
    beat, onset = whole_beat(right)
    v1, v6 = beat[6, onset : onset + 60], beat[11, onset : onset + 60]
    assert v1.max() > -v1.min()
    assert -v6.min() > 0.2


@pytest.mark.parametrize("seed", SEEDS)
def test_atria(seed: int):
    def p_wave(s: Sample) -> np.ndarray:
        beat, onset = whole_beat(s)
        return beat[:, onset - round(s.beat.pr / 2) : onset - 4]

    assert p_wave(sample("RAO/RAE", seed))[1].max() > 0.22
    assert p_wave(sample("LAO/LAE", seed))[6].min() < -0.08
    normal = p_wave(sample("NORM", seed))
    assert 0.04 < normal[1].max() < 0.25


@pytest.mark.parametrize("seed", SEEDS)
def test_intervals(seed: int):
    s = sample("1AVB", seed)
    assert s.beat.pr > 200
    beat, onset = whole_beat(s)
    p = onset - 170 + int(np.argmax(beat[1, onset - 170 : onset - 30]))
    assert (onset - p) / RATE > 0.14  # the top of P stands well before the QRS
    assert sample("LNGQT", seed).beat.qtc > 480
    assert sample("WPW", seed).beat.pr < 120


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "lead"), [("ISCAL", "V5"), ("ISCIN", "III"), ("ISCAN", "V3")])
def test_ischaemia_inverts_t(name: str, lead: str, seed: int):
    s = sample(name, seed)
    beat, onset = whole_beat(s)
    start = onset + round(s.beat.qrs / 2) + 35
    t = beat[LEAD_INDEX[lead], start : start + 130]
    assert -t.min() > t.max()
    assert t.min() < -0.05
