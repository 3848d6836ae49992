"""Synthetic cohort: strata, folds, visits and the conditions of each patient.

Patients come in blocks of 200: 20 for each of the ten folds, with the same strata in every fold. A
cohort of at least one block therefore has every superclass in every fold. A patient depends only on
(seed, number) and a record only on (seed, number, visit): a longer cohort starts with the same
records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data_prep.synthetic.patients import Patient, draw_patient
from data_prep.synthetic.records import Sample, record
from data_prep.synthetic.rhythm import Rng

STRATA = ("NORM",) * 8 + ("MI",) * 3 + ("STTC",) * 3 + ("CD",) * 3 + ("HYP",) * 3
BLOCK = 10 * len(STRATA)
VISITS = (0.45, 0.30, 0.15, 0.10)
"""Probabilities of 1 to 4 records per patient (our default: PTB-XL has 1.2 on average; with more,
splitting by patient matters)."""

# Relative frequencies within a superclass. Our default: roughly those of PTB-XL, with rare
# statements made more frequent.
MIX: dict[str, dict[str, float]] = {
    "MI": {"IMI": 26, "ASMI": 24, "AMI": 10, "ALMI": 8, "ILMI": 8, "LMI": 6, "IPMI": 3, "IPLMI": 2,
           "PMI": 3, "INJAS": 3, "INJAL": 3, "INJIN": 2, "INJLA": 1.5, "INJIL": 1.5},
    "STTC": {"NDT": 22, "ISC_": 15, "ISCAL": 10, "ISCIN": 7, "ISCIL": 6, "ISCAS": 6, "ISCLA": 4,
             "ISCAN": 5, "NST_": 10, "DIG": 6, "LNGQT": 5, "EL": 4},
    "CD": {"LAFB": 20, "CRBBB": 18, "CLBBB": 20, "IRBBB": 9, "1AVB": 14, "IVCD": 7, "LPFB": 5,
           "ILBBB": 3, "WPW": 4},
    "HYP": {"LVH": 74, "LAO/LAE": 8, "RVH": 11, "RAO/RAE": 4, "SEHYP": 3},
}  # fmt: skip
COMPANY = {
    "MI": {"CD": 0.20, "STTC": 0.16, "HYP": 0.10},
    "STTC": {"HYP": 0.16, "CD": 0.14},
    "CD": {"HYP": 0.14, "STTC": 0.14, "MI": 0.12},
    "HYP": {"STTC": 0.22, "CD": 0.16, "MI": 0.08},
}
"""Probability that a patient of one superclass also has a condition of another (our default)."""
BUNDLE_LIKE = {"CLBBB", "ILBBB", "WPW", "IVCD", "CRBBB"}
EXCLUSIVE: dict[str, set[str]] = {
    # With these conditions the QRS or ST-T hides the others, and readers do not code them.
    "CLBBB": {"LVH", "RVH", "SEHYP", "LNGQT", "DIG", "EL", "NDT", "NST_"},
    "ILBBB": {"RVH", "SEHYP"},
    "CRBBB": {"RVH", "LNGQT"},
    "WPW": {"RVH", "SEHYP", "LVH"},
    "IVCD": {"RVH"},
    "LAFB": {"RVH"},
    "LPFB": {"RVH", "LVH"},
}
HEALTHY_RHYTHM: dict[str, float] = {
    "SR": 74, "SARRH": 8, "SBRAD": 8, "STACH": 5, "AFIB": 2, "AFLT": 0.7, "SVTAC": 0.7, "PSVT":
    0.6, "PACE": 0.5, "2AVB-I": 0.5,
}  # fmt: skip
ILL_RHYTHM: dict[str, float] = {
    "SR": 70, "SARRH": 4, "SBRAD": 6, "STACH": 7, "AFIB": 8, "AFLT": 2.5, "SVTAC": 0.5, "PSVT":
    0.5,
}  # fmt: skip
BLOCKED_RHYTHM: dict[str, float] = {
    "SR": 60, "SBRAD": 8, "STACH": 5, "AFIB": 6, "2AVB-I": 6, "2AVB-II": 6, "3AVB": 6, "PACE": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """One record to simulate: patient number, visit number from 0, fold 1-10 and stratum."""

    patient: int
    visit: int
    fold: int
    stratum: str

    @property
    def record_id(self) -> str:
        return f"syn{self.patient:05d}-{self.visit + 1}"


def visits(seed: int, records: int) -> Iterator[Visit]:
    """Yield the first `records` visits of the cohort of this seed."""
    number = made = 0
    slots = np.zeros(0, int)
    while made < records:
        if number % BLOCK == 0:
            slots = np.random.default_rng([seed, 1, number // BLOCK]).permutation(BLOCK)
        slot = int(slots[number % BLOCK])
        count = 1 + int(np.random.default_rng([seed, 2, number]).choice(len(VISITS), p=VISITS))
        for k in range(min(count, records - made)):
            yield Visit(number, k, slot % 10 + 1, STRATA[slot // 10])
        made += count
        number += 1


def _pick(rng: Rng, weights: dict[str, float]) -> str:
    p = np.array(list(weights.values()), dtype=float)
    return str(rng.choice(list(weights), p=p / p.sum()))


def draw_conditions(rng: Rng, stratum: str) -> tuple[str, ...]:
    """Sample the conditions of a patient of this stratum, without two that hide each other."""
    if stratum == "NORM":
        return ()
    found = [_pick(rng, MIX[stratum])]
    for other, chance in COMPANY[stratum].items():
        if rng.random() < chance:
            found.append(_pick(rng, MIX[other]))
    if stratum == "CD" and found[0] == "CRBBB" and rng.random() < 0.25:
        found.append("LAFB")
    kept: list[str] = []
    for name in found:
        clash = any(name in EXCLUSIVE.get(k, ()) or k in EXCLUSIVE.get(name, ()) for k in kept)
        if name in BUNDLE_LIKE and any(k in BUNDLE_LIKE for k in kept):
            clash = True
        if not clash and name not in kept:
            kept.append(name)
    return tuple(kept)


def draw_rhythm(rng: Rng, stratum: str) -> tuple[str, str]:
    """Sample the rhythm of a visit and its kind of premature beats ("" for none)."""
    special: dict[str, dict[str, float]] = {"NORM": HEALTHY_RHYTHM, "CD": BLOCKED_RHYTHM}
    name = _pick(rng, special.get(stratum, ILL_RHYTHM))
    if name not in ("SR", "SARRH", "SBRAD"):
        return name, ""
    chance = 0.06 if stratum == "NORM" else 0.13
    if rng.random() > chance:
        return name, ""
    return name, _pick(rng, {"pac": 40, "pvc": 45, "pvc2": 8, "pvc3": 7})


def make(seed: int, visit: Visit, rate: float, seconds: float) -> tuple[Patient, Sample]:
    """Simulate one visit, deterministically from the arguments."""
    own = np.random.default_rng([seed, 3, visit.patient])
    patient = draw_patient(own, visit.patient, healthy=visit.stratum == "NORM")
    conditions = draw_conditions(own, visit.stratum)
    rng = np.random.default_rng([seed, 4, visit.patient, visit.visit])
    rhythm, premature = draw_rhythm(rng, visit.stratum)
    if rhythm in ("PACE", "3AVB", "2AVB-I", "2AVB-II"):
        conditions = tuple(c for c in conditions if c not in ("1AVB", "WPW"))
    if rhythm in ("AFIB", "AFLT", "SVTAC", "PSVT"):  # these have no normal P wave
        hidden = ("1AVB", "WPW", "LAO/LAE", "RAO/RAE")
        conditions = tuple(c for c in conditions if c not in hidden)
    sample = record(
        rng, patient, conditions, rhythm, premature=premature, rate=rate, seconds=seconds
    )
    return patient, sample
