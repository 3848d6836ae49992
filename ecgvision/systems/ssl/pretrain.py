"""`+exp=ssl_pretrain`: self-supervised pretraining on signals, spectrograms or pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.data.crop_settings import CropSettings
from ecgvision.nn.encoder_names import check_image_encoder, check_signal_encoder
from ecgvision.systems.base import (
    Config,
    System,
    Training,
    base_arguments,
    loader_arguments,
    names,
)
from ecgvision.systems.pages import page_data, page_settings
from ecgvision.systems.ssl.settings import MODALITIES, PretrainSettings
from ecgvision.systems.ssl.views.checks import check_counts

if TYPE_CHECKING:
    from torch import nn

    from ecgvision.data.cohort import Cohort
    from ecgvision.data.module import EcgDataModule
    from ecgvision.nn.training.task import BaseTask
    from ecgvision.systems.ssl.methods import Method
    from ecgvision.systems.ssl.pretrain_inputs import Branch, PageInput, SpectrogramInput, TimeInput
    from ecgvision.systems.ssl.pretrain_task import PretrainTask
    from ecgvision.systems.ssl.self_distillation import DINOLoss


def crop_settings(config: Config) -> CropSettings:
    """Return the crop settings; pretraining has no stride, so it is the crop length."""
    data = config["data"]
    return CropSettings(
        seconds=data["seconds"],
        rate=data["signal_rate"],
        crop_seconds=data["crop_seconds"],
        crop_stride=data.get("crop_stride", data["crop_seconds"]),
        crops=data["crops"],
        layouts=names(data["layouts"]),
    )


def modality(config: Config, known: tuple[str, ...] = MODALITIES) -> str:
    """Return `model.modality`.

    Raises:
        ConfigError: for an unknown modality.
    """
    given = config["model"]["modality"]
    if given not in known:
        raise ConfigError("unknown model.modality", value=given,
                          remedy=f"Known: {', '.join(known)}")  # fmt: skip
    return given


def _view_counts(config: Config) -> dict[str, Any]:
    """Return the numbers of global and local views of the method."""
    ssl = config["ssl"]
    # SimCLR and BYOL compare two global views.
    alike: dict[str, Any] = {"global_views": 2, "local_views": 0}
    return {key: ssl[key] for key in alike} if ssl["method"] == "dino" else alike


class SslPretrain(System):
    """`+exp=ssl_pretrain`: pretraining of an encoder without labels."""

    settings = PretrainSettings
    needs_labels = False

    def streams(self, config: Config) -> tuple[str, ...]:
        return ()

    def monitor(self, config: Config) -> tuple[str, str] | None:
        return ("train/loss", "min") if config["ssl"]["choose"] == "loss" else None

    def check_settings(self, config: Config) -> None:
        check_counts(**_view_counts(config))
        super().check_settings(config)
        for key in ("ema_decay", "patience"):
            if config["trainer"][key]:
                raise ConfigError(
                    "pretraining has a teacher for an average, and no labels to stop by",
                    value=config["trainer"][key], remedy=f"Set trainer.{key}=0",
                )  # fmt: skip
        model, kind = config["model"], modality(config)
        if kind == "image":
            settings = page_settings(config, images=True)
            check_image_encoder(model["image_encoder"], settings.image_size)
            return
        crop_settings(config)
        if kind == "time":
            check_signal_encoder(model["time_encoder"], "model.time_encoder")

    def check(self, config: Config) -> None:
        super().check(config)
        self._views(config)
        if config["ssl"]["method"] == "dino":
            self._loss(config)

    def data(self, config: Config, cohort: Cohort) -> EcgDataModule:
        from ecgvision.systems.ssl.unlabelled import CropsForPretraining, PagesForPretraining

        if modality(config) == "image":
            return page_data(config, cohort, module=PagesForPretraining)
        return CropsForPretraining(
            cohort, crop_settings(config), augment=config["data"]["augment"],
            **loader_arguments(config),
        )  # fmt: skip

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> PretrainTask:
        from ecgvision.systems.pretrained_encoder import fit_moments
        from ecgvision.systems.ssl.pretrain_inputs import PageInput, TimeInput
        from ecgvision.systems.ssl.pretrain_task import PretrainTask

        self.check(config)
        views = self._views(config)
        if pretrained and not isinstance(views, PageInput):
            fit_moments(views.standardise, views.quantity, data.cohort, config,
                        std_per_lead=isinstance(views, TimeInput))  # fmt: skip
        branch = self._branch(config, data)
        return PretrainTask(
            branch, views, self._method(config, branch),
            final_weight_decay=config["ssl"]["final_weight_decay"], **base_arguments(config),
        )  # fmt: skip

    def judge(
        self, config: Config, task: BaseTask, data: EcgDataModule, training: Training
    ) -> dict[str, Any]:
        from ecgvision.systems.ssl.judging import judge_pretraining

        return judge_pretraining(config, task, data, training)

    def summary(self, result: Mapping[str, Any]) -> str:
        from ecgvision.systems.ssl.judging import headline

        return headline(result)

    def _views(self, config: Config) -> TimeInput | SpectrogramInput | PageInput:
        from ecgvision.systems.ssl.pretrain_inputs import PageInput, SpectrogramInput, TimeInput
        from ecgvision.systems.ssl.views.images import ImageViews
        from ecgvision.systems.ssl.views.signals import SpectrogramViews, TimeViews

        views = _view_counts(config)
        kind = modality(config)
        if kind == "time":
            return TimeInput(TimeViews(**views))
        if kind == "spectrogram":
            rate = config["data"]["signal_rate"]
            return SpectrogramInput(SpectrogramViews(**views), rate=rate)
        return PageInput(ImageViews(**views))

    def _branch(self, config: Config, data: EcgDataModule) -> Branch:
        import torch

        from ecgvision.data.crops import CropDataModule
        from ecgvision.nn.image_encoders.image_encoder import image_encoder
        from ecgvision.systems.ssl.network import SpectrogramEncoder, TimeEncoder
        from ecgvision.systems.ssl.pretrain_inputs import Branch, count_features
        from ecgvision.systems.ssl.projection import DINOHead, byol_head, simclr_head

        model, loss, kind = config["model"], config["loss"], modality(config)
        backbone: nn.Module
        if kind == "image":
            size = tuple(config["data"]["image_size"])
            backbone = image_encoder(model["image_encoder"], size)
            inputs = count_features(backbone, torch.zeros(1, 3, *size, dtype=torch.uint8))
        elif kind == "time":
            backbone = encoder = TimeEncoder(model["time_encoder"])
            inputs = encoder.features
            assert isinstance(data, CropDataModule)
            count_features(backbone, torch.zeros(1, len(LEADS), data.settings.samples))
        else:
            backbone = spectra = SpectrogramEncoder()
            inputs = spectra.features
        sizes: dict[str, Any] = {"hidden": loss["hidden"]}
        if config["ssl"]["method"] == "dino":
            head: nn.Module = DINOHead(
                inputs, loss["prototypes"], bottleneck=loss["bottleneck"], **sizes
            )
        elif config["ssl"]["method"] == "simclr":
            head = simclr_head(inputs, loss["bottleneck"], **sizes)
        else:
            head = byol_head(inputs, loss["bottleneck"], **sizes)
        return Branch(backbone, head)

    def _method(self, config: Config, branch: Branch) -> Method:
        from ecgvision.systems.ssl.methods import Byol, Dino, SimClr

        ssl, loss = config["ssl"], config["loss"]
        if ssl["method"] == "simclr":
            return SimClr(temperature=loss["temperature"])
        if ssl["method"] == "byol":
            return Byol(branch, outputs=loss["bottleneck"], hidden=loss["hidden"],
                        momentum=ssl["momentum"])  # fmt: skip
        return Dino(
            branch,
            self._loss(config),
            global_views=ssl["global_views"],
            momentum=ssl["momentum"],
            final_momentum=ssl["final_momentum"],
        )

    def _loss(self, config: Config) -> DINOLoss:
        from ecgvision.systems.ssl.self_distillation import DINOLoss

        loss = config["loss"]
        return DINOLoss(
            loss["prototypes"],
            student_temperature=loss["student_temperature"],
            teacher_temperature=loss["teacher_temperature"],
        )
