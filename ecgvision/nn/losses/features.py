"""Feature distillation: cosine loss between student and teacher features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError, DataError


class FeatureDistillation(nn.Module):
    """Half the squared distance between student and teacher features, both scaled to length 1.

    The hints of FitNets (Romero et al. 2015, eq. 3): a learned layer maps the student's features
    to the teacher's size, and the loss is half the squared Euclidean distance. We add the scaling
    to length 1, so that the loss does not depend on the size or scale of the teacher's features.
    It then equals 1 - cosine, in [0, 2]. The layer is linear because both features are pooled over
    time. It trains with the student and is discarded afterwards. The teacher gets no gradient.

    Args:
        student_channels, teacher_channels: numbers of features Fs and Ft.

    Shape:
        student_features: (B, Fs); teacher_features: (B, Ft); result: scalar, mean over the batch.

    Raises:
        ConfigError: for a number of features below 1.
        DataError: for features of another shape, or an empty batch.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        for name, value in (("student", student_channels), ("teacher", teacher_channels)):
            if value < 1:
                raise ConfigError(f"{name} features must be at least one", value=value)
        self.project = nn.Linear(student_channels, teacher_channels)

    def forward(self, student_features: Tensor, teacher_features: Tensor) -> Tensor:
        batch = len(student_features)
        for name, features, size in (
            ("student", student_features, self.project.in_features),
            ("teacher", teacher_features, self.project.out_features),
        ):
            if features.shape != (batch, size) or not batch:
                raise DataError(
                    f"{name} features must be (B, {size}), both of one B of at least 1",
                    value=tuple(features.shape),
                )
        with torch.autocast(student_features.device.type, enabled=False):
            ours = self.project(student_features.to(self.project.weight.dtype))
            theirs = teacher_features.detach().to(ours.dtype)
            gap = F.normalize(ours) - F.normalize(theirs)
            return gap.square().sum(1).mean() / 2
