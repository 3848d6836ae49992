"""Simulate a synthetic cohort and pack it as a store.

    python -m data_prep.synthesize --records 2000 --seed 0 --out stores/synthetic

Every record has SCP statements as in PTB-XL, so all label schemes of PTB-XL apply.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data_prep.synthetic.cohort import Visit, make, visits
from data_prep.synthetic.records import STEP
from ecgvision.core.arguments import COUNT, SEED, jobs, number
from ecgvision.core.command import command, ignore_interrupts
from ecgvision.core.errors import ConfigError
from ecgvision.core.processors import usable_cores
from ecgvision.store.packed import StoreWriter

Row = tuple[NDArray[np.int16], dict[str, Any]]


def row(visit: Visit, *, seed: int, rate: float, seconds: float) -> Row:
    """Simulate a visit; returns its int16 signal and the arguments of `StoreWriter.add_steps`."""
    patient, sample = make(seed, visit, rate, seconds)
    about = {
        "record_id": visit.record_id,
        "patient_id": f"syn{visit.patient:05d}",
        "fold": visit.fold,
        "scp_codes": sample.codes,
        "columns": None,
        "age": float(patient.age),
        "sex": patient.sex,
        "device": patient.device,
        "site": patient.site,
        "flags": sample.flags,
    }
    return sample.steps, about


def _rows(work: partial[Row], todo: list[Visit], jobs: int) -> Iterator[Row]:
    if jobs == 1:
        yield from map(work, todo)
        return
    with get_context("spawn").Pool(jobs, ignore_interrupts) as pool:
        yield from pool.imap(work, todo, chunksize=16)


def check_cohort(
    *, records: int, seed: int, rate: float, seconds: float = 10, jobs: int = 1
) -> None:
    """Check the arguments of `synthesize`.

    Raises:
        ConfigError: naming the argument that is out of range.
    """
    checks = {
        "records": (records, records >= 1, "a whole number from 1"),
        "seed": (seed, seed >= 0, "a whole number from 0"),
        "rate": (rate, 50 <= rate <= 2000, "50 to 2000 Hz"),
        "seconds": (seconds, 3 <= seconds <= 120, "3 to 120 s"),
        "jobs": (jobs, jobs >= 1, "a whole number from 1"),
    }
    for name, (value, fits, wanted) in checks.items():
        if not fits:
            raise ConfigError(f"{name} is out of range", value=value, remedy=f"Give {wanted}")


def synthesize(
    out: str | Path,
    *,
    records: int,
    seed: int,
    rate: float = 500,
    seconds: float = 10,
    jobs: int = 1,
    progress: bool = True,
) -> Path:
    """Write a store of `records` synthetic recordings at `out` and return its path.

    The bytes depend on seed, records, rate and seconds, not on jobs. A longer cohort of the same
    seed starts with the same records.

    Args:
        out: folder of the store.
        records: how many.
        seed: of all randomness.
        rate: Hz.
        seconds: of each record.
        jobs: worker processes.
        progress: show a progress bar.

    Raises:
        ConfigError: for an argument out of range.
    """
    check_cohort(records=records, seed=seed, rate=rate, seconds=seconds, jobs=jobs)
    work = partial(row, seed=seed, rate=rate, seconds=seconds)
    source = f"synthetic cohort, seed {seed}"
    todo = list(visits(seed, records))
    with StoreWriter(out, rate=rate, source=source) as store:
        done = _rows(work, todo, min(jobs, len(todo)))
        for steps, about in tqdm(
            done, total=records, desc="synthesize", unit="record", disable=not progress
        ):
            store.add_steps(steps, STEP, **about)
    return Path(out)


@command()
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep.synthesize",
        description="Make a synthetic 12-lead cohort and pack it as a store.",
    )
    parser.add_argument("--records", type=COUNT, default=2000, help="how many (default 2000)")
    parser.add_argument("--seed", type=SEED, default=0, help="same seed, same bytes (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the store to write")
    parser.add_argument(
        "--rate", type=number(50, 2000, "Hz"), default=500, help="samples a second (default 500)"
    )
    parser.add_argument(
        "--seconds", type=number(3, 120, "s"), default=10, help="of each record (default 10)"
    )
    parser.add_argument("--jobs", type=jobs, default=usable_cores(),
                        help="processes (default: the cores it may use, %(default)s)")  # fmt: skip
    args = parser.parse_args(argv)
    print(synthesize(**vars(args)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
