"""A linear classifier of the ink in a coarse grid of the page: network, task and system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.settings import setting
from ecgvision.data.paired import PairedDataModule
from ecgvision.nn.student import Student
from ecgvision.nn.training.task import BaseTask
from ecgvision.systems.base import base_arguments
from ecgvision.systems.labelled import LabelledSystem
from ecgvision.systems.pages import page_data
from ecgvision.systems.settings import PairedData


class InkNet(nn.Module):
    """(B, 3, H, W) uint8 to (B, C) logits."""

    def __init__(self, labels: int, cells: int) -> None:
        super().__init__()
        self.cells, self.head = cells, nn.Linear(cells * cells, labels)

    def forward(self, image: Tensor) -> Tensor:
        ink = 1 - image.float().mean(1, keepdim=True) / 255
        return self.head(F.adaptive_avg_pool2d(ink, self.cells).flatten(1))


class InkTask(BaseTask):
    def compute(self, batch: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        logits = self.model(batch["image"])
        loss = F.binary_cross_entropy_with_logits(logits, batch["target"])
        return {"ink": logits}, {"bce": loss}


@dataclass(kw_only=True)
class Model:
    cells: int = setting(4, help="cells along each side of the page", at_least=1)


@dataclass(kw_only=True)
class InkSettings:
    data: PairedData
    model: Model


class InkSystem(LabelledSystem):
    """`+exp=ink`."""

    settings = InkSettings

    def streams(self, config: Any) -> tuple[str, ...]:
        return ("ink",)

    def data(self, config: Any, cohort: Any) -> PairedDataModule:
        return page_data(config, cohort)

    def task(self, config: Any, data: Any, *, pretrained: bool) -> InkTask:
        network = InkNet(len(data.cohort.scheme.codes), config["model"]["cells"])
        return InkTask(network, self.streams(config), **base_arguments(config))

    def student(self, config: Any, network: nn.Module, points: Any) -> Student:
        return Student(
            network, nn.Identity(), image_size=config["data"]["image_size"],
            temperature=points.temperature, thresholds=points.thresholds,
        ).eval()  # fmt: skip
