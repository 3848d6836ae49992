"""Settings that all runs share, those of the data sources, and those of a stage.

What a system adds is declared in its `settings.py`; how it differs stands in `exp/<name>.yaml`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecgvision.core.settings import declared, setting
from ecgvision.labels.schemes import SCHEMES
from ecgvision.nn.training.optimizer_settings import NAMES, SCHEDULES
from experiments.trainer_settings import Trainer

LARGEST_SEED = 2**32 - 1
"""numpy takes no larger one."""


@dataclass(kw_only=True)
class Folds:
    train: list[int] = setting([1, 2, 3, 4, 5, 6, 7, 8], help="folds to learn from")
    val: list[int] = setting([9], help="folds that choose the checkpoint, thresholds and so on")
    test: list[int] = setting([10], help="folds that are judged; no fold twice")


@dataclass(kw_only=True)
class Data:
    name: str = setting("", help="the source; data=NAME sets it")
    small: bool = setting(
        False, help="true sizes a system to two cores; ${sized:A,B} is A where true, else B"
    )
    store: str | list[str] | None = setting(
        None, help="packed stores of data=store, e.g. [FOLDER,FOLDER]"
    )
    root: str | None = setting(
        None, help="a source's own folder or file; packed into the cache on first use"
    )
    rate: float | None = setting(None, help="Hz of the packed records; null: the source's best",
                                 above=0)  # fmt: skip
    cache_dir: str | None = setting(
        None, help="of packed sources; null: $XDG_CACHE_HOME/ecgvision or ~/.cache/ecgvision"
    )
    labels: str = setting(
        "superdiagnostic", choices=(*SCHEMES, "columns"),
        help="label scheme, or columns: those that a manifest brought",
    )  # fmt: skip
    min_likelihood: float = setting(
        0.0, help="least likelihood of a statement that counts; 0: all", at_least=0, at_most=100
    )
    unlabelled: str | None = setting(
        None, help="records without a label; null: as the scheme says", choices=("drop", "keep")
    )
    folds: Folds
    layouts: str | list[str] = setting(
        ["3x4+II"],
        help="e.g. [3x4+II,6x2,12x1]; random draws from six; V1.V2_V5.V6+II is written out: "
        "columns of leads, and strips; any draws leads in any number, order and arrangement",
    )
    seconds: float = setting(10.0, help="window of the record", above=0)
    signal_rate: float = setting(100, help="Hz of the network's signals", above=0)
    augment: bool = setting(True, help="vary the training records")
    batch_size: int = setting(32, help="records or pages of a batch", at_least=1)
    num_workers: int | None = setting(
        None, help="loader processes of each training process; null: the cores that may be used, "
        "shared by trainer.devices, at most 16", at_least=0,
    )  # fmt: skip


@dataclass(kw_only=True)
class Optimizer:
    name: str = setting("adamw", help="optimizer", choices=NAMES)
    lr: float = setting(1.0e-3, help="peak learning rate", above=0)
    weight_decay: float = setting(1.0e-2, help="of matrices and kernels", at_least=0)
    warmup: float = setting(0.1, help="fraction of the training in which the rate rises",
                            at_least=0, below=1)  # fmt: skip
    schedule: str = setting("cosine", help="step: a tenth at each milestone", choices=SCHEDULES)
    milestones: list[float] = setting(
        [], help="of schedule=step, as fractions of the training", above=0, below=1
    )


@dataclass(kw_only=True)
class Wandb:
    project: str = setting("ecgvision", help="project in Weights and Biases")
    group: str | None = setting(None, help="group of the run")
    tags: list[str] = setting([], help="tags of the run")


@dataclass(kw_only=True)
class Run:
    """What all runs share."""

    exp: str = setting("", help="the system; +exp=NAME sets it")
    seed: int = setting(0, help="of everything random", at_least=0, at_most=LARGEST_SEED)
    run_dir: str = setting("runs", help="results go to <run_dir>/<exp>/<run id>/")
    force: bool = setting(False, help="repeat a finished run")
    any_code: bool = setting(
        False, help="take a finished run of this configuration although other code made it"
    )
    logger: str = setting("csv", help="wandb logs beside csv, and honours WANDB_MODE",
                          choices=("csv", "wandb"))  # fmt: skip
    draws: int = setting(1000, help="bootstrap draws over patients for the 95 % intervals",
                         at_least=1)  # fmt: skip
    data: Data
    optimizer: Optimizer
    trainer: Trainer
    wandb: Wandb


@dataclass(kw_only=True)
class Synthetic:
    records: int = setting(4000, help="size of the built-in cohort", at_least=1)
    cohort_seed: int = setting(0, help="of the built-in cohort", at_least=0)


@dataclass(kw_only=True)
class Manifest:
    unstated_rate: float | None = setting(
        None, help="Hz of npy and CSV records that do not state theirs", above=0
    )
    unit: str | None = setting(
        None, help="unit of records that do not state theirs: mV, uV, V, nV or 1e-4V; null: mV"
    )


@dataclass(kw_only=True)
class Challenge:
    ptbxl: str | None = setting(
        None, help="ptbxl_database.csv: patients and folds of the records that are from PTB-XL"
    )


SOURCES: dict[str, type] = {
    "synthetic": Synthetic, "manifest": Manifest, "cinc2020": Challenge, "cinc2021": Challenge,
}  # fmt: skip
"""What single sources add to the section `data`."""


def of_source(name: str) -> set[str]:
    """Return the keys that a source adds to the section `data`."""
    return set(declared(SOURCES[name])) if name in SOURCES else set()


@dataclass(kw_only=True)
class Stage:
    """A run that is trained before this one; a section with these keys and those of its system."""

    checkpoint: str | None = setting(
        None, help="a finished run to take; null: trained first, as a run of its own"
    )
    exp: str | None = setting(None, help="system of the stage; null: no such stage")
    into: str | None = setting(None, help="setting of this run that the checkpoint goes to")
    without: list[str] | None = setting(
        None, help="settings of this run that the stage does not inherit"
    )
    weights: str = setting(help="hash of the checkpoint; the run writes it down")
