"""Pinned tables of the SCP-ECG statements used in PTB-XL, and of their classes.

Source: `scp_statements.csv` of PTB-XL 1.0.3 (Wagner et al. 2020, Sci Data 7:154, CC BY 4.0), in the
file's own order; a test compares the two. The tables are pinned, so that the order of a model's
outputs never depends on a file or on which labels occur in the data.
"""

from __future__ import annotations

from typing import NamedTuple


class Statement(NamedTuple):
    """One SCP statement.

    `kinds` holds D (diagnostic), F (form), R (rhythm). `superclass` and `subclass` are empty for
    statements that are not diagnostic.
    """

    code: str
    description: str
    kinds: str
    superclass: str = ""
    subclass: str = ""


STATEMENTS = (
    Statement("NDT", "non-diagnostic T abnormalities", "DF", "STTC", "STTC"),
    Statement("NST_", "non-specific ST changes", "DF", "STTC", "NST_"),
    Statement("DIG", "digitalis-effect", "DF", "STTC", "STTC"),
    Statement("LNGQT", "long QT-interval", "DF", "STTC", "STTC"),
    Statement("NORM", "normal ECG", "D", "NORM", "NORM"),
    Statement("IMI", "inferior myocardial infarction", "D", "MI", "IMI"),
    Statement("ASMI", "anteroseptal myocardial infarction", "D", "MI", "AMI"),
    Statement("LVH", "left ventricular hypertrophy", "D", "HYP", "LVH"),
    Statement("LAFB", "left anterior fascicular block", "D", "CD", "LAFB/LPFB"),
    Statement("ISC_", "non-specific ischemic", "D", "STTC", "ISC_"),
    Statement("IRBBB", "incomplete right bundle branch block", "D", "CD", "IRBBB"),
    Statement("1AVB", "first degree AV block", "D", "CD", "_AVB"),
    Statement(
        "IVCD", "non-specific intraventricular conduction disturbance (block)", "D", "CD", "IVCD"
    ),
    Statement("ISCAL", "ischemic in anterolateral leads", "D", "STTC", "ISCA"),
    Statement("CRBBB", "complete right bundle branch block", "D", "CD", "CRBBB"),
    Statement("CLBBB", "complete left bundle branch block", "D", "CD", "CLBBB"),
    Statement("ILMI", "inferolateral myocardial infarction", "D", "MI", "IMI"),
    Statement("LAO/LAE", "left atrial overload/enlargement", "D", "HYP", "LAO/LAE"),
    Statement("AMI", "anterior myocardial infarction", "D", "MI", "AMI"),
    Statement("ALMI", "anterolateral myocardial infarction", "D", "MI", "AMI"),
    Statement("ISCIN", "ischemic in inferior leads", "D", "STTC", "ISCI"),
    Statement("INJAS", "subendocardial injury in anteroseptal leads", "D", "MI", "AMI"),
    Statement("LMI", "lateral myocardial infarction", "D", "MI", "LMI"),
    Statement("ISCIL", "ischemic in inferolateral leads", "D", "STTC", "ISCI"),
    Statement("LPFB", "left posterior fascicular block", "D", "CD", "LAFB/LPFB"),
    Statement("ISCAS", "ischemic in anteroseptal leads", "D", "STTC", "ISCA"),
    Statement("INJAL", "subendocardial injury in anterolateral leads", "D", "MI", "AMI"),
    Statement("ISCLA", "ischemic in lateral leads", "D", "STTC", "ISCA"),
    Statement("RVH", "right ventricular hypertrophy", "D", "HYP", "RVH"),
    Statement("ANEUR", "ST-T changes compatible with ventricular aneurysm", "D", "STTC", "STTC"),
    Statement("RAO/RAE", "right atrial overload/enlargement", "D", "HYP", "RAO/RAE"),
    Statement("EL", "electrolytic disturbance or drug (former EDIS)", "D", "STTC", "STTC"),
    Statement("WPW", "Wolff-Parkinson-White syndrome", "D", "CD", "WPW"),
    Statement("ILBBB", "incomplete left bundle branch block", "D", "CD", "ILBBB"),
    Statement("IPLMI", "inferoposterolateral myocardial infarction", "D", "MI", "IMI"),
    Statement("ISCAN", "ischemic in anterior leads", "D", "STTC", "ISCA"),
    Statement("IPMI", "inferoposterior myocardial infarction", "D", "MI", "IMI"),
    Statement("SEHYP", "septal hypertrophy", "D", "HYP", "SEHYP"),
    Statement("INJIN", "subendocardial injury in inferior leads", "D", "MI", "IMI"),
    Statement("INJLA", "subendocardial injury in lateral leads", "D", "MI", "AMI"),
    Statement("PMI", "posterior myocardial infarction", "D", "MI", "PMI"),
    Statement("3AVB", "third degree AV block", "D", "CD", "_AVB"),
    Statement("INJIL", "subendocardial injury in inferolateral leads", "D", "MI", "IMI"),
    Statement("2AVB", "second degree AV block", "D", "CD", "_AVB"),
    Statement("ABQRS", "abnormal QRS", "F"),
    Statement("PVC", "ventricular premature complex", "F"),
    Statement("STD_", "non-specific ST depression", "F"),
    Statement("VCLVH", "voltage criteria (QRS) for left ventricular hypertrophy", "F"),
    Statement("QWAVE", "Q waves present", "F"),
    Statement("LOWT", "low amplitude T-waves", "F"),
    Statement("NT_", "non-specific T-wave changes", "F"),
    Statement("PAC", "atrial premature complex", "F"),
    Statement("LPR", "prolonged PR interval", "F"),
    Statement("INVT", "inverted T-waves", "F"),
    Statement("LVOLT", "low QRS voltages in the frontal and horizontal leads", "F"),
    Statement("HVOLT", "high QRS voltage", "F"),
    Statement("TAB_", "T-wave abnormality", "F"),
    Statement("STE_", "non-specific ST elevation", "F"),
    Statement("PRC(S)", "premature complex(es)", "F"),
    Statement("SR", "sinus rhythm", "R"),
    Statement("AFIB", "atrial fibrillation", "R"),
    Statement("STACH", "sinus tachycardia", "R"),
    Statement("SARRH", "sinus arrhythmia", "R"),
    Statement("SBRAD", "sinus bradycardia", "R"),
    Statement("PACE", "normal functioning artificial pacemaker", "R"),
    Statement("SVARR", "supraventricular arrhythmia", "R"),
    Statement("BIGU", "bigeminal pattern (unknown origin, SV or Ventricular)", "R"),
    Statement("AFLT", "atrial flutter", "R"),
    Statement("SVTAC", "supraventricular tachycardia", "R"),
    Statement("PSVT", "paroxysmal supraventricular tachycardia", "R"),
    Statement("TRIGU", "trigeminal pattern (unknown origin, SV or Ventricular)", "R"),
)

SUPERCLASSES = {
    "NORM": "normal ECG",
    "MI": "myocardial infarction",
    "STTC": "ST/T change",
    "CD": "conduction disturbance",
    "HYP": "hypertrophy",
}

# The 23 are in the order of zhangshanwei-mm/PatchECG, so that outputs compare column by column.
SUBCLASSES = {
    "NORM": "normal ECG",
    "LAFB/LPFB": "left anterior or posterior fascicular block",
    "IRBBB": "incomplete right bundle branch block",
    "ILBBB": "incomplete left bundle branch block",
    "CLBBB": "complete left bundle branch block",
    "CRBBB": "complete right bundle branch block",
    "_AVB": "AV block",
    "IVCD": "non-specific intraventricular conduction disturbance",
    "WPW": "Wolff-Parkinson-White syndrome",
    "LVH": "left ventricular hypertrophy",
    "RVH": "right ventricular hypertrophy",
    "LAO/LAE": "left atrial overload/enlargement",
    "RAO/RAE": "right atrial overload/enlargement",
    "SEHYP": "septal hypertrophy",
    "AMI": "anterior myocardial infarction",
    "IMI": "inferior myocardial infarction",
    "LMI": "lateral myocardial infarction",
    "PMI": "posterior myocardial infarction",
    "ISCA": "ischaemia in anterior leads",
    "ISCI": "ischaemia in inferior leads",
    "ISC_": "non-specific ischaemia",
    "STTC": "ST/T change",
    "NST_": "non-specific ST changes",
}

# Only codes for which a SNOMED CT concept of the PhysioNet/CinC 2021 tables (dx_mapping_scored.csv
# and dx_mapping_unscored.csv) names the same finding. Superclass and subclass keys follow.
SNOMED = {
    "1AVB": "270492004",
    "2AVB": "195042002",
    "3AVB": "27885002",
    "ABQRS": "164951009",
    "AFIB": "164889003",
    "AFLT": "164890007",
    "CLBBB": "733534002",
    "CRBBB": "713427006",
    "ILBBB": "251120003",
    "INVT": "59931005",
    "IRBBB": "713426002",
    "IVCD": "698252002",
    "LAFB": "445118002",
    "LNGQT": "111975006",
    "LPFB": "445211001",
    "LPR": "164947007",
    "LVH": "164873001",
    "LVOLT": "251146004",
    "PAC": "284470004",
    "PACE": "10370003",
    "PSVT": "67198005",
    "PVC": "427172004",
    "QWAVE": "164917005",
    "RVH": "89792004",
    "SARRH": "427393009",
    "SBRAD": "426177001",
    "SR": "426783006",
    "STACH": "427084000",
    "STD_": "429622005",
    "STE_": "164931005",
    "SVTAC": "426761007",
    "TAB_": "164934002",
    "WPW": "74390002",
    "AMI": "54329005",
    "MI": "164865005",
    "_AVB": "233917008",
}
