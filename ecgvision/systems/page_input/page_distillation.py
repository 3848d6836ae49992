"""What a teacher of signals teaches a student that reads the same records off their pages."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ecgvision.nn.losses.pairs import Distillation
from ecgvision.nn.losses.tokens import TokenDistillation
from ecgvision.nn.training.task import Batch
from ecgvision.nn.training.teacher import Teacher
from ecgvision.systems.page_input.network import PageNet


class PageDistillation(nn.Module):
    """Distillation of tokens, where they were printed, and of logits.

    The teacher sees the signal of the batch, the whole record or what was printed of it
    (`data.signal_window`). A patch that was printed but not found is no token of the student's, so
    nothing is taught there.

    Args:
        teacher: a trained network of the student's system.
        pairs: of the student's stream and `teacher`.
        tokens: the loss of one token; weight: of it.
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
        """The weighted parts of the loss.

        Args:
            tokens, present: of the student's network, (B, N, F) and (B, N).
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
