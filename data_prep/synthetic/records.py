"""Synthetic record: the ECG of a patient with given conditions, rhythm and recording noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data_prep.synthetic import conditions as ill
from data_prep.synthetic import rhythm as beats
from data_prep.synthetic.dipole import (
    Array,
    Beat,
    Wave,
    add_atria,
    add_ventricles,
    leads,
    qrs_leads,
    sokolow_lyon,
    turn,
    vec,
)
from data_prep.synthetic.nuisances import disturb
from data_prep.synthetic.patients import Patient, on_a_day
from data_prep.synthetic.rhythm import Rhythm, Rng

STEP = 0.001
"""Quantisation step in mV: signals are rounded to the microvolt, as in PTB-XL."""


@dataclass(frozen=True)
class Sample:
    """A record with its ground truth.

    Attributes:
        steps: (12, T) int16, the recording in steps of `STEP` mV.
        clean: (12, T) float64 mV, without noise and rounding.
        codes: SCP statement -> likelihood (always 100, as the truth is known).
        flags: quality flags.
        rhythm, beat: the sampled rhythm and beat.
    """

    steps: NDArray[np.int16]
    clean: Array
    codes: dict[str, float]
    flags: list[str]
    rhythm: Rhythm
    beat: Beat


def record(
    rng: Rng,
    patient: Patient,
    conditions: tuple[str, ...],
    rhythm: str,
    *,
    premature: str = "",
    rate: float = 500,
    seconds: float = 10,
    nuisances: bool = True,
) -> Sample:
    """Record `patient` once.

    If every beat starts in a ventricle (pacing, an escape rhythm), the conditions of the normal
    beat are not visible and are not coded.

    Args:
        conditions: names from `conditions.CONDITIONS`; none means a healthy heart.
        rhythm: a name from `rhythm.RHYTHMS`.
        premature: "", "pac", "pvc", or "pvc2" and "pvc3" for bigeminy and trigeminy; only for
            rhythms with one P per QRS.
        rate: Hz.
        seconds: duration.
        nuisances: add recording noise.
    """
    beat, codes = ill.apply(rng, on_a_day(rng, patient.beat), conditions)
    breathing = patient.breathing * (0.3 if rhythm == "STACH" else 1.0)
    when = beats.RHYTHMS[rhythm](rng, seconds, beat.pr / 1000, patient.rate, breathing)
    if premature:
        every = int(premature[3:] or 0)
        when = beats.premature(rng, when, beat.pr / 1000, kind=premature[:3], every=every)
    clean = leads(heart(rng, beat, when, patient, rate, round(seconds * rate)))
    flags: list[str] = []
    signal = clean
    if nuisances:
        noise, flags = disturb(rng, clean.shape[1], rate, patient.mains)
        signal = clean + leads(np.zeros((3, clean.shape[1])), noise)
    ventricular = premature.startswith("pvc")
    healthy = not conditions and not ventricular and rhythm in ("SR", "SARRH", "SBRAD", "STACH")
    shown = codes + voltage_codes(beat) if "sinus" in when.kind else ()
    codes = (("NORM",) if healthy else ()) + shown + when.codes
    return Sample(
        np.round(signal / STEP).astype(np.int16),
        clean,
        dict.fromkeys(codes, 100.0),
        flags,
        when,
        beat,
    )


def voltage_codes(beat: Beat) -> tuple[str, ...]:
    """Return the SCP form statements that follow from voltages alone.

    VCLVH: Sokolow-Lyon over 3.5 mV. HVOLT: over 4.5 mV (our default: PTB-XL gives no rule).
    LVOLT: every limb lead's QRS under 0.5 mV peak to peak (textbook).
    """
    qrs = qrs_leads(beat)
    voltage, limb = sokolow_lyon(beat), np.ptp(qrs[:6], axis=1).max()
    rules = {"VCLVH": voltage > 3.5, "HVOLT": voltage > 4.5, "LVOLT": limb < 0.5}
    return tuple(code for code, holds in rules.items() if holds)


def heart(rng: Rng, beat: Beat, when: Rhythm, patient: Patient, rate: float, count: int) -> Array:
    """Return the dipole (3, count) in mV over the entire record."""
    vcg = np.zeros((3, count))
    ectopic = turn("horizontal", rng.uniform(40, 90)) @ turn("frontal", rng.uniform(-80, -40))
    for onset, other in zip(when.atrial, when.ectopic, strict=True):
        add_atria(vcg, rate, beat, onset, ectopic if other else np.eye(3))
    kinds = {"sinus": beat} | {
        kind: wide_beat(rng, beat, kind) for kind in sorted(set(when.kind) - {"sinus"})
    }
    rr = np.diff(when.ventricular, prepend=2 * when.ventricular[0] - when.ventricular[1])
    # Breathing scales the QRS by about 4 % (our default).
    swing = 1 + 0.04 * np.sin(2 * np.pi * 0.25 * when.ventricular + rng.uniform(0, 6))
    swing += 0.01 * rng.standard_normal(len(rr))
    for onset, gap, kind, scale in zip(when.ventricular, rr, when.kind, swing, strict=True):
        add_ventricles(vcg, rate, kinds[kind], onset, gap, scale)
    t = np.arange(count) / rate
    if when.fibrillation:
        vcg += fibrillation(rng, t, when.fibrillation)
    if when.flutter:
        vcg += flutter(rng, t, when.flutter)
    return vcg


def wide_beat(rng: Rng, beat: Beat, kind: str) -> Beat:
    """Return a beat that starts in a ventricle: QRS 130-170 ms, T opposite to the QRS.

    A ventricular ectopic ("pvc") has a random origin. An escape or paced beat starts in the right
    ventricle, so it looks like LBBB. A paced beat has a spike of 2 ms and an upward axis, as it
    starts at the apex.
    """
    size = np.linalg.norm(beat.depol["main"].vector) * rng.uniform(0.9, 1.3)
    if kind == "pvc":
        v = rng.standard_normal(3) * [0.9, 0.8, 1.0]
    elif kind == "paced":
        v = np.array([0.5, -0.8, 0.7]) + 0.15 * rng.standard_normal(3)
    else:
        v = np.array([0.8, 0.3, 0.7]) + 0.2 * rng.standard_normal(3)
    v *= size / np.linalg.norm(v)
    side = size * 0.3 * rng.standard_normal(3)
    depol = {
        "main": Wave(0.35, 0.11, 0.14, vec(v)),
        "posterior": Wave(0.64, 0.13, 0.13, vec(0.7 * v + side)),
    }
    if kind == "paced":
        depol["spike"] = Wave(0.02, 0.007, 0.007, vec(v / size * rng.uniform(0.4, 1.2)))
    repol = {
        "st": beat.repol["st"].pointing(-0.12 * v),
        "t": beat.repol["t"].pointing(-0.38 * v),
    }
    qrs = float(rng.uniform(132, 168))
    return replace(beat, qrs=qrs, qtc=beat.qtc + 50, depol=depol, repol=repol)


def fibrillation(rng: Rng, t: Array, frequency: float) -> Array:
    """Return (3, T) f-waves: 4-9 Hz with drifting frequency and amplitude, largest in V1."""
    out = np.zeros((3, len(t)))
    size = rng.uniform(0.03, 0.09)
    for direction, share in (((0.1, 0.5, -0.9), 1.0), ((0.6, 0.5, 0.3), 0.5)):
        drift = 0.9 * np.sin(2 * np.pi * rng.uniform(0.1, 0.35) * t + rng.uniform(0, 6))
        phase = 2 * np.pi * (frequency * t + drift / 2) + rng.uniform(0, 6)
        swell = 1 + 0.4 * np.sin(2 * np.pi * rng.uniform(0.2, 0.6) * t + rng.uniform(0, 6))
        wave = np.sin(phase) + 0.3 * np.sin(2 * phase + 1)
        out += np.array(direction)[:, None] * size * share * swell * wave
    return out


def flutter(rng: Rng, t: Array, frequency: float) -> Array:
    """Return (3, T) flutter waves: a smooth sawtooth, negative in II, III, aVF, positive in V1."""
    phase = 2 * np.pi * frequency * t + rng.uniform(0, 6)
    saw = sum(np.sin(k * phase) / k for k in (1, 2, 3))
    size = rng.uniform(0.09, 0.17)
    return np.array([-0.05, -1.0, -0.45])[:, None] * size * saw
