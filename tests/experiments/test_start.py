"""How soon commands answer: nothing slow is imported for a help text, nor to refuse wrong words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecgvision.nn import encoder_names
from ecgvision.nn.signal_encoders import SIGNAL_ENCODERS
from experiments.bench import start

ROOT = Path(__file__).parents[2]
SLOW = ("torch", "lightning", "pandas", "pyarrow", "scipy", "numba", "matplotlib", "timm", "wfdb",
        "sklearn", "onnxruntime", "wandb", "PIL")  # fmt: skip

HARNESS = """
import contextlib, io, json, runpy, sys

def compose(words):
    from ecgvision.core.command import ending
    from experiments import run
    from experiments.configure import configure

    sys.exit(ending(lambda: run.run(configure(words))))

def run(module, *words):
    if module == "compose":  # experiments.run without what Hydra does around it, which takes long
        return compose(words)
    sys.argv = [module, *words]
    if module == "ecgvision":
        from ecgvision.cli import main
        sys.exit(main())
    for name in [m for m in sys.modules if m == module or m == module + ".__main__"]:
        del sys.modules[name]  # which runpy warns of
    runpy.run_module(module, run_name="__main__", alter_sys=True)

found = []
for command in json.loads(sys.argv[1]):
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run(*command)
        except SystemExit as end:
            code = end.code or 0
        except BaseException as error:
            code = repr(error)
    found.append({"code": code, "out": out.getvalue(), "err": err.getvalue(),
                  "modules": sorted(set(sys.modules) & set(%r))})
print(json.dumps(found))
"""


def run(commands: list[list[str]], cwd: Path = ROOT) -> list[dict[str, Any]]:
    """What each command said, one after the other in one process, and what it had imported."""
    watched = (*SLOW, "cv2")
    done = subprocess.run(
        [sys.executable, "-c", HARNESS % (watched,), json.dumps(commands)],
        cwd=cwd, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return json.loads(done.stdout)


def test_no_help_imports_anything_slow() -> None:
    commands = start.commands()
    assert {"ecgvision predict", "experiments.run", "data_prep.pack ptbxl"} <= set(commands)
    asked = [[*words, "--help"] for words in commands.values()]
    for name, answer in zip(commands, run(asked), strict=True):
        assert answer["code"] == 0, (name, answer)
        assert answer["out"].strip(), name
        assert answer["modules"] == [], (name, "imports", answer["modules"])


WRONG_RUNS = {
    "": "+exp=vizecg",
    "exp=vizecg data.layouts=[4x4]": "data.layouts '4x4'",
    "exp=signal data.layouts=[4x4]": "data.layouts '4x4'",
    "exp=signal_page data.layouts=[4x4]": "data.layouts '4x4'",
    "exp=vizecg data.style=nowhere": "data.style 'nowhere'",
    "exp=vizecg data.artefacts=[fog]": "data.artefacts 'fog'",
    "exp=vizecg data.image_size=[a,b]": "data.image_size 'a'",
    "exp=vizecg data.labels=foo": "data.labels 'foo'",
    "exp=vizecg data.folds.val=[8]": "data.folds 8",
    "exp=vizecg data.batch_size=1.5": "data.batch_size 1.5",
    "exp=vizecg data.records=0": "data.records 0",
    "exp=vizecg data.images=gone": "gone",
    "exp=vizecg data=ptbxl": "data.root data=ptbxl",
    "exp=vizecg data=ptbxl data.root=gone": "data.root gone",
    "exp=vizecg data=cinc2021 data.root=gone": "data.root gone",
    "exp=vizecg data=manifest data.root=gone.csv": "data.root gone.csv",
    "exp=vizecg data=store": "data.store",
    "exp=vizecg data=store data.store=gone": "gone store",
    "exp=vizecg data.store=[my/own]": "data.store data=synthetic",
    "exp=vizecg model.image_encoder=resnot": "model.image_encoder 'resnot'",
    "exp=vizecg model.signal_encoder=resnot": "model.signal_encoder 'resnot'",
    "exp=vizecg model.width=1.5": "model.width 1.5",
    "exp=vizecg model.image_checkpoint=gone": "model.image_checkpoint gone",
    "exp=vizecg teacher.checkpoint=gone": "teacher.checkpoint gone",
    "exp=vizecg_read image.checkpoint=gone": "image.checkpoint gone",
    "exp=vizecg_read image.data.style=nowhere": "image data.style 'nowhere'",
    "exp=vizecg_ssl +data@image.data=ptbxl image.data.root=gone": "image data.root gone",
    "exp=vizecg seed=-1": "seed -1",
    "exp=vizecg seed=1.5": "seed 1.5",
    "exp=vizecg draws=1.5": "draws 1.5",
    "exp=vizecg draws=0": "draws 0",
    "exp=vizecg logger=tea": "logger 'tea'",
    "exp=vizecg optimizer.lr=-1": "optimizer.lr -1",
    "exp=vizecg trainer.max_epochs=-1": "trainer.max_epochs -1",
    "exp=vizecg trainer.max_epochs=0": "trainer.max_epochs 0",
    "exp=vizecg trainer.max_epochs=1.5": "trainer.max_epochs 1.5",
    "exp=vizecg trainer.devices=x": "trainer.devices 'x'",
    "exp=vizecg trainer.devices=0": "trainer.devices 0",
    "exp=vizecg trainer.devices=[]": "trainer.devices []",
    "exp=vizecg trainer.accelerator=cpu trainer.devices=-1": "trainer.devices -1",
    "exp=vizecg trainer.accelerator=cpu trainer.devices=[0,1]": "trainer.devices [0, 1]",
    "exp=vizecg trainer.accelerator=cpu trainer.devices=800": "trainer.devices cores",
    "exp=vizecg trainer.fast_dev_run=x": "trainer.fast_dev_run 'x'",
    "exp=vizecg trainer.acumulate_grad_batches=2": "Did you mean trainer.accumulate_grad_batches?",
    "exp=vizecg +data.batchsize=8": "Did you mean data.batch_size?",
    "exp=vizecg data.unstated_rate=100": "unknown setting data.unstated_rate",
    "exp=vizecg_ssl image.ssl.metod=byol": "Did you mean image.ssl.method?",
    "exp=vizecg_ssl trainer.fast_dev_run=true": "trainer.fast_dev_run image.checkpoint",
    "exp=vizecg data=ptbxl data.root=None": "data.root data=ptbxl",
    "exp=vizecg trainer.accelerator=abacus": "trainer.accelerator 'abacus'",
    "exp=vizecg trainer.precision=7": "trainer.precision 7",
    "exp=vizecg trainer.ema_decay=1": "trainer.ema_decay 1",
    "exp=vizecg trainer.limit_train_batches=0": "trainer.limit_train_batches 0",
    "exp=vizecg trainer.gradient_clip=-1": "trainer.gradient_clip -1",
    "exp=signal model.weights=gone": "model.weights gone",
    "exp=signal input=page model.reader=gone": "model.reader gone",
    "exp=signal model.encoder=resnot": "model.encoder 'resnot'",
    "exp=patchecg model.patch_encoder=gone": "model.patch_encoder 'gone'",
    "exp=patchecg data.patch_length=4000": "4000",
    "exp=mvkt teacher.model.encoder=resnot": "teacher model.encoder 'resnot'",
    "exp=read data.cut=2": "data.cut 2",
    "exp=read model.image_encoder=tracenet": "model.image_encoder 'tracenet'",
    "exp=ssl time.checkpoint=gone": "time.checkpoint gone",
    "exp=ssl spectrogram.ssl.method=mae": "spectrogram ssl.method 'mae'",
}
"""Words of `experiments.run` (the first behind a plus), and what the one line must hold."""

WRONG = {
    "experiments.run": "+exp=vizecg",
    "experiments.run +exp=vizecg data.layouts=[4x4]": "data.layouts '4x4'",
    "experiments.study nothing": "'nothing'",
    "experiments.study kd arms=[nothing]": "'nothing'",
    "experiments.study kd data.layouts=[4x4]": "data.layouts '4x4'",
    "experiments.study cv exp=signal folds=2": "folds 2",
    "experiments.study cv exp=signal trainer.max_epochs=0": "trainer.max_epochs 0",
    "experiments.study cv exp=signal data=ptbxl data.root=gone": "data.root gone",
    "experiments.release reader gone": "gone",
    "experiments.release student gone": "gone",
    "experiments.compare gone.parquet gone.csv": "gone.parquet",
    "experiments.compare a b --draws 0": "--draws 0",
    "experiments.compare a b --match (": "--match '('",
    "experiments.bench reader --store gone": "gone",
    "experiments.bench digitize --store gone": "gone",
    "ecgvision.evaluate.challenge.report gone.parquet": "gone.parquet",
    "ecgvision.evaluate.challenge.report gone --draws 0": "--draws 0",
    "data_prep.pack ptbxl gone --out new": "gone",
    "data_prep.pack cinc2020 gone --out new": "gone",
    "data_prep.pack ptbxl gone --out {here}": "{here}",
    "data_prep.synthesize --records 0 --out new": "records 0",
    "data_prep.gallery gone --out new.png --styles nowhere": "'nowhere'",
    "data_prep.gallery gone --out new.png --artefacts fog": "'fog'",
    "data_prep.gallery gone --out new.png": "gone",
    "data_prep.render_images gone --out new": "gone",
    "data_prep.render_images {store} --out new --layout 4x4": "'4x4'",
    "data_prep.render_images {store} --out new --style nowhere": "'nowhere'",
    "data_prep.render_images {store} --out new --artefact fog": "'fog'",
    "data_prep.render_images {store} --out new --jobs 0": "--jobs 0",
    "ecgvision evaluate gone": "gone",
    "ecgvision evaluate shipped --layouts 4x4": "'4x4'",
    "ecgvision evaluate shipped --artefacts fog": "'fog'",
    "ecgvision evaluate shipped --store gone": "gone",
    "ecgvision explain gone --record a --out a.png": "gone",
    "ecgvision explain shipped --record a --out a.jpg": "a.jpg",
    "ecgvision render gone --out a.png": "gone",
    "ecgvision render gone --out a.png --layout 4x4": "'4x4'",
    "ecgvision render gone --out a.png --artefact fog": "'fog'",
    "ecgvision render gone --out gone/a.png": "gone/a.png",
}
"""Commands, and what the one line must hold."""


def _refused(command: list[str], answer: dict[str, Any], named: str) -> None:
    lines = [line for line in answer["err"].splitlines() if line]
    assert answer["code"] == 2, (command, answer)
    if answer["err"].startswith("usage: "):  # of argparse, which prints it before its one line
        lines = [lines[-1].partition(": ")[2]]
    assert len(lines) == 1, (command, answer)
    assert lines[0].startswith("error: "), (command, answer)
    for word in named.split():
        assert word in lines[0], (command, answer)
    assert set(answer["modules"]) <= {"cv2"}, (command, answer["modules"])


def test_a_run_that_cannot_be_is_refused_before_anything_slow_is_imported(tmp_path: Path) -> None:
    commands = [["compose", *(["+" + words] if words else [])] for words in WRONG_RUNS]
    commands = [[part for word in command for part in word.split()] for command in commands]
    for command, answer, named in zip(commands, run(commands, tmp_path), WRONG_RUNS.values(),
                                      strict=True):  # fmt: skip
        _refused(command, answer, named)
    assert list(tmp_path.iterdir()) == []


def test_every_other_command_refuses_what_it_can_tell(tmp_path: Path, tiny_store: Path) -> None:
    (tmp_path / "here").mkdir()
    places = {"here": "here", "store": str(tiny_store)}
    commands = [words.format(**places).split() for words in WRONG]
    for command, answer, named in zip(commands, run(commands, tmp_path), WRONG.values(),
                                      strict=True):  # fmt: skip
        _refused(command, answer, named.format(**places))
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_names_stand_for_something() -> None:
    assert set(encoder_names.SIGNAL_ENCODERS) == set(SIGNAL_ENCODERS)


@pytest.mark.parametrize("name", ["resnet18", "tv_resnet34", "vit_tiny_patch16_224.augreg_in21k"])
def test_what_timm_knows_is_not_refused(name: str) -> None:
    encoder_names.check_image_encoder(name)


def test_every_name_of_timm_is_found_in_its_files() -> None:
    import timm

    known = timm.list_models()
    assert len(known) > 500
    for name in known[:: len(known) // 10]:
        encoder_names.check_image_encoder(name)
