"""Where the tests read real data: the larger sets beside the project, or the few within it."""

from __future__ import annotations

from pathlib import Path

LARGE = Path(__file__).resolve().parents[1] / "../shared/data"
SMALL = Path(__file__).parent / "official"


def real_data(name: str) -> Path:
    """The folder or file of that name, as `ptbxl-mini` or `cinc2021/weights.csv`."""
    return LARGE / name if (LARGE / name).exists() else SMALL / name
