"""Distillation from a signal teacher to a student that reads pages of the same records."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ecgvision.nn.losses.pairs import Distillation
from ecgvision.nn.losses.tokens import TokenDistillation
from ecgvision.nn.training.task import Batch
from ecgvision.nn.training.teacher import Teacher
from ecgvision.systems.page_input.network import PageNet


class PageDistillation(nn.Module):
    """Distillation of logits, and of tokens where they were printed.

    The teacher sees the signal of the batch: the complete record or its printed part
    (`data.signal_window`). A patch that was printed but not found has no student token, so it
    does not contribute.

    Args:
        teacher: a trained network of the student's system.
        pairs: distillation of logits between the student's stream and `teacher`.
        tokens: distillation loss of tokens.
        weight: weight of `tokens`.
    """

    def __init__(
        self, teacher: Teacher, pairs: Distillation, tokens: TokenDistillation, *, weight: float
    ) -> None:
        super().__init__()
        self.teacher, self.pairs, self.tokens, self.weight = teacher, pairs, tokens, weight

    def forward(
        self, student: PageNet, tokens: Tensor, present: Tensor, logits: Mapping[str, Tensor],
        batch: Batch,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Return the weighted terms of the loss.

        Args:
            student: the student.
            tokens, present: tokens of the student's network and their mask, (B, N, F) and (B, N).
            logits: (B, C) by stream.
            batch: with `signal`, `observed` and `printed`.
        """
        taught, known, answer = self.teacher.tokens(
            student.cut(batch["signal"]), student.cut(batch["observed"])
        )
        parts = self.pairs({**logits, "teacher": answer})
        if self.weight:
            counts = present & known if present.shape == known.shape else present
            if student.network.token_per_patch:
                counts = counts & student.cut(batch["printed"]).any(-1).flatten(1)
            parts["tokens"] = self.weight * self.tokens(tokens, taught, counts)
        return parts
