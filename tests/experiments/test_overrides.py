"""What Hydra would refuse is refused on one line, with the nearest known setting."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ecgvision.core.errors import ConfigError
from experiments.overrides import check_overrides

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("+exp=vizecg data.layoutz=[3x4]", r"data\.layoutz.* Did you mean data\.layouts\?"),
        ("+exp=vizecg optimizer.l=1", r"Did you mean optimizer\.lr\?"),
        ("+exp=vizecg model.widht=64", r"Did you mean model\.width\?"),
        ("+exp=signal data=ptbxl data.rooot=x", r"Did you mean data\.root\?"),
        ("-m +exp=vizecg seed=0,1 sead=3", r"sead.* Did you mean seed\?"),
        ("+exp=vizec", "exp/vizec"),
        ("+exp=vizecg data=nowhere", "data/nowhere"),
        ("+exp=vizecg seed=[1", r"\[1"),
        ("+exp=vizecg seed=0,1", "(?i)sweep|multirun"),
    ],
)  # fmt: skip
def test_it_is_refused_by_name(words, named):
    with pytest.raises(ConfigError, match=named) as error:
        check_overrides(words.split())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "words",
    ["+exp=vizecg seed=1", "-m +exp=signal seed=range(3) optimizer.lr=1e-3,2e-3",
     "+exp=vizecg +trainer.accumulate_grad_batches=2", "+exp=vizecg --cfg job",
     "+exp=vizecg +loss.distill.image_to_signal=1"],
)  # fmt: skip
def test_what_can_be_composed_is_left_to_hydra(words):
    check_overrides(words.split())


def test_the_command_leaves_with_2_before_anything_slow_is_imported():
    code = ("import sys; sys.argv = ['run', '+exp=vizecg', 'data.layoutz=[3x4]']\n"
            "from experiments.run import main\n"
            "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 2\n"
            "assert not {'torch', 'lightning'} & set(sys.modules)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("error: unknown setting data.layoutz")
    assert done.stderr.count("\n") == 1
