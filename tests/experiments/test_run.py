"""The whole loop on a tiny store and tiny networks, as a user would run it."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgvision.core import run_folder
from ecgvision.core.errors import ConfigError, DataError, LabelError
from ecgvision.deploy.bundle import Bundle
from ecgvision.evaluate import predictions
from ecgvision.evaluate.inference import predict
from ecgvision.nn.checkpoints import load_weights
from ecgvision.trained_runs import build
from ecgvision.trained_runs.reevaluate import evaluate_run
from experiments import run_id, train
from experiments.configure import configure
from experiments.run import run

pytestmark = [
    pytest.mark.usefixtures("plain_runs"),
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]


TINY = (
    "+exp=vizecg", "data=store", "data.small=true", "data.image_size=[64,96]",
    "data.train_dpi=[20,30]", "data.dpi=25", "data.batch_size=8", "data.num_workers=0",
    "data.layouts=[3x4+II,6x2]", "data.artefacts=[clean,scan]", "trainer.max_epochs=2",
    "trainer.accelerator=cpu", "trainer.precision=32-true", "draws=20",
)  # fmt: skip
"""The default networks, on small pages."""


def tiny(store, run_dir, *more: str) -> dict:
    return configure([*TINY, f"data.store=[{store}]", f"run_dir={run_dir}", *more])


LONG = ("trainer.patience=0", "trainer.ema_decay=0.5")
"""Twelve steps: long enough for a moving average of such a decay to leave its ramp."""


@pytest.fixture(scope="module")
def finished(tiny_store, tmp_path_factory) -> Path:
    return run(tiny(tiny_store, tmp_path_factory.mktemp("runs"), *LONG))


def test_the_run_directory_is_whole(finished):
    names = {p.name for p in finished.iterdir()} - {".lock"}
    assert names == {
        "config.yaml", "checkpoints", "logs", "predictions.parquet", "metrics.json", "report.html",
        "bundle", "seen.npz",
    }  # fmt: skip
    assert {p.name for p in (finished / "checkpoints").iterdir()} == {
        "best.ckpt", "last.ckpt", "fitted",
    }  # fmt: skip


def test_metrics_follow_the_schema(finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["exp"] == "vizecg"
    assert metrics["data"]["name"] == "store"
    assert [metrics["data"][s] for s in ("train", "val", "test")] == [48, 6, 6]
    assert metrics["labels"] == ["NORM", "MI", "STTC", "CD", "HYP"]
    assert set(metrics["test"]) == {
        f"{s}{at}"
        for s in ("image", "signal+image", "fused")
        for at in ("", "@3x4+II", "@6x2", "@clean", "@scan")
    }
    image = metrics["test"]["image"]
    low, high = image["macro_auroc"]["ci95"]
    assert 0 <= low <= image["macro_auroc"]["value"] <= high <= 1
    assert set(image["per_class"]) <= set(metrics["labels"])
    assert metrics["wall_seconds"] > 0
    assert isinstance(metrics["skipped"], list)


def test_predictions_hold_every_record_stream_layout_and_artefact(finished):
    table = predictions.load(finished / "predictions.parquet")
    counts = table.groupby(["split", "stream", "layout", "artefact"]).size()
    assert len(counts) == 2 * 3 * 2 * 2
    assert (counts == 6).all()
    assert set(table.loc[table["split"] == "test", "fold"]) == {10}


def test_the_bundle_answers_as_the_table_says(finished):
    data, table = build.open_run(finished).data, predictions.load(finished / "predictions.parquet")
    rows = predictions.select(table, split="test", stream="image", layout="3x4+II",
                              artefact="clean")  # fmt: skip
    dataset = data.dataset("test")
    pages = np.stack([dataset[(0, i)]["image"].numpy() for i in range(len(rows))])
    bundle = Bundle.open(finished / "bundle")
    z, p, _ = bundle.run(pages)
    np.testing.assert_allclose(z, predictions.logits_of(rows), atol=1e-4)
    np.testing.assert_allclose(p, predictions.probabilities_of(rows), atol=1e-4)
    metrics = json.loads((finished / "metrics.json").read_text())
    assert bundle.label_hash == metrics["label_hash"]
    np.testing.assert_allclose(
        bundle.thresholds,
        list(metrics["operating_points"]["image"]["thresholds"].values()),
        atol=1e-6,
    )


def test_a_run_opened_again_answers_as_its_table_says(finished):
    opened = build.open_run(finished)
    assert not opened.task.training
    table = predictions.load(finished / "predictions.parquet")
    for split in ("val", "test"):
        found = predict(opened.task, opened.data, split, accelerator="cpu")
        for stream in opened.task.streams:
            both = [predictions.select(t, split=split, stream=stream) for t in (found, table)]
            np.testing.assert_allclose(*map(predictions.logits_of, both), atol=1e-4)


def test_the_run_and_a_later_evaluation_find_the_same(finished):
    found = json.loads((evaluate_run(finished, accelerator="cpu") / "metrics.json").read_text())
    metrics = json.loads((finished / "metrics.json").read_text())
    assert found["run_code"] == metrics["code"]
    for key in (k for k in metrics["test"] if k.partition("@")[0] == "image"):
        ours, theirs = found["test"][key], metrics["test"][key]
        for figure in ("macro_auroc", "macro_f1"):
            assert ours[figure]["value"] == pytest.approx(theirs[figure]["value"], abs=1e-4)


def test_other_labels_are_refused(finished):
    opened = build.open_run(finished)
    with pytest.raises(LabelError, match="hash"):
        load_weights(opened.task, finished / run_folder.BEST, label_hash="0" * 16)


def test_a_finished_run_is_not_repeated(finished, tiny_store, capsys):
    before = (finished / "metrics.json").stat().st_mtime_ns
    again = run(tiny(tiny_store, finished.parents[1], *LONG))
    assert again == finished
    assert (finished / "metrics.json").stat().st_mtime_ns == before
    assert "Finished before" in capsys.readouterr().out


def test_what_other_code_has_made_is_named_and_not_taken_unless_asked(
    tiny_store, tmp_path, monkeypatch, capsys
):
    config = configure([*SIGNAL, f"data.store=[{tiny_store}]", f"run_dir={tmp_path}",
                        "trainer.max_epochs=1"])  # fmt: skip
    monkeypatch.setattr(run_id, "source_digest", lambda *_: "oldcode")
    old = run(copy.deepcopy(config))
    monkeypatch.undo()
    capsys.readouterr()
    taken = run(copy.deepcopy(config) | {"any_code": True})
    told = capsys.readouterr().out
    assert taken == old
    assert "other code" in told
    assert "Finished before" in told
    new = run(config)
    told = capsys.readouterr().out
    assert new != old
    assert str(old) in told
    assert "Finished before" not in told
    codes = [json.loads((f / "metrics.json").read_text())["code"] for f in (old, new)]
    assert codes[1] == run_id.code() != codes[0]
    before = (old / "metrics.json").read_bytes()
    assert run(copy.deepcopy(config) | {"any_code": True, "force": True}) == new
    assert (old / "metrics.json").read_bytes() == before  # what other code has made stays


SIGNAL = ("+exp=signal", "data=store", "data.num_workers=0", "data.batch_size=16", "draws=20",
          "model.encoder=resnet1d_lite", "trainer.accelerator=cpu", "trainer.precision=32-true",
          "trainer.max_epochs=9")  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*barebones=True.*")  # that it logs nothing is its purpose
@pytest.mark.parametrize("trial", ["fast_dev_run", "barebones"])
def test_a_trial_runs_through_and_says_that_nothing_was_judged(tiny_store, tmp_path, trial, capsys):
    words = [*SIGNAL, f"data.store=[{tiny_store}]", f"run_dir={tmp_path}", "trainer.max_epochs=1",
             f"trainer.{trial}=true"]  # fmt: skip
    for _ in range(2):  # it is no finished run, and is repeated
        folder = run(configure(words))
        told = capsys.readouterr().out
        assert f"nothing was kept or judged, as trainer.{trial} is set" in told
        assert {path.name for path in folder.iterdir()} == {".lock", "config.yaml"}


def test_a_training_that_stopped_early_is_not_trained_further(tiny_store, tmp_path, monkeypatch):
    config = configure([*SIGNAL, f"data.store=[{tiny_store}]", f"run_dir={tmp_path}",
                        "optimizer.lr=1e-12", "trainer.patience=1",
                        "trainer.max_epochs=60"])  # fmt: skip

    def fail(*_, **__):
        raise OSError("no space left on the disk")

    with monkeypatch.context() as patch:
        patch.setattr("ecgvision.systems.judging.judge_labels", fail)
        with pytest.raises(OSError, match="no space"):
            run(config)
    (folder,) = (tmp_path / "signal").iterdir()
    before = (folder / train.LAST).read_bytes()
    assert torch.load(folder / train.LAST, weights_only=True)["epoch"] < 59
    assert run(config) == folder
    assert (folder / "metrics.json").is_file()
    assert (folder / train.LAST).read_bytes() == before


def test_a_training_that_diverges_says_so(tiny_store, tmp_path):
    config = configure([*SIGNAL, f"data.store=[{tiny_store}]", f"run_dir={tmp_path}",
                        "optimizer.lr=1e30", "trainer.gradient_clip=0"])  # fmt: skip
    with pytest.raises(DataError, match=r"not finite.*diverged"):
        run(config)


def test_two_processes_do_not_share_a_run(tiny_store, tmp_path):
    from experiments.run import only_one

    with (
        only_one(tmp_path),
        pytest.raises(ConfigError, match="another process"),
        only_one(tmp_path),
    ):
        pass


@pytest.mark.parametrize("streams", ["image", "signal"])
def test_one_stream_alone(tiny_store, tmp_path, streams):
    folder = run(tiny(tiny_store, tmp_path, f"model.streams={streams}", "trainer.max_epochs=1",
                      "data.layouts=[3x4+II]", "data.artefacts=clean"))  # fmt: skip
    metrics = json.loads((folder / "metrics.json").read_text())
    assert list(metrics["test"]) == [streams]
    assert (folder / "bundle").exists() == (streams == "image")


def wandb_records(file: Path) -> Iterator[bytes]:
    """The records of an offline run: seven bytes of header, then LevelDB's log format.

    Blocks of 32 KiB; a fragment is crc (4), length (2), kind (1: whole, 2: first, 3: middle,
    4: last) and the data; a tail shorter than a fragment's header is padding.
    """
    content, block, whole = file.read_bytes(), 32768, b""
    at = 7
    while at + 7 <= len(content):
        if block - at % block < 7:
            at += block - at % block
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""


def test_wandb_offline_holds_the_figures(tiny_store, tmp_path, monkeypatch, without_bundle):
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with without_bundle():
        folder = run(tiny(tiny_store, tmp_path, "logger=wandb", "trainer.max_epochs=1"))
    wandb.teardown()  # finishing a run returns before its file is whole on the disk
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    logged, defined, artifacts = {}, {}, {}
    for content in wandb_records(file):
        record = Record()
        record.ParseFromString(content)
        for item in record.history.item:
            name = item.key or "/".join(item.nested_key)
            logged[name] = json.loads(item.value_json)
        if record.HasField("metric"):
            defined[record.metric.name] = record.metric.summary.max
        if record.request.HasField("log_artifact"):
            artifact = record.request.log_artifact.artifact
            artifacts[artifact.type] = list(artifact.aliases)
        if record.HasField("run"):
            assert record.run.job_type == "vizecg"
        if record.HasField("artifact"):
            artifacts[record.artifact.type] = list(record.artifact.aliases)
    metrics = json.loads((folder / "metrics.json").read_text())
    expected = metrics["test"]["image"]["macro_auroc"]["value"]
    assert logged["test/image_auroc"] == pytest.approx(expected)
    assert {"train/loss", "val/loss", "val/image_auroc"} <= set(logged)
    assert logged["best/image_auroc"] == logged["val/image_auroc"]  # of one epoch
    assert defined["val/image_auroc"]
    assert logged["test/predictions/nrows"] > 0, sorted(logged)
    assert {"best", folder.name} <= set(artifacts["model"])


def test_precision_follows_the_device(monkeypatch):
    assert train.precision("16-mixed", "cpu") == "16-mixed"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for native, expected in ((True, "bf16-mixed"), (False, "16-mixed")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda native=native, **_: native)
        assert train.precision("auto", "auto") == expected
        assert train.precision("auto", "cpu") == "32-true"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert train.precision("auto", "auto") == "32-true"


def test_the_average_ramps_up():
    ema = train.RampedEMA(0.999)
    average = ema._kwargs["multi_avg_fn"]
    for steps, expected in ((0, 0.9), (10**6, 0.001)):
        old = [torch.zeros(3), torch.zeros(1)]
        average(old, [torch.ones(3), torch.ones(1)], steps)
        assert [float(v.mean()) for v in old] == pytest.approx([expected] * 2)


def test_two_processes_train_and_every_record_is_judged(tiny_store, tmp_path):
    command = [sys.executable, "-m", "experiments.run", *TINY, f"data.store=[{tiny_store}]",
               f"run_dir={tmp_path}", "trainer.devices=2", "trainer.max_epochs=1",
               "model.image_encoder=test_efficientnet", "model.signal_encoder=resnet1d_lite",
               "force=true", "trainer.precision=bf16-mixed"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Run ") == 1
    (folder,) = (tmp_path / "vizecg").iterdir()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["data"]["test"] == metrics["test"]["image@6x2"]["records"] == 6
    assert metrics["test"]["image@6x2"]["n"] == 12
    table = predictions.load(folder / "predictions.parquet")
    assert len(predictions.select(table, split="val", stream="image", layout="6x2")) == 12
