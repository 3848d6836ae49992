"""Infarction, injury and ischaemia, by coronary territory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data_prep.synthetic.changes import Codes, Result, add
from data_prep.synthetic.dipole import Beat, Vector, Wave, toward, vec
from data_prep.synthetic.rhythm import Rng

# Direction (x, y, z) of each territory. Our default: chosen from Dower's matrix so that amplitudes
# are largest in the leads that textbooks name for it. Stages and their ranges are our default too.
ANTERIOR = (0.15, 0.0, -1.0)
SEPTAL = (-0.30, 0.0, -0.95)
ANTEROLATERAL = (0.85, -0.15, -0.55)
LATERAL = (1.0, -0.45, 0.05)
INFERIOR = (-0.05, 1.0, 0.0)
INFEROLATERAL = (0.65, 0.75, 0.1)
INFEROPOSTERIOR = (0.0, 0.75, 0.65)
POSTERIOR = (-0.1, 0.1, 1.0)
INFEROPOSTEROLATERAL = (0.5, 0.6, 0.6)


def infarct(rng: Rng, beat: Beat, code: str, where: Vector) -> Result:
    """Infarction: early QRS forces point away from the territory.

    Q lasts about 40 ms or more and reaches a quarter of R. Acute: ST elevation in the territory
    with reciprocal depression, tall T. Recent: Q, some ST elevation, T inversion in the territory.
    Old: Q and a flat or inverted T; in one of five ST elevation persists (aneurysm).
    """
    stage = rng.choice(["acute", "recent", "old"], p=[0.3, 0.35, 0.35])
    d = np.asarray(where) / np.linalg.norm(where)
    main = np.asarray(beat.depol["main"].vector)
    loss = rng.uniform(0.4, 0.9) if stage == "acute" else rng.uniform(0.75, 1.2)
    q = -d * loss * (0.46 + 0.27 * np.linalg.norm(main))
    septal = np.asarray(beat.depol["septal"].vector)
    septal = septal - d * max(0.0, float(septal @ d)) * min(1.0, loss)
    beat = beat.with_waves(
        "depol",
        septal=beat.depol["septal"].pointing(septal),
        main=beat.depol["main"].moved(-d * max(0.0, float(main @ d)) * 0.25 * loss),
        q=Wave(0.28, 0.115, 0.14, vec(q)),
    )
    codes: Codes = (code,)
    t = np.asarray(beat.repol["t"].vector)
    along = d * float(t @ d)
    if stage == "acute":
        beat = add(beat, "st", toward(where, rng.uniform(0.18, 0.5)))
        beat = add(beat, "t", toward(where, rng.uniform(0.0, 0.35)))
        codes += ("STE_",)
    elif stage == "recent":
        beat = add(beat, "st", toward(where, rng.uniform(0.06, 0.22)))
        beat = add(beat, "t", -along - toward(where, rng.uniform(0.15, 0.5)))
        codes += ("QWAVE", "INVT")
    else:
        beat = add(beat, "t", -along * rng.uniform(0.7, 1.0) - toward(where, rng.uniform(0, 0.2)))
        codes += ("QWAVE",)
        if rng.random() < 0.2:
            beat = add(beat, "st", toward(where, rng.uniform(0.12, 0.25)))
            codes += ("ANEUR", "STE_")
    return beat, codes


def injury(rng: Rng, beat: Beat, code: str, where: Vector) -> Result:
    """Subendocardial injury: ST depression of 0.12-0.35 mV in the territory, low T."""
    beat = add(beat, "st", -toward(where, rng.uniform(0.12, 0.35)))
    return add(beat, "t", -toward(where, rng.uniform(0.05, 0.3))), (code, "STD_")


def ischaemia(rng: Rng, beat: Beat, code: str, where: Vector) -> Result:
    """Ischaemia: symmetric T inversion in the territory; 60 % also have slight ST depression."""
    d = np.asarray(where) / np.linalg.norm(where)
    t = beat.repol["t"]
    rest = np.asarray(t.vector) - d * max(0.0, float(np.asarray(t.vector) @ d))
    t = t.pointing(0.4 * rest - toward(where, rng.uniform(0.16, 0.45)))
    beat = beat.with_waves("repol", t=replace(t, left=0.13, right=0.11))
    codes: Codes = (code, "INVT")
    if rng.random() < 0.6:
        beat = add(beat, "st", -toward(where, rng.uniform(0.06, 0.18)))
        codes += ("STD_",)
    return beat, codes
