"""A cross-validation: one run a fold and seed, and one report in which every record is judged once.

    python -m experiments.study cv exp=ssl folds=10 data=ptbxl data.root=/data/ptb-xl

The data's folds 1 ... n are put into K groups of neighbours: with folds=10 of ten each is its own,
with folds=5 they are 1+2, 3+4, ... Run k tests on group k, takes group k - 1 for validation (for
k = 1 the last), from which checkpoint, temperature and thresholds come, and trains on the others.
Of PTB-XL, run 10 is thus the usual split, and shares the run. Stages that come first (pretraining,
a teacher) have the run's own folds and are trained anew for each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ecgvision.data.cohort import Cohort
    from ecgvision.evaluate.study.folds import CrossValidation, Fold

NAME = "cv"
FOLDS = 10
"""As many as PTB-XL comes with (Wagner et al. 2020, Sci Data 7:154)."""
FEWEST = 3
"""One to test on, one for validation, one to train on."""


@dataclass(frozen=True)
class FoldPlan:
    """A cross-validation as the command line asks for it.

    Attributes:
        exp: name of the system's file in experiments/exp.
        folds: number of groups.
        seeds: every fold is run with each.
        overrides: of every run.
    """

    exp: str
    folds: int = FOLDS
    seeds: tuple[int, ...] = (0,)
    overrides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.exp:
            raise ConfigError("a cross-validation needs a system", remedy="Add exp=ssl or another")
        if isinstance(self.folds, bool) or not isinstance(self.folds, int) or self.folds < FEWEST:
            raise ConfigError(f"folds must be a whole number of {FEWEST} or more, for training, "
                              "validation and test", value=self.folds)  # fmt: skip
        for word in self.overrides:
            if word.lstrip("+~").startswith("data.folds"):
                raise ConfigError("a cross-validation sets data.folds itself", value=word,
                                  remedy="Say folds=K alone")  # fmt: skip


def groups(present: Sequence[int], count: int) -> list[Fold]:
    """The folds of a cross-validation, from those of the data.

    Args:
        present: the data's folds; they must be 1 ... n.
        count: of groups; n must be a multiple of it.

    Raises:
        DataError: where the data's folds are named otherwise, are fewer, or do not divide.
    """
    from ecgvision.evaluate.study.folds import Fold

    found = sorted(set(present))
    if not found or found != list(range(1, len(found) + 1)):
        raise DataError("a cross-validation needs folds 1, 2, ..., n in the data", value=found,
                        remedy="Pack the data with such folds")  # fmt: skip
    if len(found) % count:
        possible = [k for k in range(FEWEST, len(found) + 1) if len(found) % k == 0]
        raise DataError(
            f"the data's {len(found)} folds make no {count} groups of the same size", value=found,
            remedy=f"Set folds to one of {possible}" if possible else "Pack it with more folds",
        )  # fmt: skip
    size = len(found) // count
    tests = [tuple(found[k * size : (k + 1) * size]) for k in range(count)]
    return [Fold(test, tests[k - 1]) for k, test in enumerate(tests)]  # before the first, the last


def fold_words(fold: Fold, present: Sequence[int]) -> list[str]:
    """The overrides that give a run its splits."""
    train = [f for f in sorted(present) if f not in (*fold.test, *fold.val)]
    parts = {"train": train, "val": fold.val, "test": fold.test}
    return [f"data.folds.{split}=[{','.join(map(str, p))}]" for split, p in parts.items()]


def check(config: dict[str, Any]) -> None:
    """Refuse what would make figures of records that a network has seen, or of none.

    Raises:
        ConfigError: for weights given from outside, a system that judges nothing, or a share of
            the test records.
    """
    from ecgvision.systems import get_system
    from experiments.stages import WEIGHTS, stage_names

    system = get_system(config["exp"])
    system.check_settings(config)
    if not system.streams(config):
        raise ConfigError("there is nothing to judge", value=config["exp"],
                          remedy="Cross-validate a system that reads labels")  # fmt: skip
    given = {f"{name}.checkpoint": config[name]["checkpoint"] for name in stage_names(config)}
    for key in WEIGHTS:
        section, _, name = key.partition(".")
        given[key] = config[section].get(name)
    if known := {key: path for key, path in given.items() if path is not None}:
        key = next(iter(known))
        raise ConfigError(f"{key} may have seen records of any fold", value=known[key],
                          remedy="Leave it null: what can be is trained in each fold")  # fmt: skip
    for split in ("val", "test"):
        limit = config["trainer"][f"limit_{split}_batches"]
        if limit != 1.0 or isinstance(limit, int):  # the whole number 1 is a single batch
            raise ConfigError("a cross-validation judges every record", value=limit,
                              remedy=f"Leave trainer.limit_{split}_batches at 1.0")  # fmt: skip
    system.check(config)


def open_cohort(config: dict[str, Any]) -> Cohort:
    """All labelled records of the data, in no split."""
    from ecgvision.data.cohort import Cohort
    from experiments.sources import stores

    data = config["data"]
    data["store"] = stores(data)
    return Cohort(data["store"], data["labels"], folds={"train": [], "val": [], "test": []},
                  min_likelihood=data["min_likelihood"], unlabelled=data["unlabelled"])  # fmt: skip


def check_patients(cohort: Cohort, folds: Sequence[Fold]) -> None:
    """Refuse data in which a patient stands in two groups.

    Raises:
        DataError: naming a patient.
    """
    group = {number: k for k, fold in enumerate(folds) for number in fold.test}
    spread = cohort.records["fold"].map(group).groupby(cohort.records["patient_id"]).nunique()
    if (wrong := spread[spread > 1]).size:
        raise DataError(f"{wrong.size} patients stand in more than one fold, so test figures "
                        "would leak", value=str(wrong.index[0]),
                        remedy="Fix patient_id or the folds of the stores")  # fmt: skip


def run_folds(plan: FoldPlan) -> Path:
    """Run what has not been run, judge, and report; returns the study's folder.

    The folder `<run_dir>/study/cv-<exp>-<hash>/` holds study.json (which run answers for which
    seed and fold, written anew after each), and at the end study.csv, .tex, .html and .png.

    Raises:
        ConfigError: for settings that make no cross-validation.
        DataError: if the data's folds make no such groups, or its patients stand in several.
    """
    from tqdm import tqdm

    from ecgvision.core.atomic_io import write_json
    from experiments import stages
    from experiments.configure import configure
    from experiments.run import run, started_by_lightning

    base = [f"+exp={plan.exp}", *plan.overrides]
    first = configure([*base, f"seed={plan.seeds[0]}"])
    stages.check(first)
    check(first)
    cohort = open_cohort(first)
    present = sorted({int(f) for f in cohort.records["fold"].dropna()})
    folds = groups(present, plan.folds)
    check_patients(cohort, folds)
    lasting = [w for w in plan.overrides if not w.startswith("force=")]
    whole = [plan.exp, plan.folds, plan.seeds, lasting, cohort.hash]
    digest = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:8]
    folder = Path(first["run_dir"]).expanduser().resolve() / "study"
    folder /= f"{NAME}-{plan.exp}-{digest}"
    done: dict[int, dict[str, Path]] = {seed: {} for seed in plan.seeds}
    steps = [(fold, seed) for seed in plan.seeds for fold in folds]
    for fold, seed in (bar := tqdm(steps, desc="cross-validation", unit="run")):
        bar.set_postfix_str(f"fold {fold.name}, seed {seed}")
        words = [*base, f"seed={seed}", *fold_words(fold, present)]
        done[seed][fold.name] = run(configure(words))
        if started_by_lightning():
            continue  # only the first process judges and reports
        write_json(folder / "study.json", _record(plan, folds, present, done))
    if started_by_lightning():
        return folder
    print(text(_report(plan, folds, cohort, done, folder, draws=first["draws"])))
    return folder


def _record(
    plan: FoldPlan, folds: Sequence[Fold], present: Sequence[int], done: dict[int, dict[str, Path]]
) -> dict[str, Any]:
    return {
        "study": NAME,
        "exp": plan.exp,
        "overrides": list(plan.overrides),
        "seeds": list(plan.seeds),
        "folds": {
            fold.name: {
                "test": list(fold.test),
                "val": list(fold.val),
                "train": [f for f in present if f not in (*fold.test, *fold.val)],
                "runs": {str(s): str(runs[fold.name]) for s, runs in done.items()
                         if fold.name in runs},
            }
            for fold in folds
        },
    }  # fmt: skip


def _report(
    plan: FoldPlan, folds: Sequence[Fold], cohort: Cohort, done: dict[int, dict[str, Path]],
    folder: Path, *, draws: int,
) -> CrossValidation:  # fmt: skip
    from ecgvision.evaluate import predictions
    from ecgvision.evaluate.study.folds import cross_validate
    from ecgvision.evaluate.study.folds_report import write_folds

    tables = [
        [predictions.load(done[seed][fold.name] / "predictions.parquet") for fold in folds]
        for seed in plan.seeds
    ]
    found = cross_validate(tables, folds, draws=draws)
    wanted = int(cohort.records["fold"].notna().sum())
    if found.total != wanted:
        raise DataError(f"{wanted} records stand in the folds, and not all were judged once",
                        value=found.total, remedy="Repeat with force=true")  # fmt: skip
    remarks = []
    if cohort.dropped:
        remarks.append(f"{cohort.dropped:,} records without a label were left out.")
    if outside := len(cohort.records) - wanted:
        remarks.append(f"{outside:,} records stand in no fold: they were neither judged nor "
                       "trained on.")  # fmt: skip
    write_folds(folder, found, title=f"{plan.exp}: cross-validation over {len(folds)} folds",
                remarks=tuple(remarks))  # fmt: skip
    return found


def text(found: CrossValidation) -> str:
    """Every figure for people: mean and SD of folds, and all folds pooled with the interval."""
    from ecgvision.evaluate.study.folds_report import figures

    lines = [f"n = {found.total:,} records of {found.pooled.patients:,} patients, each judged "
             f"once in {len(found.folds)} folds"]  # fmt: skip
    for stream in found.pooled.arms:
        for name, (mean, sd), value, ci95 in figures(found, stream):
            between = f"({ci95[0]:.3f} to {ci95[1]:.3f})" if ci95 else "(no interval)"
            lines.append(f"{stream}: {name}: folds {mean:.3f} (SD {sd:.3f}), "
                         f"pooled {value:.3f} {between}")  # fmt: skip
    return "\n".join(lines)
