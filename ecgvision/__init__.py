"""Classify ECGs from printed pages: a signal stream teaches an image-only student.

    import ecgvision as ev

    ecg = ev.read_record("record.hea")
    page = ev.render(ecg, "3x4+II").image
    read = ev.digitize("scan.png")          # waveforms of a picture
    answer = ev.predict("scan.png")         # findings, by the package's student

Everything is imported when it is first used: `import ecgvision` alone imports nothing else.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Ecg": "core.ecg",
    "LEADS": "core.ecg",
    "EcgVisionError": "core.errors",
    "Store": "store.packed",
    "digitize": "api",
    "open_bundle": "api",
    "open_record": "records.recording",
    "open_run": "trained_runs.build",
    "predict": "api",
    "read_page": "deploy.ingest",
    "read_record": "records.reading",
    "render": "api",
}
"""Public names, and the modules that define them."""

__all__ = [*_PUBLIC, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
