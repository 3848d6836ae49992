"""Imputation by SAITS (Du et al. 2023, arXiv 2202.08516), from the package PyPOTS.

The model sees a record as T steps of 12 features. It is trained on full leads, of which PyPOTS
hides a fifth of the samples at random. Layouts are not used in training, as in PatchECG's baseline.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from ecgvision.core.errors import ConfigError

EXTRA = "saits"
"""The optional extra that installs PyPOTS."""


@dataclass(frozen=True)
class SaitsSettings:
    """Model sizes and training settings of SAITS.

    Sizes, dropout and learning rate are those of PatchECG's baseline (its `d_inner` is `d_ffn`).

    Attributes:
        n_layers, d_model, d_ffn, n_heads, d_k, d_v: sizes of its two attention stacks;
            d_model = n_heads * d_k.
        dropout: dropout rate.
        learning_rate: of Adam.
        epochs: over the training records. Our default, as the baseline's is not published.
        batch_size: in records. Our default: the attention of 4 heads over 1000 steps takes 16 MB
            per layer and record, and training keeps several copies of it in 4 layers.
        device: as PyTorch names it; None uses a GPU if there is one.

    Raises:
        ConfigError: for a value out of range.
    """

    n_layers: int = 2
    d_model: int = 256
    d_ffn: int = 128
    n_heads: int = 4
    d_k: int = 64
    d_v: int = 64
    dropout: float = 0.1
    learning_rate: float = 1e-3
    epochs: int = 10
    batch_size: int = 8
    device: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and value < 1:
                raise ConfigError(f"saits.{field.name} must be at least 1", value=value)
        if self.d_model != self.n_heads * self.d_k:
            raise ConfigError(
                "saits.d_model must be n_heads * d_k", value=(self.d_model, self.n_heads, self.d_k)
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError("saits.dropout must lie in [0, 1)", value=self.dropout)
        if not self.learning_rate > 0:
            raise ConfigError("saits.learning_rate must be positive", value=self.learning_rate)


class Saits:
    """SAITS trained on full leads; a call reconstructs a batch.

    Each lead is standardised by the training records' mean and standard deviation, as SAITS'
    authors do with their data. The output is scaled back to mV.

    Args:
        records: (M, 12, T) float32 mV, NaN where missing; each record holds at least one sample.
        settings: sizes and training.
        seed: of weights, batches and hidden samples; PyTorch's global generator is left unchanged.
        progress: show a progress bar.

    Raises:
        ConfigError: if PyPOTS is missing or stops before the last epoch.
    """

    def __init__(
        self, records: NDArray[np.float32], settings: SaitsSettings, *, seed: int, progress: bool
    ) -> None:
        saits, adam = load_pypots()
        self.settings, self.progress = settings, progress
        held = ~np.isnan(records)
        count = np.maximum(held.sum((0, 2)), 1)
        total = np.where(held, records, 0).sum((0, 2), dtype=np.float64)
        self.mean = (total / count)[:, None]  # (12, 1)
        square = np.where(held, records - self.mean, 0.0) ** 2
        scale = np.sqrt(square.sum((0, 2)) / count)[:, None]
        self.scale = np.where(scale > 0, scale, 1.0)  # a lead that is flat in all training records
        sizes = asdict(settings)
        sizes.pop("learning_rate")
        with torch.random.fork_rng(), _quiet():
            torch.manual_seed(seed)
            self.model = saits(
                n_steps=records.shape[2],
                n_features=records.shape[1],
                optimizer=adam(lr=settings.learning_rate),
                verbose=False,
                **sizes,
            )
            batches = settings.epochs * -(-len(records) // settings.batch_size)
            with self._bar("train saits", batches) as seen:
                self.model.fit({"X": self._scaled(records)})
        if len(seen) < batches:  # PyPOTS returns normally after an error or Ctrl-C
            raise ConfigError(
                f"SAITS stopped after {len(seen)} of {batches} batches",
                value=settings.batch_size,
                remedy="Its own message stands above; where memory ran out, lower batch_size",
            )

    def __call__(
        self, signals: NDArray[np.float32], observed: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return (N, 12, T) mV reconstructed by SAITS; `signals` is ignored where unobserved."""
        series = self._scaled(np.where(observed, signals, np.float32(np.nan)))
        with _quiet(), self._bar("fill saits", -(-len(series) // self.settings.batch_size)):
            filled = np.asarray(self.model.impute({"X": series}), np.float64)
        return filled.transpose(0, 2, 1) * self.scale + self.mean

    def _scaled(self, records: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return standardised records as (N, T, 12): steps before features, as PyPOTS expects."""
        scaled = ((records - self.mean) / self.scale).astype(np.float32)
        return np.ascontiguousarray(scaled.transpose(0, 2, 1))

    @contextlib.contextmanager
    def _bar(self, what: str, batches: int) -> Iterator[list[None]]:
        """Show a progress bar of the model's batches; yields a list with an entry per batch."""
        seen: list[None] = []
        network: torch.nn.Module = self.model.model
        with tqdm(total=batches, desc=what, unit="batch", disable=not self.progress) as bar:

            def step(*_: Any) -> None:
                seen.append(None)
                bar.update()

            hook = network.register_forward_hook(step)
            try:
                yield seen
            finally:
                hook.remove()


def load_pypots() -> tuple[Any, Any]:
    """Import PyPOTS' SAITS and its Adam.

    Raises:
        ConfigError: if PyPOTS is not installed; the message names the extra.
    """
    try:
        with _quiet():
            from pypots.imputation import SAITS
            from pypots.optim import Adam
    except ModuleNotFoundError as error:
        raise ConfigError(
            "fill saits needs the package pypots",
            value=error.name,
            remedy=f"pip install 'ecgvision[{EXTRA}]', or choose another fill",
        ) from error
    return SAITS, Adam


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the banner that PyPOTS prints on standard output."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
