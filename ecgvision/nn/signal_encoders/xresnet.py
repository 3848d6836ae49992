"""xresnet1d: the residual network of He et al. (2019, "Bag of tricks") in one dimension."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ecgvision.nn.signal_encoders.blocks import conv_norm


class XBottleneck1d(nn.Module):
    """Bottleneck block (a basic block if `expansion` is 1) with an average-pooled shortcut.

    The weight of the last batch norm starts at zero, so that each block starts as its shortcut.

    Shape:
        x: (B, inputs, T); result: (B, width * expansion, ceil(T / stride)).
    """

    def __init__(self, inputs: int, width: int, stride: int, kernel: int, expansion: int) -> None:
        super().__init__()
        outputs = width * expansion
        if expansion == 1:
            self.body = nn.Sequential(
                conv_norm(inputs, width, kernel, stride=stride),
                conv_norm(width, width, kernel, act=False),
            )
        else:
            self.body = nn.Sequential(
                conv_norm(inputs, width, 1),
                conv_norm(width, width, kernel, stride=stride),
                conv_norm(width, outputs, 1, act=False),
            )
        last = self.body[-1].get_submodule("1")
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]  # a batch norm's
        shortcut: list[nn.Module] = []
        if stride > 1:
            shortcut.append(nn.AvgPool1d(stride, ceil_mode=True))
        if inputs != outputs:
            shortcut.append(conv_norm(inputs, outputs, 1, act=False))
        self.shortcut = nn.Sequential(*shortcut)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.body(x) + self.shortcut(x))


class XResNet1d(nn.Module):
    """1-D xresnet: a stem of three convolutions (32 at stride 2, 32, 64), max pooling and stages.

    Two published forms:

    - constant width 64 and kernel 5: the PTB-XL benchmark (Strodthoff et al. 2021, its public
      code). Its figure of 1.88 M parameters for xresnet1d101 includes the head for 71 labels:
      batch norm of 512 pooled features, 128 hidden features, batch norm, linear layer. The network
      alone has 1,804,672.
    - widths 64, 128, 256, 512 and kernel 3: teacher and student of MVKT-ECG (Qin et al. 2023, its
      public code), 28.3 M parameters for xresnet1d101 and 7.24 M for xresnet1d34, each with one
      linear layer over the pooled mean and maximum. That code resets the zero weights of the last
      batch norms to 1; we keep them at zero, as He et al. do.

    Args:
        leads: input channels.
        blocks: blocks of each stage; every stage after the first halves the length.
        expansion: channels of a block divided by its width; 1 gives basic blocks, 4 bottlenecks.
        widths: width of each stage.
        kernel: kernel size of the stem and of every convolution that is not 1x1.

    Shape:
        x: (B, leads, T); result: (B, widths[-1] * expansion, ceil(T / stride)), stride 32 at four
        stages.
    """

    def __init__(
        self,
        leads: int = 12,
        *,
        blocks: Sequence[int],
        expansion: int,
        widths: Sequence[int] = (64, 64, 64, 64),
        kernel: int = 5,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            conv_norm(leads, 32, kernel, stride=2),
            conv_norm(32, 32, kernel),
            conv_norm(32, 64, kernel),
            nn.MaxPool1d(3, 2, 1),
        ]
        inputs, self.stride = 64, 4
        for stage, (width, depth) in enumerate(zip(widths, blocks, strict=True)):
            for i in range(depth):
                step = 2 if i == 0 and stage > 0 else 1
                layers.append(XBottleneck1d(inputs, width, step, kernel, expansion))
                inputs, self.stride = width * expansion, self.stride * step
        self.layers = nn.Sequential(*layers)
        self.channels = inputs

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
