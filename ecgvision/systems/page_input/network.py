"""A page reader and a network of signals as one: picture in, diagnosis out.

The network sees what the reader read where it found something printed, and nothing elsewhere, as it
would see a signal under a layout's mask. Our own design.
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
    """Reader, then a network of signals.

    A sample counts as observed where it was more likely printed than not; of a page where no sample
    was, the likeliest. That step has the slope of the probability itself (straight-through: Bengio,
    Leonard and Courville 2013), so that a diagnosis teaches the reader waveform and presence alike.

    The reader's batch norms keep what they have learned, and it finds its rows by itself, in
    training too.

    Args:
        reader: a trained one.
        network: takes (B, 12, P, L) patches or (B, 12, 1, T) signals with their masks.
        length: samples of the window; what the reader leaves of it is not observed.
        patch_length, stride: of the network's patches, in samples.
        frozen: leave the reader's weights as they are.

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
        """What is read of pages: (B, 12, P, L) mV, 0 where nothing was found, and the mask."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            read = self.reader(image)
        presence = read["presence"].sigmoid()
        likeliest = presence.flatten(1).amax(1)[:, None, None]
        observed = presence >= likeliest.clamp(max=0.5)
        hard = observed.to(presence.dtype)
        value = read["signal"] * (hard + presence - presence.detach())
        return self.cut(value), self.cut(observed)

    def cut(self, signal: Tensor) -> Tensor:
        """(B, 12, T) as the network takes it: (B, 12, P, L)."""
        whole = F.pad(signal, (0, self.length - signal.shape[-1]))
        return whole.unfold(2, self.patch_length, self.stride)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        value, observed = self.see(image)
        network: Callable[..., dict[str, Tensor]] = self.network
        if not self.training:  # without the packing of tokens, which no graph can hold
            network = getattr(self.network, "dense", network)
        return network(value, observed)


class PageLogits(nn.Module):
    """The logits of a network's only stream, as a student's tower.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, C).
    """

    def __init__(self, network: nn.Module, stream: str) -> None:
        super().__init__()
        self.network, self.stream = network, stream

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image)[self.stream]
