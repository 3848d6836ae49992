"""Training tasks of networks that read partly masked signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.nn.losses.focal import focal
from ecgvision.nn.losses.names import check_masked_loss
from ecgvision.nn.training.task import BaseTask, Batch
from ecgvision.systems.page_input.network import PageNet
from ecgvision.systems.page_input.page_distillation import PageDistillation


class MaskedTask(BaseTask):
    """Task with one classification loss on one stream.

    Args:
        model: maps `value` and `observed`, both (B, 12, P, L), to a dict of logits.
        stream: key of the logits.
        name: `focal` (PatchECG) or `bce`.
        focal_alpha, focal_gamma: see `focal`.
        Others: see `BaseTask`.
    """

    def __init__(
        self, model: nn.Module, stream: str, *, name: str = "focal", focal_alpha: float = 1.0,
        focal_gamma: float = 2.0, **base: Any,
    ) -> None:  # fmt: skip
        super().__init__(model, (stream,), **base)
        check_masked_loss(name)
        self.name, self.alpha, self.gamma = name, focal_alpha, focal_gamma

    def answer(self, batch: Batch) -> dict[str, Tensor]:
        """Return the network's logits by stream."""
        return self.model(batch["value"], batch["observed"])

    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        logits = self.answer(batch)
        return logits, self.classify(logits, batch)

    def classify(self, logits: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Return the classification loss, keyed by its name."""
        z, target = logits[self.streams[0]], batch["target"]
        if self.name == "bce":
            return {"bce": F.binary_cross_entropy_with_logits(z.float(), target)}
        if self.name == "focal":
            return {"focal": focal(z, target, alpha=self.alpha, gamma=self.gamma)}
        raise NotImplementedError(f"the loss {self.name} is named, but not computed here")


class PageTask(MaskedTask):
    """`MaskedTask` for a network that reads pages (`PageNet`), with optional distillation.

    Args:
        distillation: losses from a signal teacher, used in training only; None for no teacher.
        Others: see `MaskedTask`.
    """

    def __init__(
        self,
        model: PageNet,
        stream: str,
        *,
        distillation: PageDistillation | None = None,
        **base: Any,
    ) -> None:
        super().__init__(model, stream, **base)
        self.distillation = distillation

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **named: Any) -> Any:
        """Load a state dict; weights of the distillation are ignored if the task has none."""
        if self.distillation is None:
            state_dict = {k: v for k, v in state_dict.items() if not k.startswith("distillation.")}
        return super().load_state_dict(state_dict, *args, **named)

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.model.train()  # Lightning keeps modes as they are; `PageNet.train` resets the reader's

    def answer(self, batch: Batch) -> dict[str, Tensor]:
        return self.model(batch["image"])

    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        if self.distillation is None or not self.training:
            return super().compute(batch)
        model = self.model
        assert isinstance(model, PageNet)
        tokens, present = model.network.tokens(*model.see(batch["image"]))
        logits = model.network.decide(tokens, present)
        taught = self.distillation(model, tokens, present, logits, batch)
        return logits, self.classify(logits, batch) | taught
