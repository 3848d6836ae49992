"""From `data=…` to packed stores: what is not packed yet is packed into the cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ecgvision
from ecgvision.cores import usable_cores
from ecgvision.data.drawn import DrawnPages
from ecgvision.ecg import ConfigError, DataError
from ecgvision.store import Store
from experiments.check import is_number


def cache_dir(configured: str | None) -> Path:
    """The folder for packed stores: as configured, else `ecgvision` in the user's cache folder."""
    if configured:
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "ecgvision"


def _cached(cache: Path, name: str, make: Callable[[Path], Any]) -> list[str]:
    """The store of that name, made first where it is not there; by one process at a time."""
    folder = cache / f"{name}-v{ecgvision.__version__}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f".{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go of when the process ends, however it ends
            if not folder.exists():
                print(f"Packing {folder.name} into {cache} (once)", flush=True)
                make(folder)
    Store(folder)  # refuses a store that is cut short or of another version
    return [str(folder)]


def _root(data: Mapping[str, Any]) -> Path:
    root = Path(str(data["root"])).expanduser().resolve()
    if not root.exists():
        raise DataError("there is nothing at data.root", file=root,
                        remedy="Give the source's own folder or file")  # fmt: skip
    return root


def _fingerprint(file: Path) -> str:
    return hashlib.sha256(f"{file}".encode() + file.read_bytes()).hexdigest()[:12]


def _synthetic(data: Mapping[str, Any], cache: Path) -> list[str]:
    from data_prep.synthesize import synthesize

    records, seed, rate = int(data["records"]), int(data["cohort_seed"]), float(data["rate"])
    name = f"synthetic-{records}-seed{seed}-{rate:g}Hz"
    jobs = usable_cores()
    return _cached(
        cache, name, lambda out: synthesize(out, records=records, seed=seed, rate=rate, jobs=jobs)
    )


def _ptbxl(data: Mapping[str, Any], cache: Path) -> list[str]:
    from data_prep.ptbxl import check_folder, pack_ptbxl

    root, rate = _root(data), int(data["rate"])
    name = f"ptbxl-{_fingerprint(check_folder(root))}-{rate}Hz"
    return _cached(cache, name, lambda out: pack_ptbxl(root, out, rate=rate, jobs=usable_cores()))


def _challenge(data: Mapping[str, Any], cache: Path) -> list[str]:
    from data_prep.cinc import RATE, pack_cinc
    from data_prep.cinc_files import fingerprint

    challenge, root, rate = str(data["name"]), _root(data), float(data["rate"] or RATE)
    table = Path(str(data["ptbxl"])).expanduser() if data.get("ptbxl") else None
    name = f"{challenge}-{fingerprint(root)}-{rate:g}Hz"
    if table is not None:
        if not table.is_file():
            raise DataError("there is no file at data.ptbxl", file=table,
                            remedy="Name PTB-XL's ptbxl_database.csv, or leave it out")  # fmt: skip
        name += f"-ptbxl-{_fingerprint(table)}"
    return _cached(
        cache,
        name,
        lambda out: pack_cinc(
            root, out, challenge=challenge, rate=rate, ptbxl=table, jobs=usable_cores()
        ),
    )


def _manifest(data: Mapping[str, Any], cache: Path) -> list[str]:
    from data_prep.manifest import fingerprint, pack_manifest

    file, rate, unstated = _root(data), data["rate"], data.get("unstated_rate")
    name = f"manifest-{fingerprint(file)}" + (f"-{rate:g}Hz" if rate else "")
    name += f"-or-{unstated:g}Hz" if unstated else ""
    jobs = usable_cores()
    return _cached(
        cache, name,
        lambda out: pack_manifest(file, out, rate=rate, unstated_rate=unstated, jobs=jobs),
    )  # fmt: skip


def _store(data: Mapping[str, Any], cache: Path) -> list[str]:
    given = data["store"]
    paths = [given] if isinstance(given, str) else list(given or [])
    found = [Path(path).expanduser().resolve() for path in paths]
    for path in found:
        Store(path)  # a wrong path is an answer now, not after the heavy imports
    return [str(path) for path in found]


def images(data: Mapping[str, Any]) -> list[DrawnPages]:
    """The folders of drawn pages that the data section names; none where it names none.

    Raises:
        DataError: for a folder that is missing, unfinished or none of these.
    """
    given = data.get("images")
    paths = [given] if isinstance(given, str) else list(given or [])
    return [DrawnPages(Path(path).expanduser().resolve()) for path in paths]


SOURCES: dict[str, Callable[[Mapping[str, Any], Path], list[str]]] = {
    "synthetic": _synthetic,
    "ptbxl": _ptbxl,
    "cinc2020": _challenge,
    "cinc2021": _challenge,
    "cpsc2018": _challenge,
    "manifest": _manifest,
    "store": _store,
}


def place(source: str) -> str | None:
    """The key of the data section that says where a source lies; None of one that is made."""
    return {"store": "store", "synthetic": None}.get(source, "root")


def check_source(data: Mapping[str, Any]) -> None:
    """Refuse a source that does not exist, and a place that it does not look at: whoever names
    their records means them.

    Raises:
        ConfigError: naming the key; also for a rate that is none.
    """
    if (name := data["name"]) not in SOURCES:
        raise ConfigError("unknown data source", value=name,
                          remedy=f"data= one of {', '.join(SOURCES)}")  # fmt: skip
    for key, source in (("store", "store"), ("root", "ptbxl or another that has a folder")):
        if key != place(name) and data.get(key) is not None:
            raise ConfigError(f"data={name} does not read data.{key}", value=data[key],
                              remedy=f"Add data={source}, or leave data.{key} out")  # fmt: skip
    for key in ("rate", "unstated_rate"):
        if (rate := data.get(key)) is not None and not (is_number(rate) and rate > 0):
            raise ConfigError(f"data.{key} must be a positive number of Hz, or null", value=rate)


def stores(data: Mapping[str, Any]) -> list[str]:
    """Paths of the packed stores that the data section asks for, packing first where needed.

    Raises:
        ConfigError: as `check_source`.
        DataError, StoreError, RecordError: from the source.
    """
    check_source(data)
    return SOURCES[data["name"]](data, cache_dir(data["cache_dir"]))
