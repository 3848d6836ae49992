"""Macro AUROC over a complete split, the metric that selects the checkpoint."""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from ecgvision.nn.losses.collapse import check_finite


def auroc(scores: Tensor, positive: Tensor) -> Tensor:
    """Return the area under the ROC curve of one label; ties count half (Mann-Whitney).

    Shape:
        scores: (N,) float; positive: (N,) bool, with at least one True and one False;
        result: scalar.
    """
    values, rank_of = scores.double().unique(return_inverse=True)
    count = torch.bincount(rank_of, minlength=len(values)).double()
    mid_rank = count.cumsum(0) - (count - 1) / 2
    n_positive = positive.sum().double()
    n_negative = (~positive).sum().double()
    rank_sum = mid_rank[rank_of][positive].sum()
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def macro_auroc(scores: Tensor, target: Tensor) -> Tensor:
    """Return the mean AUROC over labels with both positives and negatives; NaN if there are none.

    Shape:
        scores: (N, C) float; target: (N, C) of 0 and 1; result: scalar.

    Raises:
        DataError: for a score that is not finite: training has diverged.
    """
    check_finite(scores)
    positive = target > 0.5
    usable = positive.any(0) & (~positive).any(0)
    values = [auroc(scores[:, c], positive[:, c]) for c in usable.nonzero().flatten().tolist()]
    return torch.stack(values).mean() if values else scores.new_tensor(float("nan"))


class MacroAUROC(Metric):
    """`macro_auroc` as a metric accumulated over all batches and processes."""

    full_state_update = False
    higher_is_better = True
    scores: list[Tensor]
    targets: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("scores", default=[], dist_reduce_fx="cat")
        self.add_state("targets", default=[], dist_reduce_fx="cat")

    def update(self, scores: Tensor, target: Tensor) -> None:
        self.scores.append(scores.detach().float())
        self.targets.append(target.detach())

    def compute(self) -> Tensor:
        return macro_auroc(dim_zero_cat(self.scores), dim_zero_cat(self.targets)).float()
