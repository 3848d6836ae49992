"""Settings of `+exp=patchecg`.

Marked "ours": where the public code has a bug, or the project holds to one rule for all systems.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecgvision.core.settings import setting
from ecgvision.systems.signal.settings import MaskedSettings, PageInput, PageLoss, SignalData


@dataclass(kw_only=True)
class PatchData(SignalData):
    patch_length: int = setting(64, help="samples of a patch", at_least=1)
    patch_stride: int | None = setting(
        None, help="samples from patch to patch; null: side by side", at_least=1
    )


@dataclass(kw_only=True)
class Model(PageInput):
    patch_encoder: str = setting(
        "${sized:linear,net1d}",
        help="net1d, linear, or a file with a pretrained single-lead Net1D",
    )
    width: int = setting("${sized:128,768}", help="of the transformer", at_least=1)
    depth: int = setting(3, help="blocks of the transformer", at_least=1)
    heads: int = setting(8, help="heads of its attention", at_least=1)
    dropout: float = setting(0.0, help="of the transformer", at_least=0, below=1)
    s3: str = setting(
        "none", choices=("none", "before_cls", "official"),
        help="segments shuffled and stitched; none is ours: the paper's mixes tokens over the page",
    )  # fmt: skip
    lead_embedding: bool = setting(True, help="tell tokens of different leads apart")
    time_embedding: bool = setting(True, help="tell tokens of different times apart")
    joint_embedding: bool = setting(False, help="one embedding for each lead and time")
    official_uniform_attention: bool = setting(False, help="the public code's inverted mask")
    packed: bool = setting(
        True, help="leave missing tokens out before the transformer: the same answers, sooner "
        "where little is observed",
    )  # fmt: skip


@dataclass(kw_only=True)
class Loss(PageLoss):
    distill: dict[str, float] = setting(
        {"teacher_to_patches": 1.0}, help="weight of the teacher's logits, where there is a teacher"
    )


@dataclass(kw_only=True)
class PatchECGSettings(MaskedSettings):
    data: PatchData
    model: Model
    loss: Loss
