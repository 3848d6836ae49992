"""What a reader reads, in a few lines for people. Needs no training stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lines(found: Mapping[str, Any]) -> str:
    """How well each layout was read, and with each artefact, for people.

    Args:
        found: as `reading.summarise` gives it.
    """
    out = ["Read on the test folds:"]
    for key in ["all", *(k for k in found if k.startswith(("layout:", "artefact:")))]:
        snr, r = found[key]["snr_db"], found[key]["correlation"]["median"]
        told = "not defined"
        if snr["median"] is not None:
            low, high = snr["ci95"]
            told = f"{snr['median']:5.1f} dB (95 % interval {low:.1f} to {high:.1f})"
        name = key.partition(":")[2] or "all"
        out.append(f"  {name:<14} n={found[key]['pages']:<5} pages, median SNR {told}, "
                   f"correlation {'not defined' if r is None else f'{r:.3f}'}")  # fmt: skip
    return "\n".join(out)
