"""Short-time Fourier magnitudes of a signal, in batches, on its device, and in an ONNX graph."""

from __future__ import annotations

import numpy as np
import torch
from scipy.signal import get_window
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError, DataError


class Spectrogram(nn.Module):
    """Magnitudes of the short-time Fourier transform, equal to `abs(scipy.signal.stft(x)[2])`.

    Periodic Hann window, segments half overlapping, half a segment of zeros at both ends and
    zeros up to a whole segment at the end, scaled by the sum of the window: scipy's defaults, so
    that a sine of amplitude a in the middle of a bin shows a / 2. The transform is one fixed
    convolution, real throughout: no complex numbers, which exporters treat unequally.

    Args:
        rate: Hz of the signals; only `frequencies` and `times` depend on it.
        segment: samples of a segment. 25 at 100 Hz as in Phan et al. (arXiv 2210.06297), their
            public code.
        overlap: samples that neighbouring segments share; default half a segment.

    Attributes:
        frequencies: (bins,) Hz, bins = segment // 2 + 1.

    Shape:
        signal: (B, leads, T) mV, NaN (not observed) counting as 0, T >= segment;
        result: (B, leads, bins, frames) float32 mV; 21 frames of 250 samples.

    Raises:
        ConfigError: for a rate, segment or overlap that makes no sense.
        DataError: for a signal shorter than a segment.
    """

    kernel: Tensor
    frequencies: Tensor

    def __init__(
        self, *, rate: float = 100.0, segment: int = 25, overlap: int | None = None
    ) -> None:
        super().__init__()
        if not (np.isfinite(rate) and rate > 0):
            raise ConfigError("rate must be a positive number of Hz", value=rate)
        if segment < 2:
            raise ConfigError("a segment needs two samples or more", value=segment)
        overlap = segment // 2 if overlap is None else overlap
        if not 0 <= overlap < segment:
            raise ConfigError(
                f"overlap must be 0 or more and below the segment's {segment} samples",
                value=overlap,
            )
        self.rate, self.segment, self.hop = float(rate), segment, segment - overlap
        window = get_window("hann", segment)
        waves = np.exp(-2j * np.pi / segment * np.outer(range(segment // 2 + 1), range(segment)))
        waves *= window / window.sum()
        kernel = torch.from_numpy(np.concatenate([waves.real, waves.imag]).astype(np.float32))
        self.register_buffer("kernel", kernel.unsqueeze(1), persistent=False)
        axis = torch.arange(segment // 2 + 1) * (self.rate / segment)
        self.register_buffer("frequencies", axis, persistent=False)

    def frames(self, length: int) -> int:
        """Frames of a signal of so many samples."""
        padded = length + 2 * (self.segment // 2)
        return -(-(padded - self.segment) // self.hop) + 1

    def times(self, length: int) -> Tensor:
        """(frames,) seconds of the middle of each segment, from the first sample."""
        return torch.arange(self.frames(length)) * (self.hop / self.rate)

    def forward(self, signal: Tensor) -> Tensor:
        if signal.ndim != 3 or signal.shape[-1] < self.segment:
            raise DataError(
                f"a spectrogram needs signals (B, leads, T) of at least {self.segment} samples",
                value=tuple(signal.shape),
            )
        leads, length = signal.shape[1:]
        half = self.segment // 2
        end = (self.frames(length) - 1) * self.hop + self.segment - half - length
        x = torch.nan_to_num(signal.float(), nan=0.0)
        with torch.autocast(signal.device.type, enabled=False):  # rounding hides small bins
            x = F.pad(x.reshape(-1, 1, length), (half, end))
            parts = F.conv1d(x, self.kernel, stride=self.hop)
            parts = parts.unflatten(1, (2, len(self.frequencies)))
            # of a vector and not sqrt(a² + b²): the gradient at 0 is then 0; over the last
            # dimension, as norms over another take a processor twenty times as long
            magnitude = torch.linalg.vector_norm(parts.movedim(1, -1).contiguous(), dim=-1)
        return magnitude.unflatten(0, (-1, leads))
