"""`+exp=mvkt`: MVKT-ECG, a 12-lead teacher and a student of one or few leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecgvision.core.errors import ConfigError, about_setting
from ecgvision.nn.encoder_names import check_signal_encoder, lead_names
from ecgvision.nn.losses.names import NEGATIVES
from ecgvision.nn.losses.pair_settings import named_pairs
from ecgvision.systems.base import Config, base_arguments
from ecgvision.systems.checkpoint_checks import check_teacher
from ecgvision.systems.labelled import LabelledSystem
from ecgvision.systems.mvkt.settings import MvktSettings
from ecgvision.systems.signal.system import SignalSystem, fit_scale

if TYPE_CHECKING:
    from torch import nn

    from ecgvision.data.cohort import Cohort
    from ecgvision.data.module import EcgDataModule
    from ecgvision.evaluate.metrics.operating_points import OperatingPoints
    from ecgvision.nn.signal_student import SignalStudent
    from ecgvision.nn.training.teacher import Teacher
    from ecgvision.systems.mvkt.task import MvktTask

STREAMS = ("student", "teacher")


class Mvkt(LabelledSystem):
    """`+exp=mvkt`: knowledge transfer from a 12-lead teacher to a student of few leads."""

    settings = MvktSettings

    def streams(self, config: Config) -> tuple[str, ...]:
        return STREAMS

    def check_settings(self, config: Config) -> None:
        super().check_settings(config)
        SignalSystem().patches(config)
        check_signal_encoder(config["model"]["encoder"], "model.encoder")
        with about_setting("data.student_leads"):
            leads = lead_names(config["data"]["student_leads"])
        teacher = config["teacher"]
        if teacher["exp"] != "signal":
            raise ConfigError("a teacher is a run of +exp=signal", value=teacher["exp"])
        if missing := [lead for lead in leads if lead not in lead_names(teacher["model"]["leads"])]:
            raise ConfigError("teacher.model.leads lacks leads of the student", value=missing)
        if config["loss"]["clt_negatives"] not in NEGATIVES:
            raise ConfigError(f"loss.clt_negatives must be one of {NEGATIVES}",
                              value=config["loss"]["clt_negatives"])  # fmt: skip
        named_pairs(**_pairs(config))

    def check_checkpoints(self, config: Config) -> None:
        if (teacher := config["teacher"]["checkpoint"]) is not None:
            check_teacher(teacher, config)

    def can_be_filled(self, config: Config) -> bool:
        return True

    def student(self, config: Config, network: nn.Module, points: OperatingPoints) -> SignalStudent:
        from ecgvision.nn.signal_student import SignalStudent

        return SignalStudent(
            network, "signal", cut=SignalSystem().patches(config),
            leads=lead_names(config["data"]["student_leads"]),
            temperature=points.temperature, thresholds=points.thresholds,
        ).eval()  # fmt: skip

    def data(self, config: Config, cohort: Cohort) -> EcgDataModule:
        return SignalSystem().data(config, cohort)

    def task(self, config: Config, data: EcgDataModule, *, pretrained: bool) -> MvktTask:
        import torch

        from ecgvision.systems.teacher import load_teacher

        leads = lead_names(config["data"]["student_leads"])
        with torch.random.fork_rng(devices=[]):  # same student initialisation for any teacher
            teacher = load_teacher(config["teacher"]["checkpoint"], config, data, leads=leads,
                                   build=SignalSystem().network)  # fmt: skip
        task = make_task(config, data, teacher)
        if pretrained:
            fit_scale(task.model, data, config)  # type: ignore[arg-type]
        return task


def make_task(config: Config, data: EcgDataModule, teacher: Teacher) -> MvktTask:
    """Return the task around a new student."""
    import torch

    from ecgvision.nn.losses.features import FeatureDistillation
    from ecgvision.nn.losses.pairs import Distillation
    from ecgvision.nn.signal_net import SignalNet
    from ecgvision.systems.mvkt.contrastive import ContrastiveTransfer
    from ecgvision.systems.mvkt.task import MvktTask

    cohort, loss = data.cohort, config["loss"]
    leads = lead_names(config["data"]["student_leads"])
    student = SignalNet(len(cohort.scheme.codes), leads=leads, **config["model"])
    widths = (student.width, teacher.network.width)
    rows = data.positions("train")
    contrastive = None
    if loss["clt_weight"]:
        contrastive = ContrastiveTransfer(
            *widths, len(rows), torch.from_numpy(cohort.targets[rows]), seed=config["seed"],
            **_clt(loss),
        )  # fmt: skip
    return MvktTask(
        student,
        teacher,
        distillation=Distillation(**_pairs(config)),
        contrastive=contrastive,
        features=FeatureDistillation(*widths) if loss["feature_weight"] else None,
        row_of={int(cohort.index[p]): row for row, p in enumerate(rows)},
        weights={name: loss[f"{name}_weight"] for name in ("bce", "clt", "feature")},
        **base_arguments(config),
    )  # fmt: skip


def _pairs(config: Config) -> dict[str, Any]:
    """Return the arguments of `Distillation`."""
    loss = config["loss"]
    return {
        "weights": loss["distill"], "kind": loss["kd_kind"], "temperature": loss["kd_temperature"],
        "reduction": loss["kd_reduction"], "streams": STREAMS,
    }  # fmt: skip


def _clt(loss: Config) -> dict[str, Any]:
    return {
        "size": loss["clt_size"],
        "negatives": loss["clt_negatives"],
        "k": loss["clt_k"],
        "temperature": loss["clt_temperature"],
        "momentum": loss["clt_momentum"],
    }
