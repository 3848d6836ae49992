"""What reading costs: against loops, and what must not count."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from ecgvision.core.errors import DataError
from ecgvision.reader.judge.snr import snr_db
from ecgvision.reader.losses.reading import (
    LOG_SCALES,
    below_error,
    einthoven,
    laplace_nll,
    noise_ratio,
    trace_bce,
)
from ecgvision.reader.networks.limb_laws import RELATIONS

B, T = 2, 7


@pytest.fixture
def draws() -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    draw = lambda *s: torch.randn(*s, generator=g)  # noqa: E731
    return {"signal": draw(B, 12, T), "target": draw(B, 12, T), "log_scale": 3 * draw(B, 12, T),
            "printed": draw(B, 12, T) > 0}  # fmt: skip


def cells(printed: torch.Tensor):
    return [i for i in itertools.product(*map(range, printed.shape)) if printed[i]]


def test_laplace_by_loop(draws) -> None:
    terms = []
    for i in cells(draws["printed"]):
        log_b = min(max(draws["log_scale"][i].item(), LOG_SCALES[0]), LOG_SCALES[1])
        b = math.exp(log_b)
        density = math.exp(-abs(draws["signal"][i] - draws["target"][i]) / b) / (2 * b)
        terms.append(-math.log(density) if density > 0 else math.nan)
    found = laplace_nll(draws["signal"], draws["log_scale"], draws["target"], draws["printed"])
    assert np.isfinite(terms).all()
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_the_best_scale_is_the_mean_error() -> None:
    signal, target = torch.zeros(1, 12, 50), torch.linspace(-1, 1, 50).expand(1, 12, 50)
    printed = torch.ones(1, 12, 50, dtype=torch.bool)
    log_b = torch.full((1, 12, 50), target.abs().mean().log().item())
    best = laplace_nll(signal, log_b, target, printed)
    for step in (-0.1, 0.1):
        assert laplace_nll(signal, log_b + step, target, printed) > best


def test_the_ratio_is_a_tenth_of_the_snr_that_readings_are_judged_by(draws) -> None:
    printed = draws["printed"]
    printed[0, 3] = False
    draws["target"][1, 5] = 0  # a flat lead has no SNR
    draws["target"][0, 2][~printed[0, 2]] = math.nan
    found = noise_ratio(draws["signal"], draws["target"], printed)
    by_lead = [
        snr_db(draws["target"][place].where(printed[place], torch.nan).numpy(),
               draws["signal"][place].where(printed[place], torch.nan).numpy())
        for place in np.ndindex(B, 12) if place not in {(0, 3), (1, 5)}
    ]  # fmt: skip
    assert found.item() == pytest.approx(-np.mean(by_lead) / 10, abs=1e-3)


def limb(i: torch.Tensor, ii: torch.Tensor) -> torch.Tensor:
    rest = torch.zeros_like(i)
    return torch.stack([i, ii, ii - i, -(i + ii) / 2, i - ii / 2, ii - i / 2, *[rest] * 6], dim=1)


def test_laws_hold_for_every_heart_and_no_other(draws) -> None:
    whole = torch.ones(B, 12, T, dtype=torch.bool)
    signal = limb(draws["signal"][:, 0], draws["signal"][:, 1])
    assert einthoven(signal, whole).item() < 1e-6
    for lead in range(6):
        wrong = signal.clone()
        wrong[:, lead] += 0.2
        assert einthoven(wrong, whole).item() > 0.02
    wrong = signal.clone()
    wrong[:, 6:] += 1
    assert einthoven(wrong, whole).item() < 1e-6


def test_known_laws_are_among_them() -> None:
    rows = [
        tuple(row)
        for row in (RELATIONS * RELATIONS.sign().cumsum(1).sign().amax(1, keepdim=True)).tolist()
    ]
    either = {tuple(row) for row in rows} | {tuple(-v for v in row) for row in rows}
    assert (1.0, -1.0, 1.0, 0.0, 0.0, 0.0) in either
    assert (0.0, 0.0, 0.0, 1.0, 1.0, 1.0) in either
    assert (0.5, 0.5, 0.0, 1.0, 0.0, 0.0) in either
    assert RELATIONS.shape == (20, 6)
    assert ((RELATIONS != 0).sum(1) == 3).all()


def test_einthoven_by_loop_over_what_stands_together(draws) -> None:
    signal, printed = draws["signal"], draws["printed"]
    terms = []
    for b, t in itertools.product(range(B), range(T)):
        for row in RELATIONS:
            leads = [i for i in range(6) if row[i] != 0]
            if all(printed[b, i, t] for i in leads):
                terms.append(abs(sum(row[i] * signal[b, i, t] for i in leads)).item())
    assert terms
    assert einthoven(signal, printed).item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_columns_of_a_page_are_no_moment_together() -> None:
    printed = torch.zeros(1, 12, 8, dtype=torch.bool)
    printed[:, :3, :4] = True
    printed[:, 3:6, 4:] = True
    signal = torch.zeros(1, 12, 8)
    signal[:, 0, 4:] = 9  # lead I is not printed there
    assert einthoven(signal, printed).item() == 0
    signal[:, 0, 2] = 1
    assert einthoven(signal, printed).item() == pytest.approx(1 / 8)  # of 2 laws x 4 moments


def test_what_was_not_printed_has_no_say(draws) -> None:
    printed = draws["printed"]
    signal = draws["signal"].clone().requires_grad_()
    log_scale = draws["log_scale"].clone().requires_grad_()
    target = draws["target"].clone()
    target[~printed] = math.nan
    loss = laplace_nll(signal, log_scale, target, printed) + einthoven(signal, printed)
    loss.backward()
    assert math.isfinite(loss.item())
    for gradient in (signal.grad, log_scale.grad):
        assert gradient.isfinite().all()
        assert (gradient[~printed] == 0).all()
    assert (signal.grad[printed] != 0).all()


def test_an_empty_page_costs_nothing(draws) -> None:
    nothing = torch.zeros(B, 12, T, dtype=torch.bool)
    below = torch.full((B, 1, 4, 6), math.nan)
    losses = [
        laplace_nll(draws["signal"], draws["log_scale"], draws["target"], nothing),
        einthoven(draws["signal"], nothing),
        below_error(torch.ones(B, 1, 4, 6), below),
    ]
    assert [loss.item() for loss in losses] == [0.0] * 3
    logits, blank = torch.full((B, 1, 4, 6), -40.0), torch.zeros(B, 1, 4, 6, dtype=torch.uint8)
    assert trace_bce(logits, blank).item() == pytest.approx(0.0, abs=1e-9)


def test_trace_and_below_by_loop() -> None:
    g = torch.Generator().manual_seed(3)
    logits, trace = torch.randn(B, 1, 4, 6, generator=g), torch.zeros(B, 1, 4, 6)
    trace[:, :, 1:3] = torch.rand(B, 1, 2, 6, generator=g)
    trace = (255 * trace).to(torch.uint8)
    total = 0.0
    for i in itertools.product(*map(range, logits.shape)):
        p, share = torch.sigmoid(logits[i]).item(), trace[i].item() / 255
        total -= share * math.log(p) + (1 - share) * math.log(1 - p)
    count = max(trace.double().sum().item() / 255, 6)
    assert trace_bce(logits, trace).item() == pytest.approx(total / count, rel=1e-5)
    below = torch.where(trace > 128, 0.1 * logits + 0.02, math.nan).half()
    errors = [abs(0.1 * logits[i].item() - below[i].item())
              for i in itertools.product(*map(range, logits.shape)) if not below[i].isnan()]  # fmt: skip
    assert below_error(0.1 * logits, below).item() == pytest.approx(50 * np.mean(errors), rel=1e-4)


def test_other_shapes_are_refused(draws) -> None:
    with pytest.raises(DataError, match="one shape"):
        laplace_nll(draws["signal"], draws["log_scale"], draws["target"][..., 1:], draws["printed"])
    with pytest.raises(DataError, match="one shape"):
        einthoven(draws["signal"][0], draws["printed"][0])
