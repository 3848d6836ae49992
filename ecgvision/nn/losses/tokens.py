"""Token distillation: what a student makes of each patch is brought to what its teacher does."""

from __future__ import annotations

from torch import Tensor, nn

from ecgvision.core.errors import DataError
from ecgvision.nn.losses.features import FeatureDistillation


class TokenDistillation(nn.Module):
    """`FeatureDistillation` of every token that counts, all alike.

    The layer that takes the student's tokens to the teacher's size starts as the identity where
    both have one size: a student that started as its teacher's copy has nothing to learn then.

    Args:
        student_channels, teacher_channels: of a token.

    Shape:
        student: (B, N, Fs); teacher: (B, N, Ft); counts: (B, N) bool; result: scalar, the mean over
        tokens that count, 0 where none does.

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
