"""Text summary of a reader's metrics. Needs no training stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNITS = {"layout": "", "artefact": "", "gain": "mm/mV", "speed": "mm/s"}
"""Properties by which pages are grouped, and their units."""


def _other_rules(figures: Mapping[str, Any]) -> list[str]:
    """Return the mean SNR by every rule; empty for older metrics without the other rules."""
    if "snr_kaggle_db" not in figures:
        return []
    rules = {"ours": figures["snr_db"]["mean"],
             "the Challenge 2024's scorer": figures["snr_official_db"]["mean"],
             "Kaggle 2025": figures["snr_kaggle_db"]["value"]}  # fmt: skip
    known = [f"{value:.1f} dB ({rule})" for rule, value in rules.items() if value is not None]
    return ["  Mean SNR by rule: " + ", ".join(known)] if known else []


def lines(found: Mapping[str, Any]) -> str:
    """Return the metrics by layout, artefact, gain and speed as lines of text.

    Args:
        found: as from `summary.summarise`.
    """
    out = ["Read on the test folds:"]
    for key in ["all", *(k for k in found if k.partition(":")[0] in UNITS)]:
        snr, r = found[key]["snr_db"], found[key]["correlation"]["median"]
        told = "not defined"
        if snr["median"] is not None:
            low, high = snr["ci95"]
            told = f"{snr['median']:5.1f} dB (95 % interval {low:.1f} to {high:.1f})"
        kind, _, value = key.partition(":")
        name = f"{value} {UNITS[kind]}".rstrip() if value else "all"
        close = "not defined" if r is None else f"{r:.3f}"
        refused = f", {found[key]['refused']} refused" if found[key]["refused"] else ""
        out.append(f"  {name:<14} n={found[key]['pages']:<5} pages, median SNR {told}, "
                   f"correlation {close}{refused}")  # fmt: skip
    out += _other_rules(found["all"])
    return "\n".join(out)
