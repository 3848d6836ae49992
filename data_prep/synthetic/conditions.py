"""Registry of conditions by name, and their application to a beat."""

from __future__ import annotations

from collections.abc import Callable

from data_prep.synthetic import chambers, conduction, repolarisation
from data_prep.synthetic import ischaemia as muscle
from data_prep.synthetic.changes import Codes, Result
from data_prep.synthetic.dipole import Beat, Vector
from data_prep.synthetic.rhythm import Rng

TERRITORIES: dict[str, tuple[Callable[..., Result], Vector]] = {
    "ASMI": (muscle.infarct, muscle.SEPTAL),
    "AMI": (muscle.infarct, muscle.ANTERIOR),
    "ALMI": (muscle.infarct, muscle.ANTEROLATERAL),
    "LMI": (muscle.infarct, muscle.LATERAL),
    "IMI": (muscle.infarct, muscle.INFERIOR),
    "ILMI": (muscle.infarct, muscle.INFEROLATERAL),
    "IPMI": (muscle.infarct, muscle.INFEROPOSTERIOR),
    "IPLMI": (muscle.infarct, muscle.INFEROPOSTEROLATERAL),
    "PMI": (muscle.infarct, muscle.POSTERIOR),
    "INJAS": (muscle.injury, muscle.SEPTAL),
    "INJAL": (muscle.injury, muscle.ANTEROLATERAL),
    "INJIN": (muscle.injury, muscle.INFERIOR),
    "INJLA": (muscle.injury, muscle.LATERAL),
    "INJIL": (muscle.injury, muscle.INFEROLATERAL),
    "ISC_": (muscle.ischaemia, (0.8, 0.5, -0.3)),
    "ISCAL": (muscle.ischaemia, muscle.ANTEROLATERAL),
    "ISCIN": (muscle.ischaemia, muscle.INFERIOR),
    "ISCIL": (muscle.ischaemia, muscle.INFEROLATERAL),
    "ISCAS": (muscle.ischaemia, muscle.SEPTAL),
    "ISCLA": (muscle.ischaemia, muscle.LATERAL),
    "ISCAN": (muscle.ischaemia, muscle.ANTERIOR),
}
SHAPES: dict[str, Callable[[Rng, Beat], Result]] = {
    "LVH": chambers.left_ventricle,
    "RVH": chambers.right_ventricle,
    "LAO/LAE": chambers.left_atrium,
    "RAO/RAE": chambers.right_atrium,
    "SEHYP": chambers.septal_hypertrophy,
    "CLBBB": conduction.left_bundle,
    "ILBBB": conduction.incomplete_left_bundle,
    "CRBBB": conduction.right_bundle,
    "IRBBB": conduction.incomplete_right_bundle,
    "LAFB": conduction.left_anterior,
    "LPFB": conduction.left_posterior,
    "IVCD": conduction.intraventricular_delay,
    "WPW": conduction.preexcitation,
    "1AVB": conduction.first_degree,
    "NDT": repolarisation.flat_t,
    "NST_": repolarisation.st_changes,
    "DIG": repolarisation.digitalis,
    "LNGQT": repolarisation.long_qt,
    "EL": repolarisation.electrolytes,
}
CONDITIONS = (*SHAPES, *TERRITORIES)
"""All condition names, in the order in which several are applied."""


def apply(rng: Rng, beat: Beat, conditions: Codes) -> Result:
    """Apply conditions in the order of `CONDITIONS`; returns the beat and its unique codes."""
    codes: Codes = ()
    for name in sorted(conditions, key=CONDITIONS.index):
        if name in SHAPES:
            beat, more = SHAPES[name](rng, beat)
        else:
            change, where = TERRITORIES[name]
            beat, more = change(rng, beat, name, where)
        codes += tuple(c for c in more if c not in codes)
    return beat, codes
