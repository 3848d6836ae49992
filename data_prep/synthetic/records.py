"""One synthetic record: a patient with conditions, on a day, in a rhythm, as recorded."""

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
"""mV: signals are rounded to the microvolt, as PTB-XL's are."""


@dataclass(frozen=True)
class Sample:
    """A record and what is known of it.

    Attributes:
        steps: (12, T) int16, the recording in steps of `STEP` mV.
        clean: (12, T) float64 mV, the heart alone, not rounded.
        codes: SCP statement -> likelihood (always 100: nobody had to guess).
        flags: quality flags.
        rhythm, beat: what was drawn.
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

    Args:
        conditions: names of `conditions.CONDITIONS`; none means a healthy heart.
        rhythm: a name of `rhythm.RHYTHMS`.
        premature: "", "pac", "pvc", or "pvc2" and "pvc3" for bigeminy and trigeminy; only rhythms
            with one P for each QRS can have them.

    Where every beat starts in a ventricle (pacing, an escape rhythm) the conditions of the normal
    beat cannot be seen, and are not coded.
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
    """Form statements that voltages earn by themselves.

    VCLVH: Sokolow-Lyon over 3.5 mV. HVOLT: over 4.5 mV (our default: PTB-XL gives no rule).
    LVOLT: no limb lead's QRS over .5 mV peak to peak (textbook).
    """
    qrs = qrs_leads(beat)
    voltage, limb = sokolow_lyon(beat), np.ptp(qrs[:6], axis=1).max()
    rules = {"VCLVH": voltage > 3.5, "HVOLT": voltage > 4.5, "LVOLT": limb < 0.5}
    return tuple(code for code, holds in rules.items() if holds)


def heart(rng: Rng, beat: Beat, when: Rhythm, patient: Patient, rate: float, count: int) -> Array:
    """The dipole (3, count) in mV over the whole record."""
    vcg = np.zeros((3, count))
    ectopic = turn("horizontal", rng.uniform(40, 90)) @ turn("frontal", rng.uniform(-80, -40))
    for onset, other in zip(when.atrial, when.ectopic, strict=True):
        add_atria(vcg, rate, beat, onset, ectopic if other else np.eye(3))
    kinds = {"sinus": beat} | {
        kind: wide_beat(rng, beat, kind) for kind in sorted(set(when.kind) - {"sinus"})
    }
    rr = np.diff(when.ventricular, prepend=2 * when.ventricular[0] - when.ventricular[1])
    # Breathing turns and scales the heart a little: about 4 % of QRS (our default).
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
    """A beat that starts in a ventricle: QRS 130-170 ms, T opposite to it.

    A ventricular ectopic may come from anywhere; an escape or a paced beat starts on the right,
    so it looks like LBBB; pacing has a spike of 2 ms and, from the apex, an axis pointing up.
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
    """(3, T) f-waves: a carrier within 4-9 Hz whose frequency and size wander; largest in V1."""
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
    """(3, T) flutter waves: a smooth sawtooth, negative in II, III and aVF, positive in V1."""
    phase = 2 * np.pi * frequency * t + rng.uniform(0, 6)
    saw = sum(np.sin(k * phase) / k for k in (1, 2, 3))
    size = rng.uniform(0.09, 0.17)
    return np.array([-0.05, -1.0, -0.45])[:, None] * size * saw
