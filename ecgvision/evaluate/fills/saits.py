"""Fill with SAITS (Du et al. 2023, arXiv 2202.08516), by the package PyPOTS.

The model reads a record as T steps of 12 features and is trained on full leads of which PyPOTS
hides a fifth of the samples at random; no layout is shown to it in training, nor was one in
PatchECG's baseline.
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
"""The optional extra that brings PyPOTS."""


@dataclass(frozen=True)
class SaitsSettings:
    """Sizes and training of SAITS.

    Sizes, dropout and rate are those of PatchECG's baseline (`d_inner` there is `d_ffn` here).

    Attributes:
        n_layers, d_model, d_ffn, n_heads, d_k, d_v: of its two attention stacks;
            d_model = n_heads * d_k.
        dropout: share dropped.
        learning_rate: of Adam.
        epochs: over the training records. Our default, as the baseline's is not published.
        batch_size: records at once. Our default: the attention of 4 heads over 1000 steps takes
            16 MB a layer and record, and training keeps several copies of it in 4 layers.
        device: as PyTorch names it; None takes a GPU where there is one.

    Raises:
        ConfigError: for a figure that makes no sense.
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
    """A SAITS trained on full leads; calling it fills.

    Each lead is centred and scaled by the training records' mean and standard deviation, as SAITS'
    authors do with their data, and brought back to mV.

    Args:
        records: (M, 12, T) float32 mV, NaN where missing, in each something.
        settings: sizes and training.
        seed: of weights, batches and hidden samples; the process's own generator is left alone.
        progress: show a bar.

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
        self.scale = np.where(scale > 0, scale, 1.0)  # a lead that is flat in all of training
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
        if len(seen) < batches:  # PyPOTS goes on after an error or Ctrl-C, with what it has so far
            raise ConfigError(
                f"SAITS stopped after {len(seen)} of {batches} batches",
                value=settings.batch_size,
                remedy="Its own message stands above; where memory ran out, lower batch_size",
            )

    def __call__(
        self, signals: NDArray[np.float32], observed: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """(N, 12, T) mV as SAITS rebuilds them; `signals` is ignored where not observed."""
        series = self._scaled(np.where(observed, signals, np.float32(np.nan)))
        with _quiet(), self._bar("fill saits", -(-len(series) // self.settings.batch_size)):
            filled = np.asarray(self.model.impute({"X": series}), np.float64)
        return filled.transpose(0, 2, 1) * self.scale + self.mean

    def _scaled(self, records: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, T, 12): steps before features, as PyPOTS wants them."""
        scaled = ((records - self.mean) / self.scale).astype(np.float32)
        return np.ascontiguousarray(scaled.transpose(0, 2, 1))

    @contextlib.contextmanager
    def _bar(self, what: str, batches: int) -> Iterator[list[None]]:
        """A bar that moves with every batch through the model; yields one entry for each so far."""
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
    """PyPOTS' SAITS and its Adam.

    Raises:
        ConfigError: if PyPOTS is not installed; names the extra.
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
    """Away with the banner that PyPOTS prints on standard output."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
