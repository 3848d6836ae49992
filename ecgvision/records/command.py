"""Options of commands that read one record."""

from __future__ import annotations

import argparse

from ecgvision.records.npy_format import ORIENTATIONS


def add_record_options(parser: argparse.ArgumentParser) -> None:
    """Add --rate, --unit and --orientation, which state what a record's file leaves out."""
    add = parser.add_argument
    add("--rate", type=float, help="Hz, for files that do not state it")
    add("--unit", help="unit of the values, for files that do not state it: mV (which is assumed), "
        "uV, V, nV, or a multiple such as 1e-4V")  # fmt: skip
    add("--orientation", choices=ORIENTATIONS,
        help="of an npy array: leads-first is (12, T), time-first is (T, 12)")  # fmt: skip
