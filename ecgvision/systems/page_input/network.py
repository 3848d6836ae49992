"""A page reader and a signal network as one classifier of pages.

The network gets the reader's signal where the reader found print, masked elsewhere, like a signal
under a layout's mask. Our own design.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError
from ecgvision.nn.token_network import TokenNetwork
from ecgvision.reader.page_reader import PageReader


class PageNet(nn.Module):
    """A page reader followed by a signal network.

    A sample counts as observed if its probability of being printed is at least one half. On a page
    without any such sample, the one with the highest probability counts. The gradient passes
    straight through this threshold (Bengio, Leonard and Courville 2013), so the classification loss
    trains both waveform and presence of the reader.

    The reader always runs in evaluation mode: its batch norms are not updated, and it locates the
    rows itself, in training too.

    Args:
        reader: a trained reader.
        network: takes (B, 12, P, L) patches or (B, 12, 1, T) signals with their masks.
        length: samples of the window; samples beyond the reader's output are not observed.
        patch_length, stride: of the network's patches, in samples.
        frozen: do not train the reader's weights.

    Shape:
        image: (B, 3, H, W) uint8; result: the network's dict of (B, C) logits.

    Raises:
        ConfigError: for patches that do not fit the window.
    """

    def __init__(
        self, reader: PageReader, network: TokenNetwork, *, length: int, patch_length: int,
        stride: int, frozen: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if not 1 <= patch_length <= length or stride < 1:
            raise ConfigError("patches do not fit the window", value=(patch_length, stride, length))
        if (read := reader.length) > length:
            raise ConfigError("the reader reads more than the window", value=(read, length))
        self.reader, self.network = reader, network
        self.length, self.patch_length, self.stride = length, patch_length, stride
        self.frozen = frozen
        if frozen:
            reader.requires_grad_(False)

    def train(self, mode: bool = True) -> PageNet:
        super().train(mode)
        self.reader.eval()
        return self

    def see(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Read pages: (B, 12, P, L) mV, 0 where nothing was found, and the mask."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            read = self.reader(image)
        presence = read["presence"].sigmoid()
        likeliest = presence.flatten(1).amax(1)[:, None, None]
        observed = presence >= likeliest.clamp(max=0.5)
        hard = observed.to(presence.dtype)
        value = read["signal"] * (hard + presence - presence.detach())
        return self.cut(value), self.cut(observed)

    def cut(self, signal: Tensor) -> Tensor:
        """Cut signals or masks (B, 12, T) into the network's patches, (B, 12, P, L)."""
        whole = F.pad(signal, (0, self.length - signal.shape[-1]))
        return whole.unfold(2, self.patch_length, self.stride)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        value, observed = self.see(image)
        network: Callable[..., dict[str, Tensor]] = self.network
        if not self.training:  # `dense` avoids packing, which cannot be exported as a graph
            network = getattr(self.network, "dense", network)
        return network(value, observed)


class PageLogits(nn.Module):
    """Returns the logits of a network's only stream, as the tower of a `Student`.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, C).
    """

    def __init__(self, network: nn.Module, stream: str) -> None:
        super().__init__()
        self.network, self.stream = network, stream

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image)[self.stream]
