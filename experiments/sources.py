"""From `data=…` to packed stores: what is not packed yet is packed into the cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ecgvision.core.errors import ConfigError, DataError, RecordError
from ecgvision.core.input_files import TABLE, read_bytes
from ecgvision.core.processors import usable_cores
from ecgvision.core.source_digest import DIGITS, source_digest
from ecgvision.data.drawn_pages import DrawnPages, read_manifest
from ecgvision.records.option_names import OptionNames
from ecgvision.records.units import millivolts
from ecgvision.store.packed import Store, check_store

STATED = OptionNames(
    "data.unstated_rate, or a column rate of the manifest",
    "data.unit, or a column unit of the manifest",
    "a column orientation of the manifest",
)
"""How a configuration states what a record's file leaves out."""


def cache_dir(configured: str | None) -> Path:
    """The folder for packed stores: as configured, else `ecgvision` in the user's cache folder."""
    if configured:
        return Path(configured).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "ecgvision"


def _cached(cache: Path, name: str, module: str, make: Callable[[Path], Any]) -> list[str]:
    """The store of that name, made first where it is not there; by one process at a time.

    Args:
        module: whose code makes it. A store that other code has made is not used.
    """
    folder = cache / f"{name}-{source_digest(module)}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f".{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go of when the process ends, however it ends
            if not folder.exists():
                for old in sorted(cache.glob(f"{name}-{'[0-9a-f]' * DIGITS}")):
                    print(f"Packed by other code, and not used any more: {old}", flush=True)
                print(f"Packing {folder.name} into {cache} (once)", flush=True)
                make(folder)
    Store(folder)  # refuses a store that is cut short or of another version
    return [str(folder)]


def _root(data: Mapping[str, Any]) -> Path:
    if data["root"] is None:
        raise ConfigError(f"data={data['name']} needs data.root",
                          remedy="Add data.root=, the source's own folder or file")  # fmt: skip
    root = Path(str(data["root"])).expanduser().resolve()
    if not root.exists():
        raise DataError("there is nothing at data.root", file=root,
                        remedy="Give the source's own folder or file")  # fmt: skip
    return root


def _fingerprint(file: Path) -> str:
    return hashlib.sha256(f"{file}".encode() + read_bytes(file, limit=TABLE)).hexdigest()[:12]


def _synthetic(data: Mapping[str, Any], cache: Path) -> list[str]:
    from data_prep.synthesize import synthesize

    records, seed, rate = int(data["records"]), int(data["cohort_seed"]), float(data["rate"])
    name = f"synthetic-{records}-seed{seed}-{rate:g}Hz"
    jobs = usable_cores()
    return _cached(
        cache,
        name,
        "data_prep.synthesize",
        lambda out: synthesize(out, records=records, seed=seed, rate=rate, jobs=jobs),
    )


def _ptbxl(data: Mapping[str, Any], cache: Path) -> list[str]:
    from data_prep.ptbxl import check_folder, check_rate, pack_ptbxl

    root, rate = _root(data), check_rate(data["rate"])
    name = f"ptbxl-{_fingerprint(check_folder(root))}-{rate}Hz"
    return _cached(
        cache,
        name,
        "data_prep.ptbxl",
        lambda out: pack_ptbxl(root, out, rate=rate, jobs=usable_cores()),
    )


def _challenge(data: Mapping[str, Any], cache: Path) -> list[str]:
    from data_prep.cinc import RATE, pack_cinc
    from data_prep.cinc_files import fingerprint

    challenge, root, rate = str(data["name"]), _root(data), float(data["rate"] or RATE)
    table = _ptbxl_table(data)
    name = f"{challenge}-{fingerprint(root)}-{rate:g}Hz"
    if table is not None:
        name += f"-ptbxl-{_fingerprint(table)}"
    return _cached(
        cache,
        name,
        "data_prep.cinc",
        lambda out: pack_cinc(
            root, out, challenge=challenge, rate=rate, ptbxl=table, jobs=usable_cores()
        ),
    )


def _ptbxl_table(data: Mapping[str, Any]) -> Path | None:
    """The file of `data.ptbxl`, where one is named."""
    table = Path(str(data["ptbxl"])).expanduser() if data.get("ptbxl") else None
    if table is not None and not table.is_file():
        raise DataError("there is no file at data.ptbxl", file=table,
                        remedy="Name PTB-XL's ptbxl_database.csv, or leave it out")  # fmt: skip
    return table


def _manifest(data: Mapping[str, Any], cache: Path) -> list[str]:
    from data_prep.manifest import fingerprint, pack_manifest

    file, rate, unstated = _table(data), data["rate"], data.get("unstated_rate")
    unit = data.get("unit")
    name = f"manifest-{fingerprint(file)}" + (f"-{rate:g}Hz" if rate else "")
    name += f"-or-{unstated:g}Hz" if unstated else ""
    name += f"-or-{unit}" if unit else ""
    jobs = usable_cores()
    return _cached(
        cache,
        name,
        "data_prep.manifest",
        lambda out: pack_manifest(
            file,
            out,
            rate=rate,
            unstated_rate=unstated,
            unit=unit,
            jobs=jobs,
            names=STATED,
            resampling="data.rate",
        ),
    )


def _table(data: Mapping[str, Any]) -> Path:
    if not (file := _root(data)).is_file():
        raise DataError("data.root of data=manifest is the CSV file itself", file=file,
                        remedy="Give the file that lists the records")  # fmt: skip
    return file


def _store(data: Mapping[str, Any], cache: Path) -> list[str]:
    found = _paths(data["store"])
    for path in found:
        Store(path)
    return [str(path) for path in found]


def _paths(given: str | list[str] | None) -> list[Path]:
    """One path, a list of them, or none, without `~` and from the root."""
    paths = [given] if isinstance(given, str) else list(given or [])
    return [Path(str(path)).expanduser().resolve() for path in paths]


def images(data: Mapping[str, Any]) -> list[DrawnPages]:
    """The folders of drawn pages that the data section names; none where it names none.

    Raises:
        DataError: for a folder that is missing, unfinished or none of these.
    """
    return [DrawnPages(path) for path in _paths(data.get("images"))]


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
        ConfigError: naming the key; also for a unit that is none.
    """
    if (name := data["name"]) not in SOURCES:
        raise ConfigError("unknown data source", value=name,
                          remedy=f"data= one of {', '.join(SOURCES)}")  # fmt: skip
    for key, source in (("store", "store"), ("root", "ptbxl or another that has a folder")):
        if key != place(name) and data.get(key) is not None:
            raise ConfigError(f"data={name} does not read data.{key}", value=data[key],
                              remedy=f"Add data={source}, or leave data.{key} out")  # fmt: skip
    if (unit := data.get("unit")) is not None:
        try:
            millivolts(str(unit))
        except RecordError as error:
            raise ConfigError("data.unit is no unit", value=unit, remedy=error.remedy) from None


def check_place(data: Mapping[str, Any]) -> None:
    """Refuse places without such a source or drawn pages, by checks that read and import little.

    Raises:
        ConfigError: as `check_source`; or if no place is named.
        DataError, StoreError: from the source; see `stores` and `images`.
    """
    check_source(data)
    if (name := data["name"]) == "store":
        if not (found := _paths(data["store"])):
            raise ConfigError("data=store needs data.store",
                              remedy="Set data.store=[FOLDER, …]")  # fmt: skip
        for path in found:
            check_store(path)
    elif name == "ptbxl":
        from data_prep.ptbxl import check_folder, check_rate

        check_rate(data["rate"])
        check_folder(_root(data))
    elif name == "manifest":
        _table(data)
    elif name == "synthetic":
        from data_prep.synthesize import check_cohort

        if data["rate"] is None:
            raise ConfigError("data=synthetic needs data.rate", remedy="Set data.rate=500")
        check_cohort(records=data["records"], seed=data["cohort_seed"], rate=data["rate"])
    else:
        if not (root := _root(data)).is_dir():
            raise DataError(f"data.root of data={name} is a folder", file=root,
                            remedy="Give the Challenge's training folder")  # fmt: skip
        _ptbxl_table(data)
    for path in _paths(data.get("images")):
        read_manifest(path)


def stores(data: Mapping[str, Any]) -> list[str]:
    """Paths of the packed stores that the data section asks for, packing first where needed.

    Raises:
        ConfigError: as `check_source`.
        DataError, StoreError, RecordError: from the source.
    """
    check_source(data)
    return SOURCES[data["name"]](data, cache_dir(data["cache_dir"]))
