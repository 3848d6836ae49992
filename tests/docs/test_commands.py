"""Every command of the README and the docs is one that the tools take, with settings that can work."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest
import yaml

from ecgvision import cli
from ecgvision.systems import get_system
from experiments.check import check_config
from experiments.configure import configure
from experiments.sources import check_source
from experiments.stages import stage_config, trainable
from experiments.study import __main__ as study
from experiments.study import cross_validation
from experiments.study.check import check_plan
from tests.doc_pages import NAMES, PAGES, ROOT, commands

ELSEWHERE = {"pip", "http.server"}
"""Commands and modules of others."""

STAMP = ".venv/.installed"
"""What the Makefile's $(STAMP) is."""

FOUND = dict.fromkeys(line for page in PAGES for line in commands(page))
"""Each command once, in the order of the pages."""


class Parsed(Exception):
    """The arguments were taken; nothing more is to happen."""


@pytest.fixture
def only_parsed(monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def stop(self, *args, **kwargs):
        raise Parsed(parse(self, *args, **kwargs))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)


def can_run(words: list[str]) -> None:
    config = configure(words)
    stages = [stage_config(config, name) for name in trainable(config)
              if get_system(config["exp"]).needs(config, name)]  # fmt: skip
    for one in (config, *stages):
        check_config(one)
        check_source(one["data"])
        get_system(one["exp"]).check(one)


def can_study(name: str, words: list[str]) -> None:
    own = [word for word in words if not word.startswith(tuple(f"{key}=" for key in study.OWN))]
    if name != cross_validation.NAME:
        plan = study.read_plan(name, own)
        configs = {arm.name: configure(arm.run) for arm in plan.arms}
        check_plan(plan, configs)
    else:
        configs = {"": configure([f"+{w}" for w in words if w.startswith("exp=")] + own)}
        cross_validation.check(configs[""])
    for config in configs.values():
        check_source(config["data"])


def can_sweep(file: Path) -> None:
    """Each value of each parameter by itself, on top of what the sweep's command fixes."""
    sweep = yaml.safe_load(file.read_text(encoding="utf-8"))
    fixed = [word for word in sweep["command"] if "=" in word]
    for key, values in sweep["parameters"].items():
        for value in values.get("values", [values.get("min")]):
            can_run([*fixed, f"{key}={str(value).replace(' ', '')}"])


@pytest.mark.parametrize(("page", "least"), [("README.md", 18), ("docs/tasks/train.md", 14)])
def test_there_are_commands(page, least):
    assert len(commands(ROOT / page)) >= least


def test_shell_commands_stand_in_blocks_that_are_read():
    languages = {
        language
        for page in PAGES
        for language in re.findall(r"^```(\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert languages == {"sh", "text", "python", "yaml"}, NAMES


@pytest.mark.parametrize("line", FOUND)
def test_a_command_is_taken(line, only_parsed):
    words = shlex.split(line)
    while re.match(r"[A-Z_]+=", words[0]):
        del words[0]
    program, rest = words[0], words[1:]
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(STAMP)", STAMP)
        assert re.search(rf"^{re.escape(rest[0])}:", makefile, re.MULTILINE)
    elif program == "ecgvision":
        with pytest.raises((Parsed, SystemExit)) as caught:
            cli.main(rest)
        assert getattr(caught.value, "code", 0) == 0
    elif program == "wandb":
        assert rest[0] == "sweep"
        can_sweep(ROOT / rest[1])
    elif Path(program).name == "python":
        assert rest[0] == "-m"
        module, rest = rest[1], rest[2:]
        if module in ELSEWHERE:
            return
        if module == "pytest":
            assert all((ROOT / path).exists() for path in rest)
        elif module == "experiments.run":
            if "--help" not in rest:
                many = "-m" in rest
                can_run([w for w in rest if not (many and (w == "-m" or "," in w))])
        elif module == "experiments.study" and "--help" not in rest:
            can_study(rest[0], rest[1:])
        else:
            found = importlib.import_module(module)
            if hasattr(found, "__path__"):  # a package is run by its __main__
                found = importlib.import_module(f"{module}.__main__")
            main = found.main
            with pytest.raises((Parsed, SystemExit)) as caught:
                main(rest)
            assert getattr(caught.value, "code", 0) == 0
    else:
        assert program in ELSEWHERE
