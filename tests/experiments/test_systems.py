"""Every system beside VizECGNet through the whole loop, on a tiny store with tiny networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from ecgvision.core import run_folder
from ecgvision.core.errors import ConfigError, LabelError, LayoutError
from ecgvision.data.signals import NO_LAYOUT
from ecgvision.deploy.export_signal import export_signal
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.evaluate import predictions
from ecgvision.trained_runs import build
from experiments import train
from experiments.configure import configure
from experiments.run import run
from tests.conftest import plain, without_curves

pytestmark = [
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

COMMON = ("data=store", "data.labels=superdiagnostic", "data.batch_size=8", "data.num_workers=0",
          "trainer.max_epochs=1", "trainer.accelerator=cpu", "trainer.precision=32-true",
          "draws=20")  # fmt: skip
PATCHES = ("+exp=patchecg", *COMMON, "model.width=16", "model.depth=1", "model.heads=2",
           "model.patch_encoder=linear")  # fmt: skip
SIGNAL = ("+exp=signal", *COMMON, "model.encoder=xresnet1d18")
SEVEN = ["3x4", "3x4+II", "3x4+II+V1", "6x2", "6x2+II", "12x1", "random"]


def tiny(base, store, run_dir, *more: str) -> dict:
    return configure([*base, f"data.store=[{store}]", f"run_dir={run_dir}", *more])


@pytest.fixture(scope="module")
def patches(tiny_store, tmp_path_factory) -> Path:
    return run(tiny(PATCHES, tiny_store, tmp_path_factory.mktemp("patches")))


def test_patchecg_is_judged_in_every_layout(patches):
    metrics = json.loads((patches / "metrics.json").read_text())
    assert set(metrics["test"]) == {"patches"} | {f"patches@{name}" for name in SEVEN}
    report = (patches / "report.html").read_text(encoding="utf-8")
    assert report.count("data:image/svg+xml") >= 3
    table = predictions.load(patches / "predictions.parquet")
    counts = table.groupby(["split", "layout"]).size()
    assert len(counts) == 2 * 7
    assert (counts == 6).all()


def bundle_answers_as_the_table_says(folder: Path, stream: str, layout: str) -> None:
    """Compare a run's bundle with its table on the records of one layout."""
    bundle = SignalBundle.open(folder / "bundle", threads=1)
    data = build.open_run(folder).data
    number = list(data.layouts).index(layout)
    rows = predictions.select(predictions.load(folder / "predictions.parquet"), split="test",
                              stream=stream, layout=layout)  # fmt: skip
    dataset = data.dataset("test")
    first = number * len(dataset.positions)
    for k in range(len(rows)):
        signal, observed = dataset.printed(dataset.asked((0, first + k)))
        logits, probabilities, _ = bundle.run(signal[None], observed[None])
        row = rows.iloc[k : k + 1]
        np.testing.assert_allclose(logits, predictions.logits_of(row), atol=1e-4)
        np.testing.assert_allclose(probabilities, predictions.probabilities_of(row), atol=1e-4)


def test_the_bundle_of_a_masked_network_answers_as_its_table_says(patches):
    bundle_answers_as_the_table_says(patches, "patches", SEVEN[1])


def test_a_run_opened_again_answers_as_its_table_says(patches):
    opened = build.open_run(patches)
    item = opened.data.dataset("test")[(0, 8)]  # the third record in the second layout
    with torch.no_grad():
        z = opened.task.model(item["value"][None], item["observed"][None])["patches"]
    row = predictions.select(
        predictions.load(patches / "predictions.parquet"), split="test", layout=SEVEN[1]
    ).iloc[2:3]
    torch.testing.assert_close(
        z.double(), torch.tensor(predictions.logits_of(row)), atol=1e-4, rtol=0
    )


def test_an_opened_run_predicts_new_records(patches, tmp_path):
    opened = build.open_run(patches)
    signal = opened.data.cohort.signal(0, 10, 100)
    np.save(tmp_path / "a.npy", signal)
    (tmp_path / "b.npy").write_bytes(b"nothing")
    table = opened.predict([tmp_path / "a.npy", tmp_path / "b.npy"], rate=100)
    bundle = SignalBundle.open(patches / "bundle")
    value, observed = bundle.window(signal, 100)
    wanted = bundle.run(value[None], observed[None])[1][0]
    np.testing.assert_allclose(table.loc[0, list(bundle.codes)].astype(float), wanted, atol=1e-6)
    assert table["error"].isna().tolist() == [True, False]
    assert table.loc[1, list(bundle.codes)].isna().all()


def test_training_items_name_no_layout(patches):
    assert build.open_run(patches).data.dataset("train")[(0, 0)]["layout"] == NO_LAYOUT


def test_a_signal_run_takes_masks_and_leads(tiny_store, tmp_path):
    with plain():
        folder = run(tiny(SIGNAL, tiny_store, tmp_path, "data.train_mask=both", "data.augment=true",
                          "model.leads=[II]", "model.scale=global"))  # fmt: skip
    assert list(json.loads((folder / "metrics.json").read_text())["test"]) == ["signal"]
    state = torch.load(folder / run_folder.BEST, weights_only=True)["state_dict"]
    assert state["model.input.std"] > 0.01  # fitted on the training records, not left at 1
    assert state["model.input.std"] != 1


@pytest.mark.parametrize(
    ("override", "error"),
    [
        ("data.layouts=[3x5]", LayoutError),
        ("data.patch_length=2000", ConfigError),
        ("data.fractions=[0.5,1.0]", ConfigError),
        ("data.signal_rate=31.4159265", ConfigError),
        ("data.train_mask=stripes", ConfigError),
        ("loss.name=hinge", ConfigError),
        ("model.s3=always", ConfigError),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_any_training(
    tiny_store, tmp_path, override, error
):
    with pytest.raises(error):
        run(tiny(PATCHES, tiny_store, tmp_path, override))
    assert not list(tmp_path.rglob("*.ckpt"))


MVKT = ("+exp=mvkt", *COMMON, "model.encoder=xresnet1d18", "loss.clt_k=16", "loss.clt_size=8")


@pytest.fixture(scope="module")
def mvkt(tiny_store, tmp_path_factory) -> Path:
    """Its teacher, which is trained first, leaves no bundle."""

    def export(*given: Any, info: dict[str, Any], **more: Any) -> None:
        if info["exp"] == "mvkt":
            export_signal(*given, info=info, **more)

    with without_curves() as patch:
        patch.setattr("ecgvision.systems.judging.export_signal", export)
        return run(
            tiny(MVKT, tiny_store, tmp_path_factory.mktemp("mvkt"), "data.student_leads=[II]")
        )


def test_a_student_has_its_teacher_trained_first(mvkt):
    metrics = json.loads((mvkt / "metrics.json").read_text())
    assert set(metrics["test"]) == {"student", "teacher"}
    (teacher,) = (mvkt.parents[1] / "signal").iterdir()
    assert run_folder.read_config(mvkt)["teacher"]["checkpoint"] == str(teacher / run_folder.BEST)
    theirs = predictions.load(teacher / "predictions.parquet")
    ours = predictions.load(mvkt / "predictions.parquet")
    same = [
        predictions.logits_of(predictions.select(t, split="test", stream=s))
        for t, s in ((theirs, "signal"), (ours, "teacher"))
    ]
    torch.testing.assert_close(*map(torch.tensor, same), atol=1e-5, rtol=0)


def test_the_bundle_of_a_student_of_one_lead_answers_as_its_table_says(mvkt):
    bundle_answers_as_the_table_says(mvkt, "student", "12x1")
    assert SignalBundle.open(mvkt / "bundle").used == ("II",)


def test_the_teacher_is_not_stored_again(mvkt):
    state = torch.load(mvkt / run_folder.BEST, weights_only=True)["state_dict"]
    assert not [key for key in state if "teacher" in key and not key.startswith("contrastive.")]
    assert state["model.encoder.layers.0.0.weight"].shape[1] == 1  # one lead


def test_a_teacher_can_be_given_and_its_answers_kept(mvkt, tiny_store, tmp_path):
    checkpoint = run_folder.read_config(mvkt)["teacher"]["checkpoint"]
    args = (f"teacher.checkpoint={checkpoint}", "trainer.max_epochs=2", "data.student_leads=[II]")
    with plain():
        asked, cached = (
            run(tiny(MVKT, tiny_store, tmp_path / name, *args, f"teacher.cache={name}"))
            for name in ("false", "true")
        )
    assert asked.name == cached.name  # keeping answers does not change the result
    for a, b in zip(*(
        torch.load(f / run_folder.BEST, weights_only=True)["state_dict"].values()
        for f in (asked, cached)
    ), strict=True):  # fmt: skip
        torch.testing.assert_close(a, b)


def test_a_teacher_that_does_not_fit_is_refused(mvkt, tiny_store, tmp_path):
    checkpoint = run_folder.read_config(mvkt)["teacher"]["checkpoint"]
    args = (f"teacher.checkpoint={checkpoint}",)
    with pytest.raises(LabelError, match=r"trained for other labels.*superdiagnostic"):
        run(tiny(MVKT, tiny_store, tmp_path, *args, "data.labels=diagnostic"))
    with pytest.raises(ConfigError, match="signal_rate"):
        run(tiny(MVKT, tiny_store, tmp_path, *args, "data.signal_rate=50"))
    with pytest.raises(ConfigError, match=r"\+exp=signal"):
        run(tiny(MVKT, tiny_store, tmp_path, f"teacher.checkpoint={mvkt}"))
    with pytest.raises(ConfigError, match="always look the same"):
        run(tiny(MVKT, tiny_store, tmp_path, *args, "teacher.cache=true", "data.augment=true"))
    with pytest.raises(ConfigError, match="judged on"):
        run(tiny(MVKT, tiny_store, tmp_path, *args,
                 "data.folds={train:[1,2,3,4,5,6,7],val:[8],test:[9,10]}"))  # fmt: skip
    with pytest.raises(ConfigError, match="normalise"):
        run(tiny(MVKT, tiny_store, tmp_path, *args, "data.normalise=record"))
    with pytest.raises(ConfigError, match="no file"):
        run(tiny(MVKT, tiny_store, tmp_path, "teacher.checkpoint=nowhere.ckpt"))


def test_a_signal_teacher_teaches_an_image_student_too(mvkt, tiny_store, tmp_path):
    checkpoint = run_folder.read_config(mvkt)["teacher"]["checkpoint"]
    with without_curves():
        folder = run(configure([
            "+exp=vizecg", *COMMON, "model.image_encoder=test_efficientnet", "model.streams=image",
            "model.width=16", "model.heads=2", "data.image_size=[64,96]", "data.train_dpi=[20]",
            "data.dpi=25", f"data.store=[{tiny_store}]", f"run_dir={tmp_path}",
            f"teacher.checkpoint={checkpoint}",
        ]))  # fmt: skip
    assert (folder / "bundle" / "model.onnx").is_file()
    assert "data:image/jpeg" in (folder / "report.html").read_text(encoding="utf-8")  # its pages
    logged = pd.read_csv(next((folder / train.LOGS).glob("version_*/metrics.csv")))
    assert logged["train/kd_teacher_to_image"].dropna().gt(0).all()
    test = json.loads((folder / "metrics.json").read_text())["test"]
    assert {name.partition("@")[0] for name in test} == {"image"}
