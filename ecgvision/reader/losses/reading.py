"""What reading a page costs: the waveform, the ink of it, and Einthoven's law."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import DataError
from ecgvision.reader.networks.limb_laws import law_sums

LOG_SCALES = (-5.0, 3.0)
"""The log of a Laplace scale in mV is held between these, our default: 0.007 mV is below a tenth
of a pixel of any page, and 20 mV beyond any lead; outside, gradients only grow."""


def laplace_nll(signal: Tensor, log_scale: Tensor, target: Tensor, printed: Tensor) -> Tensor:
    """Mean over printed samples of `|e| / b + log 2b`, the negative log of a Laplace density.

    The heavy tails of the density forgive the sample that was read from a neighbour's trace
    (Kendall and Gal 2017, section 3, use it for regression on pictures). No printed sample: 0.

    Args:
        signal: what was read, in mV.
        log_scale: log b, held within `LOG_SCALES`.
        target: what was printed, in mV; of no account where nothing was.
        printed: bool.

    Shape:
        all (B, 12, T); result: scalar, float32.

    Raises:
        DataError: for shapes that differ.
    """
    _same(signal=signal, log_scale=log_scale, target=target, printed=printed)
    log_b = log_scale.float().clamp(*LOG_SCALES)
    error = _error(signal, target, printed).abs()
    terms = error * (-log_b).exp() + log_b + math.log(2)
    return _mean(terms, printed)


LEAST_POWER = 1e-4
"""Sum of squares in mV² that neither a signal nor an error counts less than; our default: that of
one sample which is 0.01 mV off."""


def noise_ratio(signal: Tensor, target: Tensor, printed: Tensor) -> Tensor:
    """Mean over leads of the log10 of the error's power over the signal's: minus a tenth of the
    SNR that readings are judged by, before any alignment.

    `laplace_nll` forgives a lead that is read wrongly altogether, and forgets it; here every lead
    counts, however wrong. No lead with a signal: 0.

    Shape:
        as `laplace_nll`.

    Raises:
        DataError: for shapes that differ.
    """
    _same(signal=signal, target=target, printed=printed)
    noise = _error(signal, target, printed).square().sum(2)
    power = torch.where(printed, target.float().nan_to_num(), 0.0).square().sum(2)
    ratio = torch.log10((noise + LEAST_POWER) / (power + LEAST_POWER))
    return _mean(ratio, power > 10 * LEAST_POWER)


def einthoven(signal: Tensor, printed: Tensor) -> Tensor:
    """How far the limb leads that were read miss their laws: mean absolute sum in mV.

    A law counts at a sample where its three leads were printed at that moment; there the true sum
    is 0, so the loss needs no target. No such sample: 0.

    Shape:
        signal: (B, 12, T) mV; printed: (B, 12, T) bool; result: scalar, float32.
    """
    _same(signal=signal, printed=printed)
    return _mean(*law_sums(signal, printed))


def trace_bce(logits: Tensor, trace: Tensor) -> Tensor:
    """Binary cross-entropy of every pixel: was a trace drawn on it? Over the pixels that were.

    Args:
        trace: uint8, 255 on a trace, less where it covers a pixel in part.

    Shape:
        logits, trace: (B, 1, H, W); result: scalar, float32.
    """
    share = trace.float() / 255
    terms = F.binary_cross_entropy_with_logits(logits.float(), share, reduction="sum")
    return terms / share.sum().clamp(min=share[0, 0, 0].numel())  # of an empty page, over a line


def below_error(offset: Tensor, below: Tensor) -> Tensor:
    """Mean error of how far below a trace its 0 mV lies, in fiftieths of the page (4 mm).

    Shape:
        offset, below: (B, 1, h, w), NaN where there is no trace; result: scalar, float32.
    """
    known = ~below.isnan()
    return 50 * _mean((offset.float() - below.float().nan_to_num()).abs(), known)


def _error(signal: Tensor, target: Tensor, printed: Tensor) -> Tensor:
    # nothing may come of a NaN, not even a gradient times 0
    return torch.where(printed, signal.float() - target.float().nan_to_num(), 0.0)


def _mean(terms: Tensor, counts: Tensor) -> Tensor:
    return torch.where(counts, terms, 0.0).sum() / counts.sum().clamp(min=1)


def _same(**tensors: Tensor) -> None:
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    first = next(iter(shapes.values()))
    if len(set(shapes.values())) != 1 or len(first) < 3 or first[1] != len(LEADS):
        raise DataError("reading losses need tensors of one shape (B, 12, ...)", value=shapes)
