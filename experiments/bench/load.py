"""Benchmark of reading a record from a packed store, against `wfdb.rdsamp` on its original files.

    python -m experiments.bench load --root /data/ptb-xl --rate 500

Both read the same records in the same random order and give values in mV. The files are read once
beforehand, so that both find them in the page cache. The comparison is of opening, parsing and
converting, not of the disk.

`long` reads ten-second crops of half-hour records, as loaders do, against converting the entire
record and cropping it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ecgvision.core.arguments import COUNT, SEED

TARGET = 100.0
LONG_SECONDS = 1800


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add source, sampling rate, reads and rounds."""
    parser.add_argument("--root", help="a PTB-XL folder (default: 64 records written for the run)")
    parser.add_argument("--rate", type=int, choices=(100, 500), default=100, help="Hz")
    parser.add_argument("--records", type=COUNT, default=200, help="reads of each kind")
    parser.add_argument("--repeats", type=COUNT, default=5, help="rounds; the median is reported")
    parser.add_argument("--seed", type=SEED, default=0, help="order of the reads")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure milliseconds per record for both readers (median over rounds) and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        if args.root:
            paths, store = _from_ptbxl(Path(args.root), Path(folder) / "store", args.rate)
        else:
            paths, store = _written(Path(folder), args.rate)
        rows = np.random.default_rng(args.seed).integers(len(store), size=args.records).tolist()
        rdsamp = _rdsamp()
        worst = max(
            float(np.nanmax(np.abs(rdsamp(paths[r])[0].T - store.read(r)))) for r in rows[:20]
        )
        packed, single = [], []
        for _ in range(args.repeats):  # alternating, so that other load affects both
            packed.append(_seconds(store.read, rows))
            single.append(_seconds(rdsamp, [paths[r] for r in rows]))
    ours, theirs = float(np.median(packed)), float(np.median(single))
    ratios = sorted(b / a for a, b in zip(packed, single, strict=True))
    return {
        "source": args.root or "64 synthetic records",
        "rate": args.rate,
        "reads": args.records,
        "store_ms": 1000 * ours,
        "wfdb_ms": 1000 * theirs,
        "ratio": float(np.median(ratios)),
        "ratio_range": [ratios[0], ratios[-1]],
        "target_ratio": TARGET,
        "largest_difference_mv": worst,
        "long": _long(args.rate, args.records, args.repeats, args.seed),
    }


def _long(rate: int, reads: int, repeats: int, seed: int) -> dict[str, float]:
    """Measure milliseconds per crop, and the ratio to converting the entire record for it."""
    from ecgvision.store.packed import Store, StoreWriter

    rng = np.random.default_rng(seed)
    size, length = 10 * rate, LONG_SECONDS * rate
    with tempfile.TemporaryDirectory() as folder:
        with StoreWriter(Path(folder) / "store", rate=rate, source="bench") as writer:
            for i in range(2):
                signal = rng.normal(0, 0.3, (12, length)).astype(np.float32)
                writer.add(signal, record_id=f"{i}", patient_id=None, fold=1, scp_codes=None)
        store = Store(Path(folder) / "store")
        cuts = [(int(r), int(s)) for r, s in zip(rng.integers(2, size=reads),
                rng.integers(length - size, size=reads), strict=True)]  # fmt: skip
        part, whole = [], []
        for _ in range(repeats):
            part.append(_seconds(lambda cut: store.read(cut[0], cut[1], size), cuts))
            whole.append(_seconds(lambda cut: store.read(cut[0])[:, cut[1] : cut[1] + size],
                                  cuts[: max(1, reads // 20)]))  # fmt: skip
    ratios = [b / a for a, b in zip(part, whole, strict=True)]
    return {
        "seconds": LONG_SECONDS, "window_ms": 1000 * float(np.median(part)),
        "whole_ms": 1000 * float(np.median(whole)), "ratio": float(np.median(ratios)),
    }  # fmt: skip


def _seconds(read: Callable[[Any], Any], items: list[Any]) -> float:
    """Return the mean seconds of one read over all items."""
    start = time.perf_counter()
    for item in items:
        read(item)
    return (time.perf_counter() - start) / len(items)


def _rdsamp() -> Callable[[str], Any]:
    with warnings.catch_warnings():
        # wfdb 4.3 calls set_index(inplace=True) at import, which pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        import wfdb
    read: Callable[[str], Any] = wfdb.rdsamp
    return read


def _from_ptbxl(root: Path, out: Path, rate: int) -> tuple[list[str], Any]:
    from data_prep.ptbxl import FILE_COLUMN, pack_ptbxl
    from ecgvision.store.packed import Store

    store = Store(pack_ptbxl(root, out, rate=rate, progress=False))
    return [str(root / name) for name in store.records[FILE_COLUMN[rate]]], store


def _written(folder: Path, rate: int) -> tuple[list[str], Any]:
    """Write 64 ten-second records of noise, in steps of 1 uV, as WFDB files and as a store."""
    from ecgvision.core.ecg import LEADS
    from ecgvision.store.packed import Store, StoreWriter

    rng = np.random.default_rng(0)
    paths = []
    with StoreWriter(folder / "store", rate=rate, source="bench") as writer:
        for i in range(64):
            steps = rng.normal(0, 300, (12, 10 * rate)).astype("<i2")
            path = folder / f"r{i:02d}"
            lines = [f"{path.name} 12 {rate} {steps.shape[1]}"]
            lines += [f"{path.name}.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in LEADS]
            path.with_suffix(".hea").write_text("\n".join(lines) + "\n")
            steps.T.tofile(path.with_suffix(".dat"))
            writer.add(
                (steps / 1000).astype(np.float32),
                record_id=path.name,
                patient_id=None,
                fold=1,
                scp_codes=None,
            )
            paths.append(str(path))
    return paths, Store(folder / "store")
