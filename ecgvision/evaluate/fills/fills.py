"""Imputation of unobserved samples, for classifiers that need twelve full leads.

These are baselines for PatchECG (arXiv 2508.09165), which needs no imputation. Its tables report
zeros, k-nearest neighbours and SAITS; mean and linear are the simplest other ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ecgvision.evaluate.fills.saits import SaitsSettings

FILLS = ("zero", "mean", "linear", "knn", "saits")
TRAINED = ("knn", "saits")
"""Fills that are fitted on training records."""

Signals = NDArray[np.float32]
Mask = NDArray[np.bool_]
Guess = Callable[[Signals, Mask], NDArray[Any]]
"""Maps signals (N, 12, T) mV, 0 where unobserved, and their mask to a value for every sample."""


class Fill:
    """Replaces unobserved samples by a guess and leaves observed samples unchanged.

    Args:
        name: for messages.
        guess: computes the values.
        length: number of samples T that the guess was trained for; None for any.
    """

    def __init__(self, name: str, guess: Guess, length: int | None = None) -> None:
        self.name, self._guess, self.length = name, guess, length

    def __call__(self, signals: Signals, observed: Mask) -> Signals:
        """Fill a batch.

        Args:
            signals: (N, 12, T) float32 mV; any value, also NaN, where not observed.
            observed: (N, 12, T) bool.

        Returns:
            (N, 12, T) float32, a new array. All values are finite; observed samples are bit for
            bit the input.

        Raises:
            DataError: for another shape or type, another T than the guess was trained for, or a
                value that is not finite, observed or guessed.
        """
        self._check(signals, observed)
        if not len(signals):
            return signals.copy()
        guess = self._guess(np.where(observed, signals, np.float32(0)), observed)
        filled = np.where(observed, signals, guess.astype(np.float32, copy=False))
        if wrong := _rows(~np.isfinite(filled)):
            raise DataError(f"fill {self.name} gave a value that is not finite", value=wrong[:8])
        return filled

    def _check(self, signals: Signals, observed: Mask) -> None:
        if signals.ndim != 3 or signals.shape[1] != len(LEADS) or observed.shape != signals.shape:
            raise DataError(
                "signals and mask must have shape (N, 12, T)", value=(signals.shape, observed.shape)
            )
        if signals.dtype != np.float32 or observed.dtype != np.bool_:
            raise DataError(
                "signals must be float32 mV and the mask bool",
                value=(str(signals.dtype), str(observed.dtype)),
            )
        if self.length not in (None, signals.shape[2]):
            raise DataError(
                f"fill {self.name} has learnt from records of {self.length} samples",
                value=signals.shape[2],
                remedy="Fill records of the training records' rate and length",
            )
        if wrong := _rows(observed & ~np.isfinite(signals)):
            raise DataError(
                f"an observed sample of record {wrong[0]} is not finite",
                value=wrong[:8],
                remedy="Mark samples that are NaN as not observed",
            )


def make_fill(
    name: str,
    *,
    train: Callable[[], NDArray[np.float32]] | None,
    seed: int = 0,
    progress: bool = True,
    saits: SaitsSettings | None = None,
) -> Fill:
    """Build a fill by name; `knn` and `saits` are fitted here.

    | name | fills with |
    |---|---|
    | `zero` | 0 mV |
    | `mean` | the mean of the lead's observed samples; 0 for a lead that is not shown |
    | `linear` | linear interpolation between the lead's observed samples, constant beyond the first and last; 0 for a lead that is not shown |
    | `knn` | the mean of the five nearest training records, see `fills.knn` |
    | `saits` | the reconstruction by PyPOTS' SAITS, see `fills.saits` |

    Args:
        name: one of `FILLS`.
        train: returns (M, 12, T) float32 mV of training records: full leads, NaN where samples are
            missing. Called once, and only for `knn` and `saits`.
        seed: of all randomness in training.
        progress: show a progress bar.
        saits: settings of `saits`; default: the paper's.

    Raises:
        ConfigError: for an unknown name, missing training records or a missing package.
        DataError: for training records of another shape or type, none, infinite values, or a
            record without a sample.
    """  # noqa: E501 - a table
    if name not in FILLS:
        raise ConfigError(f"fill must be one of {', '.join(FILLS)}", value=name)
    if name not in TRAINED:
        return Fill(name, {"zero": _zero, "mean": _mean, "linear": _linear}[name])
    if train is None:
        raise ConfigError(
            f"fill {name} learns from training records",
            value=train,
            remedy="Give train, or choose zero, mean or linear",
        )
    if name == "knn":
        from ecgvision.evaluate.fills.knn import NearestRecords

        records = _training(train())
        return Fill(name, NearestRecords(records, progress=progress), records.shape[2])
    from ecgvision.evaluate.fills.saits import Saits, SaitsSettings, load_pypots

    load_pypots()  # fails before records are read
    records = _training(train())
    model = Saits(records, saits or SaitsSettings(), seed=seed, progress=progress)
    return Fill(name, model, records.shape[2])


def _training(records: NDArray[np.float32]) -> NDArray[np.float32]:
    if records.ndim != 3 or records.shape[1] != len(LEADS) or 0 in records.shape:
        raise DataError(
            "training records must have shape (M, 12, T) and be at least one", value=records.shape
        )
    if records.dtype != np.float32:
        raise DataError("training records must be float32 mV", value=str(records.dtype))
    if wrong := _rows(np.isinf(records)):
        raise DataError(f"training record {wrong[0]} holds an infinite value", value=wrong[:8])
    if wrong := _rows(np.isnan(records).all(axis=(1, 2), keepdims=True)):
        raise DataError(
            f"training record {wrong[0]} holds no sample",
            value=wrong[:8],
            remedy="Leave out records without a sample",
        )
    return records


def _zero(signals: Signals, observed: Mask) -> NDArray[Any]:
    return np.zeros_like(signals)


def _mean(signals: Signals, observed: Mask) -> NDArray[Any]:
    count = observed.sum(-1, keepdims=True)
    total = signals.sum(-1, keepdims=True, dtype=np.float64)  # unobserved samples are 0 here
    return np.broadcast_to(total / np.maximum(count, 1), signals.shape)


def _linear(signals: Signals, observed: Mask) -> NDArray[Any]:
    out = np.zeros_like(signals)
    at = np.arange(signals.shape[-1])
    for record, lead in np.argwhere(observed.any(-1)):
        seen = observed[record, lead]
        out[record, lead] = np.interp(at, at[seen], signals[record, lead, seen])
    return out


def _rows(wrong: Any) -> list[int]:
    """Return the indices of records with any True in `wrong` (N, ., .)."""
    return np.flatnonzero(np.any(wrong, axis=(1, 2))).tolist()
