"""Studies: what a file may say, which runs it makes, and what is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

import experiments.study as study
from ecgvision.evaluate import predictions
from experiments.configure import configure

pytestmark = [
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

PLAN = {
    "about": "Two arms that share a run, and one of its own",
    "seeds": [0],
    "reference": "as it is",
    "common": ["+exp=signal", "data=store", "model.encoder=xresnet1d18", "data.batch_size=8",
               "data.num_workers=0", "trainer.max_epochs=1", "trainer.accelerator=cpu", "draws=20"],
    "layouts": ["3x4", "12x1"],
    "arms": {
        "as it is": {"run": [], "stream": "signal"},
        "zeros": {"run": [], "stream": "signal", "fill": "zero"},
        "masked": {"run": ["data.train_mask=layouts"], "stream": "signal"},
    },
}  # fmt: skip


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
    assert study.main([*command, "force=true", "arms=[zeros]"]) == 0
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
def test_a_file_that_is_no_study_is_refused(tmp_path, changes, named, capsys):
    assert study.main([str(write(tmp_path, **changes))]) == 2
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


@pytest.mark.parametrize("name", study.studies())
def test_every_study_of_the_project_composes(name):
    from ecgvision.systems import get_system

    plan = study.read_plan(name)
    assert plan.about
    for arm in plan.arms:
        config = configure(arm.run)
        assert arm.stream in get_system(config["exp"]).streams(config)
        assert arm.fill is None or plan.layouts


def test_a_missing_package_is_said_before_any_training(monkeypatch, tmp_path, capsys):
    import sys

    for name in ("pypots", "pypots.imputation", "pypots.optim"):  # parts may be there already
        monkeypatch.setitem(sys.modules, name, None)
    assert study.main(["patchecg_baselines", f"run_dir={tmp_path}"]) == 2
    assert "saits" in capsys.readouterr().err.lower()
    assert not list(tmp_path.iterdir())
