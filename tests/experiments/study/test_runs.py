"""Studies: what a file may say, which runs it makes, and what is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ecgvision.evaluate import predictions
from experiments.configure import configure
from experiments.study import __main__ as study
from experiments.study.check import check_plan, judged_in

pytestmark = [
    pytest.mark.usefixtures("plain_runs"),
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

PLAN = {
    "about": "Two arms that share a run, and one of its own",
    "seeds": [0],
    "reference": "as it is",
    "common": ["+exp=signal", "data=store", "model.encoder=resnet1d_lite", "data.batch_size=8",
               "data.num_workers=0", "trainer.max_epochs=1", "trainer.accelerator=cpu", "draws=20"],
    "layouts": ["3x4", "12x1"],
    "arms": {
        "as it is": {"run": [], "stream": "signal"},
        "zeros": {"run": [], "stream": "signal", "fill": "zero"},
        "masked": {"run": ["data.train_mask=layouts"], "stream": "signal"},
    },
}  # fmt: skip

LAYOUT = ['data.layouts=["3x4+II"]']
PLAIN = ["+exp=vizecg", "model.streams=image"]


def write(folder: Path, **changes) -> Path:
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(PLAN | changes, sort_keys=False))
    return file


def test_a_study_runs_what_is_missing_and_reports(tiny_store, tmp_path, capsys):
    command = [str(write(tmp_path)), f"data.store=[{tiny_store}]", f"run_dir={tmp_path}/runs",
               "seeds=[0,1]"]  # fmt: skip
    assert study.main(command) == 0
    printed = capsys.readouterr().out
    assert "[6/6] masked, seed 1" in printed
    assert "range over layouts" in printed
    assert len(list((tmp_path / "runs/signal").iterdir())) == 4  # two arms share theirs
    (folder,) = (tmp_path / "runs/study").iterdir()
    assert {p.name for p in folder.iterdir()} == {
        "study.json", "study.csv", "study.tex", "study.html", "study.png",
    }  # fmt: skip
    record = json.loads((folder / "study.json").read_text())
    tables = record["arms"]["zeros"]["tables"]
    assert set(tables) == {"0", "1"}
    table = predictions.load(Path(tables["0"]) / "predictions.parquet")
    assert set(table["layout"]) == {"3x4", "12x1"}
    csv = pd.read_csv(folder / "study.csv")
    assert set(csv["arm"]) == set(PLAN["arms"])
    # forced, a run that arms share is still trained once
    assert study.main([*command[:-1], "seeds=[0]", "force=true", "arms=[zeros]"]) == 0
    # again: nothing is trained anew
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs/signal").rglob("metrics.json")}
    assert study.main(command) == 0
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_arms_can_be_chosen_and_the_reference_stays(tmp_path):
    plan = study.read_plan(str(write(tmp_path)), ["seed=7"], only=["masked"])
    assert [arm.name for arm in plan.arms] == ["as it is", "masked"]
    assert plan.arms[1].run[-2:] == ("data.train_mask=layouts", "seed=7")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"reference": "nobody"}, "nobody"),
        ({"arms": {"a": {"run": []}}}, "stream"),
        ({"arms": {"a": {"run": [], "stream": "x", "colour": 1}}}, "colour"),
        ({"seeds": []}, "seeds"),
        ({"layout": ["3x4"]}, "layout"),
        ({"layouts": ["3x5"]}, "3x5"),
        ({"layouts": "3x4"}, "list"),
        ({"seeds": ["a"]}, "seeds"),
        ({"arms": PLAN["arms"] | {"as it is": {"run": [], "stream": "sig"}}}, "sig"),
        (
            {"arms": PLAN["arms"] | {"zeros": {"run": [], "stream": "signal", "fill": "zeroo"}}},
            "zeroo",
        ),
        ({"arms": PLAN["arms"] | {"zeros": {"run": "seed=1", "stream": "signal"}}}, "seed=1"),
    ],
)
def test_a_file_that_is_no_study_is_refused(tiny_store, tmp_path, changes, named, capsys):
    words = [str(write(tmp_path, **changes)), f"data.store=[{tiny_store}]"]
    assert study.main(words) == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nonsense"], "nonsense"),
        (["patchecg_baselines", "arms=[none such]"], "none such"),
        (["patchecg_baselines", "seeds=[a]"], "seeds"),
        (["patchecg_baselines", "seeds=[1"], "seeds"),
        (["patchecg_baselines", "seeds=[]"], "seeds"),
        (["kd", "seeds=[1,1]"], "seeds"),
        (["kd", "data.foo=1"], "foo"),
        (["kd", "force"], "force"),
    ],
)
def test_wrong_words_are_one_line(words, named, capsys):
    assert study.main(words) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("data", [[], ["data=ptbxl", "data.root=ptb-xl"]], ids=["small", "full"])
@pytest.mark.parametrize("name", study.studies())
def test_every_study_of_the_project_can_be_judged_at_its_end(name, data):
    plan = study.read_plan(name, data)
    assert plan.about
    check_plan(plan, {arm.name: configure(arm.run) for arm in plan.arms})


PAGES = "+exp=patchecg_page"


@pytest.mark.parametrize(
    ("arm", "named"),
    [
        (["+exp=signal", "data.labels=rhythm"], ["arm other", "rhythm", "superdiagnostic"]),
        (["+exp=signal"], ["arm other", "12x1@clean", "3x4+II@clean"]),
        ([*PLAIN, "data.artefacts=[clean,fax]"], ["3x4+II@fax"]),
        ([PAGES, "reading.data.artefacts=[scan]", *LAYOUT], ["3x4+II@scan", "3x4+II@clean"]),
    ],
)
def test_arms_that_answer_for_other_things_are_refused(tmp_path, arm, named, capsys):
    stream = "patches" if PAGES in arm else "image" if PLAIN[0] in arm else "signal"
    arms = {"pages": {"run": PLAIN, "stream": "image"}, "other": {"run": arm, "stream": stream}}
    file = write(tmp_path, common=[f"run_dir={tmp_path}/runs"], layouts=[], reference="pages",
                 arms=arms)  # fmt: skip
    assert study.main([str(file)]) == 2
    error = capsys.readouterr().err
    assert all(word in error for word in named), error
    assert not (tmp_path / "runs").exists()


def test_a_page_run_is_judged_on_its_readers_artefacts_unless_it_has_its_own():
    plan = study.read_plan("reader")
    reader = [PAGES, "data.labels=superdiagnostic", "model.reader=shipped", *LAYOUT]
    views = [("3x4+II", artefact) for artefact in ("clean", "scan", "photo")]
    assert judged_in(plan, configure(reader)) == views
    assert judged_in(plan, configure([*reader, "+data.artefacts=[fax]"])) == [("3x4+II", "fax")]
    from_stage = [PAGES, *LAYOUT, "reading.checkpoint=shipped"]
    assert judged_in(plan, configure(from_stage)) == views


def test_no_artefacts_are_asked_of_networks_that_read_signals(tiny_store, tmp_path, capsys):
    words = [str(write(tmp_path, artefacts=["fax"])), f"data.store=[{tiny_store}]"]
    assert study.main(words) == 2
    assert "fax" in capsys.readouterr().err


def test_a_missing_package_is_said_before_any_training(monkeypatch, tmp_path, capsys):
    import sys

    for name in ("pypots", "pypots.imputation", "pypots.optim"):  # parts may be there already
        monkeypatch.setitem(sys.modules, name, None)
    assert study.main(["patchecg_baselines", f"run_dir={tmp_path}"]) == 2
    assert "saits" in capsys.readouterr().err.lower()
    assert not list(tmp_path.iterdir())
