"""Augmentation of the signal before the page is drawn, and of the page at network size.

No transform mirrors: time runs from left to right, and up is positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.data.network_input import PAPER_WHITE


@dataclass(frozen=True)
class SignalAugment:
    """Plausible variation of a signal: shift, stretch, gain, noise and baseline wander.

    Our defaults are small enough not to change any label: rates by a tenth, voltages by a tenth.

    Attributes:
        shift: maximum shift of the recording's start in seconds, either way; unrecorded samples are
            NaN.
        stretch: maximum fraction by which time runs faster or slower.
        gain: maximum fraction by which all leads together are larger or smaller.
        noise: maximum standard deviation of the added noise in mV.
        wander: maximum amplitude in mV of a slow sine (0.05-0.5 Hz) in each lead.
    """

    shift: float = 0.5
    stretch: float = 0.1
    gain: float = 0.1
    noise: float = 0.01
    wander: float = 0.05

    def __call__(
        self, signal: NDArray[np.float32], rate: float, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Augment a (12, T) signal in mV; the result has the same shape."""
        length = signal.shape[1]
        time = np.arange(length)
        factor = 1 + rng.uniform(-self.stretch, self.stretch)
        at = time * factor + rng.uniform(-self.shift, self.shift) * rate
        out = np.empty_like(signal)
        for lead in range(len(signal)):  # interpolation spreads NaN to its neighbours only
            out[lead] = np.interp(at, time, signal[lead], left=np.nan, right=np.nan)
        out *= 1 + rng.uniform(-self.gain, self.gain)
        seconds = (time / rate).astype(np.float32)
        frequency = rng.uniform(0.05, 0.5, (12, 1)).astype(np.float32)
        phase = rng.uniform(0, 2 * np.pi, (12, 1)).astype(np.float32)
        size = rng.uniform(0, self.wander, (12, 1)).astype(np.float32)
        out += size * np.sin(np.float32(2 * np.pi) * frequency * seconds + phase)
        sigma = np.float32(rng.uniform(0, self.noise))
        out += sigma * rng.standard_normal(out.shape, dtype=np.float32)
        return out


@dataclass(frozen=True)
class ImageAugment:
    """Light changes of a page: rotation, scale, shift, brightness, contrast and sometimes blur.

    Attributes:
        rotation: maximum rotation in degrees to either side, as of a sheet askew on a scanner.
        scale: maximum fraction larger or smaller.
        move: maximum fraction of the width and height to either side.
        light: maximum fraction of brightness and contrast.
        blur: probability of a Gaussian blur.
    """

    rotation: float = 1.5
    scale: float = 0.05
    move: float = 0.02
    light: float = 0.2
    blur: float = 0.1

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """Augment an (H, W, 3) uint8 image; the result has the same shape."""
        height, width = image.shape[:2]
        angle = rng.uniform(-self.rotation, self.rotation)
        scale = 1 + rng.uniform(-self.scale, self.scale)
        warp = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
        warp[:, 2] += rng.uniform(-self.move, self.move, 2) * np.array([width, height])
        if self.rotation or self.scale or self.move:
            image = np.asarray(
                cv2.warpAffine(
                    image, warp, (width, height), flags=cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_CONSTANT, borderValue=(PAPER_WHITE,) * 3,
                ), np.uint8,
            )  # fmt: skip
        contrast, brightness = 1 + rng.uniform(-self.light, self.light, 2)
        levels = np.arange(256, dtype=np.float32)
        table = (levels - 128) * contrast + 128 * brightness
        image = np.asarray(cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8)), np.uint8)
        if rng.random() < self.blur:
            image = np.asarray(cv2.GaussianBlur(image, (3, 3), rng.uniform(0.3, 1.0)), np.uint8)
        return image
