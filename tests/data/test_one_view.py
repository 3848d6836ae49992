"""Which pages choose a checkpoint: every validation record once, its views in turn."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ecgvision.trained_runs import build
from experiments.configure import configure


def test_every_record_is_seen_once_and_every_view_as_often(tiny_store: Path):
    config = configure(["+exp=vizecg", "data=store", f"data.store=[{tiny_store}]",
                        "data.num_workers=0", "data.image_size=[32,48]", "data.dpi=20",
                        "data.layouts=[3x4+II,6x2]", "data.artefacts=[clean,scan]",
                        "data.folds={train:[1,2],val:[3,4],test:[5]}"])  # fmt: skip
    config["data"]["images"] = []
    data = build.build_data(config, build.build_cohort(config))
    whole = data.dataset("val")
    seen = Counter()
    for batch in data.val_dataloader():
        for index, *view in zip(*(batch[k].tolist() for k in ("index", "layout", "artefact")),
                                strict=True):  # fmt: skip
            seen[index, tuple(view)] += 1
    assert sorted(index for index, _ in seen) == sorted(whole.cohort.index[whole.positions])
    assert set(seen.values()) == {1}
    assert Counter(view for _, view in seen) == dict.fromkeys(
        [(0, 0), (0, 1), (1, 0), (1, 1)], len(whole.positions) // 4
    )
