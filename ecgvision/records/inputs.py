"""The files that a record may consist of, by its path."""

from __future__ import annotations

from pathlib import Path

_WFDB = (".hea", ".dat", ".mat")


def record_inputs(path: str | Path) -> list[Path]:
    """Return the files that reading a record may open, whether or not they exist."""
    path = Path(path)
    if not path.name:  # "." and "/", which reading refuses
        return [path]
    stem = path.with_suffix("") if path.suffix.lower() in _WFDB else path
    return [path, *(stem.with_name(stem.name + suffix) for suffix in _WFDB)]
