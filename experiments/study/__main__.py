"""A study: arms x seeds of ordinary runs over the same records, and one report over all of them.

    python -m experiments.study patchecg_baselines seeds=[0,1,2] data=ptbxl data.root=/data/ptb-xl
    python -m experiments.study cv exp=ssl folds=10 data=ptbxl data.root=/data/ptb-xl

Every run is one of `experiments.run`, found again by its id: a study that was stopped goes on where
it stopped, and arms that share a run train it once. `cv` is a cross-validation of one system.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import yaml

from ecgvision.core.command import command
from ecgvision.core.errors import ConfigError
from experiments.study import cross_validation
from experiments.study.plan import STUDIES, check_seeds, read_plan, studies
from experiments.study.runs import run_study

OWN = ("seeds", "arms", "exp", "folds")
"""Words that are the study's and no run's; the last two of `cv` alone."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    about = {
        name: yaml.safe_load((STUDIES / f"{name}.yaml").read_text()).get("about", "")
        for name in studies()
    }
    about[cross_validation.NAME] = "Cross-validation of one system: exp=SYSTEM folds=K (10)"
    out = argparse.ArgumentParser(
        prog="python -m experiments.study",
        description="Run a study: arms x seeds of runs over the same records, and one report.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Studies:\n" + "\n".join(f"  {name:20} {text}" for name, text in about.items())
        + "\n\nA study that was stopped goes on where it stopped. Own studies: the path of a "
        ".yaml file with the keys of those in experiments/studies/.\n\n"
        "cv: run k tests on fold k, takes fold k - 1 for validation (k = 1: the last) and trains\n"
        "on the others, pretraining and teachers too. folds=5 on ten folds joins neighbours.\n"
        "The report gives each fold, their mean and SD, and all records together.",
    )  # fmt: skip
    out.add_argument("study", help="a name below, or a .yaml file")
    out.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE",
        help="seeds=[0,1,2], arms=[a,b] (not of cv), or any override of experiments.run, for "
        "every run",
    )  # fmt: skip
    return out


def _value(text: str, what: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{what} must be a list", value=text) from error


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@command("interrupted: the same command goes on with the runs that are missing")
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = parser().parse_args(argv)
    cv = args.study == cross_validation.NAME
    given: dict[str, Any] = {}
    overrides = []
    for word in args.overrides:
        key, _, value = word.partition("=")
        key = key.removeprefix("+") if cv else key
        if key == "seed":
            raise ConfigError("a study has seeds", value=word, remedy="Say seeds=[0,1]")
        if key in (OWN if cv else OWN[:2]):
            given[key] = _value(value, key)
        else:
            overrides.append(word)
    seeds = _list(given["seeds"]) if "seeds" in given else None
    if seeds is not None:
        check_seeds(seeds)
    folder = _cv(given, seeds, overrides) if cv else _arms(args.study, given, seeds, overrides)
    print(folder / "study.html")
    return 0


def _arms(study: str, given: dict[str, Any], seeds: list[int] | None, overrides: list[str]) -> Any:
    only = _list(given["arms"]) if "arms" in given else None
    return run_study(read_plan(study, overrides, seeds=seeds, only=only))


def _cv(given: dict[str, Any], seeds: list[int] | None, overrides: list[str]) -> Any:
    if "arms" in given:
        raise ConfigError("a cross-validation has no arms", value=given["arms"])
    folds = given.get("folds", cross_validation.FOLDS)
    plan = cross_validation.FoldPlan(str(given.get("exp") or ""), folds,
                             tuple(seeds or (0,)), tuple(overrides))  # fmt: skip
    return cross_validation.run_folds(plan)


if __name__ == "__main__":
    sys.exit(main())
