"""A frozen teacher network that is neither trained nor saved with the student."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Teacher:
    """Holds a frozen network outside every module tree.

    The network is therefore not part of the optimizer, of distributed training or of checkpoints,
    and `.train()` of the task does not affect it. It is moved to the device of its input.

    Args:
        network: has `features` and `head` as `SignalNet`; for `tokens`, it has `tokens` and
            `decide` as `SignalNet` and `PatchECG`.
        remember: number of records whose outputs are cached by `index`; 0 caches none. Valid only
            if a record always looks the same: no augmentation, no mask, one layout.
    """

    def __init__(self, network: nn.Module, *, remember: int = 0) -> None:
        self.network: Any = network.eval().requires_grad_(False)
        self.remember = remember
        self._known: Tensor | None = None
        self._answers: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def __call__(
        self, value: Tensor, observed: Tensor, index: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return features (B, F) and logits (B, C) of signals (B, 12, …) mV, in float32.

        Args:
            index: (B,) int64, rows of the records over all stores; needed for caching.
        """
        if index is not None and self._known is not None and self._answers is not None:
            index = index.to(self._known.device)
            if bool(self._known[index].all()):
                features, logits = (kept[index].to(value.device) for kept in self._answers)
                return features, logits
        self.network.to(value.device)
        features = self.network.features(value, observed)
        answer = features.float(), self.network.head(features).float()
        if self.remember and index is not None:
            self._keep(index, *answer)
        return answer

    @torch.no_grad()
    def tokens(self, value: Tensor, observed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens (B, N, F), their mask (B, N) and logits (B, C), in float32."""
        self.network.to(value.device)
        tokens, present = self.network.tokens(value, observed)
        (logits,) = self.network.decide(tokens, present).values()
        return tokens.float(), present, logits.float()

    def _keep(self, index: Tensor, *answer: Tensor) -> None:
        if self._known is None or self._answers is None:
            self._known = torch.zeros(self.remember, dtype=torch.bool, device=index.device)
            empty = [part.new_zeros(self.remember, part.shape[1]) for part in answer]
            self._answers = empty[0], empty[1]
        for kept, part in zip(self._answers, answer, strict=True):
            kept[index] = part
        self._known[index] = True
