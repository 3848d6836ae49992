"""Cross-validation as runs: which folds each stage sees, what is refused, and the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ecgvision.core.errors import DataError
from ecgvision.data.cohort import Cohort
from ecgvision.evaluate import predictions
from ecgvision.labels.cinc_tables import CINC2020
from ecgvision.store.packed import Store, StoreWriter
from experiments.configure import configure
from experiments.study import __main__ as study
from experiments.study import cross_validation

pytestmark = [
    pytest.mark.usefixtures("plain_runs"),
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

COMMON = ["data=store", "data.small=true", "data.num_workers=0", "data.batch_size=8",
          "trainer.max_epochs=1", "trainer.accelerator=cpu", "trainer.precision=32-true",
          "draws=20"]  # fmt: skip
SIGNAL = ["cv", "exp=signal", "model.encoder=resnet1d_lite", "data.layouts=[12x1]", *COMMON]


def folds_of(folder: Path) -> dict[str, list[int]]:
    return yaml.safe_load((folder / "config.yaml").read_text())["data"]["folds"]


def test_each_record_is_judged_once_by_a_run_that_never_saw_it(make_store, tmp_path, capsys):
    store = make_store(tmp_path / "s", records=36, folds=6)
    command = [*SIGNAL, "folds=3", "seeds=[0,1]", f"data.store=[{store}]",
               f"run_dir={tmp_path}/runs"]  # fmt: skip
    assert study.main(command) == 0
    shown = capsys.readouterr()
    assert "n = 36 records of 36 patients, each judged once in 3 folds" in shown.out
    assert "6/6" in shown.err  # the bar
    (folder,) = (tmp_path / "runs/study").iterdir()
    assert folder.name.startswith("cv-signal-")
    assert {p.name for p in folder.iterdir()} == {
        "study.json", "study.csv", "study.tex", "study.html", "study.png",
    }  # fmt: skip
    record = json.loads((folder / "study.json").read_text())
    assert {name: (f["test"], f["val"], f["train"]) for name, f in record["folds"].items()} == {
        "1+2": ([1, 2], [5, 6], [3, 4]),
        "3+4": ([3, 4], [1, 2], [5, 6]),
        "5+6": ([5, 6], [3, 4], [1, 2]),
    }
    for seed in ("0", "1"):
        judged = []
        for fold in record["folds"].values():
            run = Path(fold["runs"][seed])
            assert folds_of(run) == {split: fold[split] for split in ("train", "val", "test")}
            table = predictions.load(run / "predictions.parquet")
            judged += list(predictions.select(table, split="test")["record_id"])
        assert sorted(judged) == [f"tiny/{i:03d}" for i in range(36)]
    csv = pd.read_csv(folder / "study.csv")
    assert list(csv["fold"]) == ["1+2", "3+4", "5+6", "mean of folds", "pooled"]
    assert list(csv["records"]) == [12, 12, 12, 36, 36]
    # stopped before its end, it goes on where it stopped
    runs = sorted((tmp_path / "runs/signal").iterdir())
    assert len(runs) == 6
    before = {p: (p / "metrics.json").stat().st_mtime_ns for p in runs}
    (runs[2] / "metrics.json").unlink()
    (folder / "study.html").unlink()
    assert study.main(command) == 0
    changed = [p for p in runs if before[p] != (p / "metrics.json").stat().st_mtime_ns]
    assert changed == [runs[2]]
    assert (folder / "study.html").is_file()


def test_pretraining_sees_the_training_folds_of_its_own_run(make_store, tmp_path, monkeypatch):
    """What is read from the store while a network learns, not what a configuration says."""
    store = make_store(tmp_path / "s", records=48, folds=3)
    seen: list[set[int]] = []
    read = Store.read
    monkeypatch.setattr(Store, "read", lambda self, row, *part: (
        seen[-1].add(int(self.records["fold"].iloc[row])) if seen else None,
        read(self, row, *part))[1])  # fmt: skip
    from experiments import train

    fit = train.fit

    def watched(config, task, data, *rest):
        seen.append(set())
        out = fit(config, task, data, *rest)
        stages.append((config["exp"], data.cohort.folds, seen.pop()))
        return out

    stages: list[tuple[str, dict, set[int]]] = []
    monkeypatch.setattr(train, "fit", watched)
    words = ["cv", "exp=ssl", "folds=3", "fusion=none", "model.modality=time", "data.crops=1",
             "time.loss.prototypes=16", "time.loss.hidden=16", "time.loss.bottleneck=8", *COMMON,
             "time.data.batch_size=8",
             f"data.store=[{store}]", f"run_dir={tmp_path}/runs"]  # fmt: skip
    assert study.main(words) == 0
    assert [name for name, _, _ in stages] == ["ssl_pretrain", "ssl_finetune"] * 3
    for k in range(3):
        (_, _, first), (_, folds, second) = stages[2 * k : 2 * k + 2]
        (test,), (val,), (training,) = folds["test"], folds["val"], folds["train"]
        assert (test, val) == (k + 1, (k - 1) % 3 + 1)
        assert first == {training}  # no validation either
        assert second == {training, val}  # the checkpoint is chosen there
    assert len(list((tmp_path / "runs/ssl_pretrain").iterdir())) == 3
    (folder,) = (tmp_path / "runs/study").iterdir()
    used = {
        yaml.safe_load((Path(f["runs"]["0"]) / "config.yaml").read_text())["time"]["checkpoint"]
        for f in json.loads((folder / "study.json").read_text())["folds"].values()
    }
    assert len(used) == 3


def challenge_store(folder: Path) -> Path:
    """60 records in three folds, with the Challenge's classes in turn."""
    rng = np.random.default_rng(0)
    with StoreWriter(folder, rate=100, source="c") as writer:
        for i in range(60):
            codes = sorted({c.snomed[0] for c in (CINC2020[i % 7], CINC2020[i % 11])})
            writer.add(
                rng.standard_normal((12, 1000)).astype(np.float32), record_id=f"c/{i}",
                patient_id=f"p{i // 3}", fold=i // 3 % 3 + 1, scp_codes=None,
                metadata={"snomed_codes": json.dumps(codes)},
            )  # fmt: skip
    return folder


def test_the_challenge_metric_is_given_where_the_labels_are_a_challenges(tmp_path, capsys):
    words = [*SIGNAL, "folds=3", "data.labels=cinc2020", "data.unlabelled=keep",
             f"data.store=[{challenge_store(tmp_path / 's')}]", f"run_dir={tmp_path}/runs"]  # fmt: skip
    assert study.main(words) == 0
    assert "Challenge metric (cinc2020): folds" in capsys.readouterr().out


@pytest.mark.parametrize(("present", "count", "expected"), [
    (range(1, 11), 10, [((k,), ((k - 2) % 10 + 1,)) for k in range(1, 11)]),
    (range(1, 11), 5, [((1, 2), (9, 10)), ((3, 4), (1, 2)), ((5, 6), (3, 4)), ((7, 8), (5, 6)),
                       ((9, 10), (7, 8))]),
    ([3, 1, 2], 3, [((1,), (3,)), ((2,), (1,)), ((3,), (2,))]),
])  # fmt: skip
def test_groups_are_of_neighbours_and_validation_is_the_one_before(present, count, expected):
    assert [
        (fold.test, fold.val) for fold in cross_validation.groups(list(present), count)
    ] == expected


@pytest.mark.parametrize(("present", "count", "named"), [
    ([1, 2, 3, 4, 5], 10, r"5 folds make no 10 .*\[1, 2, 3, 4, 5\].*\[5\]"),
    (list(range(1, 11)), 3, r"10 folds make no 3 .*\[5, 10\]"),
    ([0, 1, 2], 3, r"1, 2, \.\.\., n .*\[0, 1, 2\]"),
    ([1, 2, 4], 3, r"\[1, 2, 4\]"),
    ([], 3, r"\[\]"),
])  # fmt: skip
def test_folds_that_make_no_groups_are_named(present, count, named):
    with pytest.raises(DataError, match=named):
        cross_validation.groups(present, count)


def test_the_tenth_of_ptb_xls_folds_is_the_usual_split():
    fold = cross_validation.groups(list(range(1, 11)), 10)[9]
    config = configure(["+exp=signal", *cross_validation.fold_words(fold, range(1, 11))])
    assert config == configure(["+exp=signal"])


@pytest.mark.parametrize(("words", "named"), [
    (["cv"], "exp=ssl"),
    (["cv", "exp=none_such"], "none_such"),
    (["cv", "exp=signal", "folds=2"], "folds"),
    (["cv", "exp=signal", "folds=ten"], "folds"),
    (["cv", "exp=signal", "folds=[3"], "folds"),
    (["cv", "exp=signal", "seeds=[1,1]"], "seeds"),
    (["cv", "exp=signal", "seed=1"], "seeds=[0,1]"),
    (["cv", "exp=signal", "arms=[a]"], "arms"),
    (["cv", "exp=signal", "data.folds.test=[1]"], "data.folds"),
    (["cv", "exp=signal", "++data.folds.test=[1]"], "data.folds"),
    (["cv", "exp=signal", "trainer.limit_test_batches=1"], "limit_test_batches"),
    (["cv", "exp=signal", "trainer.limit_val_batches=0.5"], "limit_val_batches"),
    (["cv", "exp=ssl", "time.checkpoint=/a/run"], "time.checkpoint"),
    (["cv", "exp=mvkt", "teacher.checkpoint=/a/run"], "teacher.checkpoint"),
    (["cv", "exp=vizecg", "model.image_checkpoint=/a/run"], "image_checkpoint"),
    (["cv", "exp=ssl_pretrain"], "nothing to judge"),
    (["cv", "+exp=signal", "data.foo=1"], "foo"),
])  # fmt: skip
def test_wrong_words_are_one_line_before_any_work(words, named, monkeypatch, capsys):
    monkeypatch.setattr("experiments.sources.stores", lambda _: pytest.fail("data was packed"))
    assert study.main(words) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_data_with_other_folds_or_a_patient_in_two_is_refused(make_store, tmp_path, capsys):
    few = make_store(tmp_path / "few", records=20, folds=5)
    assert study.main([*SIGNAL, "folds=10", f"data.store=[{few}]", f"run_dir={tmp_path}/r"]) == 2
    assert "[1, 2, 3, 4, 5]" in capsys.readouterr().err
    cohort = Cohort([few], "superdiagnostic", folds={"train": [], "val": [], "test": []})
    folds = cross_validation.groups([1, 2, 3, 4, 5], 5)
    cross_validation.check_patients(cohort, folds)
    cohort.records.loc[[0, 5], "patient_id"] = "twice"  # both in fold 1
    cross_validation.check_patients(cohort, folds)
    cohort.records.loc[[0, 1], "patient_id"] = "twice"
    with pytest.raises(DataError, match="twice"):
        cross_validation.check_patients(cohort, folds)
    assert not (tmp_path / "r").exists()


def test_help_tells_what_a_cross_validation_does(capsys):
    with pytest.raises(SystemExit):
        study.main(["--help"])
    text = capsys.readouterr().out
    for piece in ("cv", "exp=SYSTEM", "folds=K", "k - 1"):
        assert piece in text
