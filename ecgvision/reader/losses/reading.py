"""Losses of a reading: waveform, ink, and Einthoven's law."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import DataError
from ecgvision.reader.networks.limb_laws import law_sums

LOG_SCALES = (-5.0, 3.0)
"""Clamp on the log of a Laplace scale in mV; our default: 0.007 mV is below a tenth of a pixel of
any page, and 20 mV is beyond any lead. Outside this range only the gradients grow."""


def laplace_nll(signal: Tensor, log_scale: Tensor, target: Tensor, printed: Tensor) -> Tensor:
    """Negative log-likelihood of a Laplace density, averaged over printed samples.

    A sample costs `|e| / b + log 2b`. Heavy tails tolerate samples that were read from a
    neighbour's trace (Kendall and Gal 2017, section 3, use the density for regression on images). 0
    if no sample is printed.

    Args:
        signal: the signal that was read, in mV.
        log_scale: log b, clamped to `LOG_SCALES`.
        target: the printed signal, in mV; ignored where nothing was printed.
        printed: bool.

    Shape:
        all (B, 12, T); result: scalar, float32.

    Raises:
        DataError: if the shapes differ.
    """
    _same(signal=signal, log_scale=log_scale, target=target, printed=printed)
    log_b = log_scale.float().clamp(*LOG_SCALES)
    error = _error(signal, target, printed).abs()
    terms = error * (-log_b).exp() + log_b + math.log(2)
    return _mean(terms, printed)


LEAST_POWER = 1e-4
"""Constant added to the sums of squares of signals and errors, in mV². Our default: one sample with
an error of 0.01 mV."""


def noise_ratio(signal: Tensor, target: Tensor, printed: Tensor) -> Tensor:
    """Mean over leads of log10 of the error's power over the signal's.

    This is minus a tenth of the SNR by which readings are evaluated, without alignment.
    `laplace_nll` tolerates a lead that is entirely wrong: as its scale grows, its gradient shrinks.
    Here every lead counts, however wrong. 0 if no lead has a signal.

    Shape:
        as `laplace_nll`.

    Raises:
        DataError: if the shapes differ.
    """
    _same(signal=signal, target=target, printed=printed)
    noise = _error(signal, target, printed).square().sum(2)
    power = torch.where(printed, target.float().nan_to_num(), 0.0).square().sum(2)
    ratio = torch.log10((noise + LEAST_POWER) / (power + LEAST_POWER))
    return _mean(ratio, power > 10 * LEAST_POWER)


def einthoven(signal: Tensor, printed: Tensor) -> Tensor:
    """Deviation of the limb leads that were read from their linear laws: mean absolute sum in mV.

    A law counts at a sample where its three leads were printed at the same time. The true sum is
    then 0, so the loss needs no target. 0 if there is no such sample.

    Shape:
        signal: (B, 12, T) mV; printed: (B, 12, T) bool; result: scalar, float32.
    """
    _same(signal=signal, printed=printed)
    return _mean(*law_sums(signal, printed))


def trace_bce(logits: Tensor, trace: Tensor) -> Tensor:
    """Binary cross-entropy of the trace mask, summed over pixels and divided by the area of traces.

    Args:
        trace: uint8, 255 on a trace, less where it covers a pixel in part.

    Shape:
        logits, trace: (B, 1, H, W); result: scalar, float32.
    """
    share = trace.float() / 255
    terms = F.binary_cross_entropy_with_logits(logits.float(), share, reduction="sum")
    return terms / share.sum().clamp(min=share[0, 0, 0].numel())  # at least one line of pixels


def below_error(offset: Tensor, below: Tensor) -> Tensor:
    """Mean absolute error of the distance from a trace down to its 0 mV line.

    The unit is a fiftieth of the page (4 mm).

    Shape:
        offset, below: (B, 1, h, w), NaN where there is no trace; result: scalar, float32.
    """
    known = ~below.isnan()
    return 50 * _mean((offset.float() - below.float().nan_to_num()).abs(), known)


def _error(signal: Tensor, target: Tensor, printed: Tensor) -> Tensor:
    # masked before the loss: a NaN would spoil the gradient even times 0
    return torch.where(printed, signal.float() - target.float().nan_to_num(), 0.0)


def _mean(terms: Tensor, counts: Tensor) -> Tensor:
    return torch.where(counts, terms, 0.0).sum() / counts.sum().clamp(min=1)


def _same(**tensors: Tensor) -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    first = next(iter(shapes.values()))
    if len(set(shapes.values())) != 1 or len(first) < 3 or first[1] != len(LEADS):
        raise DataError("reading losses need tensors of one shape (B, 12, ...)", value=shapes)
