"""Settings of `+exp=vizecg`.

`${oc.select:start.KEY,DEFAULT}` is the setting of the run `model.image_checkpoint`, where that is a
reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from ecgvision.core.settings import setting
from ecgvision.nn.encoder_names import signal_encoders
from ecgvision.nn.losses.pair_settings import DIRECTIONS, KINDS
from ecgvision.systems.settings import PairedData, StandardPage
from ecgvision.systems.vizecg.streams import VARIANTS, Streams


@dataclass(kw_only=True)
class Data(StandardPage, PairedData):
    image_size: list[int] = setting(
        "${oc.select:start.data.image_size,${sized:[192,256],[288,384]}}",
        help="[height,width] of the network's input", at_least=32,
    )  # fmt: skip


@dataclass(kw_only=True)
class Model:
    image_encoder: str = setting(
        "${oc.select:start.model.image_encoder,tracenet}",
        help="tracenet (our own, small, learns from few records), readnet, or any timm name",
    )
    signal_encoder: str = setting("${sized:resnet1d_lite,resnet1d_wang}", help="of the signal",
                                  choices=signal_encoders)  # fmt: skip
    pretrained: bool = setting(
        False, help="start the image encoder from the hub's weights; without a hub: "
        "tf_efficientnet_lite0 with the extra [imagenet]",
    )  # fmt: skip
    image_checkpoint: str | None = setting(
        None, help="the image encoder starts from this RUN: of +exp=read (or shipped), whose "
        "encoder and page size are then taken, or of +exp=ssl_pretrain model.modality=image",
    )  # fmt: skip
    width: int = setting(128, help="of both streams behind their encoders", at_least=1)
    heads: int = setting(8, help="heads of attention", at_least=1)
    dropout: float = setting(0.1, help="before the last layers", at_least=0, below=1)
    variant: str = setting("A1", help="A1: the image path never sees the signal", choices=VARIANTS)
    smam: bool = setting(True, help="self-modal attention")
    cmam: bool = setting(
        True, help="cross-modal attention and its perceptrons; the signal stream is then named "
        "signal+image, as it sees both",
    )  # fmt: skip
    fused: bool = setting(True, help="the head over both streams, and its loss (A1)")
    streams: str = setting("both", help="streams of the network", choices=get_args(Streams))


@dataclass(kw_only=True)
class Loss:
    kd_weight: float = setting(1.0, help="of distillation; 0 turns it off", at_least=0)
    kd_temperature: float = setting(1.0, help="of distillation", above=0)
    kd_direction: str = setting("symmetric", help="who teaches whom",
                                choices=("symmetric", *DIRECTIONS))  # fmt: skip
    kd_kind: str = setting("bernoulli", help="distance of logits", choices=KINDS)
    distill: dict[str, float] = setting(
        {"teacher_to_image": 1.0},
        help="weights of further pairs of streams A_to_B, the teacher's among them",
    )


@dataclass(kw_only=True)
class Teacher:
    checkpoint: str | None = setting(
        None, help="RUN of +exp=signal: it teaches, frozen, from the whole record"
    )
    cache: bool = setting(False, help="keep its answers, where records always look the same")


@dataclass(kw_only=True)
class VizECGSettings:
    data: Data
    model: Model
    loss: Loss
    teacher: Teacher
