"""The command as users type it: help, overrides, errors, and what the W&B agent builds."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

from ecgvision.core.errors import ConfigError, DataError, RecordError, StoreError
from ecgvision.core.settings import declared
from ecgvision.store.packed import Store
from ecgvision.systems import SYSTEMS, get_system
from experiments import usage
from experiments.check import known_settings
from experiments.configure import configure
from experiments.settings import Run
from experiments.sources import _cached, stores
from experiments.stages import trainable
from experiments.wandb_log import BEST_FIGURE

ROOT = Path(__file__).resolve().parents[2]
EXPS = sorted(file.stem for file in (ROOT / "experiments/exp").glob("*.yaml"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "experiments.run", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_help_of_all_names_systems_sources_and_shared_settings():
    text = usage.help_text(["--help"])
    for folder in ("exp", "data"):
        for file in (ROOT / "experiments" / folder).glob("*.yaml"):
            assert re.search(rf"^  {file.stem} +\S", text, re.MULTILINE)
    for key in declared(Run):
        assert re.search(rf"^  {re.escape(key)}(=|\s)", text, re.MULTILINE), key
    assert max(map(len, text.splitlines())) <= usage.WIDTH


@pytest.mark.parametrize("exp", EXPS)
def test_help_of_a_system_names_all_its_settings_with_their_values(exp):
    text = usage.help_text([f"+exp={exp}", "data=ptbxl", "data.root=x", "seed=7", "--help"])
    config = configure([f"+exp={exp}", "data=ptbxl", "data.root=x"])
    for key in known_settings(config["exp"], "ptbxl"):
        assert re.search(rf"^  {re.escape(key)}(=|\s)", text, re.MULTILINE), key
    assert "\n  seed=7 " in text
    for name in trainable(config):
        assert f"Stage {name}: a run of +exp={config[name]['exp']}" in text


def test_every_setting_has_a_line_of_help():
    for system in SYSTEMS.values():
        for key, setting in declared(Run, system.settings).items():
            assert setting.help, key
            assert "\n" not in setting.help
            assert len(setting.help) < 300


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


def own_records(folder: Path) -> Path:
    """A manifest of ten npy records, which state no rate."""
    table = ["record,fold,AF"]
    for i in range(10):
        np.save(folder / f"{i}.npy", np.full((12, 500), i / 10, np.float32))
        table.append(f"{i}.npy,{i + 1},{i % 2}")
    (folder / "own.csv").write_text("\n".join(table))
    return folder / "own.csv"


def test_a_rate_that_no_record_states_is_not_guessed(tmp_path):
    words = ["+exp=signal", "data=manifest", f"data.root={own_records(tmp_path)}",
             f"data.cache_dir={tmp_path / 'cache'}"]  # fmt: skip
    with pytest.raises(RecordError, match=r"does not state its rate.*data\.unstated_rate"):
        stores(configure(words)["data"])
    with pytest.raises(ConfigError, match=r"data\.unstated_rate must be a number"):
        stores(configure([*words, "data.unstated_rate=fast"])["data"])
    (made,) = stores(configure([*words, "data.unstated_rate=50"])["data"])
    assert Store(made).rate == 50  # own records keep their rate
    assert set(Store(made).records["length"]) == {500}


def test_a_unit_that_no_record_states_can_be_stated(tmp_path):
    words = ["+exp=read", "data=manifest", f"data.root={own_records(tmp_path)}", "data.rate=50",
             "data.unstated_rate=50", f"data.cache_dir={tmp_path / 'cache'}"]  # fmt: skip
    with pytest.raises(ConfigError, match=r"data\.unit is no unit.*parsec.*mV, uV"):
        stores(configure([*words, "data.unit=parsec"])["data"])
    (plain,) = stores(configure(words)["data"])
    (scaled,) = stores(configure([*words, "data.unit=uV"])["data"])
    assert plain != scaled
    assert Store(scaled).read(9).max() == pytest.approx(Store(plain).read(9).max() / 1000, rel=1e-3)
    np.save(tmp_path / "3.npy", 500 * np.sin(np.arange(6000).reshape(12, 500)))
    with pytest.raises(RecordError, match=r"State the unit with data\.unit, or a column unit"):
        stores(configure(words)["data"])


def test_a_changed_record_is_packed_anew(tmp_path):
    words = ["+exp=read", "data=manifest", f"data.root={own_records(tmp_path)}",
             "data.unstated_rate=50", f"data.cache_dir={tmp_path / 'cache'}"]  # fmt: skip
    data = configure(words)["data"]
    (first,) = stores(data)
    assert stores(data) == [first]
    np.save(tmp_path / "3.npy", np.ones((12, 500), np.float32))
    (second,) = stores(data)
    assert Store(second).read(3).max() == pytest.approx(1.0, abs=1e-3)
    assert Store(first).read(3).max() == pytest.approx(0.3, abs=1e-3)


MODULE = "data_prep.synthesize"


def test_two_processes_do_not_pack_at_once(tmp_path, make_store, capsys):
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        time.sleep(0.2)
        make_store(folder, records=2)

    with ThreadPoolExecutor(2) as pool:  # a lock of the file holds threads apart, too
        found = list(pool.map(lambda _: _cached(tmp_path, "own", MODULE, make), range(2)))
    assert found[0] == found[1] == [str(folder) for folder in made]


def test_a_store_that_other_code_has_packed_is_named_and_not_used(
    tmp_path, make_store, capsys, monkeypatch
):
    def make(folder: Path) -> None:
        make_store(folder, records=2)

    with monkeypatch.context() as patch:
        patch.setattr("experiments.sources.source_digest", lambda module: "0123abcd")
        (old,) = _cached(tmp_path, "own", MODULE, make)
    (other,) = _cached(tmp_path, "own-100Hz", MODULE, make)  # of another source
    capsys.readouterr()
    (new,) = _cached(tmp_path, "own", MODULE, make)
    assert new != old
    told = capsys.readouterr().out
    assert f"other code, and not used any more: {old}" in told
    assert other not in told
    assert _cached(tmp_path, "own", MODULE, make) == [new]
    assert capsys.readouterr().out == ""


def combinations(parameters: dict) -> list[dict]:
    """Every listed value of every parameter once, as the agent hands them over."""
    out = []
    for name, spec in parameters.items():
        for value in spec.get("values", [spec.get("min")]):
            first = {k: s.get("values", [s.get("min")])[0] for k, s in parameters.items()}
            out.append({k: {"value": v} for k, v in (first | {name: value}).items()})
    return out


SWEEPS = sorted((ROOT / "experiments" / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("file", SWEEPS, ids=lambda file: file.stem)
def test_a_sweep_builds_commands_that_hydra_parses(file):
    sweep = yaml.safe_load(file.read_text())
    literal = [part for part in sweep["command"] if "=" in part]
    for chosen in combinations(sweep["parameters"]):
        arguments = create_sweep_command_args({"args": chosen})["args_no_hyphens"]
        config = configure([*literal, *arguments])
        assert f"+exp={config['exp']}" in literal
        assert config["logger"] == "wandb"
        for name, spec in chosen.items():
            found = config
            for key in name.split("."):
                found = found[key]
            assert found == spec["value"]
    system = get_system(config["exp"])
    figure, mode = system.monitor(config)
    assert sweep["metric"]["name"] == BEST_FIGURE + figure.partition("/")[2]
    assert sweep["metric"]["goal"] == {"max": "maximize", "min": "minimize"}[mode]


def test_every_system_that_is_trained_for_labels_or_pages_has_a_sweep():
    assert {file.stem for file in SWEEPS} >= {"vizecg", "patchecg", "mvkt", "ssl", "read"}
