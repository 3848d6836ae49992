"""Study files: arms, seeds and what every run is judged in, with what the command line changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ecgvision.core.errors import ConfigError
from ecgvision.core.input_files import read_text

STUDIES = Path(__file__).parents[1] / "studies"
ARM_KEYS = {"run", "stream", "fill", "group", "x"}
STUDY_KEYS = {"about", "seeds", "reference", "common", "layouts", "artefacts", "arms"}


@dataclass(frozen=True)
class ArmPlan:
    """One arm of a study file.

    Attributes:
        name: as the report shows it.
        run: overrides of `experiments.run`.
        stream: the answer that is judged.
        fill: put before the network where the study judges by layout.
        group, x: of a curve: arms of one group are joined, by rising x.
    """

    name: str
    run: tuple[str, ...]
    stream: str
    fill: str | None = None
    group: str | None = None
    x: float | None = None


@dataclass(frozen=True)
class Plan:
    """A study file with what the command line changed.

    Attributes:
        name: of the file.
        arms: in the order of the report.
        seeds: every arm is run with each.
        reference: the arm that others are compared with.
        layouts, artefacts: that every run is judged in anew; none takes the runs' own tables.
    """

    name: str
    arms: tuple[ArmPlan, ...]
    seeds: tuple[int, ...]
    reference: str
    layouts: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    about: str = ""


def studies() -> list[str]:
    """Names of the study files."""
    return sorted(file.stem for file in STUDIES.glob("*.yaml"))


def read_plan(
    name: str, overrides: Sequence[str] = (), *, seeds: Sequence[int] | None = None,
    only: Sequence[str] | None = None,
) -> Plan:  # fmt: skip
    """A study by name, or by the path of a YAML file.

    Args:
        overrides: added to every run, after its own.
        seeds: instead of the file's.
        only: names of arms to keep; the reference stays always.

    Raises:
        ConfigError: for an unknown study or arm, or a file that is none.
    """
    file = Path(name) if name.endswith((".yaml", ".yml")) else STUDIES / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(studies())
        raise ConfigError("unknown study", value=name,
                          remedy=f"Known: {known}, or the path of a .yaml")  # fmt: skip
    try:
        content = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise ConfigError("not a YAML file", file=file, value=str(error)[:200]) from error
    _check(content, file)
    common = tuple(content.get("common") or ())
    arms = tuple(
        ArmPlan(
            name=str(arm),
            run=(*common, *entry["run"], *overrides),
            **{key: entry[key] for key in ("stream", "fill", "group", "x") if key in entry},
        )
        for arm, entry in content["arms"].items()
    )
    reference = str(content["reference"])
    if only is not None:
        named = [arm.name for arm in arms]
        if strangers := [name for name in only if name not in named]:
            raise ConfigError("the study has no such arm", file=file, value=strangers,
                              remedy=f"Known: {', '.join(named)}")  # fmt: skip
        arms = tuple(arm for arm in arms if arm.name in {*only, reference})
    return Plan(
        file.stem, arms, tuple(seeds or content["seeds"]), reference,
        tuple(content.get("layouts") or ()), tuple(content.get("artefacts") or ()),
        str(content.get("about", "")),
    )  # fmt: skip


def _check(content: Any, file: Path) -> None:
    if not isinstance(content, Mapping) or set(content) - STUDY_KEYS:
        found = sorted(set(content) - STUDY_KEYS) if isinstance(content, Mapping) else content
        raise ConfigError("a study file has other keys than these", file=file, value=found,
                          remedy=f"Known: {', '.join(sorted(STUDY_KEYS))}")  # fmt: skip
    for needed in ("arms", "reference", "seeds"):
        if not content.get(needed):
            raise ConfigError(f"the study has no {needed}", file=file)
    for key in ("seeds", "common", "layouts", "artefacts"):
        if not isinstance(content.get(key) or [], list):
            raise ConfigError(f"{key} of a study is a list", file=file, value=content[key])
    check_seeds(content["seeds"], file)
    for name, arm in content["arms"].items():
        if not isinstance(arm, Mapping) or not isinstance(arm.get("run", []), list):
            raise ConfigError(f"arm {name} needs a list of overrides as run", file=file, value=arm)
        if not {"run", "stream"} <= set(arm) <= ARM_KEYS:
            raise ConfigError(f"arm {name} needs run and stream, and may have fill, group and x",
                              file=file, value=sorted(arm))  # fmt: skip
    if str(content["reference"]) not in map(str, content["arms"]):
        raise ConfigError("the reference is none of the arms", file=file,
                          value=content["reference"])  # fmt: skip


def check_seeds(seeds: Sequence[Any], file: Path | None = None) -> None:
    """Refuse what is no list of different seeds.

    Raises:
        ConfigError: with the seeds as given.
    """
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
    if not whole or not seeds or len(set(seeds)) < len(seeds):
        raise ConfigError("seeds must be whole numbers, none twice", file=file, value=list(seeds))
