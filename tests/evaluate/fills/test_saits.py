"""SAITS: with a small stand-in for PyPOTS, without PyPOTS, and with PyPOTS where it is installed."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from ecgvision.core.errors import ConfigError
from ecgvision.evaluate.fills.fills import make_fill
from ecgvision.evaluate.fills.saits import SaitsSettings

LENGTH = 40


def records(n: int, seed: int = 0) -> np.ndarray:
    """Twelve leads that are multiples of one wave, each with a level of its own, in mV."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(LENGTH) / 3 + rng.uniform(0, 6, (n, 1, 1)))
    return (wave * np.linspace(0.1, 2, 12)[:, None] + np.arange(12)[:, None]).astype(np.float32)


class Adam:
    def __init__(self, lr: float) -> None:
        self.lr = lr


class StandIn:
    """What the fill uses of `pypots.imputation.SAITS`: its guess is 2 wherever a sample is NaN."""

    last: StandIn
    stop_after: int | None = None

    def __init__(
        self, *, n_steps, n_features, optimizer, epochs, batch_size, verbose, device, **sizes
    ):
        self.shape, self.sizes, self.lr = (n_steps, n_features), sizes, optimizer.lr
        self.epochs, self.batch_size = epochs, batch_size
        self.model = torch.nn.Identity()
        self.draw = torch.rand(())
        StandIn.last = self

    def _run(self, x: np.ndarray) -> None:
        assert x.dtype == np.float32
        assert x.shape[1:] == self.shape
        assert not np.isinf(x).any()
        for start in range(0, len(x), self.batch_size):
            self.model(torch.from_numpy(x[start : start + self.batch_size]))

    def fit(self, train_set: dict) -> None:
        print("a banner")
        self.trained_on = train_set["X"]
        for _ in range(self.epochs if self.stop_after is None else self.stop_after):
            self._run(train_set["X"])

    def impute(self, test_set: dict) -> np.ndarray:
        self._run(test_set["X"])
        return np.nan_to_num(test_set["X"], nan=2.0)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    package, imputation, optim = (ModuleType(f"pypots{s}") for s in ("", ".imputation", ".optim"))
    imputation.SAITS, optim.Adam = StandIn, Adam
    for module in (package, imputation, optim):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return StandIn


def hidden_half(n: int) -> tuple[np.ndarray, np.ndarray]:
    observed = np.ones((n, 12, LENGTH), bool)
    observed[:, 3:6, : LENGTH // 2] = False
    observed[0, 7] = False
    return np.where(observed, records(n, seed=9), np.float32(np.nan)), observed


def test_sizes_are_those_of_the_baseline(stand_in):
    make_fill("saits", train=lambda: records(10), progress=False)
    assert stand_in.last.sizes == {
        "n_layers": 2, "d_model": 256, "d_ffn": 128, "n_heads": 4, "d_k": 64, "d_v": 64, "dropout": 0.1,
    }  # fmt: skip
    assert stand_in.last.lr == 1e-3


def test_leads_are_standardised_and_brought_back(stand_in, capsys):
    train = records(20)
    train[3, 5, 7:9] = np.nan
    fill = make_fill("saits", train=lambda: train, progress=False)
    seen = stand_in.last.trained_on  # (M, T, 12)
    assert np.isnan(seen[3, 7:9, 5]).all()
    assert np.isnan(seen).sum() == 2
    np.testing.assert_allclose(np.nanmean(seen, (0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(seen, (0, 1)), 1, atol=1e-5)
    signals, observed = hidden_half(5)
    filled = fill(signals, observed)
    expected = np.nanmean(train, (0, 2)) + 2 * np.nanstd(train, (0, 2))  # 2 standard deviations up
    wide = np.broadcast_to(expected[:, None], filled.shape)
    np.testing.assert_allclose(filled[~observed], wide[~observed], rtol=1e-4)
    assert filled[observed].tobytes() == signals[observed].tobytes()
    assert capsys.readouterr().out == ""


def test_a_lead_flat_in_training_stays_finite(stand_in):
    train = records(6)
    train[:, 4] = 0.5
    signals, observed = hidden_half(3)
    assert np.isfinite(
        make_fill("saits", train=lambda: train, progress=False)(signals, observed)
    ).all()


def test_the_seed_decides_and_the_process_keeps_its_generator(stand_in):
    draws = []
    for seed in (1, 1, 2):
        before = torch.get_rng_state()
        make_fill("saits", train=lambda: records(4), seed=seed, progress=False)
        assert torch.equal(torch.get_rng_state(), before)
        draws.append(float(stand_in.last.draw))
    assert draws[0] == draws[1] != draws[2]


def test_training_that_stops_early_is_refused(stand_in, monkeypatch):
    monkeypatch.setattr(stand_in, "stop_after", 3)
    with pytest.raises(ConfigError, match=r"stopped after 6 of 20 batches.*lower batch_size"):
        make_fill("saits", train=lambda: records(10), progress=False)


def test_progress_counts_batches(stand_in, capsys):
    fill = make_fill("saits", train=lambda: records(10))
    assert "20/20" in capsys.readouterr().err
    fill(*hidden_half(9))
    assert "2/2" in capsys.readouterr().err


def test_a_missing_package_is_named_with_its_extra_before_records_are_read(monkeypatch):
    for name in ("pypots", "pypots.imputation", "pypots.optim"):
        monkeypatch.setitem(sys.modules, name, None)  # an import of it fails

    def train() -> np.ndarray:
        raise AssertionError("read")

    with pytest.raises(ConfigError, match=r"package pypots.*ecgvision\[saits\]"):
        make_fill("saits", train=train)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"epochs": 0}, "saits.epochs"),
        ({"batch_size": 0}, "saits.batch_size"),
        ({"d_k": 32}, r"n_heads \* d_k"),
        ({"dropout": 1.0}, "dropout"),
        ({"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_settings_that_make_no_sense(changes, text):
    with pytest.raises(ConfigError, match=text):
        SaitsSettings(**changes)


def test_the_package_itself_learns():
    pytest.importorskip("pypots", reason="the optional extra [saits] is not installed")
    small = SaitsSettings(
        n_layers=1, d_model=32, d_ffn=32, n_heads=2, d_k=16, d_v=16, dropout=0.0, epochs=30,
        batch_size=16, learning_rate=3e-3, device="cpu",
    )  # fmt: skip
    signals, observed = hidden_half(6)
    truth = records(6, seed=9)
    error = {}
    for name in ("mean", "saits"):
        fill = make_fill(name, train=lambda: records(64), saits=small, progress=False)
        filled = fill(signals, observed)
        assert filled[observed].tobytes() == signals[observed].tobytes()
        error[name] = np.abs(filled - truth)[~observed].mean()
    assert error["saits"] < 0.6 * error["mean"]
    again = make_fill("saits", train=lambda: records(64), saits=small, progress=False)
    np.testing.assert_allclose(again(signals, observed), filled, atol=1e-5)
