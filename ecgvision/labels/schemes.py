"""Label schemes: ordered classes and the statements that count for each.

A scheme is pinned and hashed. A checkpoint or bundle carries the hash, so outputs cannot be read in
another class order. The order never depends on which labels occur in the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import LabelError
from ecgvision.labels.cinc_tables import CINC2020, CINC2021, CPSC2018
from ecgvision.labels.scp_tables import SNOMED, STATEMENTS, SUBCLASSES, SUPERCLASSES
from ecgvision.labels.snomed import check_identifier

if TYPE_CHECKING:
    import pandas as pd

Unlabelled = Literal["drop", "keep"]
Vocabulary = Literal["scp", "snomed"]
CODE_COLUMN: dict[str, str] = {"scp": "scp_codes", "snomed": "snomed_codes"}
"""Column of a store with a record's statements in each vocabulary, as JSON text.

SCP statements are an object of statement and likelihood, SNOMED concepts a list.
"""
_SHOWN: dict[str, str] = {"scp": "SCP", "snomed": "SNOMED"}
_KNOWN = frozenset(s.code for s in STATEMENTS)


@dataclass(frozen=True)
class LabelScheme:
    """Ordered classes and the policy that converts a source's labels to targets.

    Attributes:
        name: name used in configurations.
        version: incremented whenever the meaning of the name changes.
        codes: the classes, in the order of every array of targets or outputs.
        names: display names, one for each code.
        statements: code -> the statements that count for it; empty for a manifest's columns.
        min_likelihood: statements below it do not count (inclusive). PTB-XL writes 0 for an unknown
            likelihood, so the default 0.0 keeps every statement, as its authors do.
        unlabelled: whether records that are known to have none of the classes are left out ("drop")
            or kept as all-negative ("keep").
        snomed: code -> SNOMED CT concept, for classes with a concept for the same finding (the
            first if several count for a class).
        vocabulary: type of the statements: SCP-ECG statements, or SNOMED CT concepts, which carry
            no likelihood.
    """

    name: str
    version: int
    codes: tuple[str, ...]
    names: tuple[str, ...]
    statements: Mapping[str, tuple[str, ...]]
    min_likelihood: float = 0.0
    unlabelled: Unlabelled = "drop"
    snomed: Mapping[str, str] = field(default_factory=dict)
    vocabulary: Vocabulary = "scp"

    def __post_init__(self) -> None:
        if not self.codes or len(set(self.codes)) != len(self.codes):
            raise LabelError("a scheme needs codes, each once", value=self.codes)
        if len(self.names) != len(self.codes):
            raise LabelError("a scheme needs one name for each code", value=self.names)
        if not 0.0 <= self.min_likelihood <= 100.0:
            raise LabelError("min_likelihood must lie in 0..100", value=self.min_likelihood)
        if self.vocabulary == "snomed" and self.min_likelihood > 0:
            raise LabelError(
                f"the labels of {self.name} carry no likelihood, so none can be asked for",
                value=self.min_likelihood,
                remedy="Leave min_likelihood at 0",
            )
        if self.unlabelled not in ("drop", "keep"):
            raise LabelError("unlabelled must be drop or keep", value=self.unlabelled)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def hash(self) -> str:
        """16 hex digits over everything that determines the meaning of a target."""
        facts = asdict(self)
        del facts["snomed"]  # an annotation that changes no target
        if self.vocabulary == "scp":  # keeps the hashes of SCP schemes stable
            del facts["vocabulary"]
        text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def encode(self, codes: Mapping[str, float] | Collection[str]) -> NDArray[np.uint8]:
        """Return (C,) uint8: 1 for each class with a statement that reaches the minimum likelihood.

        Args:
            codes: statements of the scheme's vocabulary, either a mapping to likelihoods or a
                collection; statements of a collection count as certain.

        Raises:
            LabelError: if a statement is unknown to PTB-XL or is not a SNOMED CT identifier, or if
                a likelihood is outside 0..100. Ignoring it would turn a mistyped finding into a
                negative.
        """
        likelihoods = codes if isinstance(codes, Mapping) else dict.fromkeys(codes, 100.0)
        for code, likelihood in likelihoods.items():
            if self.vocabulary == "snomed":
                check_identifier(code)
            elif code not in _KNOWN:
                raise LabelError(
                    "unknown SCP statement",
                    value=code,
                    remedy="Use the 71 statements of PTB-XL, or label columns",
                )
            if not 0.0 <= likelihood <= 100.0:
                raise LabelError(f"the likelihood of {code} must lie in 0..100", value=likelihood)
        counted = {code for code, value in likelihoods.items() if value >= self.min_likelihood}
        return np.array(
            [not counted.isdisjoint(self.statements.get(c, ())) for c in self.codes], np.uint8
        )


def _scheme(name: str, classes: Mapping[str, str], members: Mapping[str, list[str]]) -> LabelScheme:
    return LabelScheme(
        name=name,
        version=1,
        codes=tuple(classes),
        names=tuple(classes.values()),
        statements={code: tuple(members[code]) for code in classes},
        snomed={code: SNOMED[code] for code in classes if code in SNOMED},
    )


def _single(name: str, kinds: str) -> LabelScheme:
    """Build a scheme with one class per statement of the given kinds, in the official order."""
    chosen = [s for s in STATEMENTS if set(kinds) & set(s.kinds)]
    return _scheme(
        name, {s.code: s.description for s in chosen}, {s.code: [s.code] for s in chosen}
    )


def _grouped(name: str, attribute: str, classes: Mapping[str, str]) -> LabelScheme:
    members: dict[str, list[str]] = {code: [] for code in classes}
    for statement in STATEMENTS:
        if group := getattr(statement, attribute):
            members[group].append(statement.code)
    return _scheme(name, classes, members)


def _snomed(name: str, classes: Sequence[tuple[str, tuple[str, ...], str]]) -> LabelScheme:
    """Build a scheme from classes given as (code, concepts that count for it, display name)."""
    return LabelScheme(
        name=name,
        version=1,
        codes=tuple(code for code, _, _ in classes),
        names=tuple(shown for _, _, shown in classes),
        statements={code: concepts for code, concepts, _ in classes},
        snomed={code: concepts[0] for code, concepts, _ in classes},
        vocabulary="snomed",
    )


SCHEMES: dict[str, LabelScheme] = {
    scheme.name: scheme
    for scheme in (
        _grouped("superdiagnostic", "superclass", SUPERCLASSES),
        _grouped("subdiagnostic", "subclass", SUBCLASSES),
        _single("diagnostic", "D"),
        _single("form", "F"),
        _single("rhythm", "R"),
        _single("all", "DFR"),
        _snomed("cinc2020", [c[:3] for c in CINC2020]),
        _snomed("cinc2021", [c[:3] for c in CINC2021]),
        _snomed("cpsc2018", [(code, (concept,), name) for code, concept, name in CPSC2018]),
    )
}


def get_scheme(
    name: str, *, min_likelihood: float = 0.0, unlabelled: Unlabelled = "drop"
) -> LabelScheme:
    """Return the pinned scheme of that name, with the given policy.

    Raises:
        LabelError: if the name is unknown or the policy is out of range.
    """
    if name not in SCHEMES:
        raise LabelError(
            "unknown label scheme",
            value=name,
            remedy=f"Known: {', '.join(SCHEMES)}, or columns of a manifest",
        )
    return replace(SCHEMES[name], min_likelihood=min_likelihood, unlabelled=unlabelled)


def column_scheme(
    columns: Sequence[str],
    *,
    names: Sequence[str] | None = None,
    unlabelled: Unlabelled = "keep",
) -> LabelScheme:
    """Return a manifest's own label columns as a scheme, in the manifest's order.

    All-negative records are kept by default: in columns of 0 and 1 they are the negatives.
    """
    return LabelScheme(
        name="columns",
        version=1,
        codes=tuple(columns),
        names=tuple(names if names is not None else columns),
        statements={},
        unlabelled=unlabelled,
    )


def targets(
    records: pd.DataFrame, scheme: LabelScheme
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the targets of a store's records under a scheme.

    A record's codes in the scheme's vocabulary determine its targets if it has any. Otherwise the
    source's class columns (`y_<code>`) are used, if they have a value for every class of the
    scheme. The columns carry no likelihood and are used unchanged. If a record has both, the codes
    counted at any likelihood must give the same classes as the columns. A manifest's own scheme
    ("columns") uses only the columns.

    Args:
        records: a store's table, or several concatenated: `record_id`, `scp_codes` and
            `snomed_codes` (JSON text or null; either may be absent), `y_<code>` (0, 1 or null).

    Returns:
        (N, C) uint8 targets, all 0 for a record without labels of either kind; and (N,) bool, True
        for the records that take part under the scheme's policy: labels are known, and at least one
        class is positive or `unlabelled` is "keep".

    Raises:
        LabelError: naming the record whose codes are unknown or contradict its columns, or the
            label columns that no record has.
    """
    columns, known = _from_columns(records, scheme)
    if scheme.name == "columns":
        target, labelled = columns == 1, known
    else:
        target, labelled = columns == 1, known.copy()
        at_any = get_scheme(scheme.name) if scheme.name in SCHEMES else scheme
        ids = records["record_id"].tolist()
        column = CODE_COLUMN[scheme.vocabulary]
        for row, text in enumerate(records[column].tolist() if column in records.columns else ()):
            if not isinstance(text, str):
                continue
            target[row] = _encode(scheme, text, ids[row])
            full = target[row] if scheme.min_likelihood == 0 else _encode(at_any, text, ids[row])
            differs = (columns[row] >= 0) & (columns[row] != full)
            if differs.any():
                codes = [c for c, d in zip(scheme.codes, differs, strict=True) if d]
                raise LabelError(
                    f"label columns and {_SHOWN[scheme.vocabulary]} codes contradict each other in "
                    f"{codes}",
                    file=ids[row],
                    value=text,
                    remedy="Correct the manifest, or leave one of them out",
                )
            labelled[row] = True
    target[~labelled] = False
    if scheme.unlabelled == "drop":
        labelled &= target.any(axis=1)
    return target.astype(np.uint8), labelled


def _from_columns(
    records: pd.DataFrame, scheme: LabelScheme
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Return (N, C) 0, 1 or -1 for no value; and (N,) bool, True where every class has one."""
    names = [f"y_{c}" for c in scheme.codes]
    values = np.full((len(records), len(names)), -1, np.int8)
    absent = [n.removeprefix("y_") for n in names if n not in records.columns]
    if absent and scheme.name == "columns":
        raise LabelError(
            "the data have no such label columns",
            value=absent,
            remedy="Name columns that the manifest marked as labels",
        )
    for i, name in enumerate(names):
        if name in records.columns:
            values[:, i] = records[name].astype("Int8").fillna(-1).to_numpy(np.int8)
    return values, np.all(values >= 0, axis=1)


def _encode(scheme: LabelScheme, text: str, record_id: str) -> NDArray[np.uint8]:
    try:
        codes: Any = json.loads(text)
        if scheme.vocabulary == "snomed":
            if not isinstance(codes, list):
                raise TypeError
            return scheme.encode([str(code) for code in codes])
        return scheme.encode({str(k): float(v) for k, v in codes.items()})
    except LabelError as error:
        raise LabelError(
            error.what, file=record_id, value=error.value, remedy=error.remedy
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        raise LabelError(
            "SCP codes are not a JSON object of numbers"
            if scheme.vocabulary == "scp"
            else "SNOMED codes are not a JSON list",
            file=record_id,
            value=text,
        ) from error
