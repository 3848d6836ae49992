"""The command as users type it: help, overrides, errors, and what the W&B agent builds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from ecgvision.ecg import ConfigError, DataError, StoreError
from experiments.configure import configure
from experiments.prepare import stores

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "experiments.run", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def keys(section: dict, prefix: str = "") -> list[str]:
    out = []
    for key, value in section.items():
        out += keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return out


def test_help_names_every_key():
    text = run("--help").stdout
    config = yaml.safe_load((ROOT / "experiments/config.yaml").read_text())
    for section in ("defaults", "hydra"):
        config.pop(section)
    systems = [yaml.safe_load(f.read_text()) for f in (ROOT / "experiments/exp").glob("*.yaml")]
    for part in systems:
        part.pop("defaults", None)  # files that a file is made from
    named = {key for part in (config, *systems) for key in keys(part)}
    internal = {"exp", "data.name", "data.store", "data.root"}
    missing = [k for k in named - internal if k.rsplit(".", 1)[-1] not in text]
    assert missing == []


def test_config_without_heavy_imports():
    code = (
        "import sys; sys.argv = ['run', '+exp=vizecg', '--cfg', 'job']\n"
        "from experiments.run import main\nmain()\n"
        "heavy = {'torch', 'lightning', 'pandas', 'numba', 'timm', 'wandb'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["exp"] == "vizecg"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "+exp=vizecg"),
        (["+exp=vizecg", "data=ptbxl"], "data.root"),
        (["+exp=vizecg", "data=ptbxl", "data.root=nowhere/at/all"], "nowhere/at/all"),
        (["+exp=vizecg", "data=store", "data.store=nowhere/at/all"], "nowhere/at/all"),
        (["+exp=vizecg", "data.store=[my/own]"], "data=synthetic does not read data.store"),
    ],
)
def test_errors_are_one_line_and_exit_2(arguments, named):
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1
    assert lines[0].startswith("error:")
    assert named in lines[0]


def test_sources_refuse_what_is_not_there(tmp_path):
    data = configure(["+exp=vizecg", "data=ptbxl", f"data.root={tmp_path}"])["data"]
    with pytest.raises((DataError, StoreError), match=str(tmp_path)):
        stores(data | {"cache_dir": str(tmp_path / "cache")})
    with pytest.raises(ConfigError, match="moon"):
        stores(data | {"name": "moon"})


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["data.store=[my/own]"], "Add data=store"),
        (["data.root=my/own"], "data.root"),
        (["data=store", "data.store=[a]", "data.root=my/own"], "data=store does not read"),
        (["data=ptbxl", "data.root=a", "data.store=[my/own]"], "data=ptbxl does not read"),
    ],
)
def test_records_that_a_source_would_not_look_at_are_refused(words, named):
    with pytest.raises(ConfigError, match=named):
        stores(configure(["+exp=vizecg", *words])["data"])


def combinations(parameters: dict) -> list[dict]:
    """Every listed value of every parameter once, as the agent hands them over."""
    out = []
    for name, spec in parameters.items():
        for value in spec.get("values", [spec.get("min")]):
            first = {k: s.get("values", [s.get("min")])[0] for k, s in parameters.items()}
            out.append({k: {"value": v} for k, v in (first | {name: value}).items()})
    return out


def test_the_sweep_builds_commands_that_hydra_parses():
    sweep = yaml.safe_load((ROOT / "experiments/sweeps/vizecg.yaml").read_text())
    for chosen in combinations(sweep["parameters"]):
        arguments = create_sweep_command_args({"args": chosen})["args_no_hyphens"]
        literal = [part for part in sweep["command"] if "=" in part]
        config = configure([*literal, *arguments])
        assert config["exp"] == "vizecg"
        assert config["logger"] == "wandb"
        for name, spec in chosen.items():
            section, key = name.split(".")
            assert config[section][key] == spec["value"]
    logged = sweep["metric"]["name"]
    assert logged == "val/image_auroc"
