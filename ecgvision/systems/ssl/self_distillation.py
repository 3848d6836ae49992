"""Self-distillation without labels (DINO, Caron et al. 2021, arXiv 2104.14294).

In plain float32 on one device in training mode, `DINOLoss` of the package lightly gives the same
numbers. This loss also stays in float32 under mixed precision, keeps its centre in evaluation mode,
and weights batches of unequal size on several processes by their number of records.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.training.distributed import summed


class DINOLoss(nn.Module):
    """Cross-entropy between the centred, sharpened teacher and the student, over pairs of views.

    The loss is the mean of `-sum softmax((t_q - c) / teacher) log softmax(s_v / student)` over
    records, global views q of the teacher and views v != q of the student. In training mode, the
    centre c then becomes `m c + (1 - m) mean(t)`, with the mean over views, records and processes.
    (The public code of Phan et al. divides this mean by the number of views and records a second
    time, so that its centre stays near 0.)

    Args:
        outputs: number of prototypes D.
        student_temperature: 0.1 (Caron et al.).
        teacher_temperature: 0.04 (Phan et al., arXiv 2210.06297, public code).
        centre_momentum: m, 0.9 (Caron et al.).

    Shape:
        teacher: (G, B, D) outputs for the global views; student: (V, B, D) outputs for all views in
        the same order, the G global ones first; result: scalar.

    Raises:
        ConfigError: for settings out of range.
        DataError: for outputs whose shapes do not match.
    """

    centre: Tensor

    def __init__(
        self,
        outputs: int,
        *,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        centre_momentum: float = 0.9,
    ) -> None:
        super().__init__()
        if outputs < 2:
            raise ConfigError("self-distillation needs two prototypes or more", value=outputs)
        for name, value in (
            ("student_temperature", student_temperature),
            ("teacher_temperature", teacher_temperature),
        ):
            if not 0 < value < float("inf"):
                raise ConfigError(f"{name} must be positive", value=value)
        if not 0 <= centre_momentum < 1:
            raise ConfigError("centre_momentum must lie in [0, 1)", value=centre_momentum)
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.centre_momentum = centre_momentum
        self.register_buffer("centre", torch.zeros(outputs))

    def probabilities(self, teacher: Tensor) -> Tensor:
        """Compute the teacher's target distribution over prototypes, (..., D), without gradient."""
        with torch.autocast(teacher.device.type, enabled=False):
            centred = teacher.detach().float() - self.centre
            return (centred / self.teacher_temperature).softmax(-1)

    def forward(self, teacher: Tensor, student: Tensor) -> Tensor:
        self._check(teacher, student)
        targets = self.probabilities(teacher)
        with torch.autocast(student.device.type, enabled=False):
            s = student.float() / self.student_temperature
            norm = s.logsumexp(-1)  # (V, B); -sum p log softmax(s) is norm - sum p s
            # all pairs of views, less those of a view with itself
            norms = len(teacher) * norm.sum() - norm[: len(teacher)].sum()
            products = (targets.sum(0) * s.sum(0)).sum() - (targets * s[: len(teacher)]).sum()
        terms = len(teacher) * (len(student) - 1) * teacher.shape[1]
        loss = (norms - products) / terms
        if self.training:
            self.update_centre(teacher)
        return loss

    @torch.no_grad()
    def update_centre(self, teacher: Tensor) -> None:
        """Move the centre towards the mean of outputs (..., D)."""
        outputs = teacher.detach().float().flatten(0, -2)
        count = torch.full((1,), float(len(outputs)), device=outputs.device)
        total = summed(torch.cat([outputs.sum(0), count]))
        self.centre.lerp_(total[:-1] / total[-1], 1 - self.centre_momentum)

    def _check(self, teacher: Tensor, student: Tensor) -> None:
        shapes = (tuple(teacher.shape), tuple(student.shape))
        if teacher.ndim != 3 or student.ndim != 3 or teacher.shape[1:] != student.shape[1:]:
            raise DataError("teacher and student must both be (views, B, D)", value=shapes)
        if teacher.shape[-1] != len(self.centre) or not teacher.numel():
            raise DataError(f"outputs must be (views, B, {len(self.centre)})", value=shapes)
        if len(student) < max(2, len(teacher)):
            raise DataError(
                "the student must see two views or more, among them all of the teacher's",
                value=shapes,
            )
