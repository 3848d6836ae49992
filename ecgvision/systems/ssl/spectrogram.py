"""Magnitude spectrogram as a module: batched, on any device, exportable to ONNX."""

from __future__ import annotations

import numpy as np
import torch
from scipy.signal import get_window
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError, DataError


class Spectrogram(nn.Module):
    """Magnitudes of the short-time Fourier transform, equal to `abs(scipy.signal.stft(x)[2])`.

    Uses scipy's defaults: a periodic Hann window, segments that overlap by half, half a segment of
    zero padding at both ends, further zeros to complete the last segment, and scaling by the sum of
    the window. A sine of amplitude a in the middle of a bin thus gives a / 2. The transform is one
    fixed real convolution, because exporters differ in their support of complex numbers.

    Args:
        rate: Hz of the signals; only `frequencies` and `times` depend on it.
        segment: samples per segment. 25 at 100 Hz as in the public code of Phan et al. (arXiv
            2210.06297).
        overlap: overlap of neighbouring segments in samples; default half a segment.

    Attributes:
        frequencies: (bins,) Hz, bins = segment // 2 + 1.

    Shape:
        signal: (B, leads, T) mV, NaN (not observed) counting as 0, T >= segment;
        result: (B, leads, bins, frames) float32 mV; 21 frames of 250 samples.

    Raises:
        ConfigError: for an invalid rate, segment or overlap.
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
        """Return the number of frames of a signal of `length` samples."""
        padded = length + 2 * (self.segment // 2)
        return -(-(padded - self.segment) // self.hop) + 1

    def times(self, length: int) -> Tensor:
        """Return the middle of each segment in seconds from the first sample, (frames,)."""
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
            # A vector norm instead of sqrt(a² + b²), so that the gradient at 0 is 0. Over the last
            # dimension, because norms over another one take a CPU twenty times as long.
            magnitude = torch.linalg.vector_norm(parts.movedim(1, -1).contiguous(), dim=-1)
        return magnitude.unflatten(0, (-1, leads))
