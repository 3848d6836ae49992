"""LSTM over the samples, one or both ways."""

from __future__ import annotations

from torch import Tensor, nn


class Lstm1d(nn.Module):
    """Stacked LSTM whose outputs at every sample are the features.

    The defaults are the PTB-XL benchmark's (Strodthoff et al. 2021, its public code): two layers
    of 256, no dropout between them.

    Args:
        leads: input channels.
        hidden: features of a layer in one direction.
        layers: layers stacked.
        bidirectional: read both ways; the first `hidden` channels are the last layer's reading
            forward, over what the layer before read both ways.

    Shape:
        x: (B, leads, T); result: (B, hidden, T), or (B, 2 * hidden, T) if bidirectional.
    """

    def __init__(
        self, leads: int = 12, *, hidden: int = 256, layers: int = 2, bidirectional: bool = False
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            leads, hidden, num_layers=layers, batch_first=True, bidirectional=bidirectional
        )
        self.channels, self.stride = hidden * (1 + bidirectional), 1

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x.transpose(1, 2))[0].transpose(1, 2)
