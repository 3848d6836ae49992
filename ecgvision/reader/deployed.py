"""A trained reader for deployment: from pages to waveforms, expected errors and presence."""

from __future__ import annotations

from torch import Tensor, nn

from ecgvision.reader.losses.reading import LOG_SCALES
from ecgvision.reader.page_reader import PageReader


def laplace_scale(log_scale: Tensor) -> Tensor:
    """Return the scale of the error in mV, of any shape, from a reader's `log_scale`."""
    return log_scale.clamp(*LOG_SCALES).exp()


class DeployedReader(nn.Module):
    """The network that `ecgvision digitize` runs; the exported graph includes all postprocessing.

    Shape:
        image: (B, 3, H, W) uint8; result: `signal` (B, 12, T) mV; `scale` (B, 12, T) mV, the
        Laplace scale, which is the expected absolute error; `presence` (B, 12, T), probabilities;
        `trace` (B, 12, T, 2), where the ink was found, as fractions of the image; `gain` (B, G),
        probabilities of `ecgvision.reader.networks.dense_head.RELATIVE_GAINS`.
    """

    def __init__(self, reader: PageReader) -> None:
        super().__init__()
        self.reader = reader
        self.image_size = reader.image_size

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        read = self.reader(image)
        scale = laplace_scale(read["log_scale"])
        return read["signal"], scale, read["presence"].sigmoid(), read["trace"], read["gain"]
