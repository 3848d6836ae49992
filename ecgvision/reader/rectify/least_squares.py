"""Weighted least squares in basic operators, since ONNX has no solver."""

from __future__ import annotations

import torch
from torch import Tensor

REFINED = 1
"""Number of refinements by `cramer`; each adds six digits, less those lost to the condition
number."""


def least_squares(terms: Tensor, wanted: Tensor, weight: Tensor, ridge: Tensor) -> Tensor:
    """Return (B, K): the coefficients of `terms` whose sum is closest to `wanted`.

    Args:
        ridge: (K,), added to the weighted mean square of each term; keeps its coefficient near 0
            where the data do not determine it.

    Shape:
        terms: (B, K, N); wanted, weight: (B, N).
    """
    weighted = weight[:, None] * terms
    normal = weighted @ terms.transpose(1, 2)
    eye = torch.eye(len(ridge), dtype=normal.dtype, device=normal.device)
    normal = normal + eye * ridge * weight.sum(1).reshape(-1, 1, 1)
    return solve(normal, (weighted @ wanted[..., None])[..., 0])


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve linear systems with a symmetric positive definite matrix; a row of zeros yields 0.

    Exported graphs use `cramer`.

    Shape:
        matrix: (B, K, K); right and result: (B, K).
    """
    size = matrix.diagonal(dim1=1, dim2=2)
    empty = size <= 0
    scale = torch.where(empty, 0.0, torch.where(empty, 1.0, size).rsqrt())  # unit diagonal
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    even = scale.unsqueeze(2) * matrix * scale.unsqueeze(1) + eye * empty.unsqueeze(1)
    left = scale * right
    if torch.compiler.is_exporting():
        return scale * cramer(even, left)
    return scale * torch.linalg.solve_ex(even, left[..., None])[0][..., 0]


def cramer(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve linear systems by Cramer's rule with iterative refinement.

    Determinants are in single precision, as in ONNX Runtime. Refinement on the residual restores
    the precision of `right`. Not differentiable: determinants have no gradient where the answer is
    0.

    Shape:
        as `solve`.
    """
    single = matrix.float()
    column = torch.eye(matrix.shape[-1], dtype=torch.bool, device=matrix.device)[:, None]
    found, left, whole = torch.zeros_like(right), right, torch.linalg.det(single).unsqueeze(1)
    for _ in range(1 + REFINED):
        replaced = torch.where(column, left.float()[:, None, :, None], single.unsqueeze(1))
        found = found + torch.linalg.det(replaced) / whole
        left = right - (matrix @ found.unsqueeze(2)).squeeze(2)
    return found
