"""Every named loss of the masked systems is computed, and is that of plain formulas."""

from __future__ import annotations

import pytest
import torch

from ecgvision.nn.losses.names import MASKED_LOSSES
from ecgvision.nn.signal_net import SignalNet
from ecgvision.nn.training.optimizer_settings import OptimizerSettings
from ecgvision.systems.signal.task import MaskedTask


@pytest.mark.parametrize("name", MASKED_LOSSES)
def test_every_named_loss_is_computed(name):
    task = MaskedTask(SignalNet(3, encoder="resnet1d_lite"), "signal", name=name, focal_gamma=0.0,
                      optimizer=OptimizerSettings(lr=1e-3, weight_decay=0.0), seed=0)  # fmt: skip
    logits, target = torch.randn(4, 3), (torch.rand(4, 3) < 0.5).float()
    ((found, loss),) = task.classify({"signal": logits}, {"target": target}).items()
    p = torch.where(target > 0, logits.sigmoid(), 1 - logits.sigmoid())
    assert found == name
    torch.testing.assert_close(loss, -p.log().mean())  # focal with gamma 0 is cross-entropy
