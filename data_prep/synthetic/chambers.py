"""Hypertrophy of the ventricles and overload of the atria."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_prep.synthetic.changes import Codes, Result, add
from data_prep.synthetic.dipole import Beat, Wave, axis_to, sokolow_lyon, toward, turn, vec
from data_prep.synthetic.ischaemia import LATERAL
from data_prep.synthetic.rhythm import Rng


def left_ventricle(rng: Rng, beat: Beat) -> Result:
    """LVH: S(V1) + R(V5/6) over 3.5 mV.

    70 % have strain: lateral ST depression and asymmetric T inversion. A third have left atrial
    enlargement.
    """
    aim = rng.uniform(3.7, 5.2)
    turned = beat.mapped("depol", turn("horizontal", rng.uniform(2, 14)))
    for _ in range(6):  # growth to the left and back by f, downwards by sqrt(f)
        f = aim / sokolow_lyon(turned)
        turned = turned.mapped("depol", np.diag([f, np.sqrt(f), f]))
    beat = turned.lasting(min(turned.qrs + rng.uniform(4, 16), 116), keep_ms=False)
    codes: Codes = ("LVH", "VCLVH")
    if rng.random() < 0.7:
        grade = rng.uniform(0.5, 1.0)
        side = np.array([0.9, rng.uniform(-0.2, 0.4), -0.1])
        beat = add(beat, "t", -toward(vec(side), 0.75 * grade) * [1, 1, 0])
        beat = add(beat, "t", np.array([0, 0, -0.15 * grade]))
        beat = add(beat, "st", -toward((0.8, 0.2, 0.5), 0.22 * grade))
        codes += ("STD_", "INVT") if grade > 0.7 else ("STD_",)
    if rng.random() < 0.33:
        beat, more = left_atrium(rng, beat)
        codes += more
    return beat, codes


def right_ventricle(rng: Rng, beat: Beat) -> Result:
    """RVH: tall R in V1, deep S in V6, axis past +95, strain in V1-V3."""
    r = np.linalg.norm(beat.depol["main"].vector)
    size = r * rng.uniform(0.7, 1.0)
    beat = beat.with_waves(
        "depol",
        main=beat.depol["main"].moved((0, 0, 0), 0.62),
        posterior=Wave(0.56, 0.11, 0.11, vec(size * np.array([-0.75, 0.35, -0.62]))),
        terminal=beat.depol["terminal"].moved(size * np.array([-0.2, 0.0, 0.05])),
    )
    beat = axis_to(beat, float(rng.uniform(96, 130)))
    beat = add(beat, "t", toward((-0.3, -0.1, -1.0), -rng.uniform(0.3, 0.6)))
    beat = add(beat, "st", toward((-0.3, -0.1, -1.0), -rng.uniform(0.04, 0.14)))
    codes: Codes = ("RVH",)
    if rng.random() < 0.4:
        beat, more = right_atrium(rng, beat)
        codes += more
    return beat, codes


def left_atrium(rng: Rng, beat: Beat) -> Result:
    """LAE: P over 120 ms, notched in II, with a deep negative terminal part in V1."""
    beat = replace(beat, pr=max(beat.pr, 158.0))
    return beat.with_waves(
        "p",
        right=Wave(36, 16, 15, (0.04, 0.09, -0.05)),
        left=Wave(88, 16, 18, (0.12, 0.09, rng.uniform(0.11, 0.2))),
    ), ("LAO/LAE",)


def right_atrium(rng: Rng, beat: Beat) -> Result:
    """RAE: peaked P over 0.25 mV in II, III and aVF."""
    return beat.with_waves("p", right=Wave(42, 15, 15, (0.03, rng.uniform(0.26, 0.36), -0.09))), (
        "RAO/RAE",
    )


def septal_hypertrophy(rng: Rng, beat: Beat) -> Result:
    """Septal hypertrophy: deep narrow q in I, aVL, V5, V6 and tall r in V1-V2."""
    grow = rng.uniform(1.9, 2.6)
    beat = beat.with_waves("depol", septal=beat.depol["septal"].moved((-0.28, 0, -0.1), grow))
    return add(beat, "t", -toward(LATERAL, rng.uniform(0.1, 0.35))), ("SEHYP",)
