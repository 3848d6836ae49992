"""`python -m experiments.flat_reader` on a tiny store: two steps of training, judging, a release."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from ecgvision.core.errors import ConfigError
from ecgvision.deploy import export_flat
from ecgvision.deploy.flat_bundle import FlatReaderBundle
from ecgvision.reader.networks.mark_net import MarkNet
from ecgvision.reader.networks.trace_net import TraceNet
from ecgvision.store.packed import Store
from experiments.flat_reader import train as training
from experiments.flat_reader.__main__ import PARTS, main, rows
from experiments.flat_reader.train import load
from tests.flat_bundles import WIDTHS, small_networks

CALM = "ignore:.*(num_workers|LeafSpec|lr_scheduler|srun|persistent).*"

pytestmark = [
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings(CALM),
]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of a few channels, and crops in the process itself."""
    monkeypatch.setattr(training, "MarkNet", lambda: MarkNet(WIDTHS))
    monkeypatch.setattr(training, "TraceNet", lambda: TraceNet(WIDTHS))
    loader = training.DataLoader
    monkeypatch.setattr(
        training, "DataLoader", lambda crops, batch, **_: loader(crops, batch, num_workers=0)
    )


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, Path]:
    networks = dict(zip(PARTS, small_networks(), strict=True))
    for name, network in networks.items():
        torch.save(network.state_dict(), tmp_path / f"{name}.pt")
    return {name: tmp_path / f"{name}.pt" for name in networks}


@pytest.mark.parametrize("part", ["marks", "trace"])
def test_two_steps_change_the_weights(
    part: str, tiny_store: Path, tmp_path: Path, weights: dict[str, Path]
) -> None:
    out = tmp_path / "made" / "new.pt"
    words = ["train", part, "--store", str(tiny_store), "--steps", "2", "--batch", "2", "--out",
             str(out), "--start", str(weights[part])]  # fmt: skip
    assert main(words) == 0
    before, after = (torch.load(path, weights_only=True) for path in (weights[part], out))
    assert before.keys() == after.keys()
    moved = [not torch.equal(before[name], after[name]) for name in before if "weight" in name]
    assert np.mean(moved) > 0.9
    assert all(value.isfinite().all() for value in after.values() if value.is_floating_point())
    load(part, out)


def test_pages_are_judged_and_a_bundle_released(
    tiny_store: Path, tmp_path: Path, weights: dict[str, Path], flat_bundle: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    # these very networks were traced before, which takes long; the answers are compared again
    monkeypatch.setattr(
        export_flat, "_graph", lambda _, name, height: onnx.load(flat_bundle / name)
    )
    words = ["--store", str(tiny_store), "--pages", "1"]
    words += [w for part, path in weights.items() for w in (f"--{part}", str(path))]
    assert main(["judge", *words, "--out", str(tmp_path / "figures.json")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "figures.json").read_text())
    assert told.keys() == {"all", "artefact", "layout"}
    assert told["all"].keys() == {"pages", "snr_db", "snr_db_median", "layout_found", "seconds"}
    assert told["all"]["pages"] == 1
    alone = ["judge", "--store", str(tiny_store), "--pages", "1"]
    assert main([*alone, "--bundle", str(flat_bundle)]) == 0  # of these very networks
    of_bundle = json.loads(capsys.readouterr().out)["all"]
    assert of_bundle["snr_db"] == pytest.approx(told["all"]["snr_db"], abs=0.05, nan_ok=True)
    assert main([*alone, "--marks", str(weights["marks"])]) == 2
    assert "made of both networks" in capsys.readouterr().err
    folder = tmp_path / "bundle"
    assert main(["release", *words, "--out", str(folder), "--note", "a test"]) == 0
    bundle = FlatReaderBundle.open(folder, threads=1)
    assert bundle.card["info"] == {"note": "a test", "records": 1, "store": Store(tiny_store).hash}
    assert bundle.card["metrics"]["validation"]["all"]["pages"] == 1


@pytest.mark.parametrize("fault", ["other part", "no weights", "missing", "store"])
def test_what_does_not_fit_is_refused_in_one_line(
    fault: str, tiny_store: Path, tmp_path: Path, weights: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    store, marks = tiny_store, weights["marks"]
    if fault == "other part":
        marks = weights["trace"]
    elif fault == "no weights":
        marks.write_text("no weights")
    elif fault == "missing":
        marks = tmp_path / "nothing.pt"
    else:
        store = tmp_path / "nowhere"
    words = [
        "judge",
        "--store",
        str(store),
        "--marks",
        str(marks),
        "--trace",
        str(weights["trace"]),
    ]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert str(store if fault == "store" else marks) in said
    if fault != "store":
        out = tmp_path / "out.pt"
        words = ["train", "marks", "--store", str(store), "--out", str(out), "--start", str(marks)]
        assert main(words) == 2
        assert not out.exists()


def test_a_release_replaces_nothing_else(
    tiny_store: Path, tmp_path: Path, weights: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    words = ["release", "--store", str(tiny_store), "--out", str(tmp_path / "mine"), "--pages", "1"]
    words += [w for part, path in weights.items() for w in (f"--{part}", str(path))]
    assert main(words) == 2
    assert "is not replaced" in capsys.readouterr().err


def test_validation_and_test_folds_do_not_train(tiny_store: Path) -> None:
    store = Store(tiny_store)
    fold = store.records["fold"].to_numpy()
    assert set(fold[rows(store, validation=True)]) == {8}
    assert set(fold[rows(store, validation=False)]) == {1, 2, 3, 4, 5, 6, 7}


def test_weights_of_another_width_do_not_fit(
    weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "MarkNet", MarkNet)
    with pytest.raises(ConfigError, match="no weights of the marks network"):
        load("marks", weights["marks"])
