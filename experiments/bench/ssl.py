"""Benchmark of self-supervised views: an entire batch at once, against numpy record by record.

python -m experiments.bench ssl
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ecgvision.core.arguments import COUNT

Array = NDArray[np.float32]
TARGET = 10.0
"""Speed-up over plain numpy, for time and spectrogram views together."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add sizes; the defaults are the published ones: 2 + 8 views of 2.5 s at 100 Hz."""
    parser.add_argument("--batch", type=COUNT, default=128, help="records in a batch")
    parser.add_argument("--samples", type=COUNT, default=250, help="samples of a record")
    parser.add_argument("--rounds", type=COUNT, default=7, help="batches a median is taken over")
    parser.add_argument("--device", default="cpu", help="of the batched way")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure views per second of both methods, alternating, so that other load affects both."""
    import torch

    from ecgvision.systems.ssl.spectrogram import Spectrogram
    from ecgvision.systems.ssl.views.signals import SpectrogramViews, TimeViews

    rng = np.random.default_rng(0)
    signal = rng.standard_normal((args.batch, 12, args.samples), dtype=np.float32)
    on_device = torch.from_numpy(signal).to(args.device)
    transform = Spectrogram().to(args.device)
    spectrogram = transform(on_device)
    plain = spectrogram.cpu().numpy()
    times, spectra = TimeViews(), SpectrogramViews()
    took: dict[str, list[float]] = {}

    def clock(name: str, work: Callable[[], Any]) -> None:
        start = time.perf_counter()
        work()
        if on_device.is_cuda:
            torch.cuda.synchronize(on_device.device)
        took.setdefault(name, []).append(time.perf_counter() - start)

    times(on_device, 0), spectra(spectrogram, 0)  # warm-up: allocates, loads kernels
    for seed in tqdm(range(args.rounds), desc="batches"):
        clock("time", lambda seed=seed: times(on_device, seed))  # type: ignore[misc]
        clock("numpy_time", lambda: plain_views(signal, times, rng))
        clock("spectrogram", lambda seed=seed: spectra(spectrogram, seed))  # type: ignore[misc]
        clock("numpy_spectrogram", lambda: plain_views(plain, spectra, rng))
        clock("stft", lambda: transform(on_device))
    views = args.batch * (times.global_views + times.local_views)
    found: dict[str, Any] = {"device": args.device, "threads": torch.get_num_threads()}
    seconds = {name: median(values) for name, values in took.items()}
    for kind in ("time", "spectrogram"):
        found[kind] = {
            "views_per_second": views / seconds[kind],
            "numpy_views_per_second": views / seconds[f"numpy_{kind}"],
            "times_faster": seconds[f"numpy_{kind}"] / seconds[kind],
        }
    both = seconds["numpy_time"] + seconds["numpy_spectrogram"]
    found["times_faster"] = both / (seconds["time"] + seconds["spectrogram"])
    found["target_times_faster"] = TARGET
    found["ms_stft_of_a_batch"] = seconds["stft"] * 1e3
    return found


def plain_views(batch: Array, settings: Any, rng: np.random.Generator) -> Array:
    """Return views (views, B, ...) of signals (B, leads, T) or spectrograms.

    Shape:
        batch: (B, leads, T) signals or (B, leads, bins, frames) spectrograms.
    """
    make = plain_time_view if batch.ndim == 3 else plain_spectrogram_view
    crops = [settings.global_crop] * settings.global_views
    crops += [settings.local_crop] * settings.local_views
    return np.stack([[make(record, crop, settings, rng) for record in batch] for crop in crops])


def plain_time_view(
    signal: Array, crop: tuple[float, float], settings: Any, rng: np.random.Generator
) -> Array:
    """Return one view (leads, T) of one record, as defined by `TimeViews`."""
    leads, length = signal.shape
    kept = max(2, int(rng.uniform(*crop) * length))
    start = rng.integers(length - kept + 1)
    inner = np.sort(rng.choice(length - 2, kept - 2, replace=False)) + 1
    places = np.concatenate([[0], inner, [length - 1]])
    view = np.empty_like(signal)
    moments = np.arange(length)
    for lead in range(leads):
        view[lead] = np.interp(moments, places, signal[lead, start : start + kept])
        size = int(rng.uniform(*settings.cut_out) * length)
        begin = rng.integers(length - size + 1)
        view[lead, begin : begin + size] = 0
    sigma = np.float32(rng.uniform(*settings.noise))
    return view + sigma * rng.standard_normal(view.shape, dtype=np.float32)


def plain_spectrogram_view(
    spectrogram: Array, crop: tuple[float, float], settings: Any, rng: np.random.Generator
) -> Array:
    """Return one view (leads, bins, frames) of one record, as defined by `SpectrogramViews`."""
    leads, bins, frames = spectrogram.shape
    kept = max(1, int(rng.uniform(*crop) * frames))
    start = rng.integers(frames - kept + 1)
    part = spectrogram[:, :, start : start + kept].copy()
    for lead in range(leads):
        size = int(rng.uniform(*settings.cut_out) * kept)
        begin = rng.integers(kept - size + 1)
        part[lead, :, begin : begin + size] = 0
        lowest = rng.integers(bins - settings.frequencies + 1)
        part[lead, lowest : lowest + settings.frequencies] = 0
    view = np.zeros_like(spectrogram)
    left = (frames - kept) // 2
    view[:, :, left : left + kept] = part
    return view
