"""Compiled CPU loops for the views of self-supervised training, in one pass without temporaries.

Each loop computes the same as the tensor operations in `tensors`, from the same draws.
"""

from __future__ import annotations

import numpy as np

from ecgvision.render.kernels import compiled


@compiled
def places(
    start: np.ndarray, placed: np.ndarray, left: np.ndarray, right: np.ndarray, part: np.ndarray
) -> None:
    """Compute the source positions of the samples of N stretched crops; see `signals.stretch`.

    Args:
        start: (N,) int64, first samples of the crops.
        placed: (N, T) bool, samples of the view that equal a sample of the crop; the first and the
            last are True.
        left, right: (N, T) int64, output: neighbouring samples of the record.
        part: (N, T) float32, output: position of the view's sample between left and right.
    """
    length = left.shape[1]
    at = np.empty(length + 1, np.int64)
    for n in range(len(left)):
        count = 0
        for t in range(length):  # branch-free: a branch would be mispredicted
            at[count] = t
            count += placed[n, t]
        for i in range(count - 1):
            before, after = at[i], at[i + 1]
            span = np.float32(after - before)
            for t in range(before, after):
                left[n, t] = start[n] + i
                right[n, t] = start[n] + i + 1
                part[n, t] = np.float32(t - before) / span
        left[n, length - 1] = right[n, length - 1] = start[n] + count - 1
        part[n, length - 1] = 0


@compiled
def time_views(
    signal: np.ndarray, left: np.ndarray, right: np.ndarray, part: np.ndarray, start: np.ndarray,
    end: np.ndarray, sigma: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Interpolate, cut out and add noise.

    Args:
        signal: (B, leads, T) float32 mV without NaN.
        left, right, part: (V, B, T), from `places`.
        start, end: (V, B, leads) int64, range of samples set to 0.
        sigma: (V, B) float32 mV, standard deviation of the noise.
        out: (V, B, leads, T) float32. Contains standard normal noise on entry, the views on exit.
    """
    views, batch, leads, length = out.shape
    for v in range(views):
        for b in range(batch):
            scale = sigma[v, b]
            for lead in range(leads):
                row, noisy = signal[b, lead], out[v, b, lead]
                first, last = start[v, b, lead], end[v, b, lead]
                for t in range(first):
                    low = row[left[v, b, t]]
                    value = low + part[v, b, t] * (row[right[v, b, t]] - low)
                    noisy[t] = value + scale * noisy[t]
                for t in range(first, last):
                    noisy[t] = scale * noisy[t]
                for t in range(last, length):
                    low = row[left[v, b, t]]
                    value = low + part[v, b, t] * (row[right[v, b, t]] - low)
                    noisy[t] = value + scale * noisy[t]


@compiled
def spectrogram_views(
    spectrogram: np.ndarray, start: np.ndarray, kept: np.ndarray, pad: np.ndarray,
    first: np.ndarray, last: np.ndarray, lowest: np.ndarray, frequencies: int, out: np.ndarray,
) -> None:  # fmt: skip
    """Centre crops in zeros and cut out frames and bins.

    Args:
        spectrogram: (B, leads, bins, frames) float32.
        start, kept, pad: (V, B) int64: first frame of a crop, its number of frames, zero frames
            before it.
        first, last: (V, B, leads) int64, range of frames of the crop set to 0.
        lowest: (V, B, leads) int64, lowest of the `frequencies` neighbouring bins set to 0.
        out: (V, B, leads, bins, frames) float32, output.
    """
    views, batch, leads, bins, _ = out.shape
    for v in range(views):
        for b in range(batch):
            skip = start[v, b] - pad[v, b]
            begin, end = pad[v, b], pad[v, b] + kept[v, b]
            for lead in range(leads):
                gone = begin + first[v, b, lead]
                back = begin + last[v, b, lead]
                low = lowest[v, b, lead]
                for k in range(bins):
                    into, of = out[v, b, lead, k], spectrogram[b, lead, k]
                    into[:] = 0
                    if low <= k < low + frequencies:
                        continue
                    for f in range(begin, gone):
                        into[f] = of[f + skip]
                    for f in range(back, end):
                        into[f] = of[f + skip]
