"""Padding and calibration pulses at the ends of a record, which are drawn like signal but are none.

Data sets pad short records with zeros on both sides (CODE pads to 4,096 samples), and some devices
append their calibration pulse to the samples (11 s instead of 10 s).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PADDING_SECONDS = 0.25
"""All leads at once are exactly constant this long only where nothing was recorded. Records of
PTB-XL hold their last value for up to 0.12 s."""

PULSE_SECONDS = 3.0  # longest stretch of a calibration pulse with its baseline
PULSE_MV = (0.4, 2.5)  # height of a pulse: 1 mV, at half or double gain
_EQUAL_MV = 0.06  # the pulse is the same in all leads to this: noise of a converter
_REFERENCE_SECONDS = 0.02  # at the edge, the median of which is the pulse's baseline
_NOISE_MV = 0.004
_SCANNED_SECONDS = 10.0  # at a time
_PLATEAU_SECONDS = 0.04
_LEAST_CHANNELS = 3  # equal in all leads means nothing for one or two

Read = Callable[[int, int], NDArray[np.floating]]
"""Function of start and stop (samples) that returns (channels, n) mV as stored."""


@dataclass(frozen=True)
class Edges:
    """The signal's part of a record: samples `start` to `stop`, and notes on what lies outside."""

    start: int
    stop: int
    notes: tuple[str, ...]


def find_edges(read: Read, length: int, rate: float) -> Edges:
    """Find padding and calibration pulses at both ends of a record.

    Args:
        read: reads the channels that were recorded themselves (not derived), with stored signs.
        length: samples of the record.
        rate: Hz.

    Returns:
        The whole record if nothing was found, or if all leads are constant throughout.
    """
    notes: list[tuple[int, str]] = []
    start, stop = 0, length
    for backwards in (False, True):
        while start < stop:
            from_edge = _mirrored(read, start, stop, backwards=backwards)
            found, kind = _at_edge(from_edge, stop - start, rate)
            if not found:
                break
            if found >= stop - start:
                return Edges(0, length, ())
            begin, end = (stop - found, stop) if backwards else (start, start + found)
            notes.append((begin, f"{kind}:{begin / rate:.4g}-{end / rate:.4g} s"))
            start, stop = (start, begin) if backwards else (end, stop)
    return Edges(start, stop, tuple(note for _, note in sorted(notes)))


def _mirrored(read: Read, start: int, stop: int, *, backwards: bool) -> Read:
    """Return a function that reads samples by their distance from an edge of a part."""

    def samples(begin: int, end: int) -> NDArray[np.floating]:
        if backwards:
            return read(max(start, stop - end), max(start, stop - begin))[:, ::-1]
        return read(min(stop, start + begin), min(stop, start + end))

    return samples


def _at_edge(from_edge: Read, length: int, rate: float) -> tuple[int, str]:
    """Return the length in samples and the kind of what lies at an edge; 0 if it is signal."""
    if pulse := _pulse(from_edge(0, round(PULSE_SECONDS * rate) + 1), rate):
        return pulse, "pulse"
    constant = _constant(from_edge, length, rate)
    return (constant, "padding") if constant >= PADDING_SECONDS * rate else (0, "")


def _constant(from_edge: Read, length: int, rate: float) -> int:
    """Return for how many samples from the edge all channels are constant, and one has a value."""
    first = from_edge(0, 1)
    if np.isnan(first).all():
        return 0
    size = round(_SCANNED_SECONDS * rate)
    for begin in range(0, length, size):
        values = from_edge(begin, begin + size)
        same = (values == first) | (np.isnan(values) & np.isnan(first))
        if len(moved := np.flatnonzero(~same.all(0))):
            return begin + int(moved[0])
    return length


def _pulse(values: NDArray[np.floating], rate: float) -> int:
    """Return for how many samples from the edge all channels hold the same rectangular pulse."""
    values = values[~np.isnan(values).any(1)]
    if len(values) < _LEAST_CHANNELS or values.shape[1] < 2:
        return 0
    near = max(1, round(_REFERENCE_SECONDS * rate))
    moved = values - np.median(values[:, :near], axis=1, keepdims=True)
    apart = np.ptp(moved, axis=0)
    if not (end := _first(apart > _EQUAL_MV)):  # not equal at all, or longer than any pulse
        return 0
    shape = np.median(moved[:, :end], axis=0)
    if not PULSE_MV[0] <= float(np.abs(shape).max()) <= PULSE_MV[1]:
        return 0
    level = shape / shape[int(np.abs(shape).argmax())]
    high, low = np.abs(level - 1) < 0.1, np.abs(level) < 0.1
    if high.sum() < _PLATEAU_SECONDS * rate or (high | low).mean() < 0.9:
        return 0
    # Signal behind the pulse's baseline is distinguished from it by the noise of the pulse itself.
    last = int(np.flatnonzero(high)[-1]) + 1
    noise = max(_NOISE_MV, 1.5 * float(apart[:last].max()))
    return last + min(_first(apart[last:] > noise), end - last)


def _first(found: NDArray[np.bool_]) -> int:
    """Return the first index that is true; 0 if there is none."""
    return int(found.argmax()) if found.any() else 0
