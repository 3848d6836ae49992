"""A table of answers that is written while they come, and goes on where it was interrupted.

Rows are added to `OUT.part`, the pages of a file together; `OUT` appears when all files are done.
Standard library only.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from ecgvision.core.atomic_io import atomic_file
from ecgvision.core.errors import OutputError

FILE, NUMBER, PAGES, BUNDLE = "file", "page_number", "pages", "bundle"
KEYS = (FILE, NUMBER, PAGES)


class AnswerTable:
    """A CSV file of one row a page.

    Args:
        out: the file.
        columns: between the place of a page and the bundle's id.
        bundle: id of the bundle; rows of another are not gone on with.

    Attributes:
        done: files whose pages are all in the table.

    Raises:
        OutputError: if the unfinished table is of other columns or another bundle, or cannot be
            written.
    """

    def __init__(self, out: str | Path, columns: Sequence[str], bundle: str) -> None:
        self.out = Path(out)
        self.part = self.out.with_name(self.out.name + ".part")
        self._columns = [*KEYS, *columns, BUNDLE]
        self._bundle = bundle
        self.done: set[str] = set()
        try:
            self._keep_whole_files()
            self._stream: IO[str] = open(self.part, "a", newline="", encoding="utf-8",  # noqa: SIM115
                                         errors="surrogateescape")  # fmt: skip
        except OSError as error:
            raise OutputError("the table cannot be written", file=self.part,
                              value=error.strerror) from error  # fmt: skip
        self._writer = csv.writer(self._stream)

    def add(self, file: str, rows: Sequence[Sequence[object]]) -> None:
        """Add the pages of a file, in their order; they are on the disk when this returns.

        Args:
            file: its path.
            rows: of each page, the values of `columns`.
        """
        pages = len(rows)
        self._writer.writerows(
            [file, number, pages, *row, self._bundle] for number, row in enumerate(rows, 1)
        )
        self._stream.flush()
        self.done.add(file)

    def finish(self) -> None:
        """Put the finished table in its place."""
        self._stream.close()
        os.replace(self.part, self.out)

    def close(self) -> None:
        """Leave the unfinished table for the next time."""
        self._stream.close()

    def _keep_whole_files(self) -> None:
        """Write the unfinished table anew without what a kill left of its last file."""
        rows = self._unfinished() if self.part.exists() else iter(())
        with atomic_file(self.part) as made, open(
            made, "w", newline="", encoding="utf-8", errors="surrogateescape"
        ) as stream:  # fmt: skip
            writer = csv.writer(stream)
            writer.writerow(self._columns)
            for group in _files(rows):
                self._check(group)
                if len(group) == int(group[-1][2]):
                    writer.writerows(group)
                    self.done.add(group[0][0])

    def _unfinished(self) -> Iterator[list[str]]:
        """Yield the complete rows of the unfinished table."""
        with open(self.part, newline="", encoding="utf-8", errors="surrogateescape") as stream:
            reader = csv.reader(stream)
            head, held = next(reader, None), None
            for row in reader:
                if held is not None:
                    yield held
                held = row
                if head != self._columns:
                    raise self._other("other columns", ",".join(head or [])[:100])
        # a kill may have torn the last row: it then has fewer cells, or no end of line
        if held is not None and len(held) == len(self._columns) and self._ends_a_line():
            yield held

    def _ends_a_line(self) -> bool:
        with open(self.part, "rb") as stream:
            stream.seek(-2, os.SEEK_END)
            return stream.read() == b"\r\n"

    def _check(self, group: Sequence[Sequence[str]]) -> None:
        for row in group:
            if len(row) != len(self._columns) or row[-1] != self._bundle:
                raise self._other("rows of another bundle", row[-1] if row else "")

    def _other(self, what: str, value: str) -> OutputError:
        return OutputError(f"the unfinished table has {what}", file=self.part, value=value,
                           remedy="Remove it, or name another file")  # fmt: skip


def _files(rows: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    """Yield the rows of each file together."""
    group: list[list[str]] = []
    for row in rows:
        if group and (row[0] != group[0][0] or row[1] == "1"):
            yield group
            group = []
        group.append(row)
    if group:
        yield group
