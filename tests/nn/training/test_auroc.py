"""Our device AUROC against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ecgvision.core.errors import DataError
from ecgvision.nn.training.auroc import MacroAUROC, macro_auroc


@given(st.integers(0, 2**31), st.integers(3, 60))
def test_equals_scikit_learn_with_ties(seed, n):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (n, 4)) / 3
    target = rng.integers(0, 2, (n, 4))
    usable = [c for c in range(4) if 0 < target[:, c].sum() < n]
    ours = macro_auroc(torch.tensor(scores), torch.tensor(target))
    if not usable:
        assert ours.isnan()
    else:
        expected = np.mean([roc_auc_score(target[:, c], scores[:, c]) for c in usable])
        assert float(ours) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_score_without_a_rank_is_refused(wrong):
    scores = torch.randn(8, 2)
    scores[3, 1] = wrong
    with pytest.raises(DataError, match="diverged"):
        macro_auroc(scores, torch.arange(16).reshape(8, 2) % 3 == 0)


def test_batches_add_up():
    torch.manual_seed(0)
    scores, target = torch.randn(20, 3), (torch.rand(20, 3) > 0.5).float()
    metric = MacroAUROC()
    for part in range(0, 20, 6):
        metric.update(scores[part : part + 6], target[part : part + 6])
    torch.testing.assert_close(metric.compute().double(), macro_auroc(scores, target).double())
