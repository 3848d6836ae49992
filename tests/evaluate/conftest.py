from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ecgvision.evaluate import predictions


@pytest.fixture(scope="session")
def make_table():
    """make_table(split=..., stream=..., ...): answers of a system that is right most times."""

    def make(
        n=120, *, codes=("NORM", "MI", "CD"), split="test", stream="image", layout="3x4",
        artefact="", seed=0, skill=1.5, temperature=2.0, ids=None,
    ):  # fmt: skip
        who = np.random.default_rng([n, split == "val"])  # the same records for every stream
        y = who.random((n, len(codes))) < np.linspace(0.5, 0.15, len(codes))
        noise = np.random.default_rng(seed).normal(size=y.shape)
        z = temperature * (skill * y - skill / 2 + noise)
        records = pd.DataFrame({
            "record_id": ids if ids is not None else [f"{split}-{i}" for i in range(n)],
            "patient_id": [f"{split}-p{i // 2}" for i in range(n)],
            "fold": 9 if split == "val" else 10,
        })  # fmt: skip
        return predictions.build(
            records, split=split, stream=stream, layout=layout, artefact=artefact,
            logits=z, targets=y, codes=codes,
        )  # fmt: skip

    return make
