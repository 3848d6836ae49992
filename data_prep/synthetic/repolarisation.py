"""ST and T changes outside coronary territories: non-specific, drugs, electrolytes, long QT."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_prep.synthetic.changes import Result, add
from data_prep.synthetic.dipole import Beat, Wave, toward, vec
from data_prep.synthetic.rhythm import Rng


def flat_t(rng: Rng, beat: Beat) -> Result:
    """NDT: T low, flat or slightly inverted in most leads."""
    share = rng.uniform(-0.35, 0.25)
    t = beat.repol["t"].moved(0.03 * rng.standard_normal(3), share)
    return beat.with_waves("repol", t=t), ("NDT", "LOWT" if share > 0 else "TAB_", "NT_")


def st_changes(rng: Rng, beat: Beat) -> Result:
    """NST_: ST depression of 0.07-0.16 mV in leads that share no coronary territory."""
    where = (rng.uniform(0.4, 1), rng.uniform(0.3, 1), rng.uniform(-0.4, 0.2))
    beat = add(beat, "st", -toward(where, rng.uniform(0.08, 0.17)))
    t = beat.repol["t"].moved((0, 0, 0), rng.uniform(0.35, 0.8))
    return beat.with_waves("repol", t=t), ("NST_", "STD_")


def digitalis(rng: Rng, beat: Beat) -> Result:
    """Digitalis: scooped ST opposite to the QRS, small T, short QT."""
    v = np.asarray(beat.depol["main"].vector)
    st = Wave(0.36, 0.2, 0.17, vec(-v * rng.uniform(0.10, 0.2)))
    t = beat.repol["t"].moved((0, 0, 0), rng.uniform(0.2, 0.6))
    qtc = float(rng.uniform(345, 375))
    return replace(beat.with_waves("repol", st=st, t=t), qtc=qtc), ("DIG", "STD_")


def long_qt(rng: Rng, beat: Beat) -> Result:
    """Long QT: QTc of 485-570 ms; ST and T stretch with it, and T has 60-100 % of its size."""
    beat = replace(beat, qtc=float(rng.uniform(485, 570)))
    t = beat.repol["t"].moved((0, 0, 0), rng.uniform(0.6, 1.0))
    return beat.with_waves("repol", t=t), ("LNGQT",)


def electrolytes(rng: Rng, beat: Beat) -> Result:
    """High potassium (tall, narrow T) or low potassium (flat T, ST depression, U wave)."""
    if rng.random() < 0.5:
        t = replace(beat.repol["t"].moved((0, 0, 0), rng.uniform(1.9, 2.6)), left=0.09, right=0.08)
        return beat.with_waves("repol", t=t), ("EL",)
    v = np.asarray(beat.repol["t"].vector)
    u = Wave(1.12, 0.09, 0.1, vec(v * rng.uniform(0.35, 0.6)))
    t = beat.repol["t"].moved((0, 0, 0), rng.uniform(0.1, 0.35))
    return add(beat.with_waves("repol", t=t, u=u), "st", -0.25 * v), ("EL", "LOWT")
