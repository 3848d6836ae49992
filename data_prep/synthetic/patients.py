"""Synthetic patients: an individual normal beat for each, with small changes between recordings."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data_prep.synthetic.dipole import Array, Beat, Wave, axis_to, turn, vec
from data_prep.synthetic.rhythm import Rng

# Waves of an average adult. Vectors are our default: in Dower's leads they give what textbooks call
# normal (axis near 45 degrees, rS in V1, R growing to V5, small septal q in I, V5 and V6,
# P upright in II, T upright except in aVR and often V1). Durations are the textbook's.
ATRIA = {
    "right": Wave(36, 15, 15, (0.035, 0.075, -0.045)),
    "left": Wave(66, 15, 16, (0.060, 0.055, 0.030)),
}
VENTRICLES = {
    "septal": Wave(0.20, 0.075, 0.075, (-0.16, -0.02, -0.34)),
    "main": Wave(0.43, 0.10, 0.10, (1.02, 0.74, 0.30)),
    "posterior": Wave(0.60, 0.095, 0.095, (0.22, 0.16, 0.84)),
    "terminal": Wave(0.80, 0.075, 0.075, (-0.14, -0.14, 0.16)),
}
RECOVERY = {
    "st": Wave(0.20, 0.13, 0.22, (0.015, 0.015, -0.025)),
    "t": Wave(0.71, 0.18, 0.105, (0.29, 0.22, -0.19)),
}
SITES = tuple(f"site {i}" for i in range(1, 6))
DEVICES = ("cart A", "cart B", "cart C")


@dataclass(frozen=True)
class Patient:
    """A patient without conditions.

    Attributes:
        number: counts from 0.
        age: in years.
        sex: "male" or "female".
        rate: resting heart rate per minute.
        breathing: relative depth of respiratory RR variation.
        mains: mains frequency at the hospital, 50 or 60 Hz.
        site, device: names of the hospital and of the recorder.
        beat: the patient's normal beat.
    """

    number: int
    age: int
    sex: str
    rate: float
    breathing: float
    mains: float
    site: str
    device: str
    beat: Beat


def _varied(
    rng: Rng, waves: dict[str, Wave], shift: float, stretch: float, bend: float
) -> dict[str, Wave]:
    """Perturb centres (`shift`), widths (`stretch`) and vectors (`bend`, relative to the norm)."""
    out = {}
    for name, w in waves.items():
        v = np.asarray(w.vector)
        v = v + bend * np.linalg.norm(v) * rng.standard_normal(3)
        left, right = np.exp(stretch * rng.standard_normal(2))
        at = w.at * (1 + shift * rng.standard_normal())
        out[name] = Wave(at, w.left * left, w.right * right, vec(v))
    return out


def _oriented(beat: Beat, frontal: float, horizontal: float, t_frontal: float) -> Beat:
    """Rotate the QRS in two planes and T by half as much, plus `t_frontal`; all in degrees."""
    heart: Array = turn("horizontal", horizontal) @ turn("frontal", frontal)
    t: Array = turn("horizontal", horizontal / 2) @ turn("frontal", frontal / 2 + t_frontal)
    return beat.mapped("depol", heart).mapped("repol", t)


def draw_patient(rng: Rng, number: int, *, healthy: bool) -> Patient:
    """Sample one patient; those who are not healthy are older.

    Mean ages are our default: 65 against 50, as in PTB-XL. Spreads are our default too, wide enough
    that amplitude and axis alone do not separate the two groups. Voltage is log-normal with 24 %
    spread and lower in women and with age. The axis falls with age (from about 60 to 20 degrees).
    Precordial rotation varies by 12 degrees.
    """
    age = int(np.clip(rng.normal(50 if healthy else 65, 16), 18, 95))
    sex = "male" if rng.random() < 0.52 else "female"
    scale = np.exp(0.24 * rng.standard_normal()) * (1.05 if sex == "male" else 0.93)
    scale *= 1.12 - 0.0024 * age
    depol = _varied(rng, VENTRICLES, 0.04, 0.10, 0.16)
    depol = {k: w.moved((0, 0, 0), scale) for k, w in depol.items()}
    # T varies more than QRS and only partly with it.
    t_scale = np.exp(0.26 * rng.standard_normal()) * (1.1 if sex == "male" else 0.92)
    repol = _varied(rng, RECOVERY, 0.03, 0.10, 0.14)
    repol = {k: w.moved((0, 0, 0), t_scale) for k, w in repol.items()}
    beat = Beat(
        pr=float(np.clip(rng.normal(155 + 0.15 * (age - 50), 15), 125, 186)),
        qrs=float(np.clip(rng.normal(92 if sex == "male" else 87, 6), 74, 106)),
        qtc=float(np.clip(rng.normal(408 if sex == "male" else 418, 16), 365, 448)),
        p=_varied(rng, ATRIA, 0.03, 0.08, 0.16),
        depol=depol,
        repol=repol,
    )
    axis = float(np.clip(rng.normal(72 - 0.45 * age, 20), -20, 80))  # normal: -30 to +90
    t_turn = rng.normal(0, 9) + 0.4 * (axis - 44)  # T follows the QRS axis by less than half
    beat = axis_to(_oriented(beat, 0.0, rng.normal(0, 12), t_turn), axis)
    return Patient(
        number=number,
        age=age,
        sex=sex,
        rate=float(rng.normal(72 if sex == "male" else 75, 10)),
        breathing=float(np.clip(0.07 - 0.0008 * age + 0.012 * rng.standard_normal(), 0.005, 0.08)),
        mains=50.0 if rng.random() < 0.7 else 60.0,
        site=str(rng.choice(SITES)),
        device=str(rng.choice(DEVICES)),
        beat=beat,
    )


def on_a_day(rng: Rng, beat: Beat) -> Beat:
    """Perturb the beat for one recording: electrode placement and posture rotate and scale it."""
    beat = _oriented(
        beat, float(np.clip(rng.normal(0, 4), -8, 8)), rng.normal(0, 5), rng.normal(0, 3)
    )
    scale, t_scale = np.exp(0.06 * rng.standard_normal()), np.exp(0.10 * rng.standard_normal())
    beat = beat.mapped("depol", scale * np.eye(3)).mapped("repol", t_scale * np.eye(3))
    return replace(beat, pr=beat.pr + rng.normal(0, 4), qtc=beat.qtc + rng.normal(0, 6))
