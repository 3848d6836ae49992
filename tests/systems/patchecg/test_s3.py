"""S3 against a plain re-ordering, and its two ways to learn and to treat what is missing."""

from __future__ import annotations

import pytest
import torch

from ecgvision.systems.patchecg.s3 import S3, S3Layer


def layer_of(ranks: list[float], **changes) -> S3Layer:
    torch.manual_seed(0)
    layer = S3Layer(len(ranks), **changes)
    layer.rank.data = torch.tensor(ranks)
    layer.stitch.weight.data.copy_(torch.tensor([2.0, 10.0]).view(1, 2, 1))
    layer.stitch.bias.data.fill_(100.0)
    return layer


@pytest.mark.parametrize("published", [True, False])
def test_segments_come_in_order_of_their_rank(published):
    layer = layer_of([0.1, 0.5, -0.6, 0.05], published=published)
    x = torch.arange(8.0).view(1, 8, 1).expand(2, 8, 3)
    moved = x[:, [2, 3, 0, 1, 6, 7, 4, 5]]  # descending: second, first, fourth, third
    torch.testing.assert_close(layer(x), 2 * moved + 10 * x + 100)


def test_our_stack_starts_as_the_identity():
    x = torch.randn(2, 180, 5)
    torch.testing.assert_close(S3()(x), x)


def test_gradient_reaches_our_ranks_and_not_the_published_ones():
    torch.manual_seed(0)
    x, target = torch.randn(2, 8, 3), torch.randn(2, 8, 3)
    for published in (False, True):
        layer = layer_of([0.1, 0.5, -0.6, 0.05], published=published)
        (layer(x) - target).square().sum().backward()
        assert bool(layer.rank.grad.any()) != published


def test_straight_through_gradient_is_that_of_the_scaled_entries():
    layer = layer_of([0.1, 0.5, -0.6, 0.05])
    x = torch.randn(1, 8, 3)
    layer(x).sum().backward()
    for i in range(4):  # each segment's own sum, times its stitch weight, over its rank's size
        expected = 2 * x[:, 2 * i : 2 * i + 2].sum() / layer.rank.detach()[i].abs()
        torch.testing.assert_close(layer.rank.grad[i], expected)


def test_leading_tokens_that_do_not_fit_come_back_as_they_came():
    torch.manual_seed(0)
    stack, x = S3(published=True), torch.randn(2, 181, 3)
    out = stack(x)
    assert out.shape == x.shape
    assert torch.equal(out[:, :5], x[:, :5])  # 181 -> 180 -> 176 -> 176
    assert not torch.isclose(out[:, 5:], x[:, 5:]).all()
    expected = x[:, 1:]
    for layer, left_out in zip(stack.layers, (0, 4, 0), strict=True):
        expected = layer(expected[:, left_out:])
    torch.testing.assert_close(out[:, 5:], expected)


def test_a_layer_with_too_many_segments_is_passed_over():
    torch.manual_seed(0)
    stack, x = S3(published=True), torch.randn(2, 9, 3)
    first, second, _ = stack.layers
    torch.testing.assert_close(stack(x)[:, 1:], second(first(x[:, 1:])))


def test_missing_tokens_stay_zero_only_when_named():
    torch.manual_seed(0)
    stack, present = S3(published=True), torch.rand(2, 180) < 0.4
    for layer in stack.layers:
        layer.rank.data = torch.randn(len(layer.rank))
    x = torch.randn(2, 180, 3).masked_fill(~present.unsqueeze(-1), 0.0)
    assert not stack(x, present)[~present].any()
    assert stack(x, present)[present].any()
    trapped = stack(x)[:, 4:][~present[:, 4:]]
    assert trapped.any(-1).all()
