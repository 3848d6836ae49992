"""What is exported prepares a signal as the loader did in training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ecgvision.data.patch_settings import PatchSettings, normalise_record, to_patches
from ecgvision.nn.signal_student import SignalStudent


class Echo(torch.nn.Module):
    """Keeps what it is given."""

    def forward(self, value, observed):
        self.value, self.observed = value, observed
        return {"s": value.sum((1, 2, 3))[:, None].expand(-1, 2)}


@pytest.mark.parametrize("normalise", ["none", "record"])
@pytest.mark.parametrize(("length", "stride"), [(200, 200), (64, 64), (64, 40)])
def test_patches_and_scale_are_the_loaders(normalise, length, stride):
    cut = PatchSettings(seconds=4, rate=50, layouts=("12x1",), patch_length=length, stride=stride,
                        normalise=normalise)  # fmt: skip
    network = Echo()
    student = SignalStudent(network, "s", cut=cut, temperature=2.0, thresholds=[0.5, 0.6])
    rng = np.random.default_rng(0)
    signal = rng.normal(1, 2, (3, 12, 200)).astype(np.float32)
    observed = rng.random((3, 12, 200)) > 0.4
    logits, probabilities, decisions = student(torch.from_numpy(signal), torch.from_numpy(observed))
    for k in range(3):
        wanted = normalise_record(signal[k], observed[k]) if normalise == "record" else signal[k]
        wanted = to_patches(np.where(observed[k], wanted, np.float32(0)), length, stride)
        np.testing.assert_allclose(network.value[k].numpy(), wanted, atol=1e-5)
        assert (network.observed[k].numpy() == to_patches(observed[k], length, stride)).all()
    torch.testing.assert_close(probabilities, torch.sigmoid(logits / 2))
    assert (decisions == (probabilities >= torch.tensor([0.5, 0.6]))).all()
