"""Benchmark of drawing a page and a store, against a checkout of ecg-image-kit on the same signals.

python -m experiments.bench kit --kit CHECKOUT --kit-python PYTHON
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm import tqdm

from ecgvision.core.arguments import COUNT, jobs

TARGETS = {200: 200.0, 100: 500.0}  # dpi -> speed-up over the kit
TARGET_STORE = 30.0
RATE = 500
# The kit's script always imports tensorflow for handwriting. The stub module avoids that.
BATCH = """
import runpy, sys, types
module = types.ModuleType("HandwrittenText.generate")
module.get_handwritten = None
sys.modules[module.__name__] = module
sys.path.insert(0, sys.argv[1])
sys.argv[:] = [sys.argv[1] + "/gen_ecg_images_from_data_batch.py", *sys.argv[2:]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the checkout, and how much is drawn."""
    parser.add_argument("--kit", metavar="DIR", help="the checkout (or ECG_IMAGE_KIT_HOME)")
    parser.add_argument("--kit-python", metavar="FILE", help="(or ECG_IMAGE_KIT_PYTHON)")
    parser.add_argument("--rounds", type=COUNT, default=5, help="pages of the kit at each dpi")
    parser.add_argument("--batch", type=COUNT, default=6, help="records for the kit's batch script")
    parser.add_argument("--records", type=COUNT, default=200, help="records for ours")
    parser.add_argument("--jobs", type=jobs, default=2, help="of ours (default %(default)s)")


def lacking() -> str:
    """Return what is missing: the checkout, if ECG_IMAGE_KIT_HOME is not set."""
    named = os.environ.get("ECG_IMAGE_KIT_HOME")
    return "" if named else "it needs --kit, or ECG_IMAGE_KIT_HOME"


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure pages in ms of CPU time, which other load hardly affects, and stores in wall time.

    Raises:
        ConfigError: for less than 1 round or 2 records, or a command that fails.
    """
    from ecgvision.core.errors import ConfigError
    from ecgvision.render.kit.draw import Kit

    if args.rounds < 1 or args.batch < 2 or args.records < 2:
        raise ConfigError("give at least 1 round and 2 records for each")
    with Kit(args.kit, python=args.kit_python) as kit:
        kit.check()
        found: dict[str, Any] = {f"page_{dpi}_dpi": _page(kit, dpi, args.rounds) for dpi in TARGETS}
        folder, python = kit.folder, kit.python
    found["store"] = _store(folder, python, args.batch, args.records, args.jobs)
    return found


def _page(kit: Any, dpi: int, rounds: int) -> dict[str, float]:
    """Measure one page, alternating; ours several times per turn, as the CPU clock is coarse."""
    from ecgvision.core.layouts import get_layout
    from ecgvision.core.page import Page
    from ecgvision.render.draw import draw
    from ecgvision.render.papers.named import get_style
    from experiments.bench.beats import beats

    page, style = Page(get_layout("3x4+II"), dpi=dpi), get_style("kit")
    signals = [beats(RATE, seed) for seed in range(rounds)]
    draw(signals[0], RATE, page, style)  # compiles
    kit.draw(signals[0], RATE, page)
    theirs, ours = [], []
    for signal in tqdm(signals, desc=f"{dpi} dpi", unit="page"):
        theirs.append(kit.draw(signal, RATE, page, points=False).cpu_seconds)
        for _ in range(5):
            start = time.process_time()
            for _ in range(5):
                draw(signal, RATE, page, style)
            ours.append((time.process_time() - start) / 5)
    return {
        "ms_kit": median(theirs) * 1e3,
        "ms": median(ours) * 1e3,
        "times_kit": median(theirs) / median(ours),
        "target_times_kit": TARGETS[dpi],
    }


def _store(folder: Path, python: str, batch: int, records: int, jobs: int) -> dict[str, Any]:
    """Measure seconds per page at 200 dpi, from the first page to the last.

    Ours is measured to the finished index. Start-up takes seconds for both and is left out, as it
    is negligible for a complete store.
    """
    with tempfile.TemporaryDirectory(prefix="ecgvision-bench-") as home:
        root = Path(home)
        _write_store(root / "store", records)
        _write_wfdb(root / "wfdb", batch)
        (root / "kit").mkdir()
        _call(
            [python, "-B", "-c", BATCH, str(folder), "-i", str(root / "wfdb"),
             "-o", str(root / "kit"), "-se", "1", "--store_config", "1"],
            folder,
        )  # fmt: skip
        times = sorted(p.stat().st_mtime for p in (root / "kit").rglob("*.png"))
        if len(times) != batch:
            from ecgvision.core.errors import ConfigError

            raise ConfigError("the kit's batch script drew another number of pages",
                              value=len(times))  # fmt: skip
        theirs = (times[-1] - times[0]) / (batch - 1)
        start = time.perf_counter()
        _call(
            [sys.executable, "-m", "data_prep.render_images", str(root / "store"),
             "--out", str(root / "ours"), "--jobs", str(jobs)],
            Path(__file__).resolve().parents[2],
        )  # fmt: skip
        total = time.perf_counter() - start
        first = min(p.stat().st_mtime for p in (root / "ours").rglob("*.png"))
        ours = ((root / "ours/images.json").stat().st_mtime - first) / (records - 1)
    return {
        "pages_kit": batch,
        "pages": records,
        "jobs": jobs,
        "seconds_a_page_kit": theirs,
        "seconds_a_page": ours,
        "seconds_start": total - ours * (records - 1),
        "times_kit": theirs / ours,
        "target_times_kit": TARGET_STORE,
    }


def _call(words: list[str], where: Path) -> None:
    from ecgvision.core.errors import ConfigError

    done = subprocess.run(words, cwd=where, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise ConfigError(f"the command failed: {last}", file=words[0], value=done.returncode)


def _write_store(path: Path, records: int) -> None:
    from ecgvision.store.packed import StoreWriter
    from experiments.bench.beats import beats

    with StoreWriter(path, rate=RATE, source="bench") as store:
        for i in range(records):
            store.add(
                beats(RATE, i), record_id=f"bench/{i}", patient_id=f"p{i}", fold=1 + i % 10,
                scp_codes={}, columns=None, age=60.0, sex="female", device=None, site=None,
                flags=[],
            )  # fmt: skip


def _write_wfdb(path: Path, records: int) -> None:
    import wfdb

    from ecgvision.core.ecg import LEADS
    from experiments.bench.beats import beats

    path.mkdir()
    for i in range(records):
        wfdb.wrsamp(
            f"r{i}", fs=RATE, units=["mV"] * 12, sig_name=list(LEADS),
            p_signal=beats(RATE, i).T.astype(np.float64), fmt=["16"] * 12,
            adc_gain=[1000.0] * 12, baseline=[0] * 12, write_dir=str(path),
        )  # fmt: skip
