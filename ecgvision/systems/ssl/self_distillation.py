"""Self-distillation without labels (DINO, Caron et al. 2021, arXiv 2104.14294).

lightly's `DINOLoss` gives the same numbers in plain float32. This one exists for what happens
around them: it stays in float32 under mixed precision, moves its centre in training only, keeps
its schedule in the checkpoint, and weighs uneven batches of several processes by their records.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.training.distributed import summed


class DINOLoss(nn.Module):
    """Cross-entropy from the centred, sharpened teacher to the student, over pairs of views.

    The mean over global views q of the teacher, views v != q of the student and records of
    `-sum softmax((t_q - c) / teacher) log softmax(s_v / student)`. In training mode the centre
    then becomes `m c + (1 - m) mean(t)`, with the true mean over views, records and processes;
    Phan et al.'s public code divides it by the number twice, so that its centre stays near 0.

    Args:
        outputs: prototypes D.
        student_temperature: 0.1 (Caron et al.).
        teacher_temperature: 0.04 (Phan et al., arXiv 2210.06297, their public code).
        warmup_temperature, warmup_steps: the teacher's temperature goes from the first to
            `teacher_temperature` in so many training steps, linearly. None by default, as there;
            Caron et al. go from 0.04 to 0.07 where that is unstable.
        centre_momentum: m, 0.9 (Caron et al.).

    Shape:
        teacher: (G, B, D) outputs for the global views; student: (V, B, D) for all views, in the
        same order, the G global ones first; result: scalar.

    Raises:
        ConfigError: for settings that make no sense.
        DataError: for outputs whose shapes do not fit together.
    """

    centre: Tensor
    step: Tensor

    def __init__(
        self,
        outputs: int,
        *,
        student_temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        warmup_temperature: float = 0.04,
        warmup_steps: int = 0,
        centre_momentum: float = 0.9,
    ) -> None:
        super().__init__()
        if outputs < 2:
            raise ConfigError("self-distillation needs two prototypes or more", value=outputs)
        for name, value in (
            ("student_temperature", student_temperature),
            ("teacher_temperature", teacher_temperature),
            ("warmup_temperature", warmup_temperature),
        ):
            if not 0 < value < float("inf"):
                raise ConfigError(f"{name} must be positive", value=value)
        if warmup_steps < 0:
            raise ConfigError("warmup_steps must not be negative", value=warmup_steps)
        if not 0 <= centre_momentum < 1:
            raise ConfigError("centre_momentum must lie in [0, 1)", value=centre_momentum)
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.warmup_temperature, self.warmup_steps = warmup_temperature, warmup_steps
        self.centre_momentum = centre_momentum
        self.register_buffer("centre", torch.zeros(outputs))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    @property
    def temperature(self) -> Tensor | float:
        """The teacher's temperature at the present step; on the device where it changes."""
        if not self.warmup_steps:
            return self.teacher_temperature
        rise = self.teacher_temperature - self.warmup_temperature
        return self.warmup_temperature + rise * (self.step / self.warmup_steps).clamp(max=1)

    def probabilities(self, teacher: Tensor) -> Tensor:
        """What the teacher asks for, (..., D), without gradient."""
        with torch.autocast(teacher.device.type, enabled=False):
            return ((teacher.detach().float() - self.centre) / self.temperature).softmax(-1)

    def forward(self, teacher: Tensor, student: Tensor) -> Tensor:
        self._check(teacher, student)
        asked = self.probabilities(teacher)
        with torch.autocast(student.device.type, enabled=False):
            s = student.float() / self.student_temperature
            norm = s.logsumexp(-1)  # (V, B); -sum p log softmax(s) is norm - sum p s
            # all pairs of views, less those of a view with itself
            norms = len(teacher) * norm.sum() - norm[: len(teacher)].sum()
            products = (asked.sum(0) * s.sum(0)).sum() - (asked * s[: len(teacher)]).sum()
        terms = len(teacher) * (len(student) - 1) * teacher.shape[1]
        loss = (norms - products) / terms
        if self.training:
            self.update_centre(teacher)
        return loss

    @torch.no_grad()
    def update_centre(self, teacher: Tensor) -> None:
        """Move the centre towards the mean of (..., D) outputs, and count the step."""
        outputs = teacher.detach().float().flatten(0, -2)
        count = torch.full((1,), float(len(outputs)), device=outputs.device)
        total = summed(torch.cat([outputs.sum(0), count]))
        self.centre.lerp_(total[:-1] / total[-1], 1 - self.centre_momentum)
        self.step += 1

    def _check(self, teacher: Tensor, student: Tensor) -> None:
        shapes = (tuple(teacher.shape), tuple(student.shape))
        if teacher.ndim != 3 or student.ndim != 3 or teacher.shape[1:] != student.shape[1:]:
            raise DataError("teacher and student must both be (views, B, D)", value=shapes)
        if teacher.shape[-1] != len(self.centre) or not teacher.numel():
            raise DataError(f"outputs must be (views, B, {len(self.centre)})", value=shapes)
        if len(student) < max(2, len(teacher)):
            raise DataError(
                "the student must see all views of the teacher, and two at least", value=shapes
            )
