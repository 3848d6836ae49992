"""Benchmark of resident memory in packing and training at PTB-XL's size, without the memory map.

All records share one .dat file, so that the source takes little disk space.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ecgvision.core.arguments import COUNT

SECONDS, RATE = 10, 500
NEEDED_BYTES = 3_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--records", type=COUNT, default=21_800,
                        help="records of 12 x 5000 samples")  # fmt: skip
    parser.add_argument("--batches", type=COUNT, default=20, help="training batches to run")
    parser.add_argument("--folder", default=None, help="where to work (needs about 3 GB)")


def lacking() -> str:
    """Return what is missing: Linux, which reports shared memory, or 3 GB of disk space."""
    if not Path("/proc/self/smaps_rollup").exists():
        return "it needs Linux"
    free = shutil.disk_usage(tempfile.gettempdir()).free
    return "" if free > NEEDED_BYTES else "it needs --folder, with 3 GB free"


def anonymous_mib(pid: int) -> float:
    """Return the anonymous resident memory in MiB of a process and its descendants (Linux).

    Memory that forked workers share with their parent counts once (proportional set size).
    """
    import psutil

    total = 0
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    for process in processes:
        try:
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except OSError:  # it has ended
            continue
        total += next((int(line.split()[1]) for line in text.splitlines()
                       if line.startswith("Pss_Anon:")), 0)  # fmt: skip
    return total / 1024


def peak(command: list[str]) -> tuple[float, float]:
    """Run a command; returns the peak anonymous memory of its processes in MiB, and seconds.

    Raises:
        RuntimeError: if the command fails.
    """
    start, most = time.perf_counter(), 0.0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        most = max(most, anonymous_mib(process.pid))
        time.sleep(0.2)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {' '.join(command)}")
    return most, time.perf_counter() - start


def write_source(folder: Path, records: int) -> Path:
    """Write WFDB records that share one signal file; returns their manifest."""
    import numpy as np

    from ecgvision.core.ecg import LEADS

    rng = np.random.default_rng(0)
    steps = (rng.standard_normal((SECONDS * RATE, len(LEADS))) * 200).astype("<i2")
    steps.tofile(folder / "shared.dat")
    signals = "\n".join(f"shared.dat 16 1000(0)/mV 16 0 {steps[0, i]} 0 0 {lead}"
                        for i, lead in enumerate(LEADS))  # fmt: skip
    lines = ["record,patient_id,fold,A,B"]
    for number in range(records):
        name = f"r{number:05d}"
        (folder / f"{name}.hea").write_text(f"{name} 12 {RATE} {SECONDS * RATE}\n{signals}\n")
        lines.append(f"{name},p{number},{number % 10 + 1},{number % 2},{number % 3 % 2}")
    manifest = folder / "manifest.csv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def run(args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        manifest = write_source(folder, args.records)
        store = folder / "store"
        packing = peak([sys.executable, "-m", "data_prep.pack", "manifest", str(manifest),
                        "--out", str(store)])  # fmt: skip
        training = peak([
            sys.executable, "-m", "experiments.run", "+exp=vizecg", "data=store",
            f"data.store=[{store}]", "data.labels=columns", f"run_dir={folder / 'runs'}",
            "trainer.max_epochs=1", "data.image_size=[192,256]", "draws=10",
            *(f"trainer.limit_{s}_batches={args.batches}" for s in ("train", "val", "test")),
        ])  # fmt: skip
    return {
        "records": args.records,
        "packing_peak_mib": packing[0],
        "packing_seconds": packing[1],
        "training_peak_mib": training[0],
        "training_seconds": training[1],
        "target_peak_mib": 4096,
    }
