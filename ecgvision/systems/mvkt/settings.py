"""Settings of `+exp=mvkt`."""

from __future__ import annotations

from dataclasses import dataclass

from ecgvision.core.settings import setting
from ecgvision.nn.losses.names import NEGATIVES
from ecgvision.nn.losses.pair_settings import KINDS, REDUCTIONS
from ecgvision.systems.settings import MaskData, MaskedLoss
from ecgvision.systems.signal.settings import AnyLeads, SignalNetwork


@dataclass(kw_only=True)
class Data(MaskData):
    student_leads: str | list[str] = setting(
        ["I"], help="what the student reads, e.g. [I] or [I,II]"
    )


@dataclass(kw_only=True)
class Loss:
    bce_weight: float = setting(1.0, help="of the labels; 0 leaves them out", at_least=0)
    distill: dict[str, float] = setting(
        {"teacher_to_student": 1.0}, help="weight of multi-label distillation (MKD)"
    )
    kd_kind: str = setting("bernoulli", help="distance of logits", choices=KINDS)
    kd_temperature: float = setting(1.0, help="of distillation", above=0)
    kd_reduction: str = setting("sum", help="over labels; sum as the public code has it",
                                choices=REDUCTIONS)  # fmt: skip
    clt_weight: float = setting(0.8, help="of contrastive transfer; 0 leaves it out", at_least=0)
    clt_negatives: str = setting("disjoint", help="disjoint: records that share no label",
                                 choices=NEGATIVES)  # fmt: skip
    clt_k: int = setting(1024, help="negatives of a record", at_least=1)
    clt_size: int = setting(128, help="width of the memory banks", at_least=1)
    clt_temperature: float = setting(0.07, help="of contrastive transfer", above=0)
    clt_momentum: float = setting(0.5, help="of the memory banks", at_least=0, at_most=1)
    feature_weight: float = setting(0.0, help="of features; 0 leaves them out", at_least=0)


@dataclass(kw_only=True)
class TeacherModel(SignalNetwork, AnyLeads):
    pass


@dataclass(kw_only=True)
class Teacher:
    checkpoint: str | None = setting(
        None, help="RUN of +exp=signal; null: trained first, as a run of its own"
    )
    cache: bool = setting(False, help="keep its answers: where records always look the same")
    exp: str = setting("signal", help="system of the teacher", choices=("signal",))
    without: list[str] = setting(
        ["data.student_leads"], help="settings of this run that the teacher does not inherit"
    )
    model: TeacherModel
    loss: MaskedLoss


@dataclass(kw_only=True)
class MvktSettings:
    data: Data
    model: SignalNetwork
    loss: Loss
    teacher: Teacher
