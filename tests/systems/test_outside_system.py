"""A system from outside passes through everything that the framework does with a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import ecgvision as ev
from ecgvision.core.run_folder import BEST
from ecgvision.evaluate import predictions
from ecgvision.systems import SYSTEMS
from ecgvision.trained_runs.reevaluate import evaluate_run
from experiments.configure import configure
from experiments.run import run
from experiments.study import __main__ as study
from tests.outside.system import InkNet, InkSystem

pytestmark = [
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

ROOT = Path(__file__).parents[1] / "outside"
WORDS = [f"hydra.searchpath=[file://{ROOT}]", "+exp=ink", "data=store", "data.num_workers=0",
         "trainer.accelerator=cpu", "trainer.max_epochs=2", "draws=20"]  # fmt: skip


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(SYSTEMS, "ink", InkSystem())


def settings(store, folder):
    return configure([*WORDS, f"data.store=[{store}]", f"run_dir={folder}"])


def test_it_is_trained_resumed_opened_evaluated_and_exported(tiny_store, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:  # ended before it was judged
        patch.setattr(InkSystem, "judge", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(settings(tiny_store, tmp_path))
    folder = run(settings(tiny_store, tmp_path))
    trained = (folder / BEST).stat().st_mtime_ns
    assert run(settings(tiny_store, tmp_path)) == folder  # finished: not repeated
    assert (folder / BEST).stat().st_mtime_ns == trained
    metrics = json.loads((folder / "metrics.json").read_text())
    assert set(metrics["test"]) == {"ink"}
    opened = ev.open_run(folder)
    assert isinstance(opened.task.model, InkNet)

    again = evaluate_run(folder, layouts=["6x2", "3x4+II"], accelerator="cpu")
    table = predictions.load(again / "predictions.parquet")
    assert set(table["layout"]) == {"6x2", "3x4+II"}

    bundle = ev.open_bundle(folder / "bundle")
    page = np.full((1, 3, 48, 64), 255, np.uint8)
    page[:, :, 20:24] = 0
    logits, _, _ = bundle.run(page)
    import torch

    wanted = opened.task.model(torch.from_numpy(page)).detach().numpy()
    np.testing.assert_allclose(logits, wanted, atol=1e-4)


def test_it_is_compared_in_a_study(tiny_store, tmp_path, capsys):
    plan = {
        "about": "Coarse and fine ink", "seeds": [0], "reference": "coarse", "layouts": ["3x4+II"],
        "common": WORDS, "arms": {
            "coarse": {"run": ["model.cells=2"], "stream": "ink"},
            "fine": {"run": ["model.cells=8"], "stream": "ink"},
        },
    }  # fmt: skip
    file = tmp_path / "ink.yaml"
    file.write_text(yaml.safe_dump(plan))
    words = [str(file), f"data.store=[{tiny_store}]", f"run_dir={tmp_path}/runs"]
    assert study.main(words) == 0
    printed = capsys.readouterr().out
    assert "fine" in printed
    assert "to coarse" in printed
