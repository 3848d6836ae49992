"""Training to read: it learns, counts rightly, and is told rows only in training."""

from __future__ import annotations

import math
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, default_collate

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.data.pages import PageSettings
from ecgvision.data.sampler import EpochSampler
from ecgvision.nn.training.optimizer import OptimizerSettings
from ecgvision.reader.data.pages import ReadingDataset
from ecgvision.reader.networks.trace_decoder import MARGIN
from ecgvision.reader.page_reader import PageReader
from ecgvision.store.packed import Store
from ecgvision.systems.read.task import WEIGHTS, ReadTask
from ecgvision.systems.read.windows import draw_windows

SIZE = (192, 256)
FIT = OptimizerSettings(lr=2e-3, weight_decay=1e-2)


def reader() -> PageReader:
    torch.manual_seed(0)
    return PageReader("readnet", SIZE, width=32)


def pages(store: Path, count: int, layouts: tuple[str, ...] = ("3x4+II",), **given):
    mix = PageSettings(layouts=layouts, image_size=SIZE, style="kit", dpi=60)
    data = ReadingDataset([Store(store)], mix, train=False, **given)
    return default_collate([data[(0, i)] for i in range(count)])


def test_it_learns_a_handful_of_pages(tiny_store: Path) -> None:
    """Two pages by heart: found, and read as they are."""
    batch = pages(tiny_store, 2)
    task = ReadTask(reader(), optimizer=FIT)
    optimizer = torch.optim.AdamW(task.parameters(), lr=5e-3)
    task.train()
    losses = []
    for _ in range(40):
        _, parts = task.compute(batch)
        optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        optimizer.step()
        losses.append({k: v.item() for k, v in parts.items()})
    assert losses[-1]["lead"] < 0.2 * losses[0]["lead"]
    assert losses[-1]["trace"] < 0.5 * losses[0]["trace"]
    assert losses[-1]["waveform"] < losses[0]["waveform"] - 0.5
    task.model.training = False  # batch norms stay: of so few pages they know no mean yet
    windows = draw_windows(batch, 256)
    with torch.no_grad():
        found = task.model(batch["image"])
        _, height, _ = task.model(batch["image"], windows.points, windows.up)
    read = (height - windows.moved[..., None]) / windows.voltage_scale[..., None]
    shown, printed = windows.printed, batch["printed"]
    assert np.corrcoef(read[shown], windows.signal[shown])[0, 1] > 0.6
    assert ((found["presence"] > 0) == printed).float().mean() > 0.9
    off = (found["points"] - batch["place"])[printed].abs().median(0).values
    assert off[1] < 1 / SIZE[0]
    assert off[0] < 0.04


def test_windows_show_the_truth(tiny_store: Path) -> None:
    batch = pages(tiny_store, 4, ("3x4+II", "12x1:cabrera"))
    torch.manual_seed(1)
    windows = draw_windows(batch, 256)
    index = windows.first[..., None] + torch.arange(256)
    torch.testing.assert_close(windows.signal, batch["signal"].gather(2, index))
    assert torch.equal(windows.printed, batch["printed"].gather(2, index))
    assert windows.printed.any(-1).equal(batch["printed"].any(-1))
    place = batch["place"].gather(2, index[..., None].expand(-1, -1, -1, 2))
    told = windows.points[:, :, MARGIN:-MARGIN]
    off = (told - place)[windows.printed]
    assert off[:, 0].abs().max() < 1e-4  # the time is right, the height wrong by what is said
    wanted = windows.moved[..., None].expand(-1, -1, 256)[windows.printed]
    torch.testing.assert_close(off[:, 1], wanted, atol=1e-4, rtol=0)
    step = windows.points.diff(dim=2)[..., 0]
    torch.testing.assert_close(step, step[:, :, :1].expand_as(step), atol=1e-4, rtol=0)
    assert (windows.voltage_scale[1, 3] < 0).item()  # -aVR
    spread = windows.spread(windows.signal)
    assert spread.shape == batch["signal"].shape
    torch.testing.assert_close(spread.gather(2, index), windows.signal)
    torch.manual_seed(2)
    assert not torch.equal(draw_windows(batch, 256).first, windows.first)


def test_parts_follow_their_weights(tiny_store: Path) -> None:
    batch = pages(tiny_store, 2)
    task = ReadTask(reader(), optimizer=FIT, weights={"place": 10.0, "time": 0.0}).eval()
    plain = ReadTask(task.model, optimizer=FIT).eval()
    with torch.no_grad():
        torch.manual_seed(0)
        _, parts = task.compute(batch)
        torch.manual_seed(0)
        _, usual = plain.compute(batch)
    assert set(parts) == set(WEIGHTS) - {"time"}
    assert parts["place"].item() == pytest.approx(usual["place"].item() * 10 / WEIGHTS["place"])
    assert parts["waveform"].item() == pytest.approx(usual["waveform"].item())


def test_a_share_of_the_pages_teaches_columns_and_all_of_them_rows(tiny_store: Path) -> None:
    batch = pages(tiny_store, 5)
    task = ReadTask(reader(), optimizer=FIT, share=0.4).train()
    count = math.ceil(0.4 * len(batch["image"]))
    assert 0 < count < len(batch["image"])
    found, rows = {}, {}
    for name, some in (("all", batch), ("few", {k: v[:count] for k, v in batch.items()})):
        whole = ReadTask(task.model, optimizer=FIT).eval()
        torch.manual_seed(0)
        found[name] = whole.compute(some)[1]
    task.model.eval()  # batch norms of one batch and of a part of it differ
    torch.manual_seed(0)
    rows = task.compute(batch)[1]
    for part in ("lead", "place", "time", "gain"):
        torch.testing.assert_close(rows[part], found["all"][part])
    for part in ("trace", "below", "waveform", "snr", "einthoven"):
        torch.testing.assert_close(rows[part], found["few"][part])
    task.eval()
    torch.manual_seed(0)
    torch.testing.assert_close(task.compute(batch)[1]["trace"], found["all"]["trace"])
    with pytest.raises(ConfigError, match=r"loss\.share"):
        ReadTask(reader(), optimizer=FIT, share=0.0)


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
    printed, target = items["printed"], items["signal"]
    x, y = read[printed].double().numpy(), target[printed].double().numpy()
    each = [np.corrcoef(read[i, j][printed[i, j]], target[i, j][printed[i, j]])[0, 1]
            for i in range(5) for j in range(12) if printed[i, j].any()]  # fmt: skip
    assert found["val/read_correlation"] == pytest.approx(np.mean(each), abs=1e-5)
    assert found["val/read_rmse"] == pytest.approx(np.sqrt(np.mean((x - y) ** 2)), rel=1e-5)
    accuracy = (presence == printed).double().mean().item()
    assert found["val/presence_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert torch.cat([part["index"] for part in told]).tolist() == items["index"].tolist()


@pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")  # of Lightning's own loops
def test_what_is_frozen_stays_and_the_rest_learns(tiny_store: Path) -> None:
    mix = PageSettings(layouts=("3x4+II",), image_size=SIZE, style="kit", dpi=60)
    data = ReadingDataset([Store(tiny_store)], mix)
    loader = DataLoader(data, 2, sampler=EpochSampler(4, seed=0, shuffle=False))
    task = ReadTask(reader(), optimizer=FIT, frozen=("page.encoder.first", "page.print"))
    before = {key: value.clone() for key, value in task.model.state_dict().items()}
    trainer = L.Trainer(max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
                        enable_progress_bar=False, enable_model_summary=False,
                        limit_val_batches=1)  # fmt: skip
    trainer.fit(task, loader, loader)
    after = task.model.state_dict()
    for key, value in before.items():
        held = key.startswith(("page.encoder.first.", "page.print."))
        if held:
            assert torch.equal(after[key], value), key
        elif key.endswith("weight") and value.ndim > 1:
            assert not torch.equal(after[key], value), key


@pytest.mark.parametrize("frozen", [("encoder",), ("page.print", "")])
def test_only_modules_can_be_frozen(frozen: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"model\.frozen.*page\.encoder\.first"):
        ReadTask(reader(), optimizer=FIT, frozen=frozen)


def test_pages_of_another_length_are_refused(tiny_store: Path) -> None:
    batch = pages(tiny_store, 2)
    batch["signal"] = batch["signal"][..., :500]
    with pytest.raises(DataError, match="number of samples"):
        ReadTask(reader(), optimizer=FIT).compute(batch)


@pytest.mark.parametrize("wrong", [
    {"colour": 1.0}, {"place": -1.0}, {"lead": float("nan")},
])  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        ReadTask(reader(), optimizer=FIT, weights=wrong)
