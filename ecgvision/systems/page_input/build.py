"""`input=page`: a signal network behind a page reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.data.cohort import Cohort
from ecgvision.data.module import EcgDataModule
from ecgvision.data.patch_settings import PatchSettings
from ecgvision.evaluate.metrics.operating_points import OperatingPoints
from ecgvision.nn.checkpoints import load_weights
from ecgvision.nn.losses.pairs import Distillation
from ecgvision.nn.losses.tokens import TokenDistillation
from ecgvision.nn.student import Student
from ecgvision.nn.token_network import TokenNetwork
from ecgvision.systems.base import Config
from ecgvision.systems.leakage import refuse_leakage
from ecgvision.systems.page_input.network import PageLogits, PageNet
from ecgvision.systems.page_input.page_distillation import PageDistillation
from ecgvision.systems.read.system import make_reader
from ecgvision.systems.teacher import load_teacher


def page_network(
    config: Config, network: TokenNetwork, cohort: Cohort, *, cut: PatchSettings,
    pretrained: bool,
) -> PageNet:  # fmt: skip
    """Return a network behind the reader of the configuration.

    Args:
        cut: how windows are cut into patches.
        pretrained: whether to load the reader's weights from its run; a re-opened run has its own.

    Raises:
        ConfigError: if the configuration lacks its reader's settings, or the reader's run has not
            finished or has seen records that this run is evaluated on.
    """
    if "reader" not in config:
        raise ConfigError("the configuration lacks its reader's settings",
                          remedy="Runs are made by experiments.run")  # fmt: skip
    reader = make_reader(config["reader"], pretrained=False)
    if pretrained:
        path = Path(config["model"]["reader"])
        refuse_leakage(path, cohort, who="the reader", judged="this run")
        load_weights(reader, path, prefix="model.")
    length = round(config["data"]["seconds"] * config["data"]["signal_rate"])
    return PageNet(reader, network, length=length, patch_length=cut.patch_length, stride=cut.stride,
                   frozen=config["model"]["reader_frozen"])  # fmt: skip


def distillation_from_signals(
    config: Config, data: EcgDataModule, network: TokenNetwork, stream: str, *,
    build: Callable[[Config, int], TokenNetwork],
    distill: Mapping[str, float] | None = None, kd_temperature: float = 1.0, tokens: float = 1.0,
) -> PageDistillation:  # fmt: skip
    """Return the distillation from the run `teacher.checkpoint` of the same system on signals.

    Args:
        build: creates a network from the teacher's configuration and the number of labels.
        distill: weights of pairs, see `Distillation`.
        kd_temperature: temperature of the distillation of logits.
        tokens: weight of the distillation of tokens.

    Raises:
        ConfigError: as `load_teacher`, or for invalid weights.
    """
    if not tokens >= 0:
        raise ConfigError("loss.tokens must not be negative", value=tokens)
    teacher = load_teacher(config["teacher"]["checkpoint"], config, data, leads=LEADS,
                           build=build, exp=config["exp"])  # fmt: skip
    pairs = Distillation(distill or {}, temperature=kd_temperature, streams=(stream, "teacher"))
    compare = TokenDistillation(network.token_width, teacher.network.token_width)
    return PageDistillation(teacher, pairs, compare, weight=tokens)


def page_student(
    config: Config, network: nn.Module, points: OperatingPoints, stream: str
) -> Student:
    """Return the student: the complete path from page to decisions."""
    return Student(
        PageLogits(network, stream), nn.Identity(), image_size=config["data"]["image_size"],
        temperature=points.temperature, thresholds=points.thresholds,
    ).eval()  # fmt: skip
