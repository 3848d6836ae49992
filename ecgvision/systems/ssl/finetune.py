"""`+exp=ssl_finetune`: a classifier of crops, optionally with pretrained encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import ConfigError
from ecgvision.nn.encoder_names import check_signal_encoder
from ecgvision.systems.base import Config, base_arguments, loader_arguments, names
from ecgvision.systems.checkpoint_checks import check_backbone
from ecgvision.systems.labelled import LabelledSystem
from ecgvision.systems.ssl.pretrain import crop_settings, modality
from ecgvision.systems.ssl.settings import SIGNALS, FinetuneSettings
from ecgvision.systems.stage_checks import check_stage

if TYPE_CHECKING:
    from ecgvision.data.cohort import Cohort
    from ecgvision.data.crops import CropDataModule
    from ecgvision.data.module import EcgDataModule
    from ecgvision.systems.ssl.finetune_task import FinetuneTask
    from ecgvision.systems.ssl.network import Fusion, GatedNet


def fusion(config: Config) -> Fusion:
    """Return the fusion; the setting `none` stands for the modality alone.

    Raises:
        ConfigError: for an unknown fusion or modality.
    """
    given = config["fusion"]
    if given == "none":
        return "time" if modality(config, SIGNALS) == "time" else "spectrogram"
    if given not in ("gate", "concat"):
        raise ConfigError("fusion must be gate, concat or none", value=given)
    return given


class SslFinetune(LabelledSystem):
    """`+exp=ssl_finetune`, and the second stage of `+exp=ssl`."""

    settings = FinetuneSettings

    def streams(self, config: Config) -> tuple[str, ...]:
        kind = fusion(config)
        if kind in SIGNALS:
            return (kind,)
        heads = names(config["model"]["heads"])
        return ("fused", *(h for h in heads if h != "fused"))

    def needs(self, config: Config, stage: str) -> bool:
        kind = fusion(config)
        return kind not in SIGNALS or kind == stage

    def keys_without_effect(self, config: Config) -> tuple[str, ...]:
        return ("ssl",)  # affects the stages only, whose weights are part of the run id

    def check_settings(self, config: Config) -> None:
        kind = fusion(config)
        used = (kind,) if kind in SIGNALS else SIGNALS
        super().check_settings(config)
        crop_settings(config)
        if "time" in used:
            check_signal_encoder(config["model"]["time_encoder"], "model.time_encoder")
        if strangers := set(self.streams(config)) - {"fused", *used}:
            raise ConfigError("model.heads may hold fused, time and spectrogram",
                              value=sorted(strangers))  # fmt: skip
        given = {name: config[name]["checkpoint"] for name in SIGNALS}
        for name in used:
            if given[name] is None and config[name].get("exp"):  # the stage will be trained
                check_stage(config, name, name, "time_encoder" if name == "time" else None)
                given[name] = name
        self._check(config, given, used)

    def check_checkpoints(self, config: Config) -> None:
        for kind in SIGNALS:
            if (given := config[kind]["checkpoint"]) is not None:
                check_backbone(f"{kind}.checkpoint", given, kind, config)

    def data(self, config: Config, cohort: Cohort) -> CropDataModule:
        from ecgvision.data.crops import CropDataModule

        data = config["data"]
        return CropDataModule(
            cohort, crop_settings(config), augment=data["augment"],
            label_fraction=data["label_fraction"], **loader_arguments(config),
        )  # fmt: skip

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> FinetuneTask:
        from ecgvision.systems.ssl.finetune_task import FinetuneTask, encoders
        from ecgvision.systems.ssl.network import GatedNet, xavier_

        model = config["model"]
        network = GatedNet(
            len(data.cohort.scheme.codes), fusion=fusion(config), streams=self.streams(config),
            time_encoder=model["time_encoder"], rate=config["data"]["signal_rate"],
            official_raw_gate=model["official_raw_gate"],
        )  # fmt: skip
        given = {kind: config[kind]["checkpoint"] for kind in SIGNALS}
        present = encoders(network)
        self._check(config, given, tuple(present))
        if pretrained:
            xavier_(network)
            for kind, encoder in present.items():
                self._start(network, kind, encoder, given[kind], config, data.cohort)
        return FinetuneTask(network, probe=config["probe"], **base_arguments(config))

    def _check(self, config: Config, given: dict[str, Any], present: tuple[str, ...]) -> None:
        for kind, checkpoint in given.items():
            if checkpoint is not None and kind not in present:
                raise ConfigError(
                    f"{kind}.checkpoint is given, but the network has no such encoder",
                    value={"fusion": config["fusion"], "model.modality": modality(config)},
                    remedy=f"Leave it out, or set fusion=gate or model.modality={kind}",
                )
            if checkpoint is None and kind in present and config["probe"]:
                raise ConfigError("a probe needs pretrained encoders", value=f"no {kind}",
                                  remedy=f"Set {kind}.checkpoint=RUN, or probe=false")  # fmt: skip

    def _start(
        self, network: GatedNet, kind: str, encoder: Any, checkpoint: str | None, config: Config,
        cohort: Cohort,
    ) -> None:  # fmt: skip
        """Load weights and moments of a pretraining, or fit the moments to the training data."""
        from ecgvision.systems.pretrained_encoder import fit_moments, load_backbone

        standardise: Any
        quantity: Any
        if kind == "time":
            standardise, quantity = network.time_input, lambda signal: signal
        else:
            quantity, standardise = network.spectrogram_input
        if checkpoint is not None:
            load_backbone(encoder, checkpoint, kind, config, cohort, standardise)
        else:
            fit_moments(standardise, quantity, cohort, config, std_per_lead=kind == "time")
