"""What layouts hide is filled by each rule exactly, and what they show stays as it is."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.impute import KNNImputer

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.core.layouts import RANDOM_LAYOUTS, get_layout
from ecgvision.core.page import Page
from ecgvision.data.masks import layout_mask
from ecgvision.evaluate.fills.fills import FILLS, TRAINED, make_fill
from ecgvision.evaluate.fills.knn import NearestRecords

UNTRAINED = tuple(name for name in FILLS if name not in TRAINED)
HERE = (*UNTRAINED, "knn")  # saits has a file of its own


def records(n: int, length: int = 100, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 12, length)).astype(np.float32)


def fill(name: str, train: np.ndarray | None = None):
    given_records: Callable[[], np.ndarray] = lambda: train if train is not None else records(9)  # noqa: E731
    return make_fill(name, train=given_records, progress=False)


def shown(layout: str, length: int = 100) -> np.ndarray:
    return layout_mask(Page(get_layout(layout)), length, length / 10)


def batch(length: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """One record for each layout, and one of which nothing is observed; NaN where hidden."""
    masks = np.stack(
        [shown(name, length) for name in RANDOM_LAYOUTS] + [np.zeros((12, length), bool)]
    )
    return np.where(masks, records(len(masks), length, seed=7), np.float32(np.nan)), masks


@pytest.mark.parametrize("name", HERE)
@given(data=st.data())
def test_whatever_is_hidden_is_finite_and_whatever_is_seen_is_untouched(name, data):
    count, length = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 9))
    shape = (count, 12, length)
    observed = data.draw(hnp.arrays(np.bool_, shape))
    value = data.draw(hnp.arrays(np.float32, shape, elements=st.floats(-50, 50, width=32)))
    hidden = data.draw(st.sampled_from([np.nan, np.inf, 7.0]))
    signals = np.where(observed, value, np.float32(hidden))
    before = signals.tobytes()
    filled = fill(name, records(7, length))(signals, observed)
    assert filled.shape == shape
    assert filled.dtype == np.float32
    assert np.isfinite(filled).all()
    assert filled[observed].tobytes() == signals[observed].tobytes()  # -0.0 too
    assert signals.tobytes() == before
    other = np.where(observed, value, np.float32(0.25))
    np.testing.assert_array_equal(filled, fill(name, records(7, length))(other, observed))


def test_simple_rules_by_plain_loops():
    signals, observed = batch()
    expected = {name: np.zeros_like(signals) for name in UNTRAINED}
    for r, lead in np.ndindex(signals.shape[:2]):
        at = [t for t in range(100) if observed[r, lead, t]]
        for t in range(100):
            if observed[r, lead, t]:
                for out in expected.values():
                    out[r, lead, t] = signals[r, lead, t]
            elif at:
                expected["mean"][r, lead, t] = np.mean(signals[r, lead, at], dtype=np.float64)
                left, right = [a for a in at if a < t], [a for a in at if a > t]
                a, b = (left or right)[-1 if left else 0], (right or left)[0 if right else -1]
                share = 0.5 if a == b else (t - a) / (b - a)
                v, w = signals[r, lead, a], signals[r, lead, b]
                expected["linear"][r, lead, t] = (1 - share) * v + share * w
    for name in UNTRAINED:
        np.testing.assert_allclose(fill(name)(signals, observed), expected[name], atol=1e-6)


def test_a_line_across_a_gap():
    signals = np.full((1, 12, 6), np.nan, np.float32)
    signals[0, 3, [1, 4]] = 1.0, 4.0
    filled = fill("linear")(signals, ~np.isnan(signals))
    np.testing.assert_allclose(filled[0, 3], [1, 1, 2, 3, 4, 4], atol=1e-6)
    assert not filled[0, :3].any()


@pytest.mark.parametrize("holes", [0, 400])
def test_knn_is_scikit_learns(holes):
    train = records(30, seed=1)
    gone = np.random.default_rng(2).integers(0, train.size, holes)
    train.reshape(-1)[gone] = np.nan
    signals, observed = batch()
    signals, observed = np.tile(signals, (3, 1, 1)), np.tile(observed, (3, 1, 1))
    signals[7:] += 0.3
    got = fill("knn", train)(signals, observed)
    plain = KNNImputer(n_neighbors=5).fit(train.reshape(30, -1)).transform(signals.reshape(21, -1))
    np.testing.assert_allclose(got, plain.reshape(signals.shape), atol=1e-5)


def test_knn_finds_the_record_itself():
    train = np.repeat(records(4, seed=3), 5, axis=0)  # its five nearest are its own copies
    observed = np.broadcast_to(shown("3x4"), (4, 12, 100))
    filled = fill("knn", train)(train[::5], observed)
    np.testing.assert_allclose(filled, train[::5], atol=1e-6)


def test_knn_with_fewer_records_than_neighbours_takes_all():
    signals, observed = batch()
    train = records(3, seed=4)
    filled = fill("knn", train)(signals, observed)
    np.testing.assert_allclose(
        filled[~observed], np.broadcast_to(train.mean(0), filled.shape)[~observed], atol=1e-6
    )


def test_knn_with_a_sample_no_record_holds_takes_zero_there():
    train = records(6)
    train[:, 4, 10] = np.nan
    signals, observed = batch()
    filled = fill("knn", train)(signals, observed)
    hidden = ~observed[:, 4, 10]
    assert hidden.any()
    assert (filled[hidden, 4, 10] == 0).all()


def test_one_search_spares_most_of_the_work():
    train, many = records(300, seed=5), records(40, seed=6)
    observed = np.broadcast_to(shown("3x4"), many.shape)
    fast, slow = NearestRecords(train, progress=False), NearestRecords(train, progress=False)
    slow.whole = False
    seconds = []
    for way in (fast, slow):
        start = time.perf_counter()
        way(many, observed)
        seconds.append(time.perf_counter() - start)
    assert seconds[0] < seconds[1] / 2


def test_training_records_are_asked_for_once_and_only_where_needed():
    calls = []

    def train() -> np.ndarray:
        calls.append(1)
        return records(6)

    for name in UNTRAINED:
        make_fill(name, train=train)(*batch())
        make_fill(name, train=None)
    assert not calls
    knn = make_fill("knn", train=train, progress=False)
    for _ in range(2):
        knn(*batch())
    assert calls == [1]


def test_progress_is_shown_when_asked(capsys):
    signals, observed = batch()
    for progress in (True, False):
        make_fill("knn", train=lambda: records(6), progress=progress)(signals, observed)
        assert ("7/7" in capsys.readouterr().err) == progress


@pytest.mark.parametrize(
    ("name", "train", "error", "text"),
    [
        ("median", None, ConfigError, "median"),
        ("knn", None, ConfigError, "learns from training records"),
        ("saits", None, ConfigError, "learns from training records"),
        ("knn", lambda: records(0), DataError, r"at least one.*\(0, 12, 100\)"),
        ("knn", lambda: records(3)[:, :3], DataError, r"\(3, 3, 100\)"),
        ("knn", lambda: records(3).astype(np.float64), DataError, "float64"),
        ("knn", lambda: records(3) / np.float32(0), DataError, "record 0 holds an infinite"),
        ("knn", lambda: np.where(np.arange(3)[:, None, None] == 1, np.float32(np.nan), records(3)),
         DataError, "record 1 holds no sample"),
    ],
)  # fmt: skip
def test_refused_to_make(name, train, error, text):
    with np.errstate(divide="ignore"), pytest.raises(error, match=text):
        make_fill(name, train=train)


def test_refused_to_fill():
    signals, observed = batch()
    zero, knn = fill("zero"), fill("knn")
    with pytest.raises(DataError, match="shape"):
        zero(signals[0], observed[0])
    with pytest.raises(DataError, match="shape"):
        zero(signals, observed[:2])
    with pytest.raises(DataError, match="float64"):
        zero(signals.astype(np.float64), observed)
    with pytest.raises(DataError, match="int8"):
        zero(signals, observed.astype(np.int8))
    with pytest.raises(DataError, match=r"learnt from records of 100 samples.*50"):
        knn(signals[..., :50], observed[..., :50])
    broken = observed.copy()
    broken[2:4] = True
    with pytest.raises(DataError, match=r"record 2 is not finite.*\[2, 3\]"):
        zero(signals, broken)
