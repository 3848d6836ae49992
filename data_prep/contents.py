"""Records to pack: their labels, splits and patients, known before the first one is read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecgvision.core.errors import DataError

SPLIT_OF_FOLD: dict[int | None, str] = {**dict.fromkeys(range(1, 9), "train"), 9: "val", 10: "test"}
"""Splits that runs use unless `data.folds` says otherwise."""

_SHOWN = 12  # labels that are printed


@dataclass(frozen=True)
class Item:
    """A record to pack.

    Attributes:
        record_id: its name.
        file: its path.
        about: further arguments of `StoreWriter.add_steps`.
        rate, unit, orientation: what the source states of this record; see `open_record`.
    """

    record_id: str
    file: Path
    about: Mapping[str, Any] = field(default_factory=dict, compare=False)
    rate: float | None = None
    unit: str | None = None
    orientation: str | None = None


def check_patients(items: Sequence[Item], source: str) -> None:
    """Check that no patient stands in two splits.

    Raises:
        DataError: naming the first such patient, its splits and two of its records.
    """
    first: dict[str, tuple[str, str]] = {}
    for item in items:
        patient, split = item.about.get("patient_id"), SPLIT_OF_FOLD.get(item.about.get("fold"))
        if patient is None or split is None:
            continue
        known, record = first.setdefault(patient, (split, item.record_id))
        if known != split:
            raise DataError(
                f"patient {patient} stands in two splits", file=source,
                value=f"{known}: {record}, {split}: {item.record_id}",
                remedy="Correct patient_id, fold or split: folds 1-8 are train, 9 val, 10 test",
            )  # fmt: skip


def contents(items: Sequence[Item], label_columns: Sequence[str]) -> dict[str, Any]:
    """Count records by label, split and patient, for the quality report."""
    labels: dict[str, Any] = {}
    for column in label_columns:
        values = [(item.about.get("columns") or {}).get(column) for item in items]
        labels[column] = {"positive": values.count(1), "negative": values.count(0),
                          "unknown": values.count(None)}  # fmt: skip
    statements = Counter(code for item in items for code in item.about.get("scp_codes") or ())
    folds: dict[str, set[int]] = defaultdict(set)
    for item in items:
        if (patient := item.about.get("patient_id")) and item.about.get("fold") is not None:
            folds[patient].add(item.about["fold"])
    splits = Counter(SPLIT_OF_FOLD.get(item.about.get("fold"), "no fold") for item in items)
    return {
        "splits": {name: splits[name] for name in ("train", "val", "test", "no fold")},
        "patients_named": len({p for i in items if (p := i.about.get("patient_id"))}),
        "patients_in_several_folds": sum(len(found) > 1 for found in folds.values()),
        "labels": labels,
        "scp_codes": dict(statements.most_common()),
    }


def contents_text(found: dict[str, Any]) -> str:
    """Format `contents` as a few lines."""
    splits = ", ".join(f"{name} {n}" for name, n in found["splits"].items() if n)
    lines = [f"splits: {splits} (folds 1-8 are train, 9 val, 10 test); "
             f"{found['patients_named']} patients are named"]  # fmt: skip
    if several := found["patients_in_several_folds"]:
        lines.append(f"  {several} of them stand in more than one fold of train")
    labels = [f"{name} {n['positive']}" + (f" ({n['unknown']} unknown)" if n["unknown"] else "")
              for name, n in found["labels"].items()]  # fmt: skip
    for title, words in (
        ("labels, with positives", labels),
        ("SCP statements", [f"{code} {n}" for code, n in found["scp_codes"].items()]),
    ):
        if words:
            rest = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
            lines.append(f"{title}: {', '.join(words[:_SHOWN])}{rest}")
    return "\n".join(lines)
