"""The system `read`: trains readers, from pages to the waveform of each lead, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import ConfigError
from ecgvision.evaluate.assessment.settings import DEFAULTS
from ecgvision.nn.encoder_names import check_page_reader
from ecgvision.reader.data.page_variation import PageVariation
from ecgvision.systems.base import (
    Config,
    EvaluationOptions,
    System,
    Training,
    base_arguments,
    loader_arguments,
)
from ecgvision.systems.checkpoint_checks import check_weights
from ecgvision.systems.read.pages import reader_settings
from ecgvision.systems.read.settings import ReadSettings

if TYPE_CHECKING:
    from ecgvision.data.cohort import Cohort
    from ecgvision.data.module import EcgDataModule
    from ecgvision.nn.training.task import BaseTask
    from ecgvision.reader.data.module import ReadingDataModule
    from ecgvision.reader.page_reader import PageReader
    from ecgvision.systems.read.task import ReadTask


def make_reader(config: Config, *, pretrained: bool) -> PageReader:
    """Return a new reader for a configuration of `+exp=read`.

    Args:
        pretrained: whether the hub's weights may be downloaded.

    Raises:
        ConfigError: as `PageReader`.
    """
    from ecgvision.reader.page_reader import PageReader

    model, data = config["model"], config["data"]
    return PageReader(
        model["image_encoder"], data["image_size"], pretrained=pretrained and model["pretrained"],
        length=round(data["seconds"] * data["signal_rate"]), seconds=data["seconds"],
        dropout=model["dropout"],
    )  # fmt: skip


class Read(System):
    """The page reader, `+exp=read`."""

    needs_labels = False
    settings = ReadSettings

    def streams(self, config: Config) -> tuple[str, ...]:
        return ()

    def monitor(self, config: Config) -> tuple[str, str] | None:
        return "val/read_correlation", "max"

    def check_settings(self, config: Config) -> None:
        super().check_settings(config)
        settings = reader_settings(config)
        _pages(config)
        _variation(config)
        check_page_reader(config["model"]["image_encoder"], settings.image_size,
                          pretrained=config["model"]["pretrained"])  # fmt: skip

    def check_checkpoints(self, config: Config) -> None:
        if config["model"]["weights"] is not None:
            check_weights(config)

    def data(self, config: Config, cohort: Cohort) -> ReadingDataModule:
        from ecgvision.reader.data.module import ReadingDataModule
        from ecgvision.reader.data.signal_variation import SignalVariation

        return ReadingDataModule(
            cohort, reader_settings(config), pages=_pages(config),
            variation=SignalVariation() if config["data"]["augment"] else None,
            beyond=_variation(config), **loader_arguments(config),
        )  # fmt: skip

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> ReadTask:
        from ecgvision.systems.read.task import WEIGHTS, ReadTask
        from ecgvision.systems.warm_start import start_from_weights

        loss: dict[str, Any] = {"mark": WEIGHTS["mark"], "snr": WEIGHTS["snr"], **config["loss"]}
        share = loss.pop("share", 1.0)  # older runs lack these keys
        if set(loss) != set(WEIGHTS):
            raise ConfigError(f"the parts of reading's loss are {', '.join(WEIGHTS)}",
                              value=sorted(loss))  # fmt: skip
        reader = make_reader(config, pretrained=pretrained)
        if pretrained:
            start_from_weights(reader, config, data.cohort)
        return ReadTask(
            reader, weights=loss, share=share, frozen=config["model"].get("frozen", ()),
            **base_arguments(config),
        )  # fmt: skip

    def judge(
        self, config: Config, task: BaseTask, data: EcgDataModule, training: Training
    ) -> dict[str, Any]:
        from ecgvision.systems.read.judging import judge_reader

        return judge_reader(config, task, data, training)

    def summary(self, result: Mapping[str, Any]) -> str:
        from ecgvision.reader.judge.lines import lines

        return lines(result["reading"]["test"])

    def check_evaluation(self, options: EvaluationOptions, run: str | Path) -> None:
        if options.fill is not None:
            raise ConfigError("a reader takes no --fill", file=run)
        if options.robustness:
            raise ConfigError("a reader takes no --robustness", file=run,
                              remedy="Name --layouts and --artefacts")  # fmt: skip
        if options.assessment != DEFAULTS:
            raise ConfigError("a reader has no labels to choose thresholds of", file=run)

    def evaluate(self, run: Path, options: EvaluationOptions, *, code: str) -> Path:
        from ecgvision.systems.read.evaluation import evaluate_reader

        return evaluate_reader(self, run, options, code=code)


def _pages(config: Config) -> dict[str, int]:
    """Return the number of pages per epoch, for validation and for the test."""
    data = config["data"]
    if data.get("images"):
        raise ConfigError("pages to learn reading from are drawn as they are needed",
                          value=data["images"], remedy="Leave data.images out")  # fmt: skip
    return {"train": data["pages_per_epoch"], "val": data["val_pages"], "test": data["test_pages"]}


def _variation(config: Config) -> PageVariation:
    """Return the page variation beyond the mix; older runs lack some of its keys."""
    data = config["data"]
    return PageVariation(**{f.name: data[f.name] for f in fields(PageVariation) if f.name in data})
