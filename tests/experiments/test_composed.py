"""The composed configuration of every system on every source is as recorded.

`python -m tests.experiments.test_composed` records them anew, for a change that is meant.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecgvision.systems import SYSTEMS
from experiments.configure import configure
from experiments.run_id import configuration_id
from experiments.stages import stage_names
from experiments.usage import _plain

ROOT = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).parent / "composed"
FILES = ROOT / "experiments"
EXPS = sorted(file.stem for file in (FILES / "exp").glob("*.yaml"))
SOURCES = sorted(file.stem for file in (FILES / "data").glob("*.yaml"))
PLACES = {"synthetic": [], "store": ["data.store=[x]"]}


def flat(section: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in section.items():
        nested = isinstance(value, dict) and value
        out |= flat(value, f"{prefix}{key}.") if nested else {prefix + key: value}
    return dict(sorted(out.items()))


def composed(exp: str) -> dict[str, Any]:
    """Settings on PTB-XL, and those that differ on other sources; None where there is none."""
    found = {source: flat(configure([f"+exp={exp}", f"data={source}",
                                     *PLACES.get(source, ["data.root=x"])]))
             for source in SOURCES}  # fmt: skip
    first = found["ptbxl"]
    out: dict[str, Any] = {"ptbxl": first}
    for source, config in found.items():
        if source != "ptbxl":
            keys = sorted(first.keys() | config.keys())
            out[source] = {
                key: config.get(key) for key in keys
                if json.dumps(config.get(key, ...), default=str)  # 1 and 1.0 differ in a run's id
                != json.dumps(first.get(key, ...), default=str)
            }  # fmt: skip
    return out


@pytest.mark.parametrize("exp", EXPS)
def test_the_composed_configuration_is_as_recorded(exp):
    recorded = yaml.safe_load((RECORDED / f"{exp}.yaml").read_text(encoding="utf-8"))
    assert json.dumps(composed(exp), indent=1) == json.dumps(recorded, indent=1)


def test_nothing_else_is_recorded():
    assert sorted(file.stem for file in RECORDED.glob("*.yaml")) == EXPS
    assert {"vizecg", "ssl_finetune"} <= set(SYSTEMS)


@pytest.mark.parametrize("exp", EXPS)
def test_defaults_that_are_spelled_out_give_the_same_id(exp):
    config = configure([f"+exp={exp}"])
    stages = stage_names(config)
    words = [f"{key}={_plain(value)}" for key, value in flat(config).items()
             if value != "" and key.partition(".")[0] not in (*stages, "exp")
             and key != "data.name" and not key.startswith("loss.distill.")]  # fmt: skip
    again = configure([f"+exp={exp}", *words])
    ids = [configuration_id(one, ["data"], "labels") for one in (config, again)]
    assert ids[0] == ids[1]


if __name__ == "__main__":
    RECORDED.mkdir(exist_ok=True)
    for name in EXPS:
        text = yaml.safe_dump(composed(name), sort_keys=False, allow_unicode=True, width=100,
                              default_flow_style=None)  # fmt: skip
        (RECORDED / f"{name}.yaml").write_text(text, encoding="utf-8")
