"""Pinned tables of the PhysioNet/CinC Challenges 2020 and 2021 and of CPSC 2018.

The classes, their SNOMED CT concepts, and which concepts count as one diagnosis come from
`dx_mapping_scored.csv` and `weights.csv` of the Challenges' scorers (Perez Alday et al. 2020,
Physiol Meas 41:124003; Reyna et al. 2021, CinC 48). The order is that of `weights.csv` and of the
official scores; tests compare the two. A class of two equivalent concepts is written `CRBBB/RBBB`.

Weights: the reward for predicting class j when class i is true. 26 whole numbers represent the
official tables. Each class has a place on a line, and the reward is 0.5 - |place i - place j| / 80,
but 1 for the class itself. Two pairs of classes of the 2021 table that share a place (bundle branch
block and its left form, low voltages and poor R progression) get 2/80 less.
"""

from __future__ import annotations

from typing import NamedTuple


class ScoredClass(NamedTuple):
    """A scored diagnosis and the concepts that count for it; the first concept represents it."""

    code: str
    snomed: tuple[str, ...]
    name: str
    place: int


_LEFT = "left bundle branch block"
_CLASSES = (
    ScoredClass("AF", ("164889003",), "atrial fibrillation", 8),
    ScoredClass("AFL", ("164890007",), "atrial flutter", 8),
    ScoredClass("BBB", ("6374002",), "bundle branch block", 10),
    ScoredClass("Brady", ("426627000",), "bradycardia", 24),
    ScoredClass("LBBB", ("164909002",), _LEFT, 10),
    ScoredClass("CLBBB/LBBB", ("733534002", "164909002"), _LEFT, 10),
    ScoredClass("CRBBB/RBBB", ("713427006", "59118001"), "right bundle branch block", 16),
    ScoredClass("IAVB", ("270492004",), "first degree AV block", 24),
    ScoredClass("IRBBB", ("713426002",), "incomplete right bundle branch block", 24),
    ScoredClass("LAD", ("39732003",), "left axis deviation", 20),
    ScoredClass("LAnFB", ("445118002",), "left anterior fascicular block", 20),
    ScoredClass("LPR", ("164947007",), "prolonged PR interval", 24),
    ScoredClass("LQRSV", ("251146004",), "low QRS voltages", 14),
    ScoredClass("LQT", ("111975006",), "prolonged QT interval", 12),
    ScoredClass("NSIVCB", ("698252002",), "nonspecific intraventricular conduction disorder", 20),
    ScoredClass("NSR", ("426783006",), "sinus rhythm", 28),
    ScoredClass("PAC/SVPB", ("284470004", "63593006"), "premature atrial contraction", 21),
    ScoredClass("PR", ("10370003",), "pacing rhythm", 18),
    ScoredClass("PRWP", ("365413008",), "poor R wave progression", 14),
    ScoredClass("PVC/VPB", ("427172004", "17338001"), "premature ventricular contraction", 18),
    ScoredClass("QAb", ("164917005",), "abnormal Q wave", 0),
    ScoredClass("RAD", ("47665007",), "right axis deviation", 20),
    ScoredClass("SA", ("427393009",), "sinus arrhythmia", 24),
    ScoredClass("SB", ("426177001",), "sinus bradycardia", 24),
    ScoredClass("STach", ("427084000",), "sinus tachycardia", 18),
    ScoredClass("TAb", ("164934002",), "abnormal T wave", 8),
    ScoredClass("TInv", ("59931005",), "T wave inversion", 8),
)
_BY_CODE = {c.code: c for c in _CLASSES}
_ORDER_2020 = (
    "IAVB AF AFL Brady CRBBB/RBBB IRBBB LAnFB LAD LBBB LQRSV NSIVCB PR PAC/SVPB PVC/VPB LPR LQT "
    "QAb RAD SA SB NSR STach TAb TInv"
)

CINC2020 = tuple(_BY_CODE[code] for code in _ORDER_2020.split())
"""The 24 classes of the 27 codes scored in 2020."""
CINC2021 = tuple(c for c in _CLASSES if c.code != "LBBB")
"""The 26 classes of the 30 codes scored in 2021."""
SINUS_RHYTHM = "NSR"
"""The class that the Challenge's inactive model always predicts."""

STEPS = 80  # places are eightieths of a point
EXCEPTIONS = (frozenset({"BBB", "CLBBB/LBBB"}), frozenset({"LQRSV", "PRWP"}))
EXCEPTION = 2  # reduction for these pairs, in eightieths

# The nine classes of the China Physiological Signal Challenge 2018 (Liu et al. 2018, J Med Imaging
# Health Inform 8:1368), in the challenge's order and with the names used in ECG papers. The CPSC
# column of the 2020 tables has counts for exactly these nine concepts. Sinus rhythm stands for
# "normal", 59118001 and 164909002 stand for the bundle branch blocks.
CPSC2018 = (
    ("NORM", "426783006", "normal"),
    ("AFIB", "164889003", "atrial fibrillation"),
    ("1AVB", "270492004", "first degree AV block"),
    ("CLBBB", "164909002", _LEFT),
    ("CRBBB", "59118001", "right bundle branch block"),
    ("PAC", "284470004", "premature atrial contraction"),
    ("VPC", "164884008", "premature ventricular contraction"),
    ("STD", "429622005", "ST depression"),
    ("STE", "164931005", "ST elevation"),
)
