"""The draw of negatives against plain loops over Python's integers, and its distribution."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from ecgvision.core.errors import ConfigError
from ecgvision.systems.mvkt.negatives import NEGATIVES, draw, eligible, scatter

WORD = 2**32 - 1


def mixed(x: int) -> int:
    x = ((x ^ x >> 16) * 0x21F0AAAD) & WORD
    x = ((x ^ x >> 15) * 0x735A2D97) & WORD
    return x ^ x >> 15


def bits(seed: int, step: int, row: int, column: int) -> int:
    state = 0
    for word in (seed, seed >> 32, step, step >> 32):
        state = mixed((mixed((state + 1) & WORD) ^ word) & WORD)
    return mixed(mixed(state ^ mixed(row)) ^ mixed(column + 1))


def by_hand(row, labels, kind, k, seed, step):
    """One anchor's negatives, and whether they were few or none."""
    n = len(labels)
    allowed = []
    for j in range(n):
        if j == row:
            continue
        if kind == "disjoint" and any(a and b for a, b in zip(labels[row], labels[j], strict=True)):
            continue
        if kind == "official" and labels[row][0] == labels[j][0]:
            continue
        allowed.append(j)
    few, none = 0 < len(allowed) < k, not allowed
    if none:
        allowed = [j for j in range(n) if j != row]
    allowed.sort(key=lambda j: (bits(seed, step, row, j), j), reverse=True)
    if len(allowed) >= k:
        return allowed[:k], few, none
    again = [bits(seed, step, row, n + i) * len(allowed) >> 32 for i in range(k)]
    return [allowed[i] for i in again], few, none


@given(st.data())
def test_equals_plain_loops(data):
    n, labels = data.draw(st.integers(2, 12)), data.draw(st.integers(1, 4))
    row_of_labels = st.lists(st.integers(0, 1), min_size=labels, max_size=labels)
    targets = data.draw(st.lists(row_of_labels, min_size=n, max_size=n))
    rows = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5))
    kind, k = data.draw(st.sampled_from(NEGATIVES)), data.draw(st.integers(1, 15))
    seed = data.draw(st.integers(-(2**63), 2**63 - 1))
    step = data.draw(st.integers(0, 2**40))
    found, fallbacks = draw(
        torch.tensor(rows), torch.tensor(targets, dtype=torch.uint8), negatives=kind, k=k,
        seed=seed, step=torch.tensor(step),
    )  # fmt: skip
    expected = [by_hand(row, targets, kind, k, seed, step) for row in rows]
    assert found.tolist() == [e[0] for e in expected]
    assert fallbacks.tolist() == [sum(e[1] for e in expected), sum(e[2] for e in expected)]


def take(kind, *, k, targets, rows, seed=0, step=0):
    return draw(rows, targets, negatives=kind, k=k, seed=seed, step=torch.tensor(step))


@pytest.fixture
def targets():
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(400, 5, generator=generator) < 0.25).to(torch.uint8)
    labels[labels.sum(1) == 0, 0] = 1
    return labels


def test_disjoint_negatives_never_share_a_label(targets):
    rows = torch.arange(400)
    found, fallbacks = take("disjoint", k=30, targets=targets, rows=rows)
    shared = (targets[rows][:, None].int() * targets[found].int()).sum(-1)
    assert not shared.any()
    enough = eligible(rows, targets, "disjoint").sum(1) >= 30
    assert enough.any()
    assert all(len(set(row)) == 30 for row in found[enough].tolist())
    assert fallbacks.sum() == (~enough).sum()
    # Others would have shared labels, so the rule has something to forbid.
    uniform, _ = take("uniform", k=30, targets=targets, rows=rows)
    assert (targets[rows][:, None].int() * targets[uniform].int()).sum() > 0


def test_official_negatives_differ_in_the_first_label_alone(targets):
    rows = torch.arange(400)
    found, _ = take("official", k=30, targets=targets, rows=rows)
    assert (targets[found][..., 0] != targets[rows][:, None, 0]).all()
    assert (targets[found][..., 1:] * targets[rows][:, None, 1:]).any()  # the fault of that split


def test_uniform_negatives_are_all_others_alike(targets):
    row = torch.tensor([7])
    counts = torch.zeros(400)
    for step in range(400):
        found, _ = take("uniform", k=20, targets=targets, rows=row, step=step)
        counts[found[0]] += 1
    assert counts[7] == 0
    counts = torch.cat([counts[:7], counts[8:]])
    # Without replacement the counts vary a little less than chisquare takes them to.
    assert 1e-4 < chisquare(counts.numpy()).pvalue < 1 - 1e-4


def test_drawing_again_is_even_among_the_few():
    targets = torch.zeros(50, 2, dtype=torch.uint8)
    targets[:, 0] = 1
    targets[10:15] = torch.tensor([0, 1], dtype=torch.uint8)
    found, fallbacks = take("disjoint", k=5000, targets=targets, rows=torch.tensor([0]))
    assert fallbacks.tolist() == [1, 0]
    drawn = found[0].bincount(minlength=50)
    assert drawn.sum() == drawn[10:15].sum() == 5000
    assert chisquare(drawn[10:15].numpy()).pvalue > 1e-4


def test_bits_are_even_and_rows_and_steps_apart():
    rows, columns = torch.arange(64), torch.arange(2000)
    first = scatter(3, torch.tensor(5), rows, columns)
    assert int(first.min()) >= 0
    assert int(first.max()) < 2**32
    for shift in (0, 12, 24):
        seen = (first >> shift & 255).flatten().bincount(minlength=256)
        assert chisquare(seen.numpy()).pvalue > 1e-4
    for other in (
        scatter(3, torch.tensor(6), rows, columns), scatter(4, torch.tensor(5), rows, columns),
        first.roll(1, 0), first.roll(1, 1),
    ):  # fmt: skip
        both = torch.stack([first.flatten(), other.flatten()]).double()
        assert abs(torch.corrcoef(both)[0, 1]) < 0.015  # five standard deviations


def test_nobody_eligible_means_all_others():
    targets = torch.ones(6, 3, dtype=torch.uint8)
    found, fallbacks = take("disjoint", k=5, targets=targets, rows=torch.arange(6))
    assert fallbacks.tolist() == [0, 6]
    for row in range(6):
        assert sorted(found[row].tolist()) == [j for j in range(6) if j != row]


def test_records_without_a_label_are_never_their_own_negative():
    targets = torch.zeros(4, 2, dtype=torch.uint8)
    found, fallbacks = take("disjoint", k=3, targets=targets, rows=torch.arange(4))
    assert not (found == torch.arange(4)[:, None]).any()
    assert fallbacks.tolist() == [0, 0]


def test_unknown_kinds_are_named():
    with pytest.raises(ConfigError, match="hard"):
        take("hard", k=1, targets=torch.ones(2, 1, dtype=torch.uint8), rows=torch.tensor([0]))
