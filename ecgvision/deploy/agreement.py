"""Agreement of an exported model with the network that it was made from.

Needs the training stack; a bundle is read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ecgvision.core.errors import BundleError

Answer = Sequence[NDArray[Any]]
"""The outputs for one batch of pages, in the order of the bundle's card."""


class Opened(Protocol):
    """An opened bundle of any kind."""

    @property
    def run(self) -> Callable[..., Answer]:
        """From a batch of each input to the outputs."""


def check_pages(images: NDArray[np.uint8], image_size: tuple[int, int], file: Path) -> None:
    """Refuse pages on which a network and its export cannot be compared.

    Args:
        images: the pages.
        image_size: (H, W) of the network's input.
        file: the bundle, for the message.

    Raises:
        BundleError: unless the pages are (N, 3, H, W) uint8 and N is at least 1.
    """
    height, width = image_size
    if images.dtype != np.uint8 or images.shape[1:] != (3, height, width) or not len(images):
        raise BundleError(
            f"check_images must be (N, 3, {height}, {width}) uint8 with N of at least 1",
            file=file,
            value=(images.shape, str(images.dtype)),
        )


def check_agreement(
    network: nn.Module,
    bundle: Opened,
    inputs: Sequence[NDArray[Any]],
    differences: Callable[[Answer, Answer], Mapping[str, float]],
    *,
    tolerance: float,
    file: Path,
    batch: int,
    items: str = "images",
) -> dict[str, Any]:
    """Compare the answers of ONNX Runtime and PyTorch to the same items.

    Args:
        network: the PyTorch module, which keeps its training mode.
        bundle: what was exported from it.
        inputs: of the network, each with N items along its first axis.
        differences: takes the answers of PyTorch and of ONNX Runtime to one batch and returns the
            largest difference in each quantity, NaN where an answer is not a number.
        tolerance: every difference must be smaller.
        file: the bundle, for the message.
        batch: items in a batch.
        items: what the items are.

    Returns:
        The number of `items`, `tolerance`, and `largest_difference` by quantity.

    Raises:
        BundleError: if a difference reaches the tolerance or is NaN. The message gives all of them.
    """
    device = next(iter(network.parameters())).device
    found: list[Mapping[str, float]] = []
    was_training = network.training
    network.eval()
    try:
        for start in range(0, len(inputs[0]), batch):
            parts = [np.ascontiguousarray(value[start : start + batch]) for value in inputs]
            with torch.inference_mode():
                answer = network(*(torch.from_numpy(part).to(device) for part in parts))
            found.append(differences([out.cpu().numpy() for out in answer], bundle.run(*parts)))
    finally:
        network.train(was_training)
    # unlike Python's max, NumPy's keeps a NaN
    worst = {name: float(np.max([part[name] for part in found])) for name in found[0]}
    if not all(value < tolerance for value in worst.values()):
        raise BundleError(
            f"ONNX Runtime and PyTorch differ by {tolerance} or more",
            file=file,
            value=worst,
            remedy="The model has an operator that is exported wrongly; choose another "
            "model.image_encoder",
        )
    return {items: len(inputs[0]), "tolerance": tolerance, "largest_difference": worst}
