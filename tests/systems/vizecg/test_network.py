"""VizECGNet's contracts: exact image-only inference, switches, gradients, pretrained weights."""

from __future__ import annotations

import itertools

import pytest
import torch

from ecgvision.core.errors import ConfigError
from ecgvision.nn.student import Student
from ecgvision.systems.vizecg.network import VizECGNet, stream_names

SIZE = (64, 96)
LENGTH = 256


def network(**changes) -> VizECGNet:
    torch.manual_seed(0)
    settings = {
        "image_size": SIZE, "signal_length": LENGTH, "image_encoder": "test_efficientnet",
        "signal_encoder": "resnet1d_lite", "width": 32, "heads": 4,
    }  # fmt: skip
    return VizECGNet(3, **(settings | changes))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8), torch.randn(2, 12, LENGTH)


@pytest.mark.parametrize("variant", ["A1", "A2"])
def test_image_only_inference_is_exact(variant, batch):
    image, signal = batch
    model = network(variant=variant).eval()
    with torch.no_grad():
        alone, together = model(image), model(image, signal)
    assert list(alone) == ["image"]
    assert torch.equal(alone["image"], together["image"])


def test_the_signal_reaches_the_other_heads(batch):
    image, signal = batch
    model = network().eval()
    with torch.no_grad():
        one, other = model(image, signal), model(image, -signal)
    assert torch.equal(one["image"], other["image"])
    assert not torch.allclose(one["signal+image"], other["signal+image"])
    assert not torch.allclose(one["fused"], other["fused"])


@pytest.mark.parametrize(("variant", "cmam"), list(itertools.product(["A1", "A2"], [True, False])))
def test_a_stream_is_named_signal_only_where_no_other_page_changes_it(variant, cmam, batch):
    image, signal = batch
    model = network(variant=variant, cmam=cmam).eval()
    with torch.no_grad():
        one, other = model(image, signal), model(255 - image, signal)
    if variant == "A1" and cmam:
        assert list(one) == ["image", "signal+image", "fused"]
        assert not torch.allclose(one["signal+image"], other["signal+image"])
    else:
        assert torch.equal(one["signal"], other["signal"])


def test_attention_and_the_fused_head_are_switched_apart(batch):
    parts = {
        (cmam, fused): {name.partition(".")[0] for name, _ in
                        network(cmam=cmam, fused=fused).named_parameters()}
        for cmam, fused in itertools.product([True, False], repeat=2)
    }  # fmt: skip
    towers = {"image_tower", "image_head", "signal_tower", "signal_head"}
    assert parts[False, False] == towers
    assert parts[False, True] == towers | {"fused_head"}
    assert parts[True, False] == towers | {"signal_asks"}
    assert parts[True, True] == towers | {"signal_asks", "image_asks", "fused_head"}


@pytest.mark.parametrize(
    ("variant", "smam", "cmam", "fused"),
    list(itertools.product(["A1", "A2"], *[[True, False]] * 3)),
)
def test_every_parameter_learns_in_the_first_step(variant, smam, cmam, fused, batch):
    image, signal = batch
    model = network(variant=variant, smam=smam, cmam=cmam, fused=fused, dropout=0.0).train()
    torch.manual_seed(3)  # under A2: at least one record keeps its other stream in each direction
    logits = model(torch.cat([image] * 4), torch.cat([signal] * 4))
    names = stream_names(streams="both", variant=variant, cmam=cmam, fused=fused)
    assert tuple(logits) == names
    sum(z.square().sum() for z in logits.values()).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # a key's bias shifts every attention score of a query alike, which softmax ignores; a
    # zero-initialised norm holds its branch shut for one step
    assert [n for n in without if "to_kv.bias" not in n] == []


@pytest.mark.parametrize("stream", ["image", "signal"])
def test_one_stream_alone(stream, batch):
    image, signal = batch
    model = network(streams=stream)
    logits = model(image=image) if stream == "image" else model(signal=signal)
    assert list(logits) == [stream]
    other = "signal_tower" if stream == "image" else "image_tower"
    assert not hasattr(model, other)


def test_unobserved_values_do_not_matter(batch):
    _, signal = batch
    model = network(streams="signal").eval()
    observed = torch.ones_like(signal, dtype=torch.bool)
    observed[:, 3:, 100:] = False
    changed = torch.where(observed, signal, 17.0)
    hidden = torch.where(observed, signal, torch.nan)
    with torch.no_grad():
        expected = model(signal=signal, observed=observed)["signal"]
        torch.testing.assert_close(model(signal=changed, observed=observed)["signal"], expected)
        torch.testing.assert_close(model(signal=hidden)["signal"], expected)


def test_a_constant_offset_of_a_lead_does_not_matter(batch):
    _, signal = batch
    model = network(streams="signal").eval()
    with torch.no_grad():
        moved = model(signal=signal + torch.arange(12.0)[:, None])["signal"]
        torch.testing.assert_close(moved, model(signal=signal)["signal"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"variant": "A3"}, "A3"),
        ({"streams": "picture"}, "picture"),
        ({"image_encoder": "resnet_of_dreams"}, "resnet_of_dreams"),
        ({"signal_encoder": "resnet1d_of_dreams"}, "resnet1d_of_dreams"),
        ({"width": 30, "heads": 8}, "30"),
    ],
)
def test_wrong_settings_are_named(changes, named):
    with pytest.raises(ConfigError, match=named):
        network(**changes)


def test_student_equals_the_image_stream(batch):
    image, signal = batch
    model = network().eval()
    student = Student(
        model.image_tower, model.image_head, image_size=SIZE, temperature=2.0,
        thresholds=[0.4, 0.5, 0.6],
    ).eval()  # fmt: skip
    with torch.no_grad():
        z, p, decisions = student(image)
        torch.testing.assert_close(z, model(image, signal)["image"])
    torch.testing.assert_close(p, torch.sigmoid(z / 2))
    assert torch.equal(decisions, p >= torch.tensor([0.4, 0.5, 0.6]))
    assert {"temperature", "thresholds", "tower.encoder.mean"} <= set(student.state_dict())
