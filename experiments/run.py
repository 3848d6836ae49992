"""One run: `python -m experiments.run +exp=vizecg`. Heavy imports happen inside `main`."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.command import Interrupted, command, ending
from ecgvision.core.errors import ConfigError
from ecgvision.core.file_lock import only_process
from experiments import usage

if TYPE_CHECKING:
    from omegaconf import DictConfig


def started_by_lightning() -> bool:
    """Whether this is one of the processes that Lightning adds for `trainer.devices` above 1.

    The first process gets a rank too, once it has added the others.
    """
    return any(os.environ.get(rank, "0") != "0" for rank in ("LOCAL_RANK", "NODE_RANK"))


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the run directory against a second process with the same command."""
    if started_by_lightning():  # its parent holds it
        yield
        return
    busy = ConfigError("another process is at work on this run", file=folder,
                       remedy="Wait for it, or change the configuration")  # fmt: skip
    with only_process(folder / ".lock", busy):
        yield


def summary(folder: Path, result: dict[str, Any]) -> str:
    """The end of a run: what it found, and the files to look at."""
    from ecgvision.systems import get_system

    names = ("report.html", "metrics.json", "predictions.parquet", "bundle")
    made = [str(folder / name) for name in names if (folder / name).exists()]
    return "\n".join([get_system(result["exp"]).summary(result), *made])


def run(config: dict[str, Any]) -> Path:
    """Prepare the data, train, evaluate and export; returns the run directory.

    A finished run is not repeated unless `force`; an unfinished one is taken up where it stopped.
    """
    started = time.monotonic()
    if not config["exp"]:
        raise ConfigError("name a system", remedy="Add +exp=vizecg; --help lists them")
    from experiments import stages
    from experiments.sources import images, stores

    stages.check(config)
    config["data"]["store"] = stores(config["data"])
    drawn = images(config["data"])
    if "images" in config["data"]:
        config["data"]["images"] = [str(pages.folder) for pages in drawn]

    import lightning as L
    import yaml
    from lightning.pytorch.loggers import WandbLogger

    from ecgvision.core import run_folder
    from ecgvision.core.atomic_io import atomic_file, remove_unfinished
    from ecgvision.nn.checkpoints import load_weights
    from ecgvision.nn.training.quiet import silence_lightning
    from ecgvision.systems import get_system
    from ecgvision.systems.base import Training, reads_pages
    from experiments.run_id import by_other_code, code, run_id
    from experiments.train import fit, history
    from experiments.trainer_settings import keeps_nothing
    from experiments.wandb_log import finish

    silence_lightning()
    system = get_system(config["exp"])
    cohort = system.cohort(config)
    # what is wrong is said now, not when the first stage is through; of what pages a reader's run
    # reads, only the reader knows
    if stages.stage_names(config) and not reads_pages(config):
        system.data(config, cohort).setup()
    stages.prepare(config, run)
    hashes = [cohort.hash, *(pages.hash for pages in drawn), *stages.weights_hashes(config)]
    identity = run_id(config, hashes, cohort.scheme.hash)
    folder = Path(config["run_dir"]).expanduser().resolve() / config["exp"] / identity
    others = by_other_code(folder)
    done = folder / run_folder.METRICS
    if others and config["any_code"] and not config["force"] and not done.is_file():
        folder, done = others[0], others[0] / run_folder.METRICS
        print(f"Made by other code than today's, taken as any_code=true: {folder}")
    elif others:
        print(f"Made by other code than today's (any_code=true takes it): {others[0]}")
    if done.is_file() and not config["force"]:
        print(f"Finished before (force=true repeats it): {folder}")
        print(summary(folder, run_folder.read_metrics(folder)))
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder):
        if config["force"] and not started_by_lightning():
            for child in folder.iterdir():
                if child.name != ".lock":
                    shutil.rmtree(child) if child.is_dir() else child.unlink()
        if not started_by_lightning():
            for place in (folder, (folder / run_folder.BEST).parent):
                if place.is_dir():
                    remove_unfinished(place)
        with atomic_file(folder / run_folder.CONFIG_FILE) as part:
            text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
            part.write_text(text, encoding="utf-8")
        L.seed_everything(config["seed"], workers=True, verbose=False)
        data = system.data(config, cohort)
        data.setup()
        task = system.build_task(config, data, pretrained=True)
        if not started_by_lightning():
            print(f"Run {folder}", flush=True)
        trainer = fit(config, task, data, folder, identity, system.monitor(config))
        if not trainer.is_global_zero:
            return folder
        if trainer.interrupted:
            raise Interrupted(
                f"{folder}: interrupted; the same command goes on from the last checkpoint"
            )
        if trial := keeps_nothing(config["trainer"]):
            print(f"Trained; nothing was kept or judged, as {trial} is set")
            return folder
        load_weights(task, folder / run_folder.BEST, label_hash=cohort.scheme.hash)
        training = Training(folder, code(), started, history(folder),
                            seen=stages.seen(config, cohort, folder))  # fmt: skip
        result = system.judge(config, task, data, training)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                finish(logger, folder, result)
    print(summary(folder, result))
    return folder


@command()
def main() -> None:
    """Compose the configuration of the command line, and run it."""
    words = sys.argv[1:]
    if usage.asks_help(words):
        print(usage.help_text(words))
        return
    import hydra

    from experiments.configure import configure, register_defaults, settable

    if words[-2:] == ["--cfg", "job"] or words[-3:] == ["--cfg", "job", "--resolve"]:
        import yaml

        config = configure(words[: words.index("--cfg")])
        print(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        return
    register_defaults()
    sys.argv[1:] = settable(words)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # else Hydra prints what it refuses, and exits with 1
    hydra.main(version_base="1.3", config_path=".", config_name="config")(_run_composed)()


def _run_composed(config: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig

    from experiments.configure import resolved

    # Hydra prints a line of its own on an exception, not on an exit
    if code := ending(lambda: run(resolved(config, HydraConfig.get().overrides.task))):
        sys.exit(code)


if __name__ == "__main__":
    sys.exit(main())
