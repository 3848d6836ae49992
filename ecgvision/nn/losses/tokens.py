"""Token distillation: feature distillation of each patch's token."""

from __future__ import annotations

from torch import Tensor, nn

from ecgvision.core.errors import DataError
from ecgvision.nn.losses.features import FeatureDistillation


class TokenDistillation(nn.Module):
    """`FeatureDistillation` of the tokens selected by a mask, all with equal weight.

    The layer from the student's to the teacher's size starts as the identity where both sizes are
    equal. The loss then starts at 0 for a student that is a copy of its teacher.

    Args:
        student_channels, teacher_channels: numbers of features Fs and Ft of a token.

    Shape:
        student: (B, N, Fs); teacher: (B, N, Ft); counts: (B, N) bool, the mask; result: scalar, the
        mean over selected tokens, 0 if none is selected.

    Raises:
        ConfigError: for a number of channels below 1.
        DataError: for tokens of another shape.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.compare = FeatureDistillation(student_channels, teacher_channels)
        if student_channels == teacher_channels:
            nn.init.eye_(self.compare.project.weight)
            nn.init.zeros_(self.compare.project.bias)

    def forward(self, student: Tensor, teacher: Tensor, counts: Tensor) -> Tensor:
        if student.shape[:2] != counts.shape or teacher.shape[:2] != counts.shape:
            raise DataError(
                "tokens of student and teacher must be as many, with a mask of them",
                value=[tuple(v.shape) for v in (student, teacher, counts)],
                remedy="Student and teacher need the same patches, or the same encoder",
            )
        if not counts.any():
            return student.sum() * 0.0
        return self.compare(student[counts], teacher[counts])
