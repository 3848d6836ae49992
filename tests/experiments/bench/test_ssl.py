"""The benchmark of views: both ways make the same kind of view, so the comparison is fair."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch

from ecgvision.systems.ssl.views.signals import SpectrogramViews, TimeViews
from experiments.bench import ssl


@pytest.mark.parametrize(("views", "shape"), [(TimeViews(noise=(0.0, 0.0)), (60, 12, 250)),
                                              (SpectrogramViews(), (60, 12, 13, 21))])  # fmt: skip
def test_both_ways_make_the_same_kind_of_view(views, shape):
    batch = np.random.default_rng(0).normal(5, 1, shape).astype(np.float32)
    plain = ssl.plain_views(batch, views, np.random.default_rng(1))
    fast = views(torch.from_numpy(batch), 1).numpy()
    assert plain.shape == fast.shape
    for part in (slice(0, 2), slice(2, 10)):  # global and local views
        gone = [(found[part] == 0).mean() for found in (plain, fast)]
        assert gone[0] == pytest.approx(gone[1], rel=0.05)
        seen = [found[part][found[part] != 0] for found in (plain, fast)]
        assert seen[0].mean() == pytest.approx(seen[1].mean(), rel=0.01)
        assert seen[0].std() == pytest.approx(seen[1].std(), rel=0.05)


def test_figures():
    parser = argparse.ArgumentParser()
    ssl.add_arguments(parser)
    found = ssl.run(parser.parse_args(["--batch", "3", "--rounds", "2", "--samples", "100"]))
    for kind in ("time", "spectrogram"):
        assert found[kind]["times_faster"] == pytest.approx(
            found[kind]["views_per_second"] / found[kind]["numpy_views_per_second"]
        )
    assert found["target_times_faster"] == 10
