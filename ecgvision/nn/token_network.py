"""What a classifier of signals is to those that stand before it or learn from its tokens."""

from __future__ import annotations

from torch import Tensor, nn


class TokenNetwork(nn.Module):
    """A classifier that makes tokens of a signal, and decides by them.

    Attributes:
        token_width: features F of a token.
        token_per_patch: whether a token is a patch of one lead, so that one which was not printed
            has no token.

    Shape:
        value, observed: (B, 12, P, L) patches in mV, and which samples were observed; one patch as
        long as the window is the signal.
    """

    token_width: int
    token_per_patch: bool

    def tokens(self, value: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, F) tokens, and (B, N) which of them stand for something observed."""
        raise NotImplementedError

    def decide(self, tokens: Tensor, present: Tensor) -> dict[str, Tensor]:
        """Tokens to (B, C) logits by stream."""
        raise NotImplementedError
