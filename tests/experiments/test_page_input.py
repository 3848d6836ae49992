"""Signal systems behind a page reader: one network from picture to diagnosis."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ecgvision.cli import main
from ecgvision.core import run_folder
from ecgvision.core.errors import ConfigError, LabelError
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.export import export_bundle
from ecgvision.nn.signal_net import SignalNet
from ecgvision.reader.networks import rows
from ecgvision.reader.networks.dense_head import BACKGROUND
from ecgvision.reader.networks.page_fit import fit_page
from ecgvision.reader.page_reader import PageReader
from ecgvision.reader.rectify import sheet
from ecgvision.systems import get_system
from ecgvision.systems.page_input.adopt import adopt_reader
from ecgvision.systems.page_input.network import PageNet
from ecgvision.systems.patchecg.network import PatchECG
from ecgvision.trained_runs import build
from ecgvision.trained_runs.reevaluate import evaluate_run
from experiments import stages
from experiments.configure import configure
from experiments.run import run
from experiments.run_id import run_id
from tests.conftest import READ_RATE

pytestmark = [
    pytest.mark.usefixtures("plain_runs"),
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

COMMON = ("data=store", "data.num_workers=0", "data.small=true", "trainer.accelerator=cpu",
          "trainer.precision=32-true", "trainer.max_epochs=1", "draws=20",
          f"data.signal_rate={READ_RATE}")  # fmt: skip
READ = ("+exp=read", *COMMON, "data.pages_per_epoch=8", "data.val_pages=2", "data.test_pages=2",
        "data.image_size=[64,96]", "data.dpi=25", "data.train_dpi=[25]", "data.layouts=[3x4+II]",
        "data.style=kit")  # fmt: skip
PATCH = ("+exp=patchecg", *COMMON, "input=page", "data.batch_size=8", "data.layouts=[3x4+II,6x2]",
         "model.patch_encoder=linear", "model.width=16", "model.heads=2", "model.depth=1")  # fmt: skip
SIGNAL = ("+exp=signal", *COMMON, "input=page", "data.batch_size=8", "data.layouts=[3x4+II]",
          "model.encoder=resnet1d_lite")  # fmt: skip


SAMPLES = 300
"""That a reader reads, where it stands alone: four patches of 64, and a rest."""


def tiny(base: tuple[str, ...], store: Path, run_dir: Path, *more: str) -> dict:
    return configure([*base, f"data.store=[{store}]", f"run_dir={run_dir}", *more])


@pytest.fixture(scope="module")
def reader(trained_reader: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained one; that lead II is printed all over is then put into its weights, as a presence
    of one half would be decided by the last digit."""
    folder = Path(shutil.copytree(trained_reader, tmp_path_factory.mktemp("read") / "run"))
    state = torch.load(folder / run_folder.BEST, weights_only=True)
    state["state_dict"]["model.cells.answer.weight"][: BACKGROUND + 1] = 0
    state["state_dict"]["model.cells.answer.bias"][: BACKGROUND + 1] = -8
    state["state_dict"]["model.cells.answer.bias"][1] = 8
    torch.save(state, folder / run_folder.BEST)
    return folder


@pytest.fixture(scope="module")
def few(make_store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third of the records, for runs whose pages take their time."""
    return make_store(tmp_path_factory.mktemp("stores") / "few", records=20)


@pytest.fixture(scope="module")
def fewer_rounds() -> Iterator[None]:
    """Rows are found by one round of each iteration, in networks and graphs alike: those of the
    usual number, which tests/experiments/test_read_run.py exports, take twice as long to trace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            rows, "fit_page", lambda *given, **more: fit_page(*given, **more | {"rounds": 1})
        )
        patch.setattr(sheet, "NEWTON", 1)
        yield


@pytest.fixture(scope="module")
def diagnosed(
    few: Path, reader: Path, fewer_rounds: None, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("page")
    return run(tiny(PATCH, few, folder, f"model.reader={reader}"))


def small_reader() -> PageReader:
    torch.manual_seed(0)
    reader = PageReader("readnet", (64, 96), length=SAMPLES, width=16)
    with torch.no_grad():
        reader.cells.answer.bias[1] = 3.0  # most of lead II is printed
    return reader


def pages(count: int = 3) -> torch.Tensor:
    g = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 64, 96), dtype=torch.uint8, generator=g)


def networks() -> dict[str, tuple[torch.nn.Module, dict[str, int]]]:
    patches = PatchECG(5, patches=SAMPLES // 64, width=16, heads=2, depth=1, patch_encoder="net1d",
                       packed=True)  # fmt: skip
    signal = SignalNet(5, encoder="resnet1d_lite")
    return {
        "patches": (patches, {"patch_length": 64, "stride": 64}),
        "signal": (signal, {"patch_length": SAMPLES, "stride": SAMPLES}),
    }


def test_a_network_sees_what_was_read_and_nothing_else() -> None:
    reader = small_reader()
    for network, cut in networks().values():
        whole = PageNet(reader, network, length=SAMPLES, **cut).eval()
        with torch.no_grad():
            read = reader(pages())
            value, observed = whole.see(pages())
        assert value.shape == (3, 12, SAMPLES // cut["stride"], cut["patch_length"])
        flat, mask = value.flatten(2), observed.flatten(2)
        length = flat.shape[-1]
        for page in range(3):
            p = read["presence"][page].sigmoid()
            wanted = (p >= min(0.5, float(p.max())))[:, :length]
            assert torch.equal(mask[page], wanted)
            assert wanted.any()
            seen = read["signal"][page][:, :length]
            torch.testing.assert_close(flat[page][wanted], seen[wanted])
            assert (flat[page][~wanted] == 0).all()


@pytest.mark.parametrize("stream", ["patches", "signal"])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_diagnosis_teaches_its_reader_unless_it_is_frozen(stream: str, frozen: bool) -> None:
    network, cut = networks()[stream]
    reader = small_reader()
    whole = PageNet(reader, network, length=SAMPLES, frozen=frozen, **cut).train()
    assert not reader.training
    before = {k: v.clone() for k, v in reader.state_dict().items()}
    whole(pages(4))[stream].square().sum().backward()
    grads = {k: p.grad for k, p in reader.named_parameters()}
    if frozen:
        assert all(g is None for g in grads.values())
    else:
        for part in ("strips.sharpen.4.weight", "cells.answer.weight", "ink.answer.weight",
                     "page.encoder.first.0.weight"):  # fmt: skip
            assert grads[part] is not None
            assert grads[part].any(), part
    after = reader.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)  # batch norms too


@pytest.mark.parametrize("kind", ["net1d", "linear"])
def test_dense_answers_are_the_same(kind: str) -> None:
    torch.manual_seed(0)
    network = PatchECG(5, width=16, heads=2, depth=2, patch_encoder=kind).eval()
    value, observed = torch.randn(4, 12, 15, 64), torch.rand(4, 12, 15, 64) > 0.5
    observed[:, 3] = False
    observed[1, :, 4:] = False
    observed[2] = False
    observed[2, 7, 9, 5:50] = True
    with torch.no_grad():
        found = network.dense(value, observed)["patches"]
        torch.testing.assert_close(found, network(value, observed)["patches"], atol=1e-5, rtol=1e-5)
        observed[3] = False
        assert network.dense(value, observed)["patches"].isfinite().all()
    with pytest.raises(ConfigError, match="evaluation only"):
        network.train().dense(value, observed)


def test_a_run_from_page_to_bundle(diagnosed: Path, reader: Path, tmp_path: Path) -> None:
    found = json.loads((diagnosed / "metrics.json").read_text())
    assert set(found["test"]) == {"patches", "patches@3x4+II", "patches@6x2"}
    config = run_folder.read_config(diagnosed)
    assert config["data"]["image_size"] == [64, 96]
    assert config["model"]["reader"] == str((reader / run_folder.BEST).resolve())
    opened = build.open_run(diagnosed)
    network = opened.task.model
    assert isinstance(network, PageNet)
    theirs = build.open_run(reader).task.model.state_dict()
    ours = network.reader.state_dict()
    assert ours.keys() == theirs.keys()
    moved = [k for k in ours if not torch.equal(ours[k], theirs[k])]
    assert any(k.startswith("ink.") for k in moved)  # fine-tuned end to end
    assert not any("running_" in k for k in moved)
    image = opened.data.dataset("test")[(0, 0)]["image"]
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "page.png")
    assert main(["predict", "--bundle", str(diagnosed / "bundle"), str(tmp_path / "page.png")]) == 0


def test_the_bundle_answers_as_the_run_was_judged(
    diagnosed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ecgvision.evaluate import predictions

    opened = build.open_run(diagnosed)
    image = opened.data.dataset("test")[(0, 1)]["image"]
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "page.png")
    main(["predict", "--json", "--bundle", str(diagnosed / "bundle"), str(tmp_path / "page.png")])
    told = json.loads(capsys.readouterr().out)["results"][0]["logits"]
    table = predictions.load(diagnosed / "predictions.parquet")
    row = predictions.select(table, split="test", layout="3x4+II").iloc[1:2]
    np.testing.assert_allclose(list(told.values()), predictions.logits_of(row)[0], atol=1e-3)


class MeanOfRows(nn.Module):
    """Stands for a reader whose graph takes long to trace: all leads are the means of the rows."""

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        rows = image.float().mean((1, 3)) / 255
        signal = rows.repeat(1, 10)[:, None, : 10 * READ_RATE].expand(-1, 12, -1)
        return {"signal": signal, "presence": 10 * signal}


def test_a_frozen_reader_stays(
    few: Path, tmp_path: Path, reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(student: nn.Module, *folder: Path, **settings: Any) -> None:
        student.tower.network.reader = MeanOfRows()  # type: ignore[union-attr]
        export_bundle(student, *folder, **settings)

    monkeypatch.setattr("ecgvision.systems.judging.export_bundle", export)
    folder = run(tiny(SIGNAL, few, tmp_path, f"model.reader={reader / run_folder.BEST}",
                      "model.reader_frozen=true", "trainer.ema_decay=0"))  # fmt: skip
    found = json.loads((folder / "metrics.json").read_text())
    assert set(found["test"]) == {"signal"}  # of one layout there is no other figure
    assert Bundle.open(folder / "bundle").image_size == (64, 96)
    theirs = build.open_run(reader).task.model.state_dict()
    ours = build.open_run(folder).task.model.reader.state_dict()
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    again = evaluate_run(folder, layouts=["6x2", "12x1"], accelerator="cpu")
    judged = json.loads((again / "metrics.json").read_text())["test"]
    assert set(judged) == {"signal", "signal@6x2", "signal@12x1"}
    with pytest.raises(ConfigError, match="not filled"):
        evaluate_run(folder, layouts=["6x2"], fill="linear", accelerator="cpu")


@pytest.mark.parametrize(("override", "said"), [
    ("model.reader=null", "needs a reader"), ("input=signal", "a reader needs pages"),
    ("input=scan", "one of signal, page"), ("model.reader=nowhere", "no file"),
    ("data.normalise=record", "stays in mV"), ("data.signal_rate=50", "data.signal_rate"),
    ("+data.image_size=[32,48]", "another data.image_size"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(
    tiny_store: Path, tmp_path: Path, reader: Path, override: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        run(tiny(PATCH, tiny_store, tmp_path, f"model.reader={reader}", override))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_reader_that_has_seen_the_judged_folds_is_refused(
    tiny_store: Path, tmp_path: Path, reader: Path
) -> None:
    folds = run_folder.read_config(reader)["data"]["folds"]
    swapped = [f"data.folds.train={[*folds['train'][1:], *folds['test']]}",
               f"data.folds.test={folds['train'][:1]}"]  # fmt: skip
    for base in (PATCH, SIGNAL):
        with pytest.raises(
            ConfigError, match=r"the reader was trained or chosen on 6 records.*\[1\]"
        ):
            run(tiny(base, tiny_store, tmp_path, f"model.reader={reader}", *swapped))


def test_a_diagnosis_is_no_reader_and_no_teacher(
    tiny_store: Path, tmp_path: Path, diagnosed: Path
) -> None:
    with pytest.raises(ConfigError, match="no run of"):
        run(tiny(PATCH, tiny_store, tmp_path, f"model.reader={diagnosed}"))
    with pytest.raises((ConfigError, LabelError)):
        run(configure(["+exp=vizecg", *COMMON, f"data.store=[{tiny_store}]", f"run_dir={tmp_path}",
                       f"teacher.checkpoint={diagnosed}"]))  # fmt: skip


def test_ids_are_what_they_were_without_a_page() -> None:
    plain = configure(["+exp=signal"])
    old = json.loads(json.dumps(plain))
    for key in ("reader", "reader_frozen"):
        del old["model"][key]
    del old["input"]
    assert run_id(plain, ["x"], "y") == run_id(old, ["x"], "y")
    page = configure(["+exp=signal", "input=page", "model.reader=a"])
    frozen = configure(["+exp=signal", "input=page", "model.reader=b", "model.reader_frozen=true"])
    ids = {run_id(c, ["x"], "y") for c in (plain, page, frozen)}
    assert len(ids) == 3
    assert "model.reader" in stages.WEIGHTS


def test_a_network_goes_on_from_signals_to_pages_and_on_pages(
    tiny_store: Path, tmp_path: Path, reader: Path, diagnosed: Path
) -> None:
    signals = tuple(o for o in PATCH if o != "input=page")
    first = run(tiny(signals, tiny_store, tmp_path))
    cohort = build.build_cohort(run_folder.read_config(first))

    def network(*more: str) -> torch.nn.Module:
        config = tiny(PATCH, tiny_store, tmp_path, f"model.reader={reader}", *more)
        adopt_reader(config)
        data = build.build_data(config, cohort)
        return build.build_task(config, data, pretrained=True).model.network

    for path, theirs in ((first, build.open_run(first).task.model),
                         (diagnosed, build.open_run(diagnosed).task.model.network)):  # fmt: skip
        found = network(f"model.weights={path}").state_dict()
        wanted = theirs.state_dict()
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[k], wanted[k]) for k in wanted)
    for wrong, said in ((reader, "another system"), (tmp_path, "no file")):
        with pytest.raises(ConfigError, match=said):
            network(f"model.weights={wrong}")
    with pytest.raises(ConfigError, match="does not hold the weights"):
        network(f"model.weights={first}", "model.depth=2")


def test_a_reader_goes_on_from_a_reader(tiny_store: Path, tmp_path: Path, reader: Path) -> None:
    config = tiny(READ, tiny_store, tmp_path, f"model.weights={reader}", "data.artefacts=[scan]")
    data = build.build_data(config, build.build_cohort(config))
    found = build.build_task(config, data, pretrained=True).model.state_dict()
    wanted = build.open_run(reader).task.model.state_dict()
    assert all(torch.equal(found[k], wanted[k]) for k in wanted)
    again = run_id(config, ["x"], "y")
    assert again == run_id(configure([*READ, "data.artefacts=[scan]"]), ["x"], "y")
    assert stages.weights_hashes(config)  # which tell the two apart


@pytest.mark.parametrize("exp", ["signal_page", "patchecg_page", "vizecg_read"])
def test_the_reader_is_trained_first_and_the_run_is_as_if_it_had_been_given(
    tiny_store: Path, exp: str
) -> None:
    main_run = {"signal_page": SIGNAL, "patchecg_page": PATCH}.get(exp, ("+exp=vizecg", *COMMON))
    stage = "image" if exp == "vizecg_read" else "reading"
    own = [w for w in main_run if not w.startswith(("+exp", "input"))]
    small = [*READ[len(COMMON) + 1 :], "trainer.max_epochs=1"]
    config = tiny((f"+exp={exp}", *own), tiny_store, Path("x"),
                  *(f"{stage}.{w}" for w in small),
                  *(["data.image_size=[64,96]"] if stage == "image" else []))  # fmt: skip
    signals = [] if stage == "image" else ["signals"]
    assert stages.trainable(config) == [stage, *signals]
    alone = tiny(READ, tiny_store, Path("x"))
    found = stages.stage_config(config, stage)
    assert run_id(found, ["x"], "y") == run_id(alone, ["x"], "y")


@pytest.mark.parametrize(("exp", "base"), [("signal_page", SIGNAL), ("patchecg_page", PATCH)])
def test_signals_are_learned_first_as_by_a_run_of_their_own(
    tiny_store: Path, exp: str, base: tuple[str, ...]
) -> None:
    own = [w for w in base if not w.startswith(("+exp", "input"))]
    config = tiny((f"+exp={exp}", *own), tiny_store, Path("x"), "signals.trainer.max_epochs=3",
                  f"teacher.exp={base[0].removeprefix('+exp=')}")  # fmt: skip
    stage = stages.stage_config(config, "signals")
    default = configure([base[0], "data.small=true"])["optimizer"]
    alone = tiny(base, tiny_store, Path("x"), "input=signal", "trainer.max_epochs=3",
                 "data.train_mask=layouts", f"optimizer.lr={default['lr']}")  # fmt: skip
    assert run_id(stage, ["x"], "y") == run_id(alone, ["x"], "y")
    assert stages.stage_config(config, "teacher") == stage
    for given, stays in (("model.weights=a", "reading"), ("model.reader=a", "signals")):
        config = configure([f"+exp={exp}", given])
        system = get_system(config["exp"])
        assert [s for s in stages.trainable(config) if system.needs(config, s)] == [stays]


def test_from_page_to_diagnosis_by_one_command(few: Path, tmp_path: Path, without_bundle) -> None:
    small = [f"reading.{w}" for w in (*READ[len(COMMON) + 1 :], "trainer.max_epochs=1")]
    own = [w for w in SIGNAL if not w.startswith(("+exp", "input"))]
    config = tiny(("+exp=signal_page", *own), few, tmp_path, *small,
                  "signals.trainer.max_epochs=1", "teacher.exp=signal")  # fmt: skip
    with without_bundle():
        folder = run(config)
    (reader,) = (tmp_path / "read").iterdir()
    (signals,) = (f for f in (tmp_path / "signal").iterdir() if f != folder)  # the teacher, too
    given = run_folder.read_config(folder)
    assert given["model"]["reader"] == str((reader / run_folder.BEST).resolve())
    assert given["model"]["weights"] == given["teacher"]["checkpoint"]
    assert given["model"]["weights"] == str((signals / run_folder.BEST).resolve())
    assert given["data"]["image_size"] == [64, 96]
    plain = tiny(SIGNAL, few, tmp_path, f"model.reader={reader}", "optimizer.lr=5e-4",
                 f"model.weights={signals}", f"teacher.checkpoint={signals}")  # fmt: skip
    assert run(plain) == folder  # the very run: it is found again
    logged = next(folder.rglob("metrics.csv")).read_text().splitlines()[0].split(",")
    assert {"train/bce", "train/tokens", "train/kd_teacher_to_signal"} <= set(logged)
    assert build.open_run(folder).task.distillation is None


def test_a_teacher_is_refused_where_no_page_is_read_or_it_is_none(
    tiny_store: Path, tmp_path: Path, reader: Path
) -> None:
    signals = tuple(o for o in SIGNAL if o != "input=page")
    with pytest.raises(ConfigError, match="reads pages"):
        run(tiny(signals, tiny_store, tmp_path, f"teacher.checkpoint={reader}"))
    with pytest.raises(ConfigError, match="a teacher is a run of"):
        run(tiny(SIGNAL, tiny_store, tmp_path, f"model.reader={reader}",
                 f"teacher.checkpoint={reader}"))  # fmt: skip
    with pytest.raises(ConfigError, match=r"loss\.tokens"):
        run(tiny(SIGNAL, tiny_store, tmp_path, f"model.reader={reader}", "loss.tokens=-1",
                 f"teacher.checkpoint={reader}"))  # fmt: skip
