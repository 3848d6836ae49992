"""One answer from many crops, and encoders that stay as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from ecgvision.nn.training.optimizer import OptimizerSettings
from ecgvision.systems.ssl.finetune_task import FinetuneTask, encoders, pooled
from ecgvision.systems.ssl.network import GatedNet


def test_pooling_is_the_logit_of_the_mean_probability():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, (6, 7, 4))
    present = rng.random((6, 7)) < 0.6
    present[:, 0] = True
    expected = np.stack([
        logit(np.mean([expit(z[b, k]) for k in range(7) if present[b, k]], axis=0))
        for b in range(6)
    ])  # fmt: skip
    found = pooled(torch.tensor(z), torch.tensor(present))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("size", [30.0, 200.0])
def test_pooling_stays_finite_where_probabilities_do_not(size):
    """Chunks that agree on z give z, however far from 0; their gradients are finite."""
    z = torch.full((1, 3, 2), size)
    z[..., 1] = -size
    z.requires_grad_()
    found = pooled(z, torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(found, torch.tensor([[size, -size]]))
    found.sum().backward()
    assert z.grad.isfinite().all()


def batch(crops: int = 3, records: int = 4) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return {
        "signal": torch.randn(records, crops, 12, 100),
        "present": torch.ones(records, crops, dtype=torch.bool),
        "target": (torch.rand(records, 5) < 0.5).float(),
    }


def task(fusion: str = "time", *, probe: bool = False) -> FinetuneTask:
    torch.manual_seed(0)
    network = GatedNet(5, fusion=fusion, time_encoder="resnet1d_lite")
    return FinetuneTask(network, probe=probe, optimizer=OptimizerSettings(1e-3, 0.0))


def test_a_crop_without_samples_counts_neither_in_the_loss_nor_in_the_answer():
    tested, given = task().eval(), batch()
    given["present"][:, 2] = False
    fewer = {"signal": given["signal"][:, :2], "present": given["present"][:, :2],
             "target": given["target"]}  # fmt: skip
    with torch.no_grad():
        for z, expected in zip(tested.compute(given), tested.compute(fewer), strict=True):
            torch.testing.assert_close(z, expected)
        tested.training = True  # the loss of training, batch norms as they are
        (_, loss), (_, expected) = tested.compute(given), tested.compute(fewer)
    torch.testing.assert_close(loss, expected)


def test_training_loss_is_that_of_every_crop():
    tested, given = task().eval(), batch()
    with torch.no_grad():
        z = tested.model(given["signal"].flatten(0, 1))["time"].numpy()
        tested.training = True
        _, parts = tested.compute(given)
    y = np.repeat(given["target"].numpy(), 3, axis=0)
    expected = -(y * np.log(expit(z)) + (1 - y) * np.log(expit(-z))).mean()
    np.testing.assert_allclose(parts["bce_time"], expected, rtol=1e-5)


@pytest.mark.parametrize("probe", [True, False])
def test_a_probe_moves_heads_only(probe):
    tested = task(probe=probe)
    before = {k: v.clone() for k, v in tested.state_dict().items()}
    tested.train()
    tested.on_train_epoch_start()
    optimizer = torch.optim.SGD([p for p in tested.parameters() if p.requires_grad], lr=1.0)
    _, parts = tested.compute(batch())
    sum(parts.values()).backward()
    optimizer.step()
    moved = {k for k, v in tested.state_dict().items() if not torch.equal(v, before[k])}
    assert any(".heads." in k for k in moved)
    inside = {k for k in moved if "time_encoder" in k}  # batch norms' buffers among them
    assert bool(inside) == (not probe)
    assert set(encoders(tested.model)) == {"time"}
