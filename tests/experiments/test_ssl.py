"""Pretraining and fine-tuning as runs, on a tiny store."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgvision.core import run_folder
from ecgvision.core.command import Interrupted
from ecgvision.core.errors import ConfigError, DataError
from ecgvision.data.cohort import Cohort
from ecgvision.evaluate import predictions
from ecgvision.store.packed import StoreWriter
from ecgvision.systems.pretrained_encoder import BACKBONE, STANDARDISE
from ecgvision.systems.ssl.pretrain_task import PretrainTask
from ecgvision.trained_runs import build
from ecgvision.trained_runs.reevaluate import evaluate_run
from experiments import stages, train
from experiments.configure import configure
from experiments.run import run
from experiments.run_id import run_id
from experiments.study import __main__ as study

pytestmark = [
    pytest.mark.usefixtures("plain_runs"),
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

COMMON = ("data=store", "data.num_workers=0", "data.small=true", "trainer.accelerator=cpu",
          "trainer.precision=32-true", "draws=20", "trainer.max_epochs=1")  # fmt: skip
PRETRAIN = ("+exp=ssl_pretrain", *COMMON, "data.batch_size=16", "loss.prototypes=16",
            "loss.hidden=16", "loss.bottleneck=8", "data.image_size=[64,96]", "data.dpi=25",
            "data.train_dpi=[25]")  # fmt: skip
FINETUNE = ("+exp=ssl_finetune", *COMMON, "data.batch_size=8", "data.crops=1")
ALONE = (*FINETUNE, "fusion=none", "model.modality=time")


def no_training(config):
    pytest.fail("something was trained")


def tiny(base, store, run_dir, *more: str) -> dict:
    return configure([*base, f"data.store=[{store}]", f"run_dir={run_dir}", *more])


def read(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def weights(file: Path, prefix: str = "") -> dict[str, torch.Tensor]:
    state = torch.load(file, weights_only=True)["state_dict"]
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture(scope="module")
def pretrained(tiny_store, tmp_path_factory) -> Path:
    """Two epochs of DINO on signals."""
    return run(tiny(PRETRAIN, tiny_store, tmp_path_factory.mktemp("pre"), "trainer.max_epochs=2"))


def test_a_pretraining_says_what_it_did_and_judges_nothing(pretrained, tiny_store):
    metrics = read(pretrained)
    names = {p.name for p in pretrained.iterdir()} - {".lock"}
    assert names == {"config.yaml", "checkpoints", "logs", "metrics.json", "report.html",
                     "seen.npz"}  # fmt: skip
    assert [metrics["data"][s] for s in ("train", "val", "test")] == [48, 0, 0]
    assert metrics["test"] == {}
    assert metrics["wall_seconds"] > 0
    assert metrics["config"]["ssl"]["method"] == "dino"
    found = metrics["pretraining"]
    assert [e["epoch"] for e in found["epochs"]] == [0, 1]
    assert all(e["loss"] > 0 and e["spread"] >= 0 for e in found["epochs"])
    assert found["collapse"]["verdict"] == "healthy"
    assert found["collapse"]["spread"] == pytest.approx(found["epochs"][-1]["spread"], abs=1e-3)
    report = (pretrained / "report.html").read_text()
    assert "Epochs and collapse watch" in report
    assert "data:image/svg+xml" in report


def test_the_last_epoch_is_kept(pretrained):
    best, last = (weights(pretrained / f) for f in (run_folder.BEST, train.LAST))
    assert same(best, last)
    assert not same(
        weights(pretrained / run_folder.BEST, BACKBONE),
        weights(pretrained / run_folder.BEST, "method.teacher.model.backbone."),
    )


def test_the_moments_are_those_of_the_training_folds(pretrained, tiny_store):
    found = weights(pretrained / run_folder.BEST, STANDARDISE)
    folds = run_folder.read_config(pretrained)["data"]["folds"]
    cohort = Cohort([tiny_store], "superdiagnostic", folds=folds)
    train_signals = torch.stack(
        [torch.tensor(cohort.signal(int(p), 10, 100)) for p in cohort.positions("train")]
    )
    flat = train_signals.double().transpose(0, 1).flatten(1)
    torch.testing.assert_close(found["mean"], flat.mean(1).float(), atol=1e-5, rtol=0)
    torch.testing.assert_close(found["std"], flat.std(1, correction=0).float(), atol=1e-5, rtol=0)


def test_validation_and_test_records_are_never_read(tiny_store, tmp_path, monkeypatch):
    read_folds, real = set(), Cohort.window

    def watched(self, position, *args):
        read_folds.add(int(self.records["fold"].iloc[position]))
        return real(self, position, *args)

    monkeypatch.setattr(Cohort, "window", watched)
    run(tiny(PRETRAIN, tiny_store, tmp_path, "seed=9"))
    assert read_folds == set(range(1, 9))


def test_records_whose_labels_nobody_knows_are_learned_from(tmp_path):
    rng = np.random.default_rng(0)
    with StoreWriter(tmp_path / "bare", rate=100, source="bare") as writer:
        for i in range(30):
            writer.add(
                rng.standard_normal((12, 400), np.float32), record_id=f"bare/{i}", patient_id=None,
                fold=i % 10 + 1, scp_codes={"NORM": 100.0} if i == 3 else None, columns=None,
                age=None, sex=None, device="", site="", flags=[],
            )  # fmt: skip
    data = read(run(tiny(PRETRAIN, tmp_path / "bare", tmp_path)))["data"]
    assert (data["train"], data["dropped_unlabelled"]) == (24, 0)
    dropped = build.build_cohort(
        tiny(PRETRAIN, tmp_path / "bare", tmp_path, "data.unlabelled=drop")
    )
    assert len(dropped.index) == 1
    with pytest.raises(DataError, match="no labelled record"):
        run(tiny(ALONE, tmp_path / "bare", tmp_path, "data.unlabelled=keep"))


@pytest.mark.parametrize(("method", "modality"), [
    ("simclr", "time"), ("byol", "time"), ("dino", "image"), ("simclr", "image"),
])  # fmt: skip
def test_methods_and_modalities(tiny_store, tmp_path, method, modality):
    folder = run(tiny(PRETRAIN, tiny_store, tmp_path, f"ssl.method={method}",
                      f"model.modality={modality}"))  # fmt: skip
    found = read(folder)["pretraining"]
    assert (found["method"], found["modality"]) == (method, modality)
    assert torch.tensor([e["loss"] for e in found["epochs"]]).isfinite().all()
    opened = build.open_run(folder).task
    assert isinstance(opened, PretrainTask)
    assert opened.verdict == found["collapse"]["verdict"]


def test_a_collapse_is_told(tiny_store, tmp_path, capsys):
    """A teacher so hot that it asks for every prototype alike teaches nothing."""
    folder = run(tiny(PRETRAIN, tiny_store, tmp_path, "loss.teacher_temperature=1000"))
    out = capsys.readouterr().out
    found = read(folder)["pretraining"]
    assert found["collapse"]["verdict"] == "uniform assignment"
    assert found["collapse"]["unsure"] > 0.99
    assert found["epochs"][0]["collapsed"] == 1
    assert "COLLAPSED (uniform assignment)" in out
    assert "Epoch 0: the network collapses" in out
    assert "collapsed (uniform assignment)" in (folder / "report.html").read_text()


def test_an_interrupted_pretraining_goes_on_as_if_nothing_had_been(
    pretrained, tiny_store, tmp_path, monkeypatch
):
    real = PretrainTask.on_train_epoch_start

    def fail(self):
        if self.current_epoch == 1:
            raise RuntimeError("the machine was switched off")
        real(self)

    monkeypatch.setattr(PretrainTask, "on_train_epoch_start", fail)
    config = tiny(PRETRAIN, tiny_store, tmp_path, "trainer.max_epochs=2")
    with pytest.raises(RuntimeError, match="switched off"):
        run(config)
    monkeypatch.undo()
    folder = run(tiny(PRETRAIN, tiny_store, tmp_path, "trainer.max_epochs=2"))
    assert folder.name == pretrained.name
    assert same(weights(folder / train.LAST), weights(pretrained / train.LAST))
    assert read(folder)["pretraining"] == read(pretrained)["pretraining"]


def test_ctrl_c_says_how_to_go_on(tiny_store, tmp_path, monkeypatch):
    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(PretrainTask, "on_train_epoch_start", interrupt)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(Interrupted, match="interrupted; the same command goes on"):
            run(tiny(PRETRAIN, tiny_store, tmp_path))
    finally:
        signal.signal(signal.SIGINT, before)  # Lightning turns it off


@pytest.mark.parametrize(
    "override",
    ["ssl.method=mae", "model.modality=text", "ssl.choose=best", "trainer.ema_decay=0.9",
     "trainer.patience=3", "data.crop_seconds=11", "ssl.momentum=2"],
)  # fmt: skip
def test_settings_that_make_no_sense(tiny_store, tmp_path, override):
    with pytest.raises(ConfigError):
        run(tiny(PRETRAIN, tiny_store, tmp_path, override))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_the_backbone_arrives(pretrained, tiny_store, tmp_path):
    config = tiny(ALONE, tiny_store, tmp_path, f"time.checkpoint={pretrained}")
    data = build.build_data(config, build.build_cohort(config))
    network = build.build_task(config, data, pretrained=True).model
    assert same(network.time_encoder.state_dict(), weights(pretrained / run_folder.BEST, BACKBONE))
    assert same(network.time_input.state_dict(), weights(pretrained / run_folder.BEST, STANDARDISE))
    scratch = build.build_task(tiny(ALONE, tiny_store, tmp_path), data, pretrained=True).model
    assert not same(scratch.time_encoder.state_dict(), network.time_encoder.state_dict())
    # the same folds, the same moments
    torch.testing.assert_close(scratch.time_input.std, network.time_input.std)


@pytest.fixture(scope="module")
def probed(pretrained, tiny_store, tmp_path_factory) -> Path:
    more = ("probe=true", f"time.checkpoint={pretrained / run_folder.BEST}", "data.label_fraction=0.5",
            "data.layouts=[12x1,3x4]")  # fmt: skip
    return run(tiny(ALONE, tiny_store, tmp_path_factory.mktemp("probe"), *more))


def test_a_probe_keeps_the_encoder_and_tells_its_labels(probed, pretrained):
    theirs = weights(pretrained / run_folder.BEST, BACKBONE)
    ours = weights(probed / run_folder.BEST, "model.time_encoder.")
    assert same(ours, theirs)
    metrics = read(probed)
    assert set(metrics["test"]) == {"time", "time@12x1", "time@3x4"}
    assert metrics["data"]["train"] == 24
    told = metrics["data"]["label_fraction"]
    assert (told["asked"], told["records"], told["of_records"]) == (0.5, 24, 48)
    assert not (probed / "bundle").exists()


def test_a_fine_tuned_run_opened_again_answers_as_its_table_says(probed):
    opened = build.open_run(probed)
    item = opened.data.dataset("test")[(0, 7)]  # the second record in the second layout
    batch = {k: v[None] for k, v in item.items() if isinstance(v, torch.Tensor)}
    with torch.no_grad():
        z = opened.task.compute(batch)[0]["time"]
    table = predictions.load(probed / "predictions.parquet")
    row = predictions.select(table, split="test", layout="3x4").iloc[1:2]
    torch.testing.assert_close(
        z.double(), torch.tensor(predictions.logits_of(row)), atol=1e-4, rtol=0
    )


def test_a_finished_run_is_judged_in_other_layouts(probed, pretrained):
    folder = evaluate_run(probed, layouts=["6x2", "12x1"], accelerator="cpu")
    assert set(read(folder)["test"]) == {"time", "time@6x2", "time@12x1"}
    first, second = (
        predictions.select(predictions.load(f / "predictions.parquet"), split="test", layout="12x1")
        for f in (probed, folder)
    )
    same_logits = map(torch.tensor, map(predictions.logits_of, (first, second)))
    torch.testing.assert_close(*same_logits, atol=1e-5, rtol=0)
    with pytest.raises(ConfigError, match="without labels"):
        evaluate_run(pretrained, layouts=["12x1"], accelerator="cpu")


def test_what_does_not_fit_is_refused(pretrained, probed, tiny_store, tmp_path):
    given = f"time.checkpoint={pretrained}"
    with pytest.raises(ConfigError, match=r"another model\.time_encoder"):
        run(tiny(ALONE, tiny_store, tmp_path, given, "model.time_encoder=xresnet1d50"))
    with pytest.raises(ConfigError, match="ssl_pretrain"):
        run(tiny(ALONE, tiny_store, tmp_path, f"time.checkpoint={probed}"))
    with pytest.raises(ConfigError, match="another encoder"):
        run(tiny(ALONE, tiny_store, tmp_path, "model.modality=spectrogram",
                 f"spectrogram.checkpoint={pretrained}"))  # fmt: skip
    with pytest.raises(ConfigError, match="no such encoder"):
        run(tiny(ALONE, tiny_store, tmp_path, given, "model.modality=spectrogram"))
    with pytest.raises(ConfigError, match="signal_rate"):
        run(tiny(ALONE, tiny_store, tmp_path, given, "data.signal_rate=50"))
    with pytest.raises(ConfigError, match="probe"):
        run(tiny(ALONE, tiny_store, tmp_path, "probe=true"))
    with pytest.raises(ConfigError, match="fusion"):
        run(tiny(FINETUNE, tiny_store, tmp_path, "fusion=sum"))
    with pytest.raises(ConfigError, match="no file"):
        run(tiny(ALONE, tiny_store, tmp_path, "time.checkpoint=nowhere"))


def test_records_that_a_pretraining_has_seen_judge_nothing(pretrained, tiny_store, tmp_path):
    given = f"time.checkpoint={pretrained}"
    for split in ("val", "test"):
        folds = {"train": [1, 2, 3], "val": [9], "test": [10]} | {split: [8]}
        words = [f"data.folds.{name}={found}" for name, found in folds.items()]
        with pytest.raises(ConfigError, match=r"pretraining was trained.*\[8\]"):
            run(tiny(ALONE, tiny_store, tmp_path, given, *words))
    # what validates there may test here: a pretraining looks at neither
    config = tiny(ALONE, tiny_store, tmp_path, given, "data.folds.val=[10]", "data.folds.test=[9]")
    build.build_task(config, build.build_data(config, build.build_cohort(config)), pretrained=True)


def test_a_pretraining_that_has_not_finished_is_no_start(pretrained, tiny_store, tmp_path):
    half = tmp_path / "half"
    shutil.copytree(pretrained, half)
    (half / "metrics.json").unlink()
    with pytest.raises(ConfigError, match="the pretraining has not finished"):
        run(tiny(ALONE, tiny_store, tmp_path, f"time.checkpoint={half}"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["model.heads=[foo]"], r"model\.heads.*foo"),
        (["spectrogram.ssl.local_views=x"], "local_views"),
        (["spectrogram.ssl.global_views=0"], "global_views"),
        (["spectrogram.loss.prototypes=1"], "prototypes"),
        (["spectrogram.model.modality=time"], r"spectrogram\.model\.modality"),
        (["time.model.time_encoder=resnet1d_wang"], r"time\.model\.time_encoder"),
        (["+spectrogram.data.signal_rate=50"], r"spectrogram\.data\.signal_rate"),
        (["spectrogram.trainer.patience=3"], r"trainer\.patience"),
        (["fusion=none", "model.modality=spectrogram", "time.checkpoint=x"], "no such encoder"),
        (["optimizer.schedule=none"], r"optimizer\.schedule"),
    ],
)
def test_a_mistake_is_found_before_the_first_pretraining(words, named):
    with pytest.raises(ConfigError, match=named):
        stages.prepare(configure(["+exp=ssl", "data.small=true", *words]), no_training)


def test_a_checkpoint_is_a_path():
    with pytest.raises(ConfigError, match=r"time\.checkpoint must be a path"):
        stages.prepare(configure(["+exp=ssl_finetune", "time.checkpoint=3"]), no_training)


@pytest.mark.parametrize("modality", ["time", "spectrogram"])
def test_a_stage_has_the_id_of_the_same_run_by_itself(modality):
    config = configure(["+exp=ssl", "seed=3", "probe=true", "data.label_fraction=0.1",
                        "fusion=concat", "data.batch_size=7", "ssl.method=byol"])  # fmt: skip
    stage = stages.stage_config(config, modality)
    alone = configure(["+exp=ssl_pretrain", "seed=3", f"model.modality={modality}",
                       "ssl.method=byol"])  # fmt: skip
    assert run_id(stage, ["x"], "y") == run_id(alone, ["x"], "y")


SMALL_STAGE = ("{m}.data.batch_size=16", "{m}.loss.prototypes=16", "{m}.loss.hidden=16",
               "{m}.loss.bottleneck=8", "{m}.ssl.local_views=0")  # fmt: skip


def test_both_stages_from_one_command(tiny_store, tmp_path):
    stages = [s.format(m=m) for m in ("time", "spectrogram") for s in SMALL_STAGE]
    base = ("+exp=ssl", *FINETUNE[1:], "trainer.limit_train_batches=1", *stages)
    folder = run(tiny(base, tiny_store, tmp_path, "model.heads=[fused,time,spectrogram]"))
    assert set(read(folder)["test"]) == {"fused", "time", "spectrogram"}
    config = run_folder.read_config(folder)
    made = {run_folder.read_config(f)["model"]["modality"]: f
            for f in (tmp_path / "ssl_pretrain").iterdir()}  # fmt: skip
    assert set(made) == {"time", "spectrogram"}
    for kind, stage in made.items():
        assert config[kind]["checkpoint"] == str(stage / run_folder.BEST)
    data = build.build_data(config, build.build_cohort(config))
    network = build.build_task(config, data, pretrained=True).model
    theirs = weights(made["spectrogram"] / run_folder.BEST, BACKBONE)
    assert same(network.spectrogram_encoder.state_dict(), theirs)
    before = {f: (f / "metrics.json").stat().st_mtime_ns for f in made.values()}
    only = run(tiny(base, tiny_store, tmp_path, "fusion=none", "model.modality=time"))
    assert set(read(only)["test"]) == {"time"}
    assert before == {f: (f / "metrics.json").stat().st_mtime_ns for f in before}
    assert len(list((tmp_path / "ssl_pretrain").iterdir())) == 2  # found again, none trained anew


VIZECG = ("+exp=vizecg", *COMMON, "data.image_size=[64,96]", "data.train_dpi=[25]", "data.dpi=25",
          "data.batch_size=8", "model.width=32", "model.heads=4", "model.streams=image")  # fmt: skip


def test_the_image_tower_starts_from_a_pretraining(tiny_store, tmp_path, pretrained):
    folder = run(tiny(PRETRAIN, tiny_store, tmp_path, "model.modality=image"))
    config = tiny(VIZECG, tiny_store, tmp_path, f"model.image_checkpoint={folder}")
    data = build.build_data(config, build.build_cohort(config))
    network = build.build_task(config, data, pretrained=True).model
    theirs = weights(folder / run_folder.BEST, BACKBONE)
    assert same(network.image_tower.encoder.state_dict(), theirs)
    (hashed,) = stages.weights_hashes(config)
    assert hashed.startswith("model.image_checkpoint:")
    file = configure([*VIZECG, f"model.image_checkpoint={folder / run_folder.BEST}"])
    assert run_id(config, [hashed], "y") == run_id(file, [hashed], "y")  # by content
    assert run_id(config, [], "y") == run_id(configure([*VIZECG]), [], "y")
    for more, error in (
        ("model.streams=signal", "image encoder starts"),
        ("model.image_encoder=test_efficientnet", r"another model\.image_encoder"),
        (f"model.image_checkpoint={pretrained}", "another encoder"),
    ):
        with pytest.raises(ConfigError, match=error):
            run(tiny(VIZECG, tiny_store, tmp_path, f"model.image_checkpoint={folder}", more))


IMAGE_STAGE = ("image.data.batch_size=16", "image.loss.prototypes=16", "image.loss.hidden=16",
               "image.loss.bottleneck=8", "image.ssl.local_views=0",
               "image.trainer.max_epochs=1")  # fmt: skip


def test_a_students_pretraining_is_found_again_and_leaves_the_run_as_it_was(
    tiny_store, make_store, tmp_path, without_bundle
):
    base = ("+exp=vizecg_ssl", *VIZECG[1:], *IMAGE_STAGE)
    other = make_store(tmp_path / "other", records=30, name="other")
    words = (tiny_store, tmp_path, f"image.data.store=[{other}]")
    with without_bundle():
        folder = run(tiny(base, *words))
    (made,) = (tmp_path / "ssl_pretrain").iterdir()
    assert (folder.parent.name, read(made)["data"]["train"]) == ("vizecg", 24)  # of the other store
    config = run_folder.read_config(folder)
    assert config["model"]["image_checkpoint"] == str(made / run_folder.BEST)
    assert "image" not in config
    before = (made / "metrics.json").stat().st_mtime_ns
    # the same run by itself, and the same without any pretraining
    given = f"model.image_checkpoint={made}"
    assert run(tiny(VIZECG, tiny_store, tmp_path, given)) == folder
    assert run(tiny(base, *words, given)) == folder
    assert run(tiny(base, *words, f"image.checkpoint={made}")) == folder
    assert run(tiny(base, *words)) == folder
    assert (made / "metrics.json").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="both given"):
        run(tiny(base, *words, given, f"image.checkpoint={made}"))


def test_a_students_pretraining_sees_its_pages(tmp_path):
    words = ["data.image_size=[64,96]", "data.artefacts=[clean,scan]", "data.train_dpi=[25]",
             "data.layouts=[6x2]", "seed=3", "data.style=muse"]  # fmt: skip
    stage = stages.stage_config(configure(["+exp=vizecg_ssl", *words]), "image")
    alone = configure(["+exp=ssl_pretrain", "model.modality=image", *words])
    assert run_id(stage, ["x"], "y") == run_id(alone, ["x"], "y")
    assert stage["data"]["name"] == "synthetic"
    given = configure(["+exp=vizecg_ssl", "data=ptbxl", "data.root=x", "image.data.store=[y]"])
    data = stages.stage_config(given, "image")["data"]
    assert (data["name"], data["store"]) == ("store", ["y"])
    given = configure(
        ["+exp=vizecg_ssl", "data=ptbxl", "data.root=x", "+data@image.data=synthetic"]
    )
    data = stages.stage_config(given, "image")["data"]
    assert (data["name"], data["records"], data["batch_size"]) == ("synthetic", 4000, 256)
    plain = configure(["+exp=vizecg", *words])
    scratch = configure(["+exp=vizecg_ssl", *words, "image.exp=null"])
    stages.prepare(scratch, no_training)
    assert scratch == plain


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["model.pretrained=true"], "image encoder starts"),
        (["image.model.image_encoder=test_efficientnet"], "image_encoder must be tracenet"),
        (["image.model.modality=time"], r"image\.model\.modality"),
        (["image.ssl.method=mae"], r"ssl\.method"),
        (["image.checkpoint=nowhere", "model.streams=signal"], "image encoder starts"),
    ],
)
def test_a_students_mistake_is_found_before_its_pretraining(words, named):
    with pytest.raises(ConfigError, match=named):
        stages.prepare(configure(["+exp=vizecg_ssl", *words]), no_training)


def test_a_signal_student_needs_no_image_pretraining():
    config = configure(["+exp=vizecg_ssl", "model.streams=signal"])
    stages.prepare(config, no_training)
    assert config == configure(["+exp=vizecg", "model.streams=signal"])


def test_a_study_takes_another_method(tiny_store, tmp_path):
    """Arms from scratch are the runs of +exp=ssl_finetune, whatever the method of the others."""
    base = [f"data.store=[{tiny_store}]", f"run_dir={tmp_path}", *COMMON]
    arms = {arm.name: configure(arm.run)
            for arm in study.read_plan("ssl", [*base, "ssl.method=byol"]).arms}  # fmt: skip
    for name, config in arms.items():
        first = stages.trainable(config)
        if name.endswith("scratch"):
            assert first == []
            alone = configure(["+exp=ssl_finetune", *base, f"fusion={config['fusion']}",
                               f"model.modality={config['model']['modality']}"])  # fmt: skip
            assert run_id(config, ["x"], "y") == run_id(alone, ["x"], "y")
        else:
            assert first == ["time", "spectrogram"]
            for stage in first:
                assert stages.stage_config(config, stage)["ssl"]["method"] == "byol"


def test_a_start_that_collapsed_is_said_to_be_one(pretrained, tiny_store, tmp_path, capsys):
    copy = shutil.copytree(pretrained, tmp_path / "ssl_pretrain" / pretrained.name)
    metrics = read(copy)
    metrics["pretraining"]["collapse"]["verdict"] = "constant"
    (copy / "metrics.json").write_text(json.dumps(metrics))
    for folder, said in ((pretrained, False), (copy, True)):
        config = tiny(ALONE, tiny_store, tmp_path, f"time.checkpoint={folder}")
        data = build.build_data(config, build.build_cohort(config))
        build.build_task(config, data, pretrained=True)
        assert ("collapsed (constant)" in capsys.readouterr().out) is said


def test_the_study_of_image_pretraining(tiny_store, tmp_path, capsys, without_bundle):
    words = [w for w in (*VIZECG, *IMAGE_STAGE) if not w.startswith(("+exp", "model.streams"))]
    given = [f"data.store=[{tiny_store}]", f"run_dir={tmp_path}", *words]
    plan = study.read_plan("image_pretraining", given)
    configs = {arm.name: configure(arm.run) for arm in plan.arms}
    first = {name: stages.trainable(config) for name, config in configs.items()}
    assert {name for name, found in first.items() if found == ["image"]} == {
        "image alone, pretrained", "both streams, pretrained",
    }  # fmt: skip
    made_first = [
        stages.stage_config(configs[name], "image") for name, found in first.items() if found
    ]
    assert run_id(made_first[0], ["x"], "y") == run_id(made_first[1], ["x"], "y")  # trained once
    arms = "arms=['image alone, pretrained']"
    with without_bundle():
        assert study.main(["image_pretraining", "seeds=[0]", arms, *given]) == 0
    assert "image alone, pretrained" in capsys.readouterr().out
    (made,) = (tmp_path / "ssl_pretrain").iterdir()
    starts = {run_folder.read_config(f)["model"]["image_checkpoint"]
              for f in (tmp_path / "vizecg").iterdir()}  # fmt: skip
    assert starts == {None, str(made / run_folder.BEST)}
