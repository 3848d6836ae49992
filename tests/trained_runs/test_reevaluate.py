"""`ecgvision evaluate`: finished runs judged in other layouts, with artefacts and fills."""

from __future__ import annotations

import json
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep import render_images
from ecgvision.cli import main
from ecgvision.core.errors import ConfigError, LayoutError
from ecgvision.core.run_folder import BEST
from ecgvision.data.drawn_pages import DrawnPages
from ecgvision.data.standard_page import ReadingErrors, standard_page, stored_leads
from ecgvision.deploy.bundle import Bundle
from ecgvision.evaluate import predictions
from ecgvision.evaluate.assessment.settings import AssessmentSettings
from ecgvision.systems import get_system
from ecgvision.systems.base import EvaluationOptions
from ecgvision.systems.evaluation import change_views
from ecgvision.trained_runs.reevaluate import evaluate_run
from experiments.configure import configure
from experiments.run import run

pytestmark = [
    pytest.mark.usefixtures("plain_runs"),
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

COMMON = ("data=store", "data.labels=superdiagnostic", "data.batch_size=8", "data.num_workers=0",
          "trainer.max_epochs=1", "trainer.accelerator=cpu", "trainer.precision=32-true",
          "draws=20")  # fmt: skip


@pytest.fixture(scope="module")
def signal_run(tiny_store, tmp_path_factory) -> Path:
    return run(configure(["+exp=signal", *COMMON, "model.encoder=xresnet1d18",
                          f"data.store=[{tiny_store}]",
                          f"run_dir={tmp_path_factory.mktemp('signal')}"]))  # fmt: skip


@pytest.fixture(scope="module")
def image_run(tiny_store, tmp_path_factory) -> Path:
    return run(configure(["+exp=vizecg", *COMMON, "model.image_encoder=test_efficientnet",
                          "model.signal_encoder=xresnet1d18", "model.width=16", "model.heads=2",
                          "data.image_size=[64,96]", "data.train_dpi=[20]", "data.dpi=25",
                          f"data.store=[{tiny_store}]",
                          f"run_dir={tmp_path_factory.mktemp('image')}"]))  # fmt: skip


def logits(folder: Path, stream: str, layout: str) -> np.ndarray:
    table = predictions.load(folder / "predictions.parquet")
    return predictions.logits_of(predictions.select(table, split="test", stream=stream,
                                                    layout=layout))  # fmt: skip


def test_the_runs_own_layout_gives_the_runs_own_answers(signal_run):
    folder = evaluate_run(signal_run, layouts=["12x1", "3x4"])
    np.testing.assert_allclose(logits(folder, "signal", "12x1"),
                               logits(signal_run, "signal", "12x1"), atol=1e-5)  # fmt: skip
    assert np.abs(logits(folder, "signal", "3x4") - logits(folder, "signal", "12x1")).max() > 1e-3
    own, found = (json.loads((f / "metrics.json").read_text()) for f in (signal_run, folder))
    assert found["operating_points"] == own["operating_points"]
    assert set(found["test"]) == {"signal", "signal@12x1", "signal@3x4"}
    assert (folder / "report.html").is_file()
    assert {p.name for p in signal_run.iterdir()} >= {"evaluations", "checkpoints", "metrics.json"}


def test_fills_change_what_the_network_sees_and_full_leads_nothing(signal_run):
    plain = evaluate_run(signal_run, layouts=["3x4", "12x1"])
    folders = {fill: evaluate_run(signal_run, layouts=["3x4", "12x1"], fill=fill)
               for fill in ("zero", "mean", "linear", "knn")}  # fmt: skip
    assert len(set(folders.values())) == 4
    for folder in folders.values():
        np.testing.assert_allclose(logits(folder, "signal", "12x1"),
                                   logits(plain, "signal", "12x1"), atol=1e-4)  # fmt: skip
    answers = {fill: logits(f, "signal", "3x4") for fill, f in folders.items()}
    for a, b in combinations(answers.values(), 2):
        assert np.abs(a - b).max() > 1e-4
    # the network itself sets what is missing to the lead's mean
    np.testing.assert_allclose(answers["mean"], logits(plain, "signal", "3x4"), atol=1e-4)


def test_an_evaluation_is_not_repeated_unless_asked(signal_run):
    folder = evaluate_run(signal_run, layouts=["6x2"])
    before = (folder / "metrics.json").stat().st_mtime_ns
    assert evaluate_run(signal_run, layouts=["6x2"]) == folder
    assert (folder / "metrics.json").stat().st_mtime_ns == before
    assert evaluate_run(signal_run, layouts=["6x2"], force=True) == folder
    assert (folder / "metrics.json").stat().st_mtime_ns > before


def test_an_image_model_by_layout_and_artefact(image_run, capsys):
    code = main(["evaluate", str(image_run), "--layouts", "3x4,random", "--artefacts", "clean,fax"])
    assert code == 0
    printed = capsys.readouterr().out
    assert "image@random" in printed
    assert "fused@fax" in printed
    (folder,) = (image_run / "evaluations").iterdir()
    table = predictions.load(folder / "predictions.parquet")
    assert set(table["artefact"]) == {"clean", "fax"}
    assert set(table["split"]) == {"test"}
    # no stream sees what is not printed
    assert (
        np.abs(
            logits(folder, "signal+image", "3x4")[::2] - logits(image_run, "signal+image", "3x4+II")
        ).max()
        > 1e-4
    )


def standard(pages, row):
    """The standard page of a row, with the errors of reading that evaluation draws for it."""
    rng = np.random.default_rng([row, 0])
    rng.integers(2**31, size=2)  # of drawing and artefact
    leads = stored_leads(pages.geometry(row, "12x1"))
    return standard_page(pages.page(row, "12x1"), leads, (64, 96), errors=ReadingErrors()(rng))


def test_an_image_model_on_pages_drawn_before(image_run, signal_run, tiny_store, tmp_path):
    pages = str(tmp_path / "pages")
    words = [str(tiny_store), "--out", pages, "--dpi", "25", "--layouts", "12x1"]
    assert render_images.main(words) == 0
    plain = evaluate_run(image_run, layouts=["12x1"])
    assert main(["evaluate", str(image_run), "--images", pages]) == 0
    folder = evaluate_run(image_run, images=[pages])
    assert folder != plain
    np.testing.assert_allclose(logits(folder, "signal+image", "12x1"), logits(plain, "signal+image", "12x1"),
                               atol=1e-3)  # fmt: skip
    table = predictions.select(predictions.load(folder / "predictions.parquet"), split="test",
                               stream="image", layout="12x1")  # fmt: skip
    rows = [int(name.removeprefix("tiny/")) for name in table["record_id"]]
    shown = [standard(DrawnPages(pages), row) for row in rows]
    answers = Bundle.open(image_run / "bundle").run(np.stack(shown).transpose(0, 3, 1, 2))
    np.testing.assert_allclose(logits(folder, "image", "12x1"), answers[0], atol=1e-3)
    with pytest.raises(ConfigError, match="no picture"):
        evaluate_run(signal_run, images=[pages])


def test_json_is_one_document(image_run, capsys):
    assert main(["evaluate", str(image_run), "--layouts", "12x1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document[str(image_run)]["layouts"] == ["12x1"]


def test_what_cannot_be_judged_is_refused(signal_run, image_run, tmp_path, capsys):
    with pytest.raises(LayoutError, match="3x5"):
        evaluate_run(signal_run, layouts=["3x5"])
    with pytest.raises(ConfigError, match="artefact"):
        evaluate_run(signal_run, layouts=["3x4"], artefacts=["photo"])
    unfinished = tmp_path / "run"
    shutil.copytree(signal_run, unfinished, ignore=shutil.ignore_patterns("metrics.json"))
    with pytest.raises(ConfigError, match="not finished"):
        evaluate_run(unfinished, layouts=["3x4"])
    assert main(["evaluate", str(tmp_path / "nothing"), "--layouts", "3x4"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(("words", "can"), [
    ("+exp=signal", True), ("+exp=mvkt", True), ("+exp=vizecg", True), ("+exp=patchecg", False),
    ("+exp=ssl_finetune", False), ("+exp=vizecg model.streams=image", False),
    ("+exp=signal input=page", False),
])  # fmt: skip
def test_what_can_be_filled(words, can):
    config = configure(words.split())
    assert get_system(config["exp"]).can_be_filled(config) == can


def test_what_cannot_be_filled_is_refused():
    with pytest.raises(ConfigError, match="not filled"):
        change_views(get_system("patchecg"), configure(["+exp=patchecg"]),
                     EvaluationOptions(layouts=["3x4"], fill="zero"))  # fmt: skip


def test_other_weights_are_judged_anew(signal_run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(signal_run, copy, ignore=shutil.ignore_patterns("evaluations"))
    first = evaluate_run(copy, layouts=["3x4"])
    state = torch.load(copy / BEST, weights_only=True)
    state["state_dict"] = {k: v * 1.5 if v.is_floating_point() else v
                           for k, v in state["state_dict"].items()}  # fmt: skip
    torch.save(state, copy / BEST)
    second = evaluate_run(copy, layouts=["3x4"])
    assert second != first
    assert evaluate_run(copy, layouts=["3x4"]) == second


def test_the_matrix_of_layouts_and_conditions(image_run, signal_run, monkeypatch, capsys):
    from ecgvision.systems import robustness

    monkeypatch.setattr(robustness, "ARTEFACTS", ("blur",))
    monkeypatch.setattr(robustness, "STRENGTHS", (0.5,))
    monkeypatch.setattr(
        robustness, "PRINTS", {"5 mm/mV": {"gain": 5.0}, "50 mm/s": {"speed": 50.0}}
    )
    assert main(["evaluate", str(image_run), "--robustness", "--layouts", "3x4"]) == 0
    assert "Largest losses" in capsys.readouterr().out
    (folder,) = (image_run / "evaluations").glob("robustness-*")
    found = json.loads((folder / "metrics.json").read_text())
    conditions = {cell["condition"] for cell in found["cells"]}
    assert {"clean", "blur*0.5", "5 mm/mV"} <= conditions
    assert {cell["stream"] for cell in found["cells"]} >= {"image", "fused"}
    assert "Pages of the worst cells" in (folder / "report.html").read_text(encoding="utf-8")
    assert main(["evaluate", str(signal_run), "--robustness"]) == 2
    assert "meets no artefact" in capsys.readouterr().err
    assert main(["evaluate", str(image_run), "--robustness", "--artefacts", "photo"]) == 2
    assert "--layouts alone" in capsys.readouterr().err


def test_policies_are_fitted_on_the_runs_own_validation_rows(signal_run):
    settings = AssessmentSettings(policies=("sensitivity>=0.9", "youden"), scaling="intercept")
    folder = evaluate_run(signal_run, assessment=settings)
    own, found = (json.loads((f / "metrics.json").read_text()) for f in (signal_run, folder))
    assert found["operating_points"]["signal"]["policy"] == "sensitivity>=0.9"
    assert found["operating_points"] != own["operating_points"]
    rows = found["assessment"]["tables"]["operating_points"]
    assert {row["policy"] for row in rows} == {"sensitivity>=0.9", "youden"}
    assert (folder / "tables" / "calibration.csv").is_file()
    assert "<h2>Decisions</h2>" in (folder / "report.html").read_text(encoding="utf-8")


def test_an_image_runs_answer_is_explained_on_the_page_of_a_record(image_run, tmp_path, capsys):
    out = tmp_path / "why.png"
    assert main(["explain", str(image_run), "--record", "tiny/009", "--layout", "3x4", "--label",
                 "MI", "--out", str(out)]) == 0  # fmt: skip
    told = capsys.readouterr().out
    assert told.startswith("MI: probability")
    shares = [float(line.split()[1].rstrip("%")) for line in told.splitlines()[1:13]]
    assert sum(shares) == pytest.approx(100, abs=1)
    assert out.is_file()
