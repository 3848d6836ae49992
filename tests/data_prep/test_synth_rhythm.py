"""Rhythms, measured on the leads or on the event times they promise."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.synthetic.patients import draw_patient
from data_prep.synthetic.records import Sample, record
from data_prep.synthetic.rhythm import RHYTHMS
from experiments.bench.cohort import r_peaks

RATE, SECONDS = 500, 20
SEEDS = range(5)


def sample(rhythm: str, seed: int, premature: str = "") -> Sample:
    rng = np.random.default_rng([seed, 12])
    patient = draw_patient(rng, seed, healthy=True)
    return record(rng, patient, (), rhythm, premature=premature, seconds=SECONDS, nuisances=False)


def measured_rr(s: Sample) -> np.ndarray:
    return np.diff(r_peaks(s.clean, RATE)) / RATE


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("SR", 60, 100), ("SBRAD", 40, 60), ("STACH", 100, 142), ("SVTAC", 148, 202), ("3AVB", 29, 46),
     ("PACE", 58, 82)],
)  # fmt: skip
def test_rates_are_those_of_the_name(name: str, low: float, high: float, seed: int):
    s = sample(name, seed)
    rate = 60 / measured_rr(s).mean()
    assert low <= rate <= high
    stated = s.rhythm.ventricular[(s.rhythm.ventricular > 0) & (s.rhythm.ventricular < SECONDS)]
    assert rate == pytest.approx(60 / np.diff(stated).mean(), rel=0.03)


def p_energy(s: Sample) -> float:
    """How much the leads agree from beat to beat between 200 ms and 60 ms before the QRS: P waves
    repeat, f-waves do not. Ratio of the variance of the mean to the mean variance, lead II."""
    onsets = [v for v in s.rhythm.ventricular if 1 < v < SECONDS - 1]
    parts = np.array([s.clean[1, round(v * RATE) - 100 : round(v * RATE) - 20] for v in onsets])
    parts = parts - parts.mean(axis=1, keepdims=True)
    return float(parts.mean(axis=0).var() / parts.var(axis=1).mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_fibrillation_is_irregular_without_p(seed: int):
    s = sample("AFIB", seed)
    assert len(s.rhythm.atrial) == 0
    rr = np.diff(s.rhythm.ventricular[s.rhythm.ventricular > 0])
    assert 0.1 < rr.std() / rr.mean() < 0.4
    regular = np.diff(sample("SR", seed).rhythm.ventricular)
    assert rr.std() / rr.mean() > 2 * regular.std() / regular.mean()
    assert p_energy(s) < 0.6 < p_energy(sample("SR", seed))
    assert set(s.codes) & {"NORM", "SR"} == set()


@pytest.mark.parametrize("seed", SEEDS)
def test_fibrillatory_waves_lie_between_4_and_9_hz(seed: int):
    from data_prep.synthetic.records import fibrillation

    rng = np.random.default_rng(seed)
    t = np.arange(0, SECONDS, 1 / RATE)
    wave = fibrillation(rng, t, sample("AFIB", seed).rhythm.fibrillation)[2]
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)))) ** 2
    f = np.fft.rfftfreq(len(wave), 1 / RATE)
    assert 4 <= f[np.argmax(power)] <= 9


@pytest.mark.parametrize("seed", SEEDS)
def test_flutter_waves_repeat_at_240_to_340_a_minute(seed: int):
    s = sample("AFLT", seed)
    assert 240 <= s.rhythm.flutter * 60 <= 340
    assert len(s.rhythm.atrial) == 0
    ratio = np.diff(s.rhythm.ventricular) * s.rhythm.flutter
    np.testing.assert_allclose(ratio, round(ratio.mean()), atol=1e-6)
    assert round(ratio.mean()) in (2, 3, 4)


def test_sinus_arrhythmia_varies_more_than_sinus_rhythm():
    def spread(name: str, seed: int) -> float:
        rr = measured_rr(sample(name, seed))
        return float(np.ptp(rr))

    assert all(spread("SARRH", k) > 0.12 for k in SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_second_degree_block_drops_beats(seed: int):
    for name in ("2AVB-I", "2AVB-II"):
        r = sample(name, seed).rhythm
        inside = (r.atrial > 0) & (r.atrial < SECONDS)
        assert inside.sum() > ((r.ventricular > 0) & (r.ventricular < SECONDS)).sum()
    r = sample("2AVB-I", seed).rhythm
    pr = [v - r.atrial[r.atrial < v][-1] for v in r.ventricular]
    rises = np.diff(pr)
    assert (rises > 0.02).any()  # grows
    assert (rises < -0.02).any()  # and starts again after the pause
    r = sample("2AVB-II", seed).rhythm
    pr = [v - r.atrial[r.atrial < v][-1] for v in r.ventricular]
    assert np.ptp(pr) < 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_complete_block_dissociates(seed: int):
    r = sample("3AVB", seed).rhythm
    v = r.ventricular[(r.ventricular > 1) & (r.ventricular < SECONDS)]
    pr = [x - r.atrial[r.atrial < x][-1] for x in v]
    assert np.std(pr) > 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_premature_beats(seed: int):
    r = sample("SR", seed, "pvc").rhythm
    assert "pvc" in r.kind
    k = r.kind.index("pvc", 1)
    if k + 1 < len(r.kind) and r.kind[k - 1] == r.kind[k + 1] == "sinus":
        before = r.ventricular[k] - r.ventricular[k - 1]
        after = r.ventricular[k + 1] - r.ventricular[k]
        assert after > 1.3 * before  # compensatory pause
    assert len(r.atrial) == r.kind.count("sinus")  # no P before a ventricular beat
    s = sample("SR", seed, "pvc2")
    assert {"PVC", "BIGU"} <= set(s.codes)
    assert s.rhythm.kind[4:8].count("pvc") == 2
    assert "NORM" not in s.codes
    s = sample("SR", seed, "pac")
    assert s.rhythm.ectopic.any()
    assert "PAC" in s.codes
    early = np.flatnonzero(s.rhythm.ectopic)[0]
    rr = np.diff(s.rhythm.ventricular)
    assert rr[early - 1] < 0.85 * np.median(rr)


@pytest.mark.parametrize("name", RHYTHMS)
def test_events_are_ordered_and_cover_the_record(name: str):
    for seed in SEEDS:
        r = sample(name, seed).rhythm
        assert (np.diff(r.ventricular) > 0.2).all()
        assert (np.diff(r.atrial) > 0.2).all()
        assert r.ventricular[0] < 1
        assert r.ventricular[-1] > SECONDS - 3
        assert len(r.kind) == len(r.ventricular)
        assert len(r.ectopic) == len(r.atrial)


def test_premature_beats_need_a_p_for_each_qrs():
    with pytest.raises(ValueError, match="one P for each QRS"):
        sample("AFIB", 0, "pvc")
