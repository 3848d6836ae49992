"""Training task of self-supervised pretraining."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ecgvision.nn.losses.collapse import (
    SPREAD,
    Collapse,
    Verdict,
    check_finite,
    collapse,
    feature_std,
)
from ecgvision.nn.training.task import BaseTask, Batch
from ecgvision.systems.ssl.methods import Method
from ecgvision.systems.ssl.pretrain_inputs import Branch

COLLAPSE_RECORDS = 512
"""Records checked for collapse, the last of each epoch: our default.

Twice the number that `collapse` needs."""

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def final_decay(step: int, steps: int, *, start: float, end: float) -> float:
    """Return the weight decay, from `start` to `end` along half a cosine (Caron et al. 2021)."""
    return end + (start - end) * (1 + math.cos(math.pi * min(step / max(steps, 1), 1.0))) / 2


class PretrainTask(BaseTask):
    """Trains a branch with a self-supervised method and checks it for collapse after each epoch.

    Prefixes in checkpoints: `pretrained_encoder.BACKBONE` for the encoder, `STANDARDISE` for the
    moments of its input, `model.head.` and `method.` for the rest.

    Args:
        branch: encoder and head.
        views: makes (V, B, ...) views of a batch from a seed.
        method: the loss, and the parts that are updated after each step.
        final_weight_decay: final value of the weight decay, reached along half a cosine; None for
            a constant weight decay.
        Others: see `BaseTask`.
    """

    figures: Tensor

    def __init__(
        self, branch: Branch, views: nn.Module, method: Method, *,
        final_weight_decay: float | None = None, **base: Any,
    ) -> None:  # fmt: skip
        super().__init__(branch, (), **base)
        self.input, self.method = views, method
        self.final_weight_decay = final_weight_decay
        # Of the last epoch: spread, used, unsure and the index of the verdict.
        self.register_buffer("figures", torch.full((4,), float("nan")))
        self._seen: list[tuple[Tensor, Tensor | None]] = []

    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        parts = [self.seed, self.global_step, self.global_rank, 1]
        seed = int(np.random.SeedSequence(parts).generate_state(1)[0])
        answer = self.method(self.model, self.input(batch, seed))
        self._seen.append((answer.features, answer.assignments))
        if sum(len(f) for f, _ in self._seen[1:]) >= COLLAPSE_RECORDS:
            self._seen.pop(0)
        return {}, {"pretraining": answer.loss}

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self._seen.clear()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        if self.final_weight_decay is None:
            return
        steps, optimizer = int(self.trainer.estimated_stepping_batches), self.optimizers()
        group = optimizer.param_groups[0]  # type: ignore[union-attr]
        group["weight_decay"] = final_decay(
            self.global_step, steps, start=self.settings.weight_decay, end=self.final_weight_decay
        )

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        branch: Any = self.model
        self.method.follow(branch, self.global_step, int(self.trainer.estimated_stepping_batches))

    def on_train_epoch_end(self) -> None:
        found = self._watched()
        values = [found.spread, found.used, found.unsure, VERDICTS.index(found.verdict)]
        self.figures.copy_(torch.tensor(values))
        named = {"spread": found.spread, "used": found.used, "unsure": found.unsure}
        known = {f"train/{name}": v for name, v in named.items() if math.isfinite(v)}
        self.log_dict(known, sync_dist=True)
        self.log("train/collapsed", float(found.verdict != "healthy"), sync_dist=True)
        if found.verdict != "healthy" and self.trainer.is_global_zero:
            print(
                f"Epoch {self.current_epoch}: the network collapses ({found.verdict})", flush=True
            )

    def _watched(self) -> Collapse:
        features = torch.cat([f.float() for f, _ in self._seen])[-COLLAPSE_RECORDS:]
        given = [a for _, a in self._seen if a is not None]
        if given:
            return collapse(features, torch.cat(given)[-COLLAPSE_RECORDS:])
        check_finite(features)
        spread = float(feature_std(features).mean()) * math.sqrt(features.shape[1])
        verdict: Verdict = "healthy" if spread >= SPREAD else "constant features"
        return Collapse(spread, float("nan"), float("nan"), verdict)

    @property
    def verdict(self) -> Verdict:
        """The collapse verdict of the epoch that the weights are from.

        Raises:
            ValueError: before the first epoch has ended.
        """
        return VERDICTS[int(self.figures[3])]
