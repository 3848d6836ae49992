"""Conduction disorders: bundle branch and fascicular blocks, delay, WPW, first-degree block."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_prep.synthetic.changes import Result, add
from data_prep.synthetic.dipole import Beat, Wave, axis_to, frontal_axis, turn, vec
from data_prep.synthetic.rhythm import Rng


def left_bundle(rng: Rng, beat: Beat, *, complete: bool = True) -> Result:
    """LBBB: no septal q; broad, notched R in I, aVL, V5, V6; deep S in V1-V3; T opposite to QRS."""
    size = np.linalg.norm(beat.depol["main"].vector) / 1.3
    up = rng.uniform(-0.5, 0.55)
    first = size * np.array([0.72, 0.30 + up * 0.4, 1.05])
    second = size * rng.uniform(0.8, 1.1) * np.array([0.78, up, 1.15])
    waves = {
        "septal": Wave(0.14, 0.06, 0.07, vec(size * np.array([0.1, 0.1, -0.1]))),
        "main": Wave(0.34, 0.10, 0.11, vec(first)),
        "posterior": Wave(0.66, 0.12, 0.11, vec(second)),
        "terminal": Wave(0.84, 0.07, 0.06, vec(0.15 * second)),
    }
    qrs = rng.uniform(128, 165) if complete else rng.uniform(108, 118)
    beat = replace(beat, qrs=qrs, depol=waves, qtc=beat.qtc + 0.6 * (qrs - 90))
    weight = 1.0 if complete else 0.35
    beat = add(beat, "t", -weight * rng.uniform(0.24, 0.4) * second - weight * np.array(
        beat.repol["t"].vector) * 0.6)  # fmt: skip
    beat = add(beat, "st", -weight * rng.uniform(0.08, 0.16) * second)
    return beat, ("CLBBB",) if complete else ("ILBBB",)


def incomplete_left_bundle(rng: Rng, beat: Beat) -> Result:
    return left_bundle(rng, beat, complete=False)


def right_bundle(rng: Rng, beat: Beat, *, complete: bool = True) -> Result:
    """RBBB: rsR' in V1, slurred S in I and V6, T inverted in V1 and V2.

    Left ventricular activation is unchanged; a late vector to the right and front is added.
    """
    old, qrs = beat.qrs, rng.uniform(128, 152) if complete else rng.uniform(102, 117)
    beat = beat.lasting(qrs, keep_ms=True)
    size = rng.uniform(0.55, 1.0) if complete else rng.uniform(0.32, 0.5)
    late = size * np.array([-0.55, rng.uniform(-0.2, 0.1), -0.62])
    width = 0.5 * (qrs - 0.78 * old) / qrs / 2.2
    beat = beat.with_waves(
        "depol",
        posterior=beat.depol["posterior"].moved((0, 0, 0), 0.55),
        terminal=Wave(1 - 2.3 * width, width, width, vec(late)),
    )
    inversion = rng.uniform(0.25, 0.4) if complete else rng.uniform(0.05, 0.2)
    beat = add(beat, "t", -inversion * late)
    return beat, ("CRBBB",) if complete else ("IRBBB",)


def incomplete_right_bundle(rng: Rng, beat: Beat) -> Result:
    return right_bundle(rng, beat, complete=False)


def left_anterior(rng: Rng, beat: Beat) -> Result:
    """LAFB: axis -45 to -90, qR in aVL, rS in II, III and aVF; the small r in V1-V3 remains."""
    beat = replace(beat, qrs=float(np.clip(beat.qrs + rng.uniform(4, 14), 90, 116)))
    r = np.linalg.norm(beat.depol["main"].vector)
    beat = beat.with_waves(
        "depol", septal=beat.depol["septal"].moved(r * np.array([-0.08, 0.28, 0.02]))
    )
    rest = {k: w for k, w in beat.depol.items() if k != "septal"}
    aim = float(rng.uniform(-72, -48))
    whole = beat
    for _ in range(8):  # rotate all but the septal vector until the QRS has the axis
        m = turn("frontal", aim - frontal_axis(whole))
        rest = {k: w.pointing(m @ np.asarray(w.vector)) for k, w in rest.items()}
        whole = beat.with_waves("depol", **rest)
    # V5 and V6 get an S, as the last vector points up and back.
    return whole, ("LAFB",)


def left_posterior(rng: Rng, beat: Beat) -> Result:
    """LPFB: axis past +95, rS in I and aVL, qR in III and aVF.

    The axis ends at +114 (our default: beyond it V6 would lose its R in this model).
    """
    r = np.linalg.norm(beat.depol["main"].vector)
    beat = replace(beat, qrs=float(np.clip(beat.qrs + rng.uniform(4, 12), 90, 114)))
    beat = beat.with_waves(
        "depol", septal=beat.depol["septal"].moved(r * np.array([0.2, -0.26, 0.0]))
    )
    return axis_to(beat, float(rng.uniform(96, 114))), ("LPFB",)


def intraventricular_delay(rng: Rng, beat: Beat) -> Result:
    """IVCD: QRS 116-140 ms, slurred and notched, without the shape of LBBB or RBBB."""
    beat = beat.lasting(float(rng.uniform(116, 140)), keep_ms=False)
    v = np.asarray(beat.depol["main"].vector)
    notch = 0.5 * v + 0.3 * np.linalg.norm(v) * rng.standard_normal(3)
    beat = beat.with_waves(
        "depol",
        main=beat.depol["main"].moved((0, 0, 0), 0.8),
        notch=Wave(0.68, 0.07, 0.08, vec(notch)),
    )
    beat = add(beat, "t", -0.12 * v)
    return beat, ("IVCD", "ABQRS")


def preexcitation(rng: Rng, beat: Beat) -> Result:
    """WPW: PR under 120 ms, a slow delta wave, QRS 116-142 ms, T opposite to delta."""
    old, qrs = beat.qrs, float(rng.uniform(116, 142))
    beat = replace(beat.lasting(qrs, keep_ms=True), pr=float(rng.uniform(88, 112)))
    lag = 1 - old / qrs
    depol = {k: replace(w, at=w.at + lag) for k, w in beat.depol.items()}
    v = np.asarray(depol["main"].vector)
    delta = 0.35 * v + 0.2 * np.linalg.norm(v) * rng.standard_normal(3)
    depol["delta"] = Wave(0.30, 0.12, 0.12, vec(delta))
    beat = replace(beat, depol=depol)
    return add(beat, "t", -0.8 * delta), ("WPW",)


def first_degree(rng: Rng, beat: Beat) -> Result:
    """First-degree AV block: PR over 200 ms."""
    return replace(beat, pr=float(rng.uniform(218, 330))), ("1AVB", "LPR")
