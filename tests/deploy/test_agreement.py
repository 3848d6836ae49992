"""An export is held against its network page by page, and refused where the two differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ecgvision.core.errors import BundleError
from ecgvision.deploy import export, export_reader
from ecgvision.deploy.agreement import Answer, check_agreement, check_pages

PAGES = np.arange(5 * 3 * 2 * 2, dtype=np.uint8).reshape(5, 3, 2, 2)


class Mean(nn.Module):
    """The mean of a page, and twice that."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        assert not self.training
        mean = image.float().mean((1, 2, 3), keepdim=False) + self.bias
        return mean, 2 * mean


class Export:
    """Answers as `Mean`, but for one page."""

    def __init__(self, wrong: int, by: float) -> None:
        self.wrong, self.by, self.seen, self.batches = wrong, by, 0, []

    def run(self, batch: np.ndarray) -> Answer:
        mean = batch.mean((1, 2, 3))
        at = np.arange(self.seen, self.seen + len(batch)) == self.wrong
        self.seen += len(batch)
        self.batches.append(len(batch))
        return mean, 2 * mean + np.where(at, self.by, 0)


def gaps(wanted: Answer, found: Answer) -> dict[str, float]:
    pairs = zip(("one", "two"), wanted, found, strict=True)
    return {name: float(np.abs(a - b).max()) for name, a, b in pairs}


@pytest.mark.parametrize("wrong", range(5))
def test_the_largest_difference_of_all_batches_counts(wrong: int) -> None:
    network, exported = Mean().train(), Export(wrong, 0.25)
    found = check_agreement(
        network, exported, (PAGES,), gaps, tolerance=0.3, file=Path("b"), batch=2
    )
    assert found == {
        "images": 5, "tolerance": 0.3,
        "largest_difference": {"one": pytest.approx(0, abs=1e-5), "two": pytest.approx(0.25)},
    }  # fmt: skip
    assert exported.batches == [2, 2, 1]
    assert network.training  # as it was


@pytest.mark.parametrize("by", [0.3, float("nan"), float("inf")])
@pytest.mark.parametrize("wrong", [0, 4])
def test_a_difference_or_an_answer_that_is_no_number_is_refused(wrong: int, by: float) -> None:
    network = Mean().train()
    with pytest.raises(BundleError, match=r"^b: ONNX Runtime and PyTorch differ by 0\.25.*'two': "):
        check_agreement(network, Export(wrong, by), (PAGES,), gaps, tolerance=0.25, file=Path("b"),
                        batch=2)  # fmt: skip
    assert network.training


@pytest.mark.parametrize("wrong", [PAGES[:0], PAGES.astype(np.float32), PAGES[..., :1], PAGES[0]])
def test_pages_that_cannot_be_compared_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(BundleError, match=r"check_images must be \(N, 3, 2, 2\) uint8"):
        check_pages(wrong, (2, 2), Path("b"))
    check_pages(PAGES, (2, 2), Path("b"))


def test_decisions_may_differ_at_their_threshold_only() -> None:
    logits, thresholds = np.zeros((2, 2)), np.array([0.5, 0.2])
    probabilities = np.array([[0.5, 0.9], [0.45, 0.1]])
    wanted = (logits, probabilities, probabilities >= thresholds)
    assert export.differences(thresholds, wanted, wanted)["decisions"] == 0
    other = wanted[2].copy()
    other[0, 0] = False  # the probability lies on the threshold
    assert export.differences(thresholds, wanted, (logits, probabilities, other))["decisions"] == 0
    other[1, 0] = True
    found = export.differences(thresholds, wanted, (logits, probabilities, other))
    assert found == {"logits": 0, "probabilities": 0, "decisions": pytest.approx(0.05)}


def test_a_reader_may_differ_more_where_it_expects_a_large_error() -> None:
    shape = (1, 12, 4)
    scale = np.zeros(shape)
    scale[0, 0, 0] = 0.1
    wanted = (np.zeros(shape), scale, np.zeros(shape), np.zeros((*shape, 2)), np.zeros((1, 3)))
    found = [value.copy() for value in wanted]
    found[0][0, 0, 0] = found[0][0, 1, 0] = 0.004
    found[3][0, 0, 0, 1] = 0.002
    found[4][0, 2] = 0.003
    gaps = export_reader._differences(wanted, found)
    assert gaps == pytest.approx(
        {"signal": 0.004, "scale": 0, "presence": 0, "trace": 0.001, "gain": 0.003}
    )
    found[0][0, 1, 0] = 0
    assert export_reader._differences(wanted, found)["signal"] == pytest.approx(0.002)
