"""Heads that self-supervised training puts on an encoder and takes off again."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Prototypes(nn.Linear):
    """A linear layer without bias whose rows have length 1: weight norm with its gain fixed at 1.

    `direction` is what is trained; every use scales its rows to length 1. As a plain parameter it
    is copied, averaged and saved like any other, which wrapped weight norm is not.

    Shape:
        x: (..., inputs); result: (..., outputs).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    @property
    def unit_weight(self) -> Tensor:
        """(outputs, inputs), rows of length 1."""
        return F.normalize(self.weight.float(), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.unit_weight.to(x.dtype))


class DINOHead(nn.Module):
    """Linear, GELU, Linear, GELU, Linear; to length 1; prototypes of length 1. No batch norm.

    Args:
        inputs: features of the encoder.
        outputs: prototypes. Phan et al. (arXiv 2210.06297, their public code) have 65 536; our
            default is smaller because that exceeds the number of records of most data.
        hidden, bottleneck: 512 and 128 (as there).

    Shape:
        features: (..., inputs); result: (..., outputs), each a cosine.
    """

    def __init__(
        self, inputs: int, outputs: int = 4096, *, hidden: int = 512, bottleneck: int = 128
    ) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):  # Caron et al. 2021, after ViT
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        self.prototypes = Prototypes(bottleneck, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return self.prototypes(F.normalize(self.mlp(features), dim=-1))


def simclr_head(inputs: int, outputs: int = 128, *, hidden: int | None = None) -> nn.Sequential:
    """Linear, ReLU, Linear (Chen et al. 2020, section 2.1): (..., inputs) to (..., outputs).

    Args:
        outputs: 128 (as there, and Phan et al.).
        hidden: default as many as inputs.
    """
    hidden = inputs if hidden is None else hidden
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)
    )


def byol_head(inputs: int, outputs: int = 128, *, hidden: int = 512) -> nn.Sequential:
    """Linear, batch norm, ReLU, Linear (Grill et al. 2020): (B, inputs) to (B, outputs).

    Projector and predictor alike; the predictor's inputs are the projector's outputs.

    Args:
        outputs, hidden: 128 and 512 (Phan et al., arXiv 2210.06297, their public code).
    """
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs),
    )
