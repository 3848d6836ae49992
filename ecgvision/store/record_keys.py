"""Keys that identify records across stores.

Every record has two 64-bit keys, one of its name and one of its signal. The name key is the same at
another sampling rate. The signal key is the same under another name, in another store, beside other
records, and at another scale of the stored steps. It hashes the int16 steps of all leads in the
order of `LEADS`. The signal key of a recording therefore changes if it is packed at another rate,
filtered, cut to another length, with a lead missing, or in steps of another size (1 uV if the
source is on that grid, otherwise a share of the record's peak). A record without any deflection has
no signal key.

The signal keys of a store are computed once, at about a gigabyte per second. They are cached in the
store's folder as `keys.npz` if it is writable.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.atomic_io import atomic_file
from ecgvision.store.format import MISSING, SIGNALS

if TYPE_CHECKING:
    from ecgvision.store.packed import Store

KEYS = "keys.npz"

Keys = NDArray[np.uint64]


def record_keys(store: Store) -> Keys:
    """Return (N, 2) uint64 by row of the store: the name key and the signal key.

    A record without a signal key has its name key twice.
    """
    names = np.array(
        [_key(b"name", str(n).encode()) for n in store.records["record_id"]], np.uint64
    )
    signals = _signal_keys(store)
    return np.stack([names, np.where(signals == 0, names, signals)], axis=1)


def _signal_keys(store: Store) -> Keys:
    """Return (N,) uint64, 0 for a record without any deflection; from `keys.npz` if it matches."""
    file, content = store.path / KEYS, str(store.manifest["sha256"][SIGNALS])
    known = _read(file, content)
    if known is not None and len(known) == len(store):
        return known
    keys = np.array([_signal_key(store.steps(row)) for row in range(len(store))], np.uint64)
    with suppress(OSError), atomic_file(file) as part, part.open("wb") as stream:
        np.savez(stream, of=content, keys=keys)
    return keys


def _read(file: Path, content: str) -> Keys | None:
    try:
        with np.load(file, allow_pickle=False) as found:
            keys: Keys = found["keys"]
            sound = str(found["of"]) == content and keys.dtype == np.uint64 and keys.ndim == 1
    except (OSError, EOFError, KeyError, ValueError, BadZipFile):
        return None
    return keys if sound else None


def _signal_key(steps: NDArray[np.int16]) -> int:
    low, high = int(steps.min()), int(steps.max())
    if low == MISSING:
        held = steps[steps != MISSING]
        low = int(held.min()) if len(held) else high
    if low == high:
        return 0
    return _key(b"signal", np.ascontiguousarray(steps, "<i2"))


def _key(kind: bytes, value: Any) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=8, person=kind).digest(), "little")
