"""Augmentation: deterministic, bounded, and never a mirror image."""

from __future__ import annotations

import numpy as np

from ecgvision.data.augment import ImageAugment, SignalAugment

STILL = {"shift": 0, "stretch": 0, "gain": 0, "noise": 0, "wander": 0}


def test_nothing_asked_nothing_done():
    signal = np.random.default_rng(0).standard_normal((12, 500)).astype(np.float32)
    signal[4, 100:200] = np.nan
    out = SignalAugment(**STILL)(signal, 100, np.random.default_rng(1))
    np.testing.assert_allclose(out, signal, atol=1e-6)


def test_einthoven_survives_gain_stretch_and_shift():
    limb = np.random.default_rng(0).standard_normal((2, 500)).astype(np.float32)
    signal = np.zeros((12, 500), np.float32)
    signal[:2], signal[2] = limb, limb[1] - limb[0]
    out = SignalAugment(noise=0, wander=0)(signal, 100, np.random.default_rng(3))
    seen = ~np.isnan(out[0])
    assert seen.mean() > 0.8
    np.testing.assert_allclose(out[2, seen], (out[1] - out[0])[seen], atol=1e-5)


def test_same_generator_same_bytes():
    signal = np.random.default_rng(0).standard_normal((12, 500)).astype(np.float32)
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    for change, value in (
        (lambda x, r: SignalAugment()(x, 100, r), signal),
        (ImageAugment(), image),
    ):
        first, second, other = (change(value, np.random.default_rng(s)) for s in (7, 7, 8))
        assert first.tobytes() == second.tobytes()
        assert first.tobytes() != other.tobytes()


def test_pages_are_never_mirrored():
    """A mark at the top left stays nearest to the top left corner, whatever is drawn."""
    image = np.full((96, 128, 3), 255, np.uint8)
    image[16:24, 16:32] = 0
    for seed in range(200):
        dark = 255 - ImageAugment()(image, np.random.default_rng(seed))[..., 0].astype(float)
        dark[dark < 128] = 0
        y, x = (np.average(np.indices(dark.shape)[k], weights=dark) for k in (0, 1))
        assert x < 64
        assert y < 48
