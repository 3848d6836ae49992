"""Pack records into a store in parallel, resumably and in bounded memory.

Workers write each chunk of records as two files in a work folder beside the target: the int16
values and then a JSON with the facts of each record. A chunk is complete once its JSON exists, so
an interrupted run continues with the chunks without one. Complete chunks are copied into the store,
which appears atomically, and the work folder is removed. No process holds more than one record.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from data_prep import quality
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import DataError, EcgVisionError, RecordError, StoreError
from ecgvision.data.resample import resample
from ecgvision.records.reading import read_record
from ecgvision.store.format import encode
from ecgvision.store.packed import StoreWriter

OnError = Literal["stop", "skip"]
CHUNK = 64
# Below this many records, starting worker processes takes longer than reading.
PARALLEL_FROM = 2000
_VERSION = 1  # incremented when reading or quality rules change, so old chunks are not reused


@dataclass(frozen=True)
class Item:
    """A record to pack: its name, its file, and further arguments of `StoreWriter.add_steps`."""

    record_id: str
    file: Path
    about: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Reading:
    """Settings of reading records.

    Attributes:
        rate: Hz of the store.
        resample: resample records of other rates; otherwise they cannot be read.
        on_error: "stop" at a record that cannot be read, or "skip" it.
        unstated_rate: Hz of files that state no rate; None: they cannot be read.
    """

    rate: float
    resample: bool = False
    on_error: OnError = "stop"
    unstated_rate: float | None = None


def check_out(out: str | Path, *, overwrite: bool) -> None:
    """Check that `out` is free.

    Raises:
        StoreError: if it exists and `overwrite` is not set.
    """
    if Path(out).exists() and not overwrite:
        raise StoreError(
            "there is something here already",
            file=out,
            remedy="Choose another --out or --overwrite",
        )


def pack_items(
    items: Sequence[Item],
    out: str | Path,
    reading: Reading,
    *,
    source: str,
    label_columns: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    refused: Sequence[tuple[str, str]] = (),
    jobs: int = 2,
    progress: bool = True,
    overwrite: bool = False,
) -> Path:
    """Pack records into a store at `out`, or resume an interrupted run; prints the report.

    Args:
        items: records to pack.
        out: folder of the store.
        reading: settings of reading.
        source: name of the source.
        label_columns: the source's own label columns.
        facts: further entries of the quality report.
        refused: (record_id, reason) of records that the source's reader refused. The report lists
            them as skipped, together with those that cannot be read here.
        jobs: worker processes.
        progress: show progress bars and the report.
        overwrite: replace an existing store.

    Raises:
        DataError: if there is nothing to pack, or no record can be read.
        RecordError: for the first record that cannot be read, if `on_error="stop"`.
        StoreError: if `out` exists and `overwrite` is not set.
    """
    out = Path(out)
    if not items:
        raise DataError(
            "there are no records to pack", file=source, value=refused[0][1] if refused else None
        )
    check_out(out, overwrite=overwrite)
    work = out.with_name(f".{out.name}.work")
    _prepare(work, _fingerprint(items, reading))
    chunks = [items[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
    _run(chunks, work, reading, jobs=jobs, progress=progress)
    found = [entry for number in range(len(chunks)) for entry in _entries(work, number)]
    kept = [(e["record_id"], e["flags"]) for e in found if "error" not in e]
    skipped = [*refused, *((e["record_id"], e["error"]) for e in found if "error" in e)]
    if not kept:
        raise DataError("none of the records can be read", file=source, value=skipped[0][1])
    told = {"rate": reading.rate, "on_error": reading.on_error, **(facts or {})}
    report = quality.report(source, kept, skipped, told)
    about = {item.record_id: item.about for item in items}
    with StoreWriter(
        out,
        rate=reading.rate,
        source=source,
        label_columns=label_columns,
        quality=report,
        overwrite=overwrite,
    ) as writer:
        for number in tqdm(range(len(chunks)), desc="joining", disable=not progress):
            for entry, steps in _stored(work, number):
                record = entry["record_id"]
                about_setting = _completed(about[record], entry)
                writer.add_steps(
                    steps, entry["scale"], record_id=record, flags=entry["flags"], **about_setting
                )
    shutil.rmtree(work)
    if progress:
        print(quality.summary(report), flush=True)
    return out


def _completed(about: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """Merge age and sex: those of the table, or of the record if the table has no such column."""
    return {"age": entry["age"], "sex": entry["sex"], **about}


def _fingerprint(items: Sequence[Item], reading: Reading) -> str:
    """Hash the files and the settings of reading, so that chunks of another job are not reused."""
    digest = hashlib.sha256(repr((_VERSION, CHUNK, reading)).encode())
    for item in items:
        digest.update(f"{item.record_id}\0{item.file}{state(item.file)}".encode())
    return digest.hexdigest()


def state(file: str | Path) -> str:
    """Return size and modification time of a record's files, to detect changes."""
    found = ""
    for suffix in ("", ".hea", ".dat", ".mat"):
        with suppress(OSError):
            stat = os.stat(f"{file}{suffix}")
            found += f"\0{suffix} {stat.st_size} {stat.st_mtime_ns}"
    return found


def _prepare(work: Path, fingerprint: str) -> None:
    """Create an empty work folder, or keep that of an interrupted run of the same job."""
    mark = work / "job.txt"
    if not (mark.is_file() and mark.read_text() == fingerprint):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        mark.write_text(fingerprint)


def _names(work: Path, number: int) -> tuple[Path, Path]:
    return work / f"chunk-{number:06d}.i16", work / f"chunk-{number:06d}.json"


def _run(
    chunks: Sequence[Sequence[Item]], work: Path, reading: Reading, *, jobs: int, progress: bool
) -> None:
    todo = [n for n in range(len(chunks)) if not _names(work, n)[1].is_file()]
    done = sum(len(c) for c in chunks) - sum(len(chunks[n]) for n in todo)
    total = sum(len(c) for c in chunks)
    tasks = {n: [(i.record_id, str(i.file)) for i in chunks[n]] for n in todo}
    with tqdm(total=total, initial=done, desc="reading", disable=not progress) as bar:
        if jobs < 2 or len(todo) < 2 or total - done < PARALLEL_FROM:
            for number, task in tasks.items():
                _pack_chunk(task, work, number, reading)
                bar.update(len(task))
            return
        # Spawned, because the caller may hold threads (torch, OpenMP) that do not survive a fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(todo)), mp_context=context) as pool:
            waiting = {pool.submit(_pack_chunk, t, work, n, reading): t for n, t in tasks.items()}
            try:
                for future in as_completed(waiting):
                    future.result()
                    bar.update(len(waiting[future]))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _pack_chunk(task: list[tuple[str, str]], work: Path, number: int, reading: Reading) -> None:
    """Read, check and quantise the records of a chunk, and write its two files."""
    values, table = _names(work, number)
    entries: list[dict[str, Any]] = []
    temporary = values.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        for record, path in task:
            try:
                entry, steps = _read(path, reading)
            except EcgVisionError as error:
                if reading.on_error == "stop":
                    raise
                entries.append({"record_id": record, "error": str(error)})
                continue
            file.write(steps.astype("<i2").tobytes())
            entries.append({"record_id": record, **entry})
    os.replace(temporary, values)
    temporary.write_text(json.dumps(entries), encoding="utf-8")
    os.replace(temporary, table)


def _read(path: str, reading: Reading) -> tuple[dict[str, Any], np.ndarray]:
    ecg = read_record(path, unstated_rate=reading.unstated_rate)
    signal, flags = ecg.signal, list(ecg.meta["notes"])
    if ecg.rate != reading.rate:
        if not reading.resample:
            raise RecordError(
                f"the record has another rate than {reading.rate:g} Hz",
                file=path,
                value=ecg.rate,
                remedy="Give --rate (of a run, data.rate) to resample, or leave the record out",
            )
        signal = resample(signal, ecg.rate, reading.rate)
        flags.append(f"resampled:{ecg.rate:g}")
    flags = list(dict.fromkeys([*flags, *quality.check(signal, reading.rate)]))
    try:
        steps, scale = encode(signal)
    except StoreError as error:
        raise RecordError(error.what, file=path, value=error.value, remedy=error.remedy) from error
    facts = {"age": ecg.meta.get("age"), "sex": ecg.meta.get("sex")}
    return {"length": steps.shape[1], "scale": scale, "flags": flags, **facts}, steps


def _entries(work: Path, number: int) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(_names(work, number)[1].read_text(encoding="utf-8"))
    return entries


def _stored(work: Path, number: int) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    with _names(work, number)[0].open("rb") as file:
        for entry in _entries(work, number):
            if "error" not in entry:
                size = len(LEADS) * entry["length"]
                steps = np.fromfile(file, "<i2", count=size)
                yield entry, steps.reshape(len(LEADS), entry["length"])
