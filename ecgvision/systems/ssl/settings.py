"""Settings of `+exp=ssl_pretrain` and `+exp=ssl_finetune`.

Marked "ours": scaled from 8 local views, 65 536 prototypes and 301 epochs to tens of thousands of
records.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecgvision.core.settings import setting
from ecgvision.nn.encoder_names import signal_encoders
from ecgvision.systems.settings import PairedData, StandardPage

MODALITIES = ("time", "spectrogram", "image")
SIGNALS = ("time", "spectrogram")
METHODS = ("dino", "simclr", "byol")
FUSIONS = ("gate", "concat", "none")


@dataclass(kw_only=True)
class CropData:
    crop_seconds: float = setting(2.5, help="length of a crop", above=0)
    crops: int = setting(1, help="crops of a record in every training epoch", at_least=1)


@dataclass(kw_only=True)
class PretrainData(CropData, StandardPage, PairedData):
    """Crops of signals, or pages of model.modality=image."""


@dataclass(kw_only=True)
class PretrainModel:
    modality: str = setting("time", help="what is pretrained", choices=MODALITIES)
    time_encoder: str = setting(
        "${sized:resnet1d_lite,xresnet1d50}", choices=signal_encoders,
        help="of model.modality=time; spectrograms have an SE-ResNet34",
    )  # fmt: skip
    image_encoder: str = setting(
        "tracenet", help="of model.modality=image: tracenet, readnet or any timm name"
    )


@dataclass(kw_only=True)
class Ssl:
    method: str = setting("dino", help="of pretraining", choices=METHODS)
    global_views: int = setting(2, help="of dino; the others compare two global views", at_least=1)
    local_views: int = setting("${sized:2,4}", help="of dino (ours)", at_least=0)
    momentum: float = setting(
        "${sized:0.99,0.996}", help="of the averaged teacher; in short runs it must follow sooner",
        at_least=0, at_most=1,
    )  # fmt: skip
    final_momentum: float = setting(
        "${.momentum}", help="of the last step; 1 for DINO's own cosine; BYOL always ends at 1",
        at_least=0, at_most=1,
    )  # fmt: skip
    final_weight_decay: float | None = setting(
        0.4, help="where optimizer.weight_decay ends; null keeps it", at_least=0
    )
    choose: str = setting("last", help="the epoch that is kept; loss: of the lowest in training",
                          choices=("last", "loss"))  # fmt: skip


@dataclass(kw_only=True)
class PretrainLoss:
    student_temperature: float = setting(0.1, help="of dino", above=0)
    teacher_temperature: float = setting(0.04, help="of dino", above=0)
    prototypes: int = setting("${sized:512,4096}", help="of dino (ours)", at_least=1)
    temperature: float = setting(0.1, help="of simclr", above=0)
    hidden: int = setting(512, help="width of the head", at_least=1)
    bottleneck: int = setting(128, help="outputs of the head", at_least=1)


@dataclass(kw_only=True)
class PretrainSettings:
    data: PretrainData
    model: PretrainModel
    ssl: Ssl
    loss: PretrainLoss


@dataclass(kw_only=True)
class FinetuneData(CropData):
    crop_stride: float = setting(1.25, help="seconds between crops in evaluation", above=0)
    label_fraction: float = setting(
        1.0, help="share of the training patients, drawn with the seed", above=0, at_most=1
    )


@dataclass(kw_only=True)
class FinetuneModel:
    modality: str = setting("time", help="of fusion=none", choices=SIGNALS)
    heads: str | list[str] = setting(
        ["fused"], help="of gate and concat: time and spectrogram may be judged as well",
        choices=("fused", *SIGNALS),
    )  # fmt: skip
    time_encoder: str = setting(
        "${sized:resnet1d_lite,xresnet1d50}", help="as the checkpoint has it",
        choices=signal_encoders,
    )  # fmt: skip
    official_raw_gate: bool = setting(
        False, help="the published gate, on readings of any size, which ends at one encoder"
    )


@dataclass(kw_only=True)
class FinetuneLoss:
    """Nothing: the labels' cross-entropy."""


@dataclass(kw_only=True)
class Encoder:
    checkpoint: str | None = setting(
        None, help="RUN of +exp=ssl_pretrain; null: new weights, or trained first in +exp=ssl"
    )


@dataclass(kw_only=True)
class StagesSsl:
    method: str = setting(help="of both encoders of +exp=ssl", choices=METHODS)


@dataclass(kw_only=True)
class FinetuneSettings:
    fusion: str = setting(
        "gate", help="of both encoders; none: model.modality alone", choices=FUSIONS
    )
    probe: bool = setting(False, help="leave pretrained encoders as they are")
    data: FinetuneData
    model: FinetuneModel
    loss: FinetuneLoss
    ssl: StagesSsl
    time: Encoder
    spectrogram: Encoder
