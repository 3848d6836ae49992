"""Composing: what Hydra and the declared settings refuse, in one line and with the nearest name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ecgvision.core.errors import ConfigError
from experiments.configure import configure, settable
from tests.experiments.test_start import run

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("+exp=vizecg data.layoutz=[3x4]", r"data\.layoutz.* Did you mean data\.layouts\?"),
        ("+exp=vizecg optimizer.l=1", r"Did you mean optimizer\.lr\?"),
        ("+exp=vizecg model.widht=64", r"Did you mean model\.width\?"),
        ("+exp=signal data=ptbxl data.rooot=x", r"Did you mean data\.root\?"),
        ("+exp=vizecg sead=3", r"sead.* Did you mean seed\?"),
        ("+exp=vizecg +model.colour=3", r"unknown setting model\.colour"),
        ("+exp=ssl time.ssl.metod=byol", r"Did you mean time\.ssl\.method\?"),
        ("+exp=mvkt teacher.exp=patchecg", r"teacher\.exp must be one of signal"),
    ],
)  # fmt: skip
def test_an_unknown_setting_is_refused_by_name(words, named):
    with pytest.raises(ConfigError, match=named) as error:
        configure(words.split())
    assert "\n" not in str(error.value)


def test_what_is_absent_by_default_is_set_with_or_without_a_plus():
    given = [
        configure(["+exp=vizecg", word])
        for word in ("trainer.max_steps=3", "+trainer.max_steps=3", "++trainer.max_steps=3")
    ]
    assert given[0] == given[1] == given[2]
    assert given[0]["trainer"]["max_steps"] == 3
    assert "max_steps" not in configure(["+exp=vizecg"])["trainer"]


@pytest.mark.parametrize(
    ("word", "made"),
    [
        ("seed=1", "++seed=1"),
        ("+exp=vizecg", "+exp=vizecg"),
        ("data=ptbxl", "data=ptbxl"),
        ("+data@image.data=ptbxl", "+data@image.data=ptbxl"),
        ("data.root=None", "++data.root=null"),
        ("seed=0,1", "++seed=0,1"),
        ("~teacher", "~teacher"),
        ("hydra.verbose=true", "hydra.verbose=true"),
        ("hydra/launcher=basic", "hydra/launcher=basic"),
        ("--config-dir=here", "--config-dir=here"),
        ("-m", "-m"),
    ],
)
def test_only_settings_are_set_whether_they_are_there_or_not(word, made):
    assert settable([word]) == [made]


@pytest.mark.parametrize(
    "exp", ["ssl", "vizecg_ssl", "vizecg_read", "signal_page", "patchecg_page"]
)
def test_the_length_of_a_run_holds_for_its_stages_unless_they_have_their_own(exp):
    def lengths(*words: str) -> dict[str, int]:
        config = configure([f"+exp={exp}", *words])
        return {key: section["trainer"]["max_epochs"] for key, section in config.items()
                if isinstance(section, dict) and "trainer" in section}  # fmt: skip

    default = lengths()
    assert set(lengths("trainer.max_epochs=3").values()) == {3}
    name = next(iter(default))
    own = lengths("trainer.max_epochs=3", f"{name}.trainer.max_epochs=4")
    assert own[name] == 4
    assert lengths("optimizer.lr=1e-3") == default


def test_own_records_keep_their_rate_and_other_sources_bring_what_is_read():
    rate = {source: configure(["+exp=signal", f"data={source}", "data.root=x"])["data"]["rate"]
            for source in ("manifest", "ptbxl", "cinc2021")}  # fmt: skip
    assert rate == {"manifest": None, "ptbxl": 100, "cinc2021": 100}
    asked = configure(["+exp=signal", "data=manifest", "data.root=x", "data.rate=250"])
    assert asked["data"]["rate"] == 250


REFUSED = {
    "+exp=vizec": "exp/vizec",
    "+exp=vizecg data=nowhere": "data/nowhere",
    "+exp=vizecg seed=[1": "[1",
    "+exp=vizecg seed=0,1": "-m",
    "-m +exp=vizecg seed=0,1 sead=3": "Did you mean seed?",
    "+exp=vizecg model.width=${nothing}": "nothing",
    "+exp=vizecg data.layoutz=3x4 --help": "Did you mean data.layouts?",
}
"""Words of the command, and what its one line must hold."""


def test_what_hydra_refuses_leaves_with_2_and_one_line():
    ends = run([["experiments.run", *words.split()] for words in REFUSED])
    for words, end, named in zip(REFUSED, ends, REFUSED.values(), strict=True):
        assert end["code"] == 2, (words, end)
        assert end["err"].startswith("error: "), (words, end)
        assert end["err"].count("\n") == 1, (words, end)
        assert named in end["err"], (words, end)
        assert "search path" not in end["err"]


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
