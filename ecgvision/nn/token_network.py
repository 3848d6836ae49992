"""Interface of signal classifiers that expose their tokens."""

from __future__ import annotations

from torch import Tensor, nn


class TokenNetwork(nn.Module):
    """A classifier that encodes a signal as tokens and predicts logits from them.

    Attributes:
        token_width: features F of a token.
        token_per_patch: whether each token is a patch of one lead, so that a patch that was not
            printed has no token.

    Shape:
        value, observed: (B, 12, P, L) patches in mV, and the mask of observed samples. A single
        patch as long as the window is the signal itself.
    """

    token_width: int
    token_per_patch: bool

    def tokens(self, value: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, N, F) tokens, and (B, N) a mask of those with observed samples."""
        raise NotImplementedError

    def decide(self, tokens: Tensor, present: Tensor) -> dict[str, Tensor]:
        """Return the (B, C) logits of tokens, by stream."""
        raise NotImplementedError
