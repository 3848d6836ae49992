"""Settings of `+exp=signal`, and those of all systems that read partly masked signals."""

from __future__ import annotations

from dataclasses import dataclass

from ecgvision.core.settings import setting
from ecgvision.nn.encoder_names import signal_encoders
from ecgvision.systems.base import INPUTS
from ecgvision.systems.settings import MaskData, MaskedLoss, ReaderPages


@dataclass(kw_only=True)
class SignalData(MaskData, ReaderPages):
    pass


@dataclass(kw_only=True)
class PageInput:
    """Weights that a run starts from, and the reader before its network; part of `model`."""

    weights: str | None = setting(
        None, help="RUN of the same system, of signals or of pages, to start from"
    )
    reader: str | None = setting(
        None, help="RUN of +exp=read, of input=page; shipped: the package's reader"
    )
    reader_frozen: bool = setting(
        False, help="leave the reader as it is; our default: what a diagnosis needs, it may teach"
    )


@dataclass(kw_only=True)
class SignalNetwork:
    """Arguments of a signal network; part of the section `model`."""

    encoder: str = setting("${sized:xresnet1d18,resnet1d_wang}", help="network over the samples",
                           choices=signal_encoders)  # fmt: skip
    scale: str = setting("lead", help="global: one mean and spread for all leads",
                         choices=("lead", "global"))  # fmt: skip
    dropout: float = setting(0.1, help="before the last layer", at_least=0, below=1)


@dataclass(kw_only=True)
class AnyLeads:
    leads: str | list[str] | None = setting(None, help="e.g. [I,II]; null: all twelve")


@dataclass(kw_only=True)
class SignalModel(SignalNetwork, AnyLeads, PageInput):
    pass


@dataclass(kw_only=True)
class PageLoss(MaskedLoss):
    kd_temperature: float = setting(1.0, help="of distillation from the teacher", above=0)
    tokens: float = setting(
        1.0, help="weight of what each patch (signal: each step in time) is made of, brought to "
        "the teacher's", at_least=0,
    )  # fmt: skip


@dataclass(kw_only=True)
class SignalLoss(PageLoss):
    distill: dict[str, float] = setting(
        {"teacher_to_signal": 1.0}, help="weight of the teacher's logits, where there is a teacher"
    )


@dataclass(kw_only=True)
class SignalTeacher:
    checkpoint: str | None = setting(
        None, help="of input=page: RUN of the same system on signals, which teaches, frozen"
    )


@dataclass(kw_only=True)
class MaskedSettings:
    """What every system of one stream of signals has."""

    input: str = setting(
        "signal", choices=INPUTS,
        help="page: the picture of it, read by model.reader; then data.layouts are those of pages, "
        "and nothing else is hidden",
    )  # fmt: skip
    data: SignalData
    teacher: SignalTeacher
    reader: dict = setting(help="settings of the reader; the run writes them down")


@dataclass(kw_only=True)
class SignalSettings(MaskedSettings):
    model: SignalModel
    loss: SignalLoss
