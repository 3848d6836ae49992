"""Training to read: it learns, counts rightly, and tells the truth only in training."""

from __future__ import annotations

from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from ecgvision.data.pages import PageSettings
from ecgvision.data.reading import ReadingDataset
from ecgvision.data.sampler import EpochSampler
from ecgvision.ecg import ConfigError, DataError
from ecgvision.models.reader import PageReader
from ecgvision.store import Store
from ecgvision.tasks.optimizer import OptimizerSettings
from ecgvision.tasks.read import WEIGHTS, ReadTask

SIZE = (128, 176)
FIT = OptimizerSettings(lr=2e-3, weight_decay=1e-2)


def reader(head: str = "trace") -> PageReader:
    torch.manual_seed(0)
    return PageReader("tracenet", SIZE, width=32, depth=1, heads=2, head=head)


def pages(store: Path, count: int, **given) -> dict[str, torch.Tensor]:
    mix = PageSettings(layouts=("3x4+II",), image_size=SIZE, style="kit", dpi=60)
    data = ReadingDataset([Store(store)], mix, train=False, **given)
    return default_collate([data[(0, i)] for i in range(count)])


@pytest.mark.parametrize("head", ["trace", "query"])
def test_it_learns_a_handful_of_pages(tiny_store: Path, head: str) -> None:
    batch = pages(tiny_store, 2)
    task = ReadTask(reader(head), optimizer=FIT, tell=0.5)
    optimizer = torch.optim.AdamW(task.parameters(), lr=3e-3)
    task.train()
    losses = []
    for _ in range(25):
        _, parts = task.compute(batch)
        loss = torch.stack(list(parts.values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append({k: v.item() for k, v in parts.items()})
    assert losses[-1]["where"] < 0.8 * losses[0]["where"]
    assert losses[-1]["place"] < 0.5 * losses[0]["place"]
    assert losses[-1]["waveform"] < losses[0]["waveform"] - 0.3


def test_a_head_that_is_told_reads_a_page_at_once(tiny_store: Path) -> None:
    """At the true places an untrained reader follows the ink; where it looks by itself it cannot."""
    batch = pages(tiny_store, 4)
    task = ReadTask(reader(), optimizer=FIT, tell=1.0)
    printed, target = batch["printed"][..., :960], batch["signal"][..., :960]

    def correlation() -> float:
        with torch.no_grad():
            read, _ = task.compute(batch)
        return float(np.corrcoef(read["signal"][printed], target[printed])[0, 1])

    task.train()
    assert correlation() > 0.25
    task.eval()
    assert abs(correlation()) < 0.2


def test_parts_follow_their_weights(tiny_store: Path) -> None:
    batch = pages(tiny_store, 2)
    task = ReadTask(reader(), optimizer=FIT, weights={"place": 10.0, "where": 0.0}).eval()
    plain = ReadTask(task.model, optimizer=FIT).eval()
    with torch.no_grad():
        (_, parts), (_, usual) = task.compute(batch), plain.compute(batch)
    assert set(parts) == set(WEIGHTS) - {"where"}
    assert parts["place"].item() == pytest.approx(usual["place"].item() * 10 / WEIGHTS["place"])
    assert parts["waveform"].item() == pytest.approx(usual["waveform"].item())


@pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")  # of Lightning's own loops
def test_validation_counts_over_all_batches(tiny_store: Path) -> None:
    mix = PageSettings(layouts=("3x4+II", "12x1"), image_size=SIZE, style="kit", dpi=60)
    data = ReadingDataset([Store(tiny_store)], mix, train=False, limit=5)
    loader = DataLoader(data, batch_size=2, sampler=EpochSampler(5, seed=0, shuffle=False))
    task = ReadTask(reader(), optimizer=FIT)
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False,
                        enable_progress_bar=False, enable_model_summary=False)  # fmt: skip
    found = trainer.validate(task, loader, verbose=False)[0]
    told = trainer.predict(task, loader)
    read = torch.cat([part["signal"] for part in told])
    presence = torch.cat([part["presence"] for part in told]) > 0
    items = default_collate([data[(0, i)] for i in range(5)])
    printed, target = items["printed"][..., :960], items["signal"][..., :960]
    x, y = read[printed].double().numpy(), target[printed].double().numpy()
    assert found["val/read_correlation"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-5)
    assert found["val/read_rmse"] == pytest.approx(np.sqrt(np.mean((x - y) ** 2)), rel=1e-5)
    accuracy = (presence == printed).double().mean().item()
    assert found["val/presence_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert torch.cat([part["index"] for part in told]).tolist() == items["index"].tolist()


def test_short_pages_are_refused(tiny_store: Path) -> None:
    batch = pages(tiny_store, 2)
    batch["signal"] = batch["signal"][..., :500]
    with pytest.raises(DataError, match="fewer samples"):
        ReadTask(reader(), optimizer=FIT).compute(batch)


@pytest.mark.parametrize("wrong", [
    {"weights": {"colour": 1.0}}, {"weights": {"place": -1.0}}, {"tell": 1.5},
    {"weights": {"where": float("nan")}},
])  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        ReadTask(reader(), optimizer=FIT, **wrong)
