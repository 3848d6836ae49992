"""The transform against scipy, its gradient, its graph in ONNX."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import stft

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.systems.ssl.spectrogram import Spectrogram


@given(st.integers(2, 80), st.integers(0, 300), st.floats(20, 1000), st.data())
def test_equals_scipy(segment, more, rate, data):
    overlap = data.draw(st.none() | st.integers(0, segment - 1))
    length = segment + more
    signal = np.random.default_rng(more).normal(size=(2, 3, length))
    frequencies, times, expected = stft(
        signal, fs=rate, window="hann", nperseg=segment, noverlap=overlap
    )
    ours = Spectrogram(rate=rate, segment=segment, overlap=overlap)
    found = ours(torch.from_numpy(signal)).numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, np.abs(expected), atol=1e-5)
    assert ours.frames(length) == len(times)
    np.testing.assert_allclose(ours.times(length).numpy(), times, rtol=1e-5)
    np.testing.assert_allclose(ours.frequencies.numpy(), frequencies, rtol=1e-5)


def test_the_published_shape():
    assert Spectrogram()(torch.zeros(2, 12, 250)).shape == (2, 12, 13, 21)


def test_a_sine_shows_half_its_amplitude_in_its_bin():
    t = torch.arange(500) / 100
    found = Spectrogram()(3.0 * torch.sin(2 * torch.pi * 20 * t).expand(1, 1, -1))[0, 0]
    middle = found[:, 3:-3]
    assert middle.argmax(0).eq(5).all()  # bins are 4 Hz wide
    torch.testing.assert_close(middle[5], torch.full_like(middle[5], 1.5), rtol=1e-4, atol=0)


def test_what_was_not_observed_counts_as_0():
    signal = torch.randn(1, 12, 100)
    holes = signal.clone()
    holes[:, :, 20:40] = torch.nan
    signal[:, :, 20:40] = 0
    assert torch.equal(Spectrogram()(holes), Spectrogram()(signal))


def test_gradients_are_finite_where_there_is_nothing():
    signal = torch.zeros(1, 1, 50, requires_grad=True)
    Spectrogram()(signal).sum().backward()
    assert torch.equal(signal.grad, torch.zeros(1, 1, 50))


def test_stays_in_float32_under_mixed_precision():
    signal = torch.randn(2, 12, 250)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = Spectrogram()(signal)
    assert torch.equal(found, Spectrogram()(signal))


def test_exports_with_the_dynamo_exporter(tmp_path):
    import onnxruntime

    file = tmp_path / "stft.onnx"
    with warnings.catch_warnings():  # of the exporter's own parts, as in ecgvision.deploy.export
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Spectrogram(), (torch.randn(2, 12, 250),), file, dynamo=True, verbose=False,
            input_names=["signal"], output_names=["spectrogram"],
            dynamic_shapes={"signal": {0: torch.export.Dim("batch", min=1)}},
        )  # fmt: skip
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for batch in (1, 5):
        signal = np.random.default_rng(batch).normal(size=(batch, 12, 250)).astype(np.float32)
        (found,) = session.run(["spectrogram"], {"signal": signal})
        np.testing.assert_allclose(found, np.abs(stft(signal, nperseg=25)[2]), atol=1e-5)


def test_wrong_input_is_refused():
    with pytest.raises(DataError, match=r"at least 25 samples.*24"):
        Spectrogram()(torch.zeros(2, 12, 24))
    with pytest.raises(DataError, match=r"\(B, leads, T\)"):
        Spectrogram()(torch.zeros(12, 100))
    for wrong in ({"rate": 0.0}, {"rate": float("nan")}, {"segment": 1}, {"overlap": 25},
                  {"overlap": -1}):  # fmt: skip
        with pytest.raises(ConfigError, match=f"got {next(iter(wrong.values()))}"):
            Spectrogram(**wrong)
