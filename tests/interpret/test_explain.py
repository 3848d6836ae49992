"""`ecgvision explain` on a trained run: the picture, the shares, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from ecgvision.cli import main
from ecgvision.evaluate import predictions
from ecgvision.interpret.explain import explain
from experiments.configure import configure
from experiments.run import run

pytestmark = [
    pytest.mark.usefixtures("plain_runs"),
    # https://github.com/Lightning-AI/pytorch-lightning/issues/20978 and kin: Lightning's own
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
]

COMMON = ("data=store", "data.labels=superdiagnostic", "data.batch_size=8", "data.num_workers=0",
          "data.layouts=[3x4]", "trainer.max_epochs=1", "trainer.accelerator=cpu",
          "trainer.precision=32-true", "draws=20")  # fmt: skip
KINDS = {
    "patchecg": ("model.width=16", "model.depth=1", "model.heads=2", "model.patch_encoder=linear"),
    "signal": ("model.encoder=xresnet1d18",),
}


@pytest.fixture(scope="module")
def runs(tiny_store, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        kind: run(configure([f"+exp={kind}", *COMMON, *more, f"data.store=[{tiny_store}]",
                             f"run_dir={folder}"]))
        for kind, more in KINDS.items()
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("patchecg", "gradients"),
        ("patchecg", "rollout"),
        ("patchecg", "occlusion"),
        ("signal", "gradients"),
        ("signal", "occlusion"),
    ],
)
def test_the_answer_is_the_runs_own_and_shares_are_of_what_was_shown(runs, tmp_path, kind, method):
    out = tmp_path / "deep" / "why.png"
    found = explain(runs[kind], "tiny/009", label="MI", layout="3x4", method=method, out=out)
    row = predictions.select(
        predictions.load(runs[kind] / "predictions.parquet"), split="test"
    ).set_index("record_id").loc["tiny/009"]  # fmt: skip
    assert found["probability"] == pytest.approx(row["p_MI"], abs=1e-4)
    assert sum(found["leads"].values()) == pytest.approx(1, abs=1e-5)
    assert cv2.imread(str(out)).shape[2] == 3


@pytest.mark.parametrize("kind", KINDS)
def test_an_explanation_can_be_checked(runs, tmp_path, capsys, kind):
    code = main(["explain", str(runs[kind]), "--record", "tiny/009", "--label", "MI", "--method",
                 "occlusion", "--checks", "--out", str(tmp_path / "a.png")])  # fmt: skip
    assert code == 0
    assert "rank correlation with randomised weights" in capsys.readouterr().out


def test_the_likeliest_label_is_taken_where_none_is_named(runs, tmp_path, capsys):
    code = main(["explain", str(runs["patchecg"]), "--record", "tiny/009", "--layout", "6x2",
                 "--method", "rollout", "--out", str(tmp_path / "a.png")])  # fmt: skip
    assert code == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.split(":")[0] in ("NORM", "MI", "STTC", "CD", "HYP")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"--record": "nobody"}, "nobody"),
        ({"--label": "AFIB"}, "AFIB"),
        ({"--layout": "3x5"}, "3x5"),
    ],
)
def test_what_does_not_exist_is_one_line(runs, tmp_path, capsys, change, named):
    given = {"--record": "tiny/009", "--out": str(tmp_path / "a.png")} | change
    words = ["explain", str(runs["signal"]), *(w for pair in given.items() for w in pair)]
    assert main(words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert named in error
    assert not list(tmp_path.iterdir())


def test_a_network_without_attention_has_no_rollout(runs, tmp_path, capsys):
    words = ["explain", str(runs["signal"]), "--record", "tiny/009", "--method", "rollout",
             "--out", str(tmp_path / "a.png")]  # fmt: skip
    assert main(words) == 2
    assert "rollout" in capsys.readouterr().err
