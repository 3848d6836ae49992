"""The runs of a study, and the one report over them. Heavy imports happen inside the functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.study.check import check_plan
from experiments.study.plan import ArmPlan, Plan

if TYPE_CHECKING:
    from ecgvision.evaluate.study.table import StudyTable


def run_study(plan: Plan) -> Path:
    """Run what has not been run, judge, and report; returns the study's folder.

    The folder `<run_dir>/study/<name>-<hash>/` holds study.json (which run answers for which arm
    and seed, written anew after each), and at the end study.csv, .tex, .html and .png.

    Raises:
        ConfigError: as `check_plan`.
        DataError: if an arm did not answer for the same records as the others.
    """
    from ecgvision.core.atomic_io import write_json
    from experiments import stages
    from experiments.configure import configure
    from experiments.run import run, started_by_lightning

    once = {arm.name: configure([*arm.run, f"seed={plan.seeds[0]}"]) for arm in plan.arms}
    for config in once.values():
        stages.check(config)
    check_plan(plan, once)
    configs = {
        (arm.name, seed): once[arm.name]
        if seed == plan.seeds[0]
        else configure([*arm.run, f"seed={seed}"])
        for arm in plan.arms
        for seed in plan.seeds
    }
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
        write_json(folder / "study.json", _record(plan, done))
    if started_by_lightning():
        return folder
    print(text(report(plan, done, folder, draws=first["draws"])))
    return folder


def _judge(plan: Plan, arm: ArmPlan, config: dict[str, Any], folder: Path) -> Path:
    """The folder whose predictions answer for the arm."""
    if not plan.layouts and not plan.artefacts:
        return folder
    from ecgvision.systems.base import names
    from ecgvision.trained_runs.reevaluate import evaluate_run

    return evaluate_run(
        folder, layouts=plan.layouts or names(config["data"]["layouts"]),
        artefacts=plan.artefacts, fill=arm.fill, accelerator=config["trainer"]["accelerator"],
    )  # fmt: skip


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
    from ecgvision.evaluate.study.report import write_study
    from ecgvision.evaluate.study.table import Arm, study_table

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
    table = study_table(arms, reference=plan.reference, draws=draws)
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
