"""A study: arms x seeds of ordinary runs over the same records, and one report over all of them.

    python -m experiments.study patchecg_baselines seeds=[0,1,2] data=ptbxl data.root=/data/ptb-xl

Every run is one of `experiments.run`, found again by its id: a study that was stopped goes on where
it stopped, and arms that share a run train it once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ecgvision.ecg import ConfigError, EcgVisionError

if TYPE_CHECKING:
    from ecgvision.evaluate.study import StudyTable

STUDIES = Path(__file__).parent / "studies"
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
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
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
    _check_seeds(content["seeds"], file)
    for name, arm in content["arms"].items():
        if not isinstance(arm, Mapping) or not isinstance(arm.get("run", []), list):
            raise ConfigError(f"arm {name} needs a list of overrides as run", file=file, value=arm)
        if not {"run", "stream"} <= set(arm) <= ARM_KEYS:
            raise ConfigError(f"arm {name} needs run and stream, and may have fill, group and x",
                              file=file, value=sorted(arm))  # fmt: skip
    if str(content["reference"]) not in map(str, content["arms"]):
        raise ConfigError("the reference is none of the arms", file=file,
                          value=content["reference"])  # fmt: skip


def _check_seeds(seeds: Sequence[Any], file: Path | None = None) -> None:
    whole = all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds)
    if not whole or not seeds or len(set(seeds)) < len(seeds):
        raise ConfigError("seeds must be whole numbers, none twice", file=file, value=list(seeds))


def run_study(plan: Plan) -> Path:
    """Run what has not been run, judge, and report; returns the study's folder.

    The folder `<run_dir>/study/<name>-<hash>/` holds study.json (which run answers for which arm
    and seed, written anew after each), and at the end study.csv, .tex, .html and .png.

    Raises:
        ConfigError: if an arm does not give the same records as the others, or lacks its stream.
    """
    from ecgvision.evaluate.files import whole_file
    from experiments.configure import configure
    from experiments.run import run, started_by_lightning

    configs = {
        (arm.name, seed): configure([*arm.run, f"seed={seed}"])
        for arm in plan.arms
        for seed in plan.seeds
    }
    _check_plan(plan, configs)
    first = next(iter(configs.values()))
    lasting = [([w for w in a.run if not w.startswith("force=")], a.fill) for a in plan.arms]
    whole = [lasting, plan.seeds, plan.layouts, plan.artefacts]
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:8]
    folder = Path(first["run_dir"]).expanduser().resolve() / "study" / f"{plan.name}-{digest}"
    done: dict[str, dict[str, str]] = {}
    trained: dict[tuple[Any, ...], Path] = {}  # arms that share a run train it once, forced or not
    for number, ((name, seed), config) in enumerate(configs.items(), start=1):
        print(f"[{number}/{len(configs)}] {name}, seed {seed}", flush=True)
        arm = next(arm for arm in plan.arms if arm.name == name)
        key = (*arm.run, seed)
        if key not in trained:
            trained[key] = run(config)
        if started_by_lightning():
            continue  # only the first process judges and reports
        done.setdefault(name, {})[str(seed)] = str(_judge(plan, arm, config, trained[key]))
        with whole_file(folder / "study.json") as part:
            part.write_text(json.dumps(_record(plan, done), indent=2) + "\n", encoding="utf-8")
    if started_by_lightning():
        return folder
    print(text(report(plan, done, folder, draws=first["draws"])))
    return folder


def _judge(plan: Plan, arm: ArmPlan, config: dict[str, Any], folder: Path) -> Path:
    """The folder whose predictions answer for the arm."""
    if not plan.layouts and not plan.artefacts:
        return folder
    from ecgvision.evaluate.again import evaluate_run
    from ecgvision.systems.base import names

    return evaluate_run(
        folder, layouts=plan.layouts or names(config["data"]["layouts"]),
        artefacts=plan.artefacts, fill=arm.fill, accelerator=config["trainer"]["accelerator"],
    )  # fmt: skip


def _check_plan(plan: Plan, configs: Mapping[tuple[str, int], Mapping[str, Any]]) -> None:
    """Say now, not after hours of training, what cannot be judged at the end."""
    from ecgvision.evaluate.fills import FILLS
    from ecgvision.layouts import RANDOM, get_layout
    from ecgvision.systems import get_system

    for layout in plan.layouts:
        if layout != RANDOM:
            get_layout(layout)
    for arm in plan.arms:
        config = configs[arm.name, plan.seeds[0]]
        system = get_system(config["exp"])
        system.check(config)
        if arm.stream not in system.streams(config):
            raise ConfigError(f"arm {arm.name} has no such stream", value=arm.stream,
                              remedy=f"It has {', '.join(system.streams(config))}")  # fmt: skip
        if arm.fill is None:
            continue
        if arm.fill not in FILLS or config["exp"] == "patchecg" or not plan.layouts:
            raise ConfigError(f"arm {arm.name} cannot be filled so", value=arm.fill,
                              remedy=f"Fills are {', '.join(FILLS)}, before a network that reads "
                              "signals, in a study with layouts")  # fmt: skip
        if arm.fill == "saits":
            from ecgvision.evaluate.fill_saits import load_pypots

            load_pypots()


def _record(plan: Plan, done: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {
        "study": plan.name,
        "about": plan.about,
        "reference": plan.reference,
        "seeds": list(plan.seeds),
        "layouts": list(plan.layouts),
        "artefacts": list(plan.artefacts),
        "arms": {
            arm.name: {"run": list(arm.run), "stream": arm.stream, "fill": arm.fill,
                       "tables": dict(done.get(arm.name, {}))}
            for arm in plan.arms
        },
    }  # fmt: skip


def report(
    plan: Plan, done: Mapping[str, Mapping[str, str]], folder: Path, *, draws: int
) -> StudyTable:
    """The tables of all arms as one report in the folder."""
    from ecgvision.evaluate import predictions
    from ecgvision.evaluate.study import Arm, study_table
    from ecgvision.evaluate.study_report import write_study

    arms = [
        Arm(
            arm.name,
            [predictions.load(Path(f) / "predictions.parquet") for f in done[arm.name].values()],
            arm.stream,
            group=arm.group,
            x=arm.x,
        )
        for arm in plan.arms
    ]
    table = study_table(arms, reference=plan.reference, views=plan.layouts or None, draws=draws)
    write_study(folder, table, title=plan.about or plan.name)
    return table


def text(table: StudyTable) -> str:
    """The headline of every arm for people: value, interval, difference to the reference."""
    width = max(len(arm) for arm in table.arms) + 2
    ranged = [m for m in table.measures if m[0] == "range"]
    records = ", ".join(sorted({f"{n:,}" for n in table.records.values()}))
    lines = [f"n = {records} records of {table.patients:,} patients; macro AUROC, "
             f"{table.title(table.headline)}, with 95 % intervals over patients"]  # fmt: skip
    for arm in table.arms:
        entry = table.entry(arm, table.headline)
        line = f"{arm:<{width}}{entry.value:.3f} {_interval(entry.ci95)}"
        if (d := entry.difference) is not None:
            line += f"   to {table.reference} {d.value:+.3f} {_interval(d.ci95, sign='+')}"
        for measure in ranged:
            line += f"   {table.title(measure)} {table.entry(arm, measure).value:.3f}"
        lines.append(line)
    return "\n".join(lines)


def _interval(bounds: tuple[float, float] | None, sign: str = "") -> str:
    return (
        "(no interval)" if bounds is None else f"({bounds[0]:{sign}.3f} to {bounds[1]:{sign}.3f})"
    )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(
        prog="python -m experiments.study",
        description="Run a study: arms x seeds of runs over the same records, and one report.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Studies:\n" + "\n".join(
            f"  {name:20} {yaml.safe_load((STUDIES / f'{name}.yaml').read_text()).get('about', '')}"
            for name in studies()
        ) + "\n\nA study that was stopped goes on where it stopped. Own studies: the path of a "
        ".yaml file with the keys of those in experiments/studies/.",
    )  # fmt: skip
    out.add_argument("study", help="a name below, or a .yaml file")
    out.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE",
        help="seeds=[0,1,2], arms=[a,b], or any override of experiments.run, for every run",
    )  # fmt: skip
    return out


def _list(text: str, what: str) -> list[Any]:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{what} must be a list", value=text) from error
    return value if isinstance(value, list) else [value]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; 2 for input that makes no study."""
    args = parser().parse_args(argv)
    try:
        given: dict[str, list[Any]] = {}
        overrides = []
        for word in args.overrides:
            key, _, value = word.partition("=")
            if key in ("seeds", "arms"):
                given[key] = _list(value, key)
            else:
                overrides.append(word)
        seeds = given.get("seeds")
        if seeds is not None:
            _check_seeds(seeds)
        plan = read_plan(args.study, overrides, seeds=seeds, only=given.get("arms"))
        folder = run_study(plan)
    except (EcgVisionError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(folder / "study.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
