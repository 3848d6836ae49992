"""What a teacher of signals teaches a student of pages, against the parts of it by hand."""

from __future__ import annotations

import torch

from ecgvision.nn.losses.distillation import bernoulli_kl
from ecgvision.nn.losses.pairs import Distillation
from ecgvision.nn.losses.tokens import TokenDistillation
from ecgvision.nn.signal_net import SignalNet
from ecgvision.nn.training.optimizer import OptimizerSettings
from ecgvision.nn.training.teacher import Teacher
from ecgvision.reader.networks.dense_head import BACKGROUND
from ecgvision.reader.page_reader import PageReader
from ecgvision.systems.page_input.network import PageNet
from ecgvision.systems.page_input.page_distillation import PageDistillation
from ecgvision.systems.patchecg.network import PatchECG
from ecgvision.systems.signal.task import PageTask

CUTS = {"patches": {"patch_length": 64, "stride": 64}, "signal": {"patch_length": 1000,
                                                                  "stride": 1000}}  # fmt: skip


def network(stream: str, seed: int = 0) -> PatchECG | SignalNet:
    torch.manual_seed(seed)
    if stream == "signal":
        return SignalNet(3, encoder="resnet1d_lite", dropout=0.0)
    return PatchECG(3, width=16, heads=2, depth=1, patch_encoder="linear")


def task(stream: str, *, weight: float = 0.5) -> PageTask:
    torch.manual_seed(0)
    reader = PageReader("readnet", (64, 96), width=16)
    with torch.no_grad():
        reader.cells.answer.weight[: BACKGROUND + 1] = 0
        reader.cells.answer.bias[: BACKGROUND + 1] = -8
        reader.cells.answer.bias[1] = 8.0  # lead II is printed
    student, teacher = network(stream), network(stream, 1)
    lesson = PageDistillation(
        Teacher(teacher), Distillation({f"teacher_to_{stream}": 2.0}, streams=(stream, "teacher")),
        TokenDistillation(student.token_width, teacher.token_width), weight=weight,
    )  # fmt: skip
    page_net = PageNet(reader, student, length=1000, **CUTS[stream])
    return PageTask(
        page_net,
        stream,
        name="bce",
        distillation=lesson,
        optimizer=OptimizerSettings(lr=1e-3, weight_decay=0.0),
    )


def batch() -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    printed = torch.zeros(4, 12, 1000, dtype=torch.bool)
    printed[:, :2, :500] = True  # leads I and II, five seconds
    return {
        "image": torch.randint(0, 256, (4, 3, 64, 96), dtype=torch.uint8, generator=g),
        "signal": torch.randn(4, 12, 1000, generator=g), "printed": printed,
        "observed": torch.ones(4, 12, 1000, dtype=torch.bool),
        "target": (torch.rand(4, 3, generator=g) < 0.5).float(),
    }  # fmt: skip


def test_tokens_of_patches_are_taught_where_they_were_printed_and_found() -> None:
    ours, given = task("patches").train(), batch()
    logits, parts = ours.compute(given)
    net, teacher = ours.model, ours.distillation.teacher.network
    value, observed = net.see(given["image"])
    tokens, present = net.network.tokens(value, observed)
    cut = given["signal"][..., :960].unflatten(2, (15, 64))
    with torch.no_grad():
        taught, _ = teacher.tokens(cut, torch.ones_like(cut, dtype=torch.bool))
        answer = teacher(cut, torch.ones_like(cut, dtype=torch.bool))["patches"]
    grid = torch.zeros(12, 15, dtype=torch.bool)
    grid[:2, :8] = True  # 500 samples reach into the eighth patch of 64
    counts = present & grid.flatten()
    assert 0 < counts.sum() < present.sum()
    gaps = 1 - torch.cosine_similarity(tokens[counts], taught[counts], dim=1)
    torch.testing.assert_close(parts["tokens"], 0.5 * gaps.mean(), atol=1e-5, rtol=1e-4)
    wanted = 2.0 * bernoulli_kl(answer, logits["patches"])
    torch.testing.assert_close(parts["kd_teacher_to_patches"], wanted)
    assert set(parts) == {"bce", "tokens", "kd_teacher_to_patches"}


def test_every_step_of_a_signal_network_is_taught_and_its_reader_learns() -> None:
    ours = task("signal").train()
    _, parts = ours.compute(batch())
    parts["tokens"].backward()
    grads = {k: p.grad for k, p in ours.named_parameters() if p.grad is not None}
    assert any(k.startswith("model.reader.ink.") and g.any() for k, g in grads.items())
    assert any(k.startswith("model.network.encoder.") and g.any() for k, g in grads.items())
    assert all(p.grad is None for p in ours.distillation.teacher.network.parameters())
    assert not any("teacher" in k for k in ours.state_dict())


def test_nothing_is_taught_in_evaluation_or_without_weight() -> None:
    assert set(task("signal").eval().compute(batch())[1]) == {"bce"}
    assert "tokens" not in task("signal", weight=0.0).train().compute(batch())[1]
