"""Ways to fill what a layout does not show, for classifiers that read twelve full leads.

They are the baselines against which PatchECG (arXiv 2508.09165), which needs no filling, is held:
zeros, k-nearest neighbours and SAITS stand in its tables; mean and linear are the simplest others.
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
"""The fills that learn from training records."""

Signals = NDArray[np.float32]
Mask = NDArray[np.bool_]
Guess = Callable[[Signals, Mask], NDArray[Any]]
"""From (N, 12, T) mV, 0 where not observed, and what is observed, to a value for every sample."""


class Fill:
    """Puts a guess where a sample is not observed, and leaves every other sample as it is.

    Args:
        name: for messages.
        guess: gives the values.
        length: samples T that the guess was trained for; None for any.
    """

    def __init__(self, name: str, guess: Guess, length: int | None = None) -> None:
        self.name, self._guess, self.length = name, guess, length

    def __call__(self, signals: Signals, observed: Mask) -> Signals:
        """Fill a batch.

        Args:
            signals: (N, 12, T) float32 mV; anything, NaN too, where not observed.
            observed: (N, 12, T) bool.

        Returns:
            (N, 12, T) float32, a new array: finite everywhere, observed samples bit for bit.

        Raises:
            DataError: for another shape or type, another T than was trained for, an observed
                sample that is not finite, or a guess that is not.
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
    """The fill of that name, ready to use: `knn` and `saits` learn here.

    | name | fills with |
    |---|---|
    | `zero` | 0 mV |
    | `mean` | the mean of what is observed of the lead; 0 for a lead that is not shown |
    | `linear` | a line from observed sample to observed sample of the lead, held at both ends; 0 for a lead that is not shown |
    | `knn` | the mean of the five nearest training records, see `fill_knn` |
    | `saits` | what PyPOTS' SAITS makes of it, see `fill_saits` |

    Args:
        name: one of `FILLS`.
        train: gives (M, 12, T) float32 mV of training records, full leads, NaN where they hold
            nothing; called by `knn` and `saits` alone, once.
        seed: of whatever is drawn in learning.
        progress: show a bar where it takes long.
        saits: other settings than the paper's for `saits`.

    Raises:
        ConfigError: for an unknown name, missing training records or a missing package.
        DataError: for training records of another shape or type, none, or infinite ones.
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

    load_pypots()  # says that it is missing before records are read
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
    total = signals.sum(-1, keepdims=True, dtype=np.float64)  # what is not observed is 0 here
    return np.broadcast_to(total / np.maximum(count, 1), signals.shape)


def _linear(signals: Signals, observed: Mask) -> NDArray[Any]:
    out = np.zeros_like(signals)
    at = np.arange(signals.shape[-1])
    for record, lead in np.argwhere(observed.any(-1)):
        seen = observed[record, lead]
        out[record, lead] = np.interp(at, at[seen], signals[record, lead, seen])
    return out


def _rows(wrong: Any) -> list[int]:
    """Records in which something is wrong."""
    return np.flatnonzero(np.any(wrong, axis=(1, 2))).tolist()
