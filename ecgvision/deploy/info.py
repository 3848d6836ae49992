"""Installed versions and descriptions of bundles, for `ecgvision info`. Base install only."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ecgvision import __version__
from ecgvision.deploy.bundle import Bundle, LabelBundle
from ecgvision.deploy.flat_bundle import SCALES, FlatReaderBundle
from ecgvision.deploy.open_bundle import AnyReader, AnyStudent, open_bundle
from ecgvision.reader.judge.lines import lines as read_lines

PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "torch", "lightning", "timm", "numba")


def run(folder: str | Path | None, *, as_json: bool) -> int:
    """Print versions, or the card of a verified bundle; return the exit code."""
    if folder is None:
        found = versions()
        lines = [f"{name:<24}{number or 'not installed'}" for name, number in found.items()]
        print(json.dumps(found, indent=2) if as_json else "\n".join(lines))
        return 0
    bundle = open_bundle(folder)
    if as_json:
        print(json.dumps(bundle.card, indent=2))
    else:
        print(describe(bundle) if isinstance(bundle, LabelBundle) else describe_reader(bundle))
    return 0


def versions() -> dict[str, str | None]:
    """Return the versions of packages for prediction and training; None if not installed."""
    found: dict[str, str | None] = {
        "ecgvision": __version__,
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def describe(bundle: AnyStudent) -> str:
    """Describe a bundle that predicts labels: its input, labels, thresholds, test metrics, use."""
    card = bundle.card
    per_class = card["metrics"].get("per_class")
    per_class = per_class if isinstance(per_class, dict) else {}
    width = max(len(code) for code in bundle.codes)
    lines = [
        f"bundle       {bundle.id} (every file verified)",
        f"input        {_input(bundle)}",
        f"learned from {bundle.learned_from_text()}",
        f"labels       {card['labels'].get('scheme')}, hash {bundle.label_hash}",
        f"temperature  {bundle.temperature:.4g}",
        f"test AUROC   {_figure(card['metrics'].get('macro_auroc'))} (macro)",
        "",
    ]
    for code, name, threshold in zip(bundle.codes, bundle.names, bundle.thresholds, strict=True):
        own = per_class.get(code)
        auroc = _figure(own.get("auroc") if isinstance(own, dict) else None)
        lines.append(f"  {code:<{width}}  from {threshold:.3f}  AUROC {auroc}  {name}")
    return "\n".join([*lines, "", card["intended_use"]])


def _input(bundle: AnyStudent) -> str:
    if isinstance(bundle, Bundle):
        if bundle.standard:
            return "standard page behind a page reader, {} x {} pixels".format(*bundle.image_size)
        return f"{bundle.image_size[0]} x {bundle.image_size[1]} pixels, height x width"
    return f"{', '.join(bundle.used)}: {bundle.seconds:g} s at {bundle.rate:g} Hz, in mV"


def describe_reader(bundle: AnyReader) -> str:
    """Describe a reader bundle as text: outputs, refused pages, test metrics, intended use."""
    if isinstance(bundle, FlatReaderBundle):
        sees = f"flat paper of any size, at {SCALES} pixels a millimetre down and across"
    else:
        sees = f"{bundle.image_size[0]} x {bundle.image_size[1]} pixels, height x width"
    return "\n".join([
        f"bundle       {bundle.id} (every file verified)",
        f"input        {sees}",
        f"reads        12 leads of {bundle.samples / bundle.rate:g} s at {bundle.rate:g} Hz, in mV",
        f"refuses      pages with a confidence below {bundle.least_confidence:.2f}",
        "",
        _test_figures(bundle.card["metrics"]),
        "",
        bundle.card["intended_use"],
    ])  # fmt: skip


def _test_figures(metrics: Any) -> str:
    if "all" not in metrics:
        return "test figures not given"
    try:
        return read_lines(metrics)
    except (LookupError, TypeError, ValueError, AttributeError):  # not as this version writes them
        return "test figures not as this version knows them; --json shows them"


def _figure(metric: Any) -> str:
    if not isinstance(metric, dict) or not isinstance(metric.get("value"), (int, float)):
        return "not given"
    ends = metric.get("ci95")
    if isinstance(ends, list) and len(ends) == 2 and all(isinstance(v, (int, float)) for v in ends):
        return f"{metric['value']:.3f} [{ends[0]:.3f}, {ends[1]:.3f}]"
    return f"{metric['value']:.3f}"
