"""Projection heads that an encoder has during self-supervised training only."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Prototypes(nn.Linear):
    """Linear layer without bias whose rows have length 1: weight norm with the gain fixed at 1.

    The rows of `weight` are trained without constraint and scaled to length 1 in every use. Unlike
    torch's weight norm, `weight` is a plain parameter, which is copied, averaged and saved as such.

    Shape:
        x: (..., inputs); result: (..., outputs).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    @property
    def unit_weight(self) -> Tensor:
        """The weight that is used, (outputs, inputs), with rows of length 1."""
        return F.normalize(self.weight.float(), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.unit_weight.to(x.dtype))


class DINOHead(nn.Module):
    """Head of DINO: a multilayer perceptron without batch norm, normalised, then prototypes.

    The layers are Linear, GELU, Linear, GELU and Linear. Their output is scaled to length 1.

    Args:
        inputs: number of features of the encoder.
        outputs: number of prototypes. Phan et al. (arXiv 2210.06297, public code) use 65 536. Our
            default is smaller because most data sets have fewer records than that.
        hidden, bottleneck: 512 and 128 (Phan et al.).

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
    """Build the head of SimCLR: Linear, ReLU, Linear (Chen et al. 2020, section 2.1).

    Args:
        outputs: 128 (Chen et al.; Phan et al.).
        hidden: equal to `inputs` by default.

    Shape:
        features: (..., inputs); result: (..., outputs).
    """
    hidden = inputs if hidden is None else hidden
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)
    )


def byol_head(inputs: int, outputs: int = 128, *, hidden: int = 512) -> nn.Sequential:
    """Build a projector or predictor of BYOL: Linear, batch norm, ReLU, Linear (Grill et al. 2020).

    The inputs of the predictor are the outputs of the projector.

    Args:
        outputs, hidden: 128 and 512 (Phan et al., arXiv 2210.06297, public code).

    Shape:
        features: (B, inputs); result: (B, outputs).
    """
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs),
    )
