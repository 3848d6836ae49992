"""Runs that are killed, in whatever they do, and issued again end as if nothing had been."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ecgvision.deploy.card_file import CARD, MODEL
from experiments import train
from experiments.configure import configure
from tests.killed_run import until

COMMON = ("data=store", "data.small=true", "data.batch_size=16", "trainer.accelerator=cpu",
          "trainer.max_epochs=3", "draws=20", "trainer.limit_train_batches=3",
          "trainer.save_every_steps=1")  # fmt: skip
SYSTEMS = {
    "vizecg": ("+exp=vizecg", *COMMON, "data.image_size=[64,96]", "data.dpi=25",
               "data.train_dpi=[20,25]", "data.artefacts=[clean,scan]"),
    "mvkt": ("+exp=mvkt", *COMMON, "loss.clt_k=16"),
    "read": (),  # the reader that other tests share
}  # fmt: skip
MOMENTS = {
    "vizecg": ("train:0:1", "save:0", "train:1:0", "save:1", "train:2:2", "val:2:0", "predict:2:0",
               "export"),
    # of its teacher, a run of signals, and then of itself
    "mvkt": ("train:0:2", "train:1:2", "save:2", "predict:1:0", "train:1:1", "val:2:0"),
    "read": ("train:0:1", "train:1:2", "val:1:0", "predict:1:1", "before_export"),
}  # fmt: skip


def settings(system: str, store: Path, run_dir: Path, workers: int) -> dict[str, Any]:
    """Of a run of one of SYSTEMS, on a CPU."""
    return configure([*SYSTEMS[system], f"data.store=[{store}]", f"run_dir={run_dir}",
                      f"data.num_workers={workers}"])  # fmt: skip


def findings(folder: Path) -> dict[str, Any]:
    """metrics.json but for the time it took and where things lie."""
    found = json.loads((folder / "metrics.json").read_text())
    found.pop("wall_seconds")
    found.pop("config", None)
    return found


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_killed_run_ends_as_one_that_was_not(
    system: str, tiny_store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    graph = None
    if system == "read":
        whole: Path | None = request.getfixturevalue("trained_reader")
        assert whole is not None
        graph = whole / "bundle" / MODEL
        make = request.getfixturevalue("reader_config")
        config = make(tiny_store, tmp_path / "killed", "data.num_workers=2",
                      "trainer.save_every_steps=1")  # fmt: skip
    else:
        whole = until(settings(system, tiny_store, tmp_path / "whole", 0), "never")
        assert whole is not None
        config = settings(system, tiny_store, tmp_path / "killed", 2)
    for moment in MOMENTS[system]:
        assert until(config, moment) is None
        if moment.startswith("train"):
            _, epoch, batch = map(int, moment.replace("train", "0").split(":"))
            lasts = (tmp_path / "killed").rglob(Path(train.LAST).name)
            last = max(lasts, key=lambda file: file.stat().st_mtime_ns)
            step = torch.load(last, weights_only=True)["global_step"]
            assert step == 3 * epoch + batch  # no step is lost
    folder = until(config, "never", graph=graph)
    assert folder is not None
    assert findings(folder) == findings(whole)
    table = "reading.parquet" if system == "read" else "predictions.parquet"
    pd.testing.assert_frame_equal(
        *(pd.read_parquet(f / table) for f in (folder, whole)), check_exact=True
    )
    names = [{p.name for p in f.iterdir()} for f in (folder, whole)]
    assert names[0] == names[1]
    a, b = (torch.load(f / train.LAST, weights_only=True)["state_dict"] for f in (folder, whole))
    assert a.keys() == b.keys()
    assert ("contrastive.student_bank" in a) == (system == "mvkt")
    for name, value in a.items():
        torch.testing.assert_close(value, b[name], rtol=0, atol=0, equal_nan=True, msg=name)
    if system in ("vizecg", "read"):
        for name in (MODEL, CARD):
            first, second = ((f / "bundle" / name).read_bytes() for f in (folder, whole))
            assert first == second, name
    assert np.isfinite(pd.read_parquet(folder / table).select_dtypes("number").mean().iloc[0])
