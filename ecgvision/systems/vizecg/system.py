"""`+exp=vizecg`: VizECGNet, an image and a signal stream; the image stream is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.nn.encoder_names import check_image_encoder, check_signal_encoder
from ecgvision.nn.losses.pair_settings import mutual, named_pairs
from ecgvision.systems.base import Config, base_arguments
from ecgvision.systems.checkpoint_checks import check_backbone, check_teacher
from ecgvision.systems.labelled import LabelledSystem
from ecgvision.systems.pages import page_data, page_settings
from ecgvision.systems.signal.system import SignalSystem
from ecgvision.systems.stage_checks import check_stage
from ecgvision.systems.vizecg.settings import VizECGSettings
from ecgvision.systems.vizecg.streams import check_streams, stream_names

if TYPE_CHECKING:
    from torch import nn

    from ecgvision.data.cohort import Cohort
    from ecgvision.data.module import EcgDataModule
    from ecgvision.data.paired import PairedDataModule
    from ecgvision.evaluate.metrics.operating_points import OperatingPoints
    from ecgvision.nn.student import Student
    from ecgvision.systems.vizecg.task import VizECGTask


class VizECG(LabelledSystem):
    """`+exp=vizecg`: an image stream trained together with a signal stream."""

    settings = VizECGSettings

    def streams(self, config: Config) -> tuple[str, ...]:
        model = config["model"]
        return stream_names(**{key: model[key] for key in ("streams", "variant", "cmam", "fused")})

    def needs(self, config: Config, stage: str) -> bool:
        model = config["model"]
        alone = model["streams"] != "signal" and model.get("image_checkpoint") is None
        return alone if stage == "image" else True

    def check_settings(self, config: Config) -> None:
        super().check_settings(config)
        model = config["model"]
        check_streams(model["streams"], model["variant"])
        images = model["streams"] != "signal"
        settings = page_settings(config, images=images)
        start = model.get("image_checkpoint")  # older runs lack this key
        stage = config.get("image", {})
        first = stage.get("exp") and stage["checkpoint"] is None and self.needs(config, "image")
        if first:
            check_stage(config, "image", "image", "image_encoder")
        given = start is not None or stage.get("checkpoint") is not None
        if (first or given) and (model["pretrained"] or model["streams"] == "signal"):
            raise ConfigError(
                "a pretraining is where the image encoder starts",
                value={key: model[key] for key in ("pretrained", "streams")},
                remedy="Set model.pretrained=false and model.streams to both or image",
            )
        if images:
            check_image_encoder(model["image_encoder"], settings.image_size,
                                pretrained=model["pretrained"])  # fmt: skip
        if model["streams"] != "image":
            check_signal_encoder(model["signal_encoder"])
        teacher = config.get("teacher", {}).get("checkpoint") is not None
        named_pairs(**self._pairs(config, taught=teacher))

    def check_checkpoints(self, config: Config) -> None:
        if (start := config["model"]["image_checkpoint"]) is not None:
            check_backbone("model.image_checkpoint", start, "image", config)
        if (teacher := config["teacher"]["checkpoint"]) is not None:
            check_teacher(teacher, config)

    def data(self, config: Config, cohort: Cohort) -> PairedDataModule:
        return page_data(config, cohort, images=config["model"]["streams"] != "signal")

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> VizECGTask:
        from ecgvision.data.paired import PairedDataModule
        from ecgvision.nn.losses.pairs import Distillation
        from ecgvision.systems.pretrained_encoder import load_backbone
        from ecgvision.systems.teacher import load_teacher
        from ecgvision.systems.vizecg.network import VizECGNet
        from ecgvision.systems.vizecg.task import VizECGTask

        model = config["model"]
        assert isinstance(data, PairedDataModule)
        start = model.get("image_checkpoint")  # older runs lack this key
        self.check(config)
        network = VizECGNet(
            len(data.cohort.scheme.codes),
            image_size=config["data"]["image_size"],
            signal_length=data.settings.signal_length,
            pretrained=pretrained and model["pretrained"],
            **{key: model[key] for key in (
                "image_encoder", "signal_encoder", "width", "heads", "dropout", "variant", "smam",
                "cmam", "fused", "streams",
            )},
        )  # fmt: skip
        if pretrained and start is not None:
            load_backbone(network.image_tower.encoder, start, "image", config, data.cohort)
        teacher = None
        if pretrained and config["teacher"]["checkpoint"] is not None:  # for training only
            teacher = load_teacher(config["teacher"]["checkpoint"], config, data, leads=LEADS,
                                   build=SignalSystem().network)  # fmt: skip
        return VizECGTask(
            network,
            self.streams(config),
            distillation=Distillation(**self._pairs(config, taught=teacher is not None)),
            teacher=teacher,
            **base_arguments(config),
        )

    def explanations(self, config: Config) -> tuple[str, ...]:
        return () if config["model"]["streams"] == "signal" else ("occlusion",)

    def can_be_filled(self, config: Config) -> bool:
        return config["model"]["streams"] != "image"

    def _pairs(self, config: Config, *, taught: bool) -> dict[str, Any]:
        """Return the arguments of `Distillation`."""
        loss = config["loss"]
        streams = [stream.partition("+")[0] for stream in self.streams(config)]
        if loss["kd_weight"] < 0:
            raise ConfigError("loss.kd_weight must not be negative", value=loss["kd_weight"])
        pairs = mutual(loss["kd_weight"], loss["kd_direction"])
        weights = pairs if {"image", "signal"} <= set(streams) else {}
        further = dict(config["loss"]["distill"])
        if not taught:
            further = {k: v for k, v in further.items() if not k.startswith("teacher_to_")}
        return {
            "weights": weights | further, "kind": loss["kd_kind"],
            "temperature": loss["kd_temperature"],
            "streams": (*streams, "teacher") if taught else tuple(streams),
        }  # fmt: skip

    def student(
        self, config: Config, network: nn.Module, points: OperatingPoints
    ) -> Student | None:
        if config["model"]["streams"] == "signal":
            return None
        from ecgvision.nn.student import Student

        tower: Any = network
        return Student(
            tower.image_tower,
            tower.image_head,
            image_size=config["data"]["image_size"],
            temperature=points.temperature,
            thresholds=points.thresholds,
            standard=config["data"].get("standard_page", False),  # older runs lack this key
        ).eval()
