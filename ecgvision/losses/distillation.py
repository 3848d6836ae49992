"""Knowledge distillation between two multi-label predictions."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from ecgvision.ecg import ConfigError

Direction = Literal["symmetric", "signal_to_image", "image_to_signal"]
DIRECTIONS: tuple[Direction, ...] = ("symmetric", "signal_to_image", "image_to_signal")
KINDS = ("bernoulli", "mse")
Reduction = Literal["mean", "sum"]
REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum")


def bernoulli_kl(
    teacher: Tensor, student: Tensor, *, temperature: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    """Mean over the batch of `T^2 KL(Bern(sigmoid(t / T)) || Bern(sigmoid(s / T)))`.

    Each label is a Bernoulli variable of its own (multi-label), so the softmax form of Hinton et
    al. (2015) does not apply; the factor `T^2` keeps gradients comparable over temperatures, as
    there. Gradients do not reach the teacher. Computed from logits in float32, hence finite for
    any logit.

    Args:
        reduction: over labels. `mean`, so that weight and gradient do not grow with their number;
            or `sum`, half the sum over labels, which at T = 1 is the loss of MVKT-ECG's public
            code (Qin et al. 2023): it sums over labels an element-wise mean over the batch and
            the two outcomes, hence the half. That code divides probabilities by T, which makes
            no distribution of them, so that other temperatures have no counterpart there.

    Shape:
        teacher, student: (B, C) logits; result: scalar.

    Raises:
        ConfigError: for an unknown reduction.
    """
    if reduction not in REDUCTIONS:
        raise ConfigError(f"the reduction over labels must be one of {REDUCTIONS}", value=reduction)
    t = teacher.detach().float() / temperature
    s = student.float() / temperature
    p = t.sigmoid()
    kl = p * (F.logsigmoid(t) - F.logsigmoid(s)) + (1 - p) * (F.logsigmoid(-t) - F.logsigmoid(-s))
    if reduction == "sum":
        return temperature**2 * kl.mean(0).sum() / 2
    return temperature**2 * kl.mean()


def _divergence(teacher: Tensor, student: Tensor, kind: str, temperature: float) -> Tensor:
    if kind == "mse":
        return F.mse_loss(student.float(), teacher.detach().float())
    return bernoulli_kl(teacher, student, temperature=temperature)


def mutual_distillation(
    image: Tensor,
    signal: Tensor,
    *,
    direction: Direction = "symmetric",
    kind: str = "bernoulli",
    temperature: float = 1.0,
) -> Tensor:
    """Pull the image stream's prediction and the signal stream's towards each other.

    `symmetric` is the mean of both directions (the abstract of Nam et al. 2024: similarity
    between two distinct predictions); in each direction the teacher gets no gradient.

    Args:
        kind: `bernoulli` (per-label KL of probabilities) or `mse` (of logits; temperature unused).

    Shape:
        image, signal: (B, C) logits; result: scalar.

    Raises:
        ConfigError: for an unknown direction or kind, or a temperature that is not positive.
    """
    if direction not in DIRECTIONS:
        raise ConfigError(f"loss.kd_direction must be one of {DIRECTIONS}", value=direction)
    if kind not in KINDS:
        raise ConfigError(f"loss.kd_kind must be one of {KINDS}", value=kind)
    if not temperature > 0:
        raise ConfigError("loss.kd_temperature must be positive", value=temperature)
    to_image = _divergence(signal, image, kind, temperature)
    to_signal = _divergence(image, signal, kind, temperature)
    if direction == "signal_to_image":
        return to_image
    if direction == "image_to_signal":
        return to_signal
    return (to_image + to_signal) / 2
