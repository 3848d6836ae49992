"""Least squares in plain operators, as ONNX has none for it."""

from __future__ import annotations

import torch
from torch import Tensor

REFINED = 1
"""Rounds of refinement by `cramer`: each adds six digits, less those that a matrix loses."""


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
    eye = torch.eye(len(ridge), dtype=normal.dtype, device=normal.device)
    normal = normal + eye * ridge * weight.sum(1).reshape(-1, 1, 1)
    return solve(normal, (weighted @ wanted[..., None])[..., 0])


def solve(matrix: Tensor, right: Tensor) -> Tensor:
    """What `matrix`, symmetric and positive definite, takes to `right`; 0 for a row of zeros. In a
    graph that is exported it is `cramer` who finds it.

    Shape:
        matrix: (B, K, K); right and result: (B, K).
    """
    size = matrix.diagonal(dim1=1, dim2=2)
    empty = size <= 0
    scale = torch.where(empty, 0.0, torch.where(empty, 1.0, size).rsqrt())  # a diagonal of 1
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    even = scale.unsqueeze(2) * matrix * scale.unsqueeze(1) + eye * empty.unsqueeze(1)
    left = scale * right
    if torch.compiler.is_exporting():
        return scale * cramer(even, left)
    return scale * torch.linalg.solve_ex(even, left[..., None])[0][..., 0]


def cramer(matrix: Tensor, right: Tensor) -> Tensor:
    """What `matrix` takes to `right` by Cramer's rule, in single precision as ONNX Runtime has
    determinants in, and by more of it on what is left, which brings the digits of `right` back.
    Its gradient is none: determinants have none where the answer is 0.

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
