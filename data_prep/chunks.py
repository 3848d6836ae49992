"""Pack records into a store in parallel, resumably and in bounded memory.

Workers write each chunk of records as two files in a work folder beside the target: the int16
values and then a JSON with the facts of each record. A chunk is complete once its JSON exists, so
an interrupted run continues with the chunks without one. Complete chunks are copied into the store,
which appears atomically, and the work folder is removed. No process holds more than one record, and
of a record longer than `KEPT_SECONDS` no more than a few leads.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from tqdm import tqdm

from data_prep import quality
from data_prep.contents import Item, check_patients, contents, contents_text
from ecgvision.core.command import ignore_interrupts
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import DataError, EcgVisionError, RecordError, StoreError
from ecgvision.core.outputs import check_outside, check_replaceable
from ecgvision.data.resample import resample
from ecgvision.records.option_names import OptionNames
from ecgvision.records.recording import KEPT_SECONDS, Recording, open_record, record_file
from ecgvision.store.format import MANIFEST, StepSize, quantise
from ecgvision.store.packed import StoreWriter

OnError = Literal["stop", "skip"]
CHUNK = 64
# Below this many records, starting worker processes takes longer than reading.
PARALLEL_FROM = 2000
_VERSION = 3  # incremented when reading or quality rules change, so old chunks are not reused


NAMES = OptionNames(
    "--unstated-rate, or a column rate of the manifest",
    "--unit, or a column unit of the manifest",
    "--orientation, or a column orientation of the manifest",
)
"""How `data_prep.pack` states what a record's file leaves out."""


@dataclass(frozen=True)
class Reading:
    """Settings of reading records.

    Attributes:
        rate: Hz of the store.
        resample: resample records of other rates; otherwise they cannot be read.
        on_error: "stop" at a record that cannot be read, or "skip" it.
        unstated_rate: Hz of files that state no rate; None: they cannot be read.
        unit: of files that state no unit; None: mV.
        orientation: of npy files; None: (12, T).
        published: of a data set whose unit is known; records of an odd amplitude are flagged, and
            only those far beyond are refused.
        trim: cut padding and calibration pulses off the ends of records.
        names: how the caller states rate, unit and orientation, for messages.
        resampling: the option that asks for resampling, for messages; empty where none does.
    """

    rate: float
    resample: bool = False
    on_error: OnError = "stop"
    unstated_rate: float | None = None
    unit: str | None = None
    orientation: str | None = None
    published: bool = False
    trim: bool = False
    names: OptionNames = NAMES
    resampling: str = "--rate"

    def open(self, item: Item) -> Recording:
        """Open a record as these settings and its source say.

        Raises:
            RecordError: if it cannot be read.
        """
        return open_record(
            item.file, rate=item.rate, unstated_rate=self.unstated_rate, unit=item.unit,
            unstated_unit=self.unit, orientation=item.orientation or self.orientation,
            published=self.published, options=self.names,
        )  # fmt: skip


def check_out(out: str | Path, *, overwrite: bool, source: str | Path | None = None) -> None:
    """Check that `out` is free, or may be overwritten.

    Args:
        out: folder of the store.
        overwrite: whether an existing store is replaced.
        source: what is to be packed; it must not lie in `out`.

    Raises:
        StoreError: if it exists and `overwrite` is not set.
        OutputError: if something else than a store stands there, or the source does.
    """
    if Path(out).exists() and not overwrite:
        raise StoreError(
            "there is something here already",
            file=out,
            remedy="Choose another --out or --overwrite",
        )
    check_replaceable(out, MANIFEST, "a store")
    if source is not None:
        check_outside(out, [source])


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
        DataError: if there is nothing to pack, no record can be read, or a patient stands in two
            splits.
        RecordError: for the first record that cannot be read, if `on_error="stop"`.
        StoreError: if `out` exists and `overwrite` is not set.
    """
    out = Path(out)
    if not items:
        raise DataError(
            "there are no records to pack", file=source, value=refused[0][1] if refused else None
        )
    check_out(out, overwrite=overwrite)
    check_patients(items, source)
    held = contents(items, label_columns)
    if progress:
        print(contents_text(held), flush=True)
    work = out.with_name(f".{out.name}.work")
    _prepare(work, _fingerprint(items, reading))
    chunks = [items[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
    _run(chunks, work, reading, jobs=jobs, progress=progress)
    found = [entry for number in range(len(chunks)) for entry in _entries(work, number)]
    kept = [(e["record_id"], e["flags"]) for e in found if "error" not in e]
    skipped = [*refused, *((e["record_id"], e["error"]) for e in found if "error" in e)]
    if not kept:
        raise DataError("none of the records can be read", file=source, value=skipped[0][1])
    settings = {"rate": reading.rate, "on_error": reading.on_error, "trim": reading.trim}
    report = quality.report(source, kept, skipped, {**settings, **held, **(facts or {})})
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
        said = (item.rate, item.unit, item.orientation)
        digest.update(f"{item.record_id}\0{item.file}{said}{state(item.file)}".encode())
    return digest.hexdigest()


def state(file: str | Path) -> str:
    """Return size and modification time of a record's files, to detect changes."""
    opened = record_file(Path(file))
    found = ""
    for part in (opened, *(opened.with_suffix(s) for s in (".dat", ".mat") if s != opened.suffix)):
        with suppress(OSError):
            stat = os.stat(part)
            found += f"\0{part.suffix} {stat.st_size} {stat.st_mtime_ns}"
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
    tasks = {n: [replace(item, about={}) for item in chunks[n]] for n in todo}
    with tqdm(total=total, initial=done, desc="reading", disable=not progress) as bar:
        if jobs < 2 or len(todo) < 2 or total - done < PARALLEL_FROM:
            for number, task in tasks.items():
                _pack_chunk(task, work, number, reading)
                bar.update(len(task))
            return
        # Spawned, because the caller may hold threads (torch, OpenMP) that do not survive a fork.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(jobs, len(todo)), context, ignore_interrupts) as pool:
            waiting = {pool.submit(_pack_chunk, t, work, n, reading): t for n, t in tasks.items()}
            try:
                for future in as_completed(waiting):
                    future.result()
                    bar.update(len(waiting[future]))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _pack_chunk(task: Sequence[Item], work: Path, number: int, reading: Reading) -> None:
    """Read, check and quantise the records of a chunk, and write its two files."""
    values, table = _names(work, number)
    entries: list[dict[str, Any]] = []
    temporary = values.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        for item in task:
            begin = file.tell()
            try:
                entry = _pack_record(item, reading, file)
            except EcgVisionError as error:
                if reading.on_error == "stop":
                    raise
                file.seek(begin)
                file.truncate()
                entries.append({"record_id": item.record_id, "error": str(error)})
                continue
            entries.append({"record_id": item.record_id, **entry})
    os.replace(temporary, values)
    temporary.write_text(json.dumps(entries), encoding="utf-8")
    os.replace(temporary, table)


def _pack_record(item: Item, reading: Reading, file: BinaryIO) -> dict[str, Any]:
    """Append a record's int16 values to the file, lead by lead, and return its facts."""
    recording = reading.open(item)
    first, last = 0, recording.length
    if reading.trim:
        first, last = recording.edges.start, recording.edges.stop
    if recording.rate != reading.rate and not reading.resample:
        raise RecordError(
            f"the record has another rate than {reading.rate:g} Hz",
            file=item.file,
            value=recording.rate,
            remedy=f"Give {reading.resampling} to resample, or leave the record out"
            if reading.resampling
            else "Leave the record out",
        )

    def read(rows: Sequence[int]) -> np.ndarray:
        return resample(recording.read(first, last, rows), recording.rate, reading.rate)

    lead: Callable[[int], np.ndarray] = lambda row: read([row])[0]  # noqa: E731
    if recording.seconds <= KEPT_SECONDS:
        lead = read(range(len(LEADS))).__getitem__
    size = StepSize()

    def measured(row: int) -> np.ndarray:
        values = lead(row)
        size.add(values)
        return values

    length = round((last - first) * reading.rate / recording.rate)
    try:
        found = quality.check_leads(measured, length, reading.rate)
    except StoreError as error:
        raise RecordError(
            error.what, file=item.file, value=error.value, remedy=error.remedy
        ) from error
    flags = list(recording.notes)
    if (first, last) != (0, recording.length):
        flags.append(f"trimmed:{first / recording.rate:.4g}-{last / recording.rate:.4g} s")
    if recording.rate != reading.rate:
        flags.append(f"resampled:{recording.rate:g}")
    for row in range(len(LEADS)):
        file.write(quantise(lead(row), size.scale).astype("<i2", copy=False).tobytes())
    about = {"age": recording.meta.get("age"), "sex": recording.meta.get("sex")}
    flags = list(dict.fromkeys([*flags, *found]))
    return {"length": length, "scale": size.scale, "flags": flags, **about}


def _entries(work: Path, number: int) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(_names(work, number)[1].read_text(encoding="utf-8"))
    return entries


def _stored(work: Path, number: int) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Yield the facts and the (12, T) int16 values of a chunk's records, as memory maps."""
    entries = [entry for entry in _entries(work, number) if "error" not in entry]
    if not entries:
        return
    values = np.memmap(_names(work, number)[0], "<i2", "r")
    begin = 0
    for entry in entries:
        end = begin + len(LEADS) * entry["length"]
        yield entry, values[begin:end].reshape(len(LEADS), entry["length"])
        begin = end
