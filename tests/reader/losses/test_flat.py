"""The losses of the two networks of flat pages, against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ecgvision.reader.layout.maps import MARKS
from ecgvision.reader.losses import flat
from ecgvision.reader.losses.flat import mark_loss, trace_loss

NONE = len(MARKS)


def softplus(v: float) -> float:
    return max(v, 0.0) + math.log1p(math.exp(-abs(v)))


def cross_entropy(logit: np.ndarray, wanted: np.ndarray, weight: float) -> float:
    total = sum(weight * w * softplus(-v) + (1 - w) * softplus(v)
                for v, w in zip(logit.ravel().tolist(), wanted.ravel().tolist(), strict=True))  # fmt: skip
    return total / logit.size


def plain_mark_loss(marks, other, kind, row, offset, start, end) -> dict[str, float]:
    focal, positives, off, known = 0.0, 0, 0.0, 0
    for b, j, i in np.ndindex(*kind.shape):
        v = marks[b, :, j, i]
        p = math.exp(v[kind[b, j, i]]) / sum(math.exp(w) for w in v)
        positive = kind[b, j, i] < NONE
        focal -= (1 - p) ** 2 * math.log(p) * (1 if positive else 0.5)
        positives += positive
        if not math.isnan(offset[b, j, i]):
            off += abs(other[b, 1, j, i] - offset[b, j, i])
            known += 1
    return {
        "marks": focal / max(positives, 1),
        "rows": cross_entropy(other[:, 0], row, 2.0),
        "offset": off / max(known, 1),
        "edges": cross_entropy(other[:, 2], start, 5.0) + cross_entropy(other[:, 3], end, 5.0),
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("empty", [False, True])
def test_the_loss_of_marks_against_a_loop(seed: int, empty: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = (2, 3, 4)
    marks = rng.normal(0, 2, (2, NONE + 1, 3, 4))
    other = rng.normal(0, 2, (2, 4, 3, 4))
    kind = np.full(shape, NONE) if empty else rng.integers(0, NONE + 1, shape)
    row, start, end = (rng.integers(0, 2, shape).astype(float) for _ in range(3))
    offset = np.where(rng.random(shape) < (1.0 if empty else 0.4), np.nan, rng.normal(0, 1, shape))
    given = [torch.from_numpy(v) for v in (marks, other, kind, row, offset, start, end)]
    found = mark_loss((given[0], given[1]), *given[2:])
    wanted = plain_mark_loss(marks, other, kind, row, offset, start, end)
    assert found.keys() == wanted.keys() == flat.SHARES.keys()
    for name, value in wanted.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-6), name


def plain_trace_loss(logit, printed, y) -> dict[str, float]:
    pages, height, width = logit.shape
    density = off = seen = 0.0
    count = known = 0
    ratios = []
    for b in range(pages):
        errors, targets = [], []
        for k in range(width):
            target = y[b, k]
            inside = not math.isnan(target) and 2 < target < height - 2
            if inside or math.isnan(target):
                seen += softplus(-printed[b, k] if inside else printed[b, k])
                known += 1
            if not inside:
                continue
            total = math.log(sum(math.exp(v) for v in logit[b, :, k]))
            log = [v - total for v in logit[b, :, k]]
            rows = [min(max(math.floor(target) + d, 0), height - 1) for d in range(-3, 4)]
            weights = [math.exp(-0.5 * ((r + 0.5 - target) / 0.7) ** 2) for r in rows]
            density -= sum(w * log[r] for w, r in zip(weights, rows, strict=True)) / sum(weights)
            mean = sum(math.exp(v) * (r + 0.5) for r, v in enumerate(log))
            off += min(abs(mean - target), 40.0)
            count += 1
            errors.append((mean - target) ** 2)
            targets.append(target)
        if len(errors) > 60:
            ratios.append(math.log((np.mean(errors) + 0.02) / (np.var(targets) + 4.0)))
    return {"density": density / max(count, 1), "height": off / max(count, 1),
            "printed": seen / max(known, 1), "snr": sum(ratios) / max(len(ratios), 1)}  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_the_loss_of_traces_against_a_loop(share: float) -> None:
    rng = np.random.default_rng(int(10 * share))
    logit, printed = rng.normal(0, 2, (3, 90, 80)), rng.normal(0, 2, (3, 80))
    y = rng.uniform(-6, 96, (3, 80))
    y[rng.random(y.shape) < share] = np.nan
    y[0, 10:] = np.nan  # too few columns for a ratio
    given = [torch.from_numpy(v) for v in (logit, printed, y)]
    found = trace_loss((given[0], given[1]), given[2])
    wanted = plain_trace_loss(logit, printed, y)
    assert found.keys() == wanted.keys() == flat.TRACE_SHARES.keys()
    for name, value in wanted.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-6), name


def mark_truth() -> tuple[torch.Tensor, ...]:
    kind = torch.full((1, 4, 4), NONE)
    kind[0, 1, 2] = 3
    row, start, end = (torch.zeros(1, 4, 4) for _ in range(3))
    row[0, 2], start[0, 2, 0], end[0, 2, 3] = 1, 1, 1
    offset = torch.full((1, 4, 4), torch.nan)
    offset[0, 1:4] = torch.tensor([0.7, -0.3, -1.3])[:, None]
    return kind, row, offset, start, end


def right_marks(sure: float) -> tuple[torch.Tensor, torch.Tensor]:
    kind, row, offset, start, end = mark_truth()
    marks = sure * torch.nn.functional.one_hot(kind, NONE + 1).movedim(-1, 1)
    logits = [sure * (2 * value - 1) for value in (row, start, end)]
    return marks, torch.stack([logits[0], offset.nan_to_num(7.0), *logits[1:]], 1)


def test_right_answers_cost_nothing_and_wrong_ones_more() -> None:
    right = mark_loss(right_marks(40.0), *mark_truth())
    assert all(float(value) < 1e-6 for value in right.values())
    marks, other = right_marks(4.0)
    unsure = mark_loss((marks, other), *mark_truth())
    wrong = mark_loss((-marks, -other), *mark_truth())
    for name in ("marks", "rows", "edges"):
        assert float(right[name]) < float(unsure[name]) < float(wrong[name])
    assert float(wrong["offset"]) > 0.5

    y = torch.linspace(20, 70, 80)[None]
    middles = torch.arange(90)[:, None] + 0.5
    logit = (-0.5 * ((middles - y[:, None]) / flat.SPREAD) ** 2)[0][None]
    printed = torch.full((1, 80), 40.0)
    right = trace_loss((logit, printed), y)
    wrong = trace_loss((logit.flip(1), -printed), y)
    assert float(right["height"]) < 0.01
    assert float(right["printed"]) < 1e-6
    assert float(right["snr"]) < -8
    assert all(float(right[name]) < float(wrong[name]) for name in right)


def test_where_the_truth_is_not_known_nothing_is_learned() -> None:
    kind, row, offset, start, end = mark_truth()
    marks, other = (v.requires_grad_() for v in right_marks(1.0))
    mark_loss((marks, other), kind, row, offset, start, end)["offset"].backward()
    assert (other.grad[0, 1, 0] == 0).all()
    assert (other.grad[:, [0, 2, 3]] == 0).all()
    assert marks.grad is None

    y = torch.linspace(-5, 95, 100)[None].repeat(2, 1)
    y[:, 20:30] = torch.nan
    logit, printed = torch.randn(2, 90, 100).requires_grad_(), torch.randn(2, 100).requires_grad_()
    parts = trace_loss((logit, printed), y)
    sum(parts.values()).backward()
    inside = (y > 2) & (y < 88)
    assert logit.grad.isfinite().all()
    assert (logit.grad.abs().sum(1)[~inside] == 0).all()
    assert (logit.grad.abs().sum(1)[inside] > 0).all()
    beyond = ~inside & ~y.isnan()  # of a trace beyond the strip it is not said if it is printed
    assert (printed.grad[beyond] == 0).all()
    assert (printed.grad[y.isnan()] > 0).all()
    assert (printed.grad[inside] < 0).all()


def test_a_page_of_nothing_has_a_finite_loss() -> None:
    logit, printed = torch.zeros(1, 90, 70), torch.zeros(1, 70)
    parts = trace_loss((logit, printed), torch.full((1, 70), torch.nan))
    assert {name: round(float(value), 6) for name, value in parts.items()} == {
        "density": 0.0, "height": 0.0, "printed": round(math.log(2), 6), "snr": 0.0
    }  # fmt: skip
