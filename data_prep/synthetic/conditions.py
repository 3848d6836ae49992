"""What illness does to a beat, and which SCP statements it earns.

Each function takes a generator and a normal beat and returns the changed beat with its codes.
Durations, axes, voltages and ST criteria are the textbook's (`heart-model.md`; Surawicz and
Knilans, Chou's Electrocardiography, 6th ed.); how far a patient lies beyond a criterion is our
default: ranges that stay visible on a printed page and still overlap with normal variation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from data_prep.synthetic.dipole import (
    Array,
    Beat,
    Vector,
    Wave,
    axis_to,
    frontal_axis,
    sokolow_lyon,
    toward,
    turn,
    vec,
)
from data_prep.synthetic.rhythm import Rng

Codes = tuple[str, ...]
Result = tuple[Beat, Codes]

ANTERIOR = (0.15, 0.0, -1.0)
SEPTAL = (-0.30, 0.0, -0.95)
ANTEROLATERAL = (0.85, -0.15, -0.55)
LATERAL = (1.0, -0.45, 0.05)
INFERIOR = (-0.05, 1.0, 0.0)
INFEROLATERAL = (0.65, 0.75, 0.1)
INFEROPOSTERIOR = (0.0, 0.75, 0.65)
POSTERIOR = (-0.1, 0.1, 1.0)
IPL = (0.5, 0.6, 0.6)


def _add(beat: Beat, name: str, vector: Array) -> Beat:
    """Add a vector to a wave of repolarisation."""
    return beat.with_waves("repol", **{name: beat.repol[name].moved(vector)})


# ---- conduction --------------------------------------------------------------------------------


def left_bundle(rng: Rng, beat: Beat, *, complete: bool = True) -> Result:
    """LBBB: no septal q; broad, notched R in I, aVL, V5, V6; deep S in V1-V3; T opposite."""
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
    beat = _add(beat, "t", -weight * rng.uniform(0.24, 0.4) * second - weight * np.array(
        beat.repol["t"].vector) * 0.6)  # fmt: skip
    beat = _add(beat, "st", -weight * rng.uniform(0.08, 0.16) * second)
    return beat, ("CLBBB",) if complete else ("ILBBB",)


def incomplete_left_bundle(rng: Rng, beat: Beat) -> Result:
    return left_bundle(rng, beat, complete=False)


def right_bundle(rng: Rng, beat: Beat, *, complete: bool = True) -> Result:
    """RBBB: the left ventricle as before, then a late vector to the right and front: rsR' in V1,
    slurred S in I and V6; T inverted in V1 and V2."""
    old, qrs = beat.qrs, rng.uniform(122, 150) if complete else rng.uniform(102, 117)
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
    beat = _add(beat, "t", -inversion * late)
    return beat, ("CRBBB",) if complete else ("IRBBB",)


def incomplete_right_bundle(rng: Rng, beat: Beat) -> Result:
    return right_bundle(rng, beat, complete=False)


def left_anterior(rng: Rng, beat: Beat) -> Result:
    """LAFB: axis -45 to -90, qR in aVL, rS in II, III and aVF; small r in V1-V3 stays."""
    beat = replace(beat, qrs=float(np.clip(beat.qrs + rng.uniform(4, 14), 90, 116)))
    r = np.linalg.norm(beat.depol["main"].vector)
    beat = beat.with_waves(
        "depol", septal=beat.depol["septal"].moved(r * np.array([-0.08, 0.28, 0.02]))
    )
    rest = {k: w for k, w in beat.depol.items() if k != "septal"}
    aim = float(rng.uniform(-72, -48))
    whole = beat
    for _ in range(8):  # turn all but the septal vector until the whole QRS has the axis
        m = turn("frontal", aim - frontal_axis(whole))
        rest = {k: w.pointing(m @ np.asarray(w.vector)) for k, w in rest.items()}
        whole = beat.with_waves("depol", **rest)
    # V5 and V6 get an S as the last vector points up and back.
    return whole, ("LAFB",)


def left_posterior(rng: Rng, beat: Beat) -> Result:
    """LPFB: axis past +95 (our default: to +114, beyond which V6 would lose its R in this model),
    rS in I and aVL, qR in III and aVF."""
    r = np.linalg.norm(beat.depol["main"].vector)
    beat = replace(beat, qrs=float(np.clip(beat.qrs + rng.uniform(4, 12), 90, 114)))
    beat = beat.with_waves(
        "depol", septal=beat.depol["septal"].moved(r * np.array([0.2, -0.26, 0.0]))
    )
    return axis_to(beat, float(rng.uniform(96, 114))), ("LPFB",)


def intraventricular_delay(rng: Rng, beat: Beat) -> Result:
    """Non-specific delay: QRS 115-140 ms, slurred and notched, with neither bundle's shape."""
    beat = beat.lasting(float(rng.uniform(116, 140)), keep_ms=False)
    v = np.asarray(beat.depol["main"].vector)
    notch = 0.5 * v + 0.3 * np.linalg.norm(v) * rng.standard_normal(3)
    beat = beat.with_waves(
        "depol",
        main=beat.depol["main"].moved((0, 0, 0), 0.8),
        notch=Wave(0.68, 0.07, 0.08, vec(notch)),
    )
    beat = _add(beat, "t", -0.12 * v)
    return beat, ("IVCD", "ABQRS")


def preexcitation(rng: Rng, beat: Beat) -> Result:
    """WPW: PR under 120 ms, a slow delta wave, QRS 115-140 ms, T opposite to delta."""
    old, qrs = beat.qrs, float(rng.uniform(116, 142))
    beat = replace(beat.lasting(qrs, keep_ms=True), pr=float(rng.uniform(88, 112)))
    lag = 1 - old / qrs
    depol = {k: replace(w, at=w.at + lag) for k, w in beat.depol.items()}
    v = np.asarray(depol["main"].vector)
    delta = 0.35 * v + 0.2 * np.linalg.norm(v) * rng.standard_normal(3)
    depol["delta"] = Wave(0.30, 0.12, 0.12, vec(delta))
    beat = replace(beat, depol=depol)
    return _add(beat, "t", -0.8 * delta), ("WPW",)


def first_degree(rng: Rng, beat: Beat) -> Result:
    """PR over 200 ms."""
    return replace(beat, pr=float(rng.uniform(218, 330))), ("1AVB", "LPR")


# ---- hypertrophy -------------------------------------------------------------------------------


def left_ventricle(rng: Rng, beat: Beat) -> Result:
    """LVH: S(V1) + R(V5/6) over 3.5 mV; in two of three with strain: ST down and T inverted
    laterally, asymmetrically; in one of three with a left atrium."""
    aim = rng.uniform(3.7, 5.2)
    turned = beat.mapped("depol", turn("horizontal", rng.uniform(2, 14)))
    for _ in range(6):  # growth is to the left and the back, and half as much downwards
        f = aim / sokolow_lyon(turned)
        turned = turned.mapped("depol", np.diag([f, np.sqrt(f), f]))
    beat = turned.lasting(min(turned.qrs + rng.uniform(4, 16), 116), keep_ms=False)
    codes: Codes = ("LVH", "VCLVH")
    if rng.random() < 0.7:
        grade = rng.uniform(0.5, 1.0)
        side = np.array([0.9, rng.uniform(-0.2, 0.4), -0.1])
        beat = _add(beat, "t", -toward(vec(side), 0.75 * grade) * [1, 1, 0])
        beat = _add(beat, "t", np.array([0, 0, -0.15 * grade]))
        beat = _add(beat, "st", -toward((0.8, 0.2, 0.5), 0.22 * grade))
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
    beat = _add(beat, "t", toward((-0.3, -0.1, -1.0), -rng.uniform(0.3, 0.6)))
    beat = _add(beat, "st", toward((-0.3, -0.1, -1.0), -rng.uniform(0.04, 0.14)))
    codes: Codes = ("RVH",)
    if rng.random() < 0.4:
        beat, more = right_atrium(rng, beat)
        codes += more
    return beat, codes


def left_atrium(rng: Rng, beat: Beat) -> Result:
    """LAE: P over 120 ms, notched in II, with a deep late negative part in V1."""
    beat = replace(beat, pr=max(beat.pr, 158.0))
    return beat.with_waves(
        "p",
        right=Wave(36, 16, 15, (0.04, 0.09, -0.05)),
        left=Wave(88, 16, 18, (0.12, 0.09, rng.uniform(0.11, 0.2))),
    ), ("LAO/LAE",)


def right_atrium(rng: Rng, beat: Beat) -> Result:
    """RAE: peaked P over .25 mV in II, III and aVF."""
    return beat.with_waves("p", right=Wave(42, 15, 15, (0.03, rng.uniform(0.26, 0.36), -0.09))), (
        "RAO/RAE",
    )


def septal_hypertrophy(rng: Rng, beat: Beat) -> Result:
    """Septal hypertrophy: deep narrow q in I, aVL, V5, V6 and tall r in V1-V2."""
    grow = rng.uniform(1.9, 2.6)
    beat = beat.with_waves("depol", septal=beat.depol["septal"].moved((-0.28, 0, -0.1), grow))
    return _add(beat, "t", -toward(LATERAL, rng.uniform(0.1, 0.35))), ("SEHYP",)


# ---- infarction and ischaemia ------------------------------------------------------------------


def infarct(rng: Rng, beat: Beat, code: str, where: Vector) -> Result:
    """Lost muscle: early forces point away from it (Q of 40 ms or more, at least a quarter of R).

    Acute: ST up toward it with reciprocal depression, T tall. Recent: Q, some ST, T inverted
    toward it. Old: Q and a flat or inverted T; in one of five ST stays up (aneurysm).
    """
    stage = rng.choice(["acute", "recent", "old"], p=[0.3, 0.35, 0.35])
    d = np.asarray(where) / np.linalg.norm(where)
    main = np.asarray(beat.depol["main"].vector)
    loss = rng.uniform(0.4, 0.9) if stage == "acute" else rng.uniform(0.75, 1.2)
    q = -d * loss * (0.42 + 0.25 * np.linalg.norm(main))
    septal = np.asarray(beat.depol["septal"].vector)
    septal = septal - d * max(0.0, float(septal @ d)) * min(1.0, loss)
    beat = beat.with_waves(
        "depol",
        septal=beat.depol["septal"].pointing(septal),
        main=beat.depol["main"].moved(-d * max(0.0, float(main @ d)) * 0.25 * loss),
        q=Wave(0.27, 0.10, 0.12, vec(q)),
    )
    codes: Codes = (code,)
    t = np.asarray(beat.repol["t"].vector)
    along = d * float(t @ d)
    if stage == "acute":
        beat = _add(beat, "st", toward(where, rng.uniform(0.18, 0.5)))
        beat = _add(beat, "t", toward(where, rng.uniform(0.0, 0.35)))
        codes += ("STE_",)
    elif stage == "recent":
        beat = _add(beat, "st", toward(where, rng.uniform(0.06, 0.22)))
        beat = _add(beat, "t", -along - toward(where, rng.uniform(0.15, 0.5)))
        codes += ("QWAVE", "INVT")
    else:
        beat = _add(beat, "t", -along * rng.uniform(0.7, 1.0) - toward(where, rng.uniform(0, 0.2)))
        codes += ("QWAVE",)
        if rng.random() < 0.2:
            beat = _add(beat, "st", toward(where, rng.uniform(0.12, 0.25)))
            codes += ("ANEUR", "STE_")
    return beat, codes


def injury(rng: Rng, beat: Beat, code: str, where: Vector) -> Result:
    """Subendocardial injury: ST down by .12-.35 mV in the territory, T low."""
    beat = _add(beat, "st", -toward(where, rng.uniform(0.12, 0.35)))
    return _add(beat, "t", -toward(where, rng.uniform(0.05, 0.3))), (code, "STD_")


def ischaemia(rng: Rng, beat: Beat, code: str, where: Vector) -> Result:
    """T inverted, symmetrically, toward the territory, with ST down a little in most."""
    d = np.asarray(where) / np.linalg.norm(where)
    t = beat.repol["t"]
    rest = np.asarray(t.vector) - d * max(0.0, float(np.asarray(t.vector) @ d))
    t = t.pointing(0.4 * rest - toward(where, rng.uniform(0.16, 0.45)))
    beat = beat.with_waves("repol", t=replace(t, left=0.13, right=0.11))
    codes: Codes = (code, "INVT")
    if rng.random() < 0.6:
        beat = _add(beat, "st", -toward(where, rng.uniform(0.06, 0.18)))
        codes += ("STD_",)
    return beat, codes


# ---- non-specific ST and T ---------------------------------------------------------------------


def flat_t(rng: Rng, beat: Beat) -> Result:
    """NDT: T low, flat or slightly inverted in most leads."""
    share = rng.uniform(-0.35, 0.25)
    t = beat.repol["t"].moved(0.03 * rng.standard_normal(3), share)
    return beat.with_waves("repol", t=t), ("NDT", "LOWT" if share > 0 else "TAB_", "NT_")


def st_changes(rng: Rng, beat: Beat) -> Result:
    """NST_: ST down by .07-.16 mV in leads that share no artery."""
    where = (rng.uniform(0.4, 1), rng.uniform(0.3, 1), rng.uniform(-0.4, 0.2))
    beat = _add(beat, "st", -toward(where, rng.uniform(0.08, 0.17)))
    t = beat.repol["t"].moved((0, 0, 0), rng.uniform(0.35, 0.8))
    return beat.with_waves("repol", t=t), ("NST_", "STD_")


def digitalis(rng: Rng, beat: Beat) -> Result:
    """Digitalis: scooped ST opposite to QRS, small T, short QT."""
    v = np.asarray(beat.depol["main"].vector)
    st = Wave(0.36, 0.2, 0.17, vec(-v * rng.uniform(0.10, 0.2)))
    t = beat.repol["t"].moved((0, 0, 0), rng.uniform(0.2, 0.6))
    qtc = float(rng.uniform(345, 375))
    return replace(beat.with_waves("repol", st=st, t=t), qtc=qtc), ("DIG", "STD_")


def long_qt(rng: Rng, beat: Beat) -> Result:
    """QTc of 485-570 ms; the T wave keeps its width, so ST is long (low calcium) or T is broad."""
    beat = replace(beat, qtc=float(rng.uniform(485, 570)))
    t = beat.repol["t"].moved((0, 0, 0), rng.uniform(0.6, 1.0))
    return beat.with_waves("repol", t=t), ("LNGQT",)


def electrolytes(rng: Rng, beat: Beat) -> Result:
    """High potassium (tall, narrow T) or low (flat T, ST down, U wave)."""
    if rng.random() < 0.5:
        t = replace(beat.repol["t"].moved((0, 0, 0), rng.uniform(1.9, 2.6)), left=0.09, right=0.08)
        return beat.with_waves("repol", t=t), ("EL",)
    v = np.asarray(beat.repol["t"].vector)
    u = Wave(1.12, 0.09, 0.1, vec(v * rng.uniform(0.35, 0.6)))
    t = beat.repol["t"].moved((0, 0, 0), rng.uniform(0.1, 0.35))
    return _add(beat.with_waves("repol", t=t, u=u), "st", -0.25 * v), ("EL", "LOWT")


TERRITORIES: dict[str, tuple[Callable[..., Result], Vector]] = {
    "ASMI": (infarct, SEPTAL),
    "AMI": (infarct, ANTERIOR),
    "ALMI": (infarct, ANTEROLATERAL),
    "LMI": (infarct, LATERAL),
    "IMI": (infarct, INFERIOR),
    "ILMI": (infarct, INFEROLATERAL),
    "IPMI": (infarct, INFEROPOSTERIOR),
    "IPLMI": (infarct, IPL),
    "PMI": (infarct, POSTERIOR),
    "INJAS": (injury, SEPTAL),
    "INJAL": (injury, ANTEROLATERAL),
    "INJIN": (injury, INFERIOR),
    "INJLA": (injury, LATERAL),
    "INJIL": (injury, INFEROLATERAL),
    "ISC_": (ischaemia, (0.8, 0.5, -0.3)),
    "ISCAL": (ischaemia, ANTEROLATERAL),
    "ISCIN": (ischaemia, INFERIOR),
    "ISCIL": (ischaemia, INFEROLATERAL),
    "ISCAS": (ischaemia, SEPTAL),
    "ISCLA": (ischaemia, LATERAL),
    "ISCAN": (ischaemia, ANTERIOR),
}
SHAPES: dict[str, Callable[[Rng, Beat], Result]] = {
    "LVH": left_ventricle,
    "RVH": right_ventricle,
    "LAO/LAE": left_atrium,
    "RAO/RAE": right_atrium,
    "SEHYP": septal_hypertrophy,
    "CLBBB": left_bundle,
    "ILBBB": incomplete_left_bundle,
    "CRBBB": right_bundle,
    "IRBBB": incomplete_right_bundle,
    "LAFB": left_anterior,
    "LPFB": left_posterior,
    "IVCD": intraventricular_delay,
    "WPW": preexcitation,
    "1AVB": first_degree,
    "NDT": flat_t,
    "NST_": st_changes,
    "DIG": digitalis,
    "LNGQT": long_qt,
    "EL": electrolytes,
}
CONDITIONS = (*SHAPES, *TERRITORIES)
"""Every condition that can be asked for, in the order in which several are applied."""


def apply(rng: Rng, beat: Beat, conditions: Codes) -> Result:
    """Apply conditions in the order of `CONDITIONS`; the codes of all, each once."""
    codes: Codes = ()
    for name in sorted(conditions, key=CONDITIONS.index):
        if name in SHAPES:
            beat, more = SHAPES[name](rng, beat)
        else:
            change, where = TERRITORIES[name]
            beat, more = change(rng, beat, name, where)
        codes += tuple(c for c in more if c not in codes)
    return beat, codes
