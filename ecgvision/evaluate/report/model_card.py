"""Model card of a run, made from its configuration and metrics.

The headings are those of Mitchell et al. 2019 (Model Cards for Model Reporting). The report shows
the card, and a bundle carries it as `MODEL_CARD.md`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

FILE = "MODEL_CARD.md"
MANY = 12
"""Labels above this number are named without their figures."""


class Section(NamedTuple):
    """One heading of a card with its facts, each a name and a text."""

    heading: str
    facts: tuple[tuple[str, str], ...]


def sections(
    config: Mapping[str, Any], metrics: Mapping[str, Any], *, intended_use: str, run: str
) -> list[Section]:
    """Return the card of a labelled run.

    Args:
        config: the run's configuration.
        metrics: content of metrics.json.
        intended_use: statement of the intended use.
        run: name of the run.
    """
    data, model = metrics["data"], config.get("model", {})
    networks = {key: model[key] for key in ("encoder", "image_encoder", "signal_encoder")
                if model.get(key)}  # fmt: skip
    folds = config["data"].get("folds")
    return [
        Section("Model", _facts({
            "system": config["exp"], "run": run, "ecgvision": metrics.get("version"),
            "code": metrics.get("code"), "streams": ", ".join(metrics["operating_points"]),
            **networks})),
        Section("Intended use", (("use", intended_use),)),
        Section("Data", _facts({
            "name": data.get("name"), "sha256 of the records": data.get("hash"),
            **{f"{split} records": data.get(split) for split in ("train", "val", "test")},
            "folds": folds and ", ".join(f"{k}: {v}" for k, v in dict(folds).items()),
            "records without a label, left out": data.get("dropped_unlabelled")})),
        Section("Pages", _facts({
            "layouts": ", ".join(metrics.get("layouts", ())),
            "artefacts": ", ".join(map(str, metrics.get("artefacts", ()))),
            "paper": config["data"].get("style")})),
        Section("Labels", _facts({
            "hash of the scheme": metrics.get("label_hash"),
            "labels": ", ".join(metrics["labels"])})),
        Section("Figures on test records, with 95 % intervals over patients",
                tuple(_figures(metrics["test"]))),
        Section("Operating points, from validation records alone",
                tuple(_points(metrics["operating_points"]))),
        Section("Limits", tuple(_limits(metrics))),
    ]  # fmt: skip


def as_markdown(card: Sequence[Section]) -> str:
    """Return a card as Markdown text."""
    lines = ["# Model card", ""]
    for heading, facts in card:
        lines += [f"## {heading}", ""]
        lines += [f"- {name}: {_one_line(text)}" for name, text in facts]
        lines.append("")
    return "\n".join(lines)


def _facts(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((k, str(v)) for k, v in values.items() if v not in (None, "", (), []))


def _figures(test: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    for stream, found in test.items():
        if "@" in stream:
            continue
        facts.append((f"{stream}, macro AUROC (n = {found['n']})", _figure(found["macro_auroc"])))
        if len(found["per_class"]) <= MANY:
            facts += [(f"{stream}, {code} ({entry['positives']} positives)",
                       f"AUROC {_figure(entry['auroc'])}")
                      for code, entry in found["per_class"].items()]  # fmt: skip
    return facts


def _points(points: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    for stream, found in points.items():
        text = f"policy {found.get('policy', 'max_f1')}, temperature {found['temperature']:.3f}"
        if len(found["thresholds"]) <= MANY:
            each = (f"{code} {t:.3f}" for code, t in found["thresholds"].items())
            text += f", thresholds {', '.join(each)}"
        facts.append((stream, text))
        facts += [(f"{stream}, note", note) for note in found.get("notes", ())]
    return facts


def _limits(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    if untrained := metrics.get("without_training_positives"):
        facts.append(("labels that no training record has", ", ".join(untrained)))
    if skipped := metrics.get("skipped"):
        facts.append(("labels that could not be judged", ", ".join(skipped)))
    facts += [
        (
            "pages",
            "training and test pages are drawn unless a folder of pictures is named above; real "
            "scans and photographs are harder",
        ),
        (
            "other layouts, artefacts and hospitals",
            "judge them before use: ecgvision evaluate --robustness, and --bundle",
        ),
    ]
    return facts


def _figure(entry: Mapping[str, Any]) -> str:
    if entry["value"] is None:
        return "not defined"
    low, high = entry["ci95"]
    ends = "" if low is None else f" ({low:.3f} to {high:.3f})"
    return f"{entry['value']:.3f}{ends}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
