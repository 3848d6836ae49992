"""Least squares in plain operators, as ONNX has none for it."""

from __future__ import annotations

import torch
from torch import Tensor

REFINED = 1
"""Rounds of refinement: each adds six digits, less those that a matrix of that kind loses."""


def least_squares(terms: Tensor, wanted: Tensor, weight: Tensor, ridge: Tensor) -> Tensor:
    """(B, K): the shares of `terms` whose sum comes nearest to `wanted`.

    Args:
        ridge: (K,), added to the weighted mean square of each term: what holds its share near 0
            where the data says little.

    Shape:
        terms: (B, K, N); wanted, weight: (B, N).
    """
    weighted = weight[:, None] * terms
    normal = weighted @ terms.transpose(1, 2)
    normal = normal + torch.diag_embed(ridge * weight.sum(1, keepdim=True))
    return solve(normal, (weighted @ wanted[..., None])[..., 0])


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """What `matrix`, symmetric and positive definite, takes to `right`: by Cramer's rule, in single
    precision as ONNX Runtime has determinants in, and by `REFINED` rounds more of it on what is
    left, which bring the digits of `right` back. A row of zeros has the answer 0.

    Shape:
        matrix: (B, K, K); right and result: (B, K).
    """
    size = matrix.diagonal(dim1=1, dim2=2)
    empty = size <= 0
    scale = torch.where(empty, 0.0, size.clamp(min=1e-30).rsqrt())  # a diagonal of 1
    even = scale[:, :, None] * matrix * scale[:, None] + torch.diag_embed(empty.to(matrix.dtype))
    single = even.float()
    column = torch.eye(matrix.shape[-1], dtype=torch.bool, device=matrix.device)[:, None]
    left = scale * right
    found = torch.zeros_like(left)
    for _ in range(1 + REFINED):
        replaced = torch.where(column, left.float()[:, None, :, None], single[:, None])
        found = found + (torch.linalg.det(replaced) / torch.linalg.det(single)[:, None])
        left = scale * right - (even @ found[..., None])[..., 0]
    return scale * found
