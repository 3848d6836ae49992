"""Learning to read as a run: from stores to a bundle that reads without torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ecgvision.core import run_folder
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import BundleError, ConfigError, EcgVisionError
from ecgvision.data.resample import resample
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.reader_bundle import ReaderBundle
from ecgvision.nn.checkpoints import weights_hash
from ecgvision.reader.data.module import ReadingDataModule
from ecgvision.reader.deployed import DeployedReader
from ecgvision.reader.judge.read_split import read_split
from ecgvision.reader.judge.snr import snr_db
from ecgvision.store.packed import StoreWriter
from ecgvision.systems.pretrained_encoder import READER_BACKBONE as BACKBONE
from ecgvision.systems.read.task import ReadTask
from ecgvision.trained_runs import build
from experiments.configure import configure
from experiments.release.__main__ import main as release
from experiments.run import run
from tests.conftest import READ_RATE

pytestmark = [
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]


def metrics_of(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_a_run_says_how_well_it_reads(
    trained_reader: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {p.name for p in trained_reader.iterdir()} - {".lock"}
    assert names == {"config.yaml", "checkpoints", "logs", "metrics.json", "report.html",
                     "reading.parquet", "bundle", "seen.npz"}  # fmt: skip
    found = metrics_of(trained_reader)
    assert found["test"] == {}
    assert [found["data"][s] for s in ("train", "val", "test")] == [48, 6, 6]
    told = found["reading"]["test"]
    assert told["all"]["pages"] == 3
    assert told["layout:3x4+II"]["pages"] + told["layout:6x2"]["pages"] == 3
    assert {"artefact:clean", "lead:V6"} <= set(told)
    table = pd.read_parquet(trained_reader / "reading.parquet")
    assert len(table) == told["all"]["leads"] == 36
    assert told["all"]["snr_db"]["median"] == pytest.approx(table["snr_db"].median(), abs=1e-3)
    report = (trained_reader / "report.html").read_text()
    assert "data:image/jpeg" in report
    assert "3x4+II" in report
    run(json.loads(json.dumps(found["config"])))  # finished: told again, not trained_reader again
    assert "Read on the test folds" in capsys.readouterr().out


def test_the_bundle_reads_as_the_checkpoint_does(trained_reader: Path) -> None:
    opened = build.open_run(trained_reader)
    assert isinstance(opened.task, ReadTask)
    image = opened.data.dataset("test")[(0, 0)]["image"][None]
    with torch.no_grad():
        wanted = DeployedReader(opened.task.model).eval()(image)
    bundle = ReaderBundle.open(trained_reader / "bundle")
    assert (bundle.rate, bundle.samples, bundle.image_size) == (40.0, 400, (64, 96))
    for a, b in zip(wanted, bundle.run(image.numpy()), strict=True):
        np.testing.assert_allclose(a.numpy(), b, atol=2e-3)
    assert 0 <= bundle.least_confidence < 1
    with pytest.raises(BundleError, match="uint8"):
        bundle.run(image.numpy()[:, :, :32])


def test_a_reader_is_no_student_and_an_altered_one_is_refused(
    trained_reader: Path, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="not the card"):
        Bundle.open(trained_reader / "bundle")
    copy = tmp_path / "bundle"
    copy.mkdir()
    for file in (trained_reader / "bundle").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    ReaderBundle.open(copy)
    card = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps(card | {"rate": 500.0}))
    with pytest.raises(BundleError, match="altered"):
        ReaderBundle.open(copy)
    (copy / "bundle.json").write_text(json.dumps(card))
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="sha256"):
        ReaderBundle.open(copy)


def test_pages_have_no_end_and_records_take_turns(
    reader_config, tiny_store: Path, tmp_path: Path
) -> None:
    config = reader_config(tiny_store, tmp_path, "data.pages_per_epoch=30")
    data = build.build_data(config, build.build_cohort(config))
    assert isinstance(data, ReadingDataModule)
    train_pages = data.dataset("train")
    keys = [(epoch, i) for epoch in range(8) for i in range(30)]
    drawn = [train_pages[key]["index"] for key in keys[:96]]
    assert sorted(drawn[:48]) == sorted(drawn[48:])  # 48 training records, every one each turn
    assert drawn[:48] != drawn[48:]
    assert len(set(drawn)) == 48
    again = train_pages[keys[40]]
    assert torch.equal(train_pages[keys[40]]["image"], again["image"])
    repeat = keys[48 + drawn[48:].index(drawn[0])]
    assert not torch.equal(train_pages[keys[0]]["image"], train_pages[repeat]["image"])
    assert sorted({data.dataset("val")[(0, i)]["layout"] for i in range(3)}) == [0, 1]


def test_a_reader_is_held_against_the_record_as_it_is_stored(
    reader_config, make_store, tmp_path: Path
) -> None:
    """Of a reader that answers the network's own 100 Hz truth, the loss against 500 Hz is told."""
    store = make_store(tmp_path / "fine", records=60, rate=500.0)
    config = reader_config(store, tmp_path, "data.signal_rate=100")
    data = build.build_data(config, build.build_cohort(config))
    task = build.build_task(config, data, pretrained=False)

    def answer(batch, batch_idx=0):
        shown = batch["printed"]
        return {"signal": batch["signal"], "log_scale": torch.full(shown.shape, -3.0),
                "presence": shown * 10.0 - 5, "trace": torch.zeros(*shown.shape, 2),
                "gain": torch.ones(len(shown), 1),
                "index": batch["index"]}  # fmt: skip

    task.predict_step = answer
    table, _ = read_split(task, data, "test", rate=100.0, accelerator="cpu")
    cohort = data.cohort
    for _, row in table[table["layout"] == "6x2"].iterrows():
        position = int(np.flatnonzero(cohort.records["record_id"] == row["record_id"])[0])
        lead = LEADS.index(row["lead"])
        fine = cohort.read(position)[0][lead : lead + 1]
        half = slice(None, 2500) if lead < 6 else slice(2500, None)
        coarse = resample(resample(fine, 500.0, 100.0), 100.0, 500.0)
        wanted = snr_db(
            fine[0, half] - fine[0, half].mean(), coarse[0, half] - coarse[0, half].mean()
        )
        assert row["snr_db"] == pytest.approx(wanted, abs=1.0)
        assert row["snr_db"] < 40


@pytest.mark.parametrize("policy", ["keep", "drop"])
def test_labels_are_not_needed(reader_config, tmp_path: Path, policy: str) -> None:
    rng = np.random.default_rng(0)
    with StoreWriter(tmp_path / "half", rate=100, source="half") as writer:
        for i in range(60):
            writer.add(
                rng.standard_normal((12, 1000), np.float32), record_id=f"half/{i}",
                patient_id=None, fold=i % 10 + 1, scp_codes={"NORM": 100.0} if i % 20 < 10 else None,
                columns=None, age=None, sex=None, device="", site="", flags=[],
            )  # fmt: skip
    config = reader_config(tmp_path / "half", tmp_path, f"data.unlabelled={policy}",
                           "data.pages_per_epoch=12")  # fmt: skip
    data = build.build_data(config, build.build_cohort(config))
    data.setup()
    task = build.build_task(config, data, pretrained=False)
    table, _ = read_split(task, data, "test", rate=float(READ_RATE), accelerator="cpu")
    assert table["record_id"].nunique() == 3
    keys = [(epoch, i) for epoch in range(10) for i in range(12)]
    drawn = {int(data.dataset("train")[key]["index"]) for key in keys}
    assert len(drawn) == (48 if policy == "keep" else 24)
    assert drawn <= set(data.cohort.index.tolist())


@pytest.mark.parametrize("override", [
    "data.pages_per_epoch=1", "data.val_pages=0", "data.image_size=[60,90]", "loss.time=-1",
    "+loss.colour=1", "+data.images=nowhere", "data.unreadable=1.5", "model.image_encoder=tracenet",
])  # fmt: skip
def test_settings_that_make_no_sense(
    reader_config, tiny_store: Path, tmp_path: Path, override: str
) -> None:
    with pytest.raises(EcgVisionError):
        run(reader_config(tiny_store, tmp_path, override))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_the_encoder_stands_under_its_prefix(trained_reader: Path) -> None:
    state = torch.load(trained_reader / run_folder.BEST, weights_only=True)["state_dict"]
    kept = build.open_run(trained_reader).task.model.page.encoder.state_dict()
    theirs = {k.removeprefix(BACKBONE): v for k, v in state.items() if k.startswith(BACKBONE)}
    assert theirs.keys() == kept.keys()
    assert all(torch.equal(theirs[k], kept[k]) for k in kept)


VIZECG = ("+exp=vizecg", "data=store", "data.num_workers=0", "data.small=true", "draws=20",
          "trainer.accelerator=cpu", "trainer.precision=32-true", "trainer.max_epochs=1",
          "data.train_dpi=[25]", "data.dpi=25", "data.batch_size=8", "model.width=32",
          "model.heads=4", "model.streams=image")  # fmt: skip


def test_a_student_starts_as_a_reader(
    trained_reader: Path, tiny_store: Path, tmp_path: Path
) -> None:
    def config(*more: str) -> dict:
        base = [*VIZECG, f"data.store=[{tiny_store}]", f"run_dir={tmp_path}"]
        return configure([*base, f"model.image_checkpoint={trained_reader}", *more])

    given = config()
    theirs = run_folder.read_config(trained_reader)
    assert given["data"]["image_size"] == theirs["data"]["image_size"] == [64, 96]
    assert given["model"]["image_encoder"] == theirs["model"]["image_encoder"] == "readnet"
    data = build.build_data(given, build.build_cohort(given))
    network = build.build_task(given, data, pretrained=True).model
    wanted = build.open_run(trained_reader).task.model.page.encoder.state_dict()
    found = network.image_tower.encoder.state_dict()
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[k], wanted[k]) for k in wanted)
    with pytest.raises(ConfigError, match=r"another data\.image_size.*\[64, 96\]"):
        run(config("data.image_size=[32,48]"))
    with pytest.raises(ConfigError, match=r"another model\.image_encoder"):
        run(config("model.image_encoder=test_efficientnet"))
    folds = theirs["data"]["folds"]
    with pytest.raises(ConfigError, match=r"the reader was trained or chosen on 6 records.*\[1\]"):
        run(config(f"data.folds.train={[*folds['train'][1:], *folds['test']]}",
                   f"data.folds.test={folds['train'][:1]}"))  # fmt: skip
    assert (run(given) / "bundle").is_dir()


def test_a_reader_is_shipped_whole_and_without_paths(
    reader_config,
    trained_reader: Path,
    tiny_store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "package" / "reader"
    for _ in range(2):  # the second takes the place of the first
        assert (
            release(
                [
                    "reader",
                    str(trained_reader),
                    "--out",
                    str(target),
                    "--note",
                    "Records of nobody.",
                ]
            )
            == 0
        )
    assert [p.name for p in target.parent.iterdir()] == ["reader"]
    capsys.readouterr()
    (store,) = run_folder.read_config(trained_reader)["data"]["store"]
    texts = [f for f in target.rglob("*") if f.suffix in (".json", ".yaml", ".md")]
    assert len(texts) == 4
    for text in texts:
        assert str(tmp_path.parent) not in text.read_text()
        assert store not in text.read_text()
    card = (target / "CARD.md").read_text()
    assert "Records of nobody." in card
    digest = weights_hash(target / run_folder.BEST)
    assert digest == weights_hash(trained_reader / run_folder.BEST)
    assert digest in card
    assert "| all | 3 |" in card
    start = reader_config(tiny_store, tmp_path, f"model.weights={target}")
    data = build.build_data(start, build.build_cohort(start))
    theirs = build.open_run(trained_reader).task.model.state_dict()
    ours = build.build_task(start, data, pretrained=True).model.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    other = reader_config(tiny_store, tmp_path, f"model.weights={target}", "data.folds.test=[1]",
                 f"data.folds.train=[2,3,{','.join(map(str, start['data']['folds']['test']))}]")  # fmt: skip
    with pytest.raises(
        ConfigError, match=r"trained or chosen on 6 records.*seen by read/.*folds \[1\]"
    ):
        build.build_task(other, build.build_data(other, build.build_cohort(other)), pretrained=True)


def test_what_is_no_finished_reader_is_not_shipped(trained_reader: Path, tmp_path: Path) -> None:
    shutil.copytree(trained_reader, tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    assert release(["reader", str(tmp_path / "run"), "--out", str(tmp_path / "out")]) == 2
    assert release(["reader", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
