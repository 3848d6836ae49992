"""Unidirectional or bidirectional LSTM over the samples."""

from __future__ import annotations

from torch import Tensor, nn


class Lstm1d(nn.Module):
    """Stacked LSTM with an output at every sample.

    The defaults are the PTB-XL benchmark's (Strodthoff et al. 2021, its public code): two layers
    of 256, no dropout between them.

    Args:
        leads: input channels.
        hidden: features per direction of a layer.
        layers: number of stacked layers.
        bidirectional: run in both directions; the first `hidden` channels are the forward
            direction of the last layer, whose input has both directions of the layer before.

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
