"""Eligible negatives of an anchor in contrastive transfer, and their sampling.

Sampling is a function of (seed, step, row) alone, computed with integers on the tensors' device.
It needs no random generator, so it is the same after resuming, in every process and on any device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ecgvision.core.errors import ConfigError
from ecgvision.nn.losses.names import NEGATIVES, Negatives

_WORD = 0xFFFFFFFF


def mix(x: Tensor) -> Tensor:
    """Mix the bits of 32-bit integers (an integer hash).

    The finaliser of splitmix32 with the multipliers of C. Wellons' hash prospector. Both are below
    2^31, so no product exceeds the 63 bits of an int64.

    Shape:
        x: int64 in [0, 2^32), any shape; result: the same.
    """
    x = ((x ^ (x >> 16)) * 0x21F0AAAD) & _WORD
    x = ((x ^ (x >> 15)) * 0x735A2D97) & _WORD
    return x ^ (x >> 15)


def scatter(seed: int, step: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return 32 pseudo-random bits for each (seed, step, row, column).

    Shape:
        step: int64 scalar; rows: (B,) int64; columns: (N,) int64; result: (B, N) int64.
    """
    key = torch.as_tensor(seed, device=rows.device)
    state = torch.zeros_like(key)
    for word in (key, key >> 32, step, step >> 32):
        state = mix((mix((state + 1) & _WORD) ^ word) & _WORD)
    return mix(mix(state ^ mix(rows))[:, None] ^ mix(columns + 1))


def eligible(rows: Tensor, targets: Tensor, negatives: Negatives) -> Tensor:
    """Return which records may be negatives of each anchor; never the anchor itself.

    - `disjoint`: records that share no positive label with the anchor. Our default, as the paper
      intends. A record without positive labels shares none with any other.
    - `official`: records that differ from the anchor in the first label. MVKT-ECG's public code
      does so for multi-hot labels, where it takes the first entry as the class index. Its
      superclasses are sorted by name, so the first is CD.
    - `uniform`: all other records (CRD, Tian et al. 2020).

    Shape:
        rows: (B,) int64; targets: (n, C) in {0, 1}; result: (B, n) bool.
    """
    others = torch.arange(len(targets), device=rows.device) != rows[:, None]
    if negatives == "uniform":
        return others
    if negatives == "official":
        return others & (targets[rows, :1] != targets[:, 0])
    labels = targets.float()  # counts of shared labels are exact
    return others & (labels[rows] @ labels.T == 0)


def draw(
    rows: Tensor, targets: Tensor, *, negatives: Negatives, k: int, seed: int, step: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw K negatives for each anchor.

    Draws without replacement if K records are eligible. With fewer than K, draws with replacement
    among the eligible; with none, among all other records. Time and memory are those of a (B, n)
    table of int64.

    Args:
        rows: (B,) int64, rows of the anchors among the n records of `targets`.
        targets: (n, C) in {0, 1}, n of at least 2.
        step: int64 scalar, the number of previous draws.

    Returns:
        (B, K) int64 rows, and (2,) int64: the number of anchors with some but fewer than K eligible
        records, and of those with none.

    Raises:
        ConfigError: for an unknown kind of negatives.
    """
    if negatives not in NEGATIVES:
        raise ConfigError(f"negatives must be one of {NEGATIVES}", value=negatives)
    n = len(targets)
    allowed = eligible(rows, targets, negatives)
    count = allowed.sum(1)
    none = count == 0
    fallbacks = torch.stack([((count < k) & ~none).sum(), none.sum()])
    allowed = allowed | (none[:, None] & eligible(rows, targets, "uniform"))
    count = torch.where(none, n - 1, count)

    columns = torch.arange(n + k, device=rows.device)
    bits = scatter(seed, step, rows, columns)
    # The column makes each key unique, so that ties cannot differ between devices.
    keys = (bits[:, :n] * n + columns[:n]).masked_fill(~allowed, -1)
    order = keys.topk(min(k, n), dim=1).indices
    place = columns[:k].expand(len(rows), k)
    again = (bits[:, n:] * count[:, None]) >> 32
    return order.gather(1, torch.where(count[:, None] < k, again, place)), fallbacks
