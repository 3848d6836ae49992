"""PatchECG: what is missing changes nothing, in every variant and on both paths."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.signal_encoders.net1d import Net1D
from ecgvision.systems.patchecg.masked_transformer import MaskedTransformer, length_groups
from ecgvision.systems.patchecg.network import PatchECG

LEADS, PATCHES, LENGTH = 3, 8, 16
TOKENS = LEADS * PATCHES
ENCODERS = ("net1d", "linear")
MODES = ("none", "before_cls", "official")


def network(**changes) -> PatchECG:
    torch.manual_seed(0)
    tiny = {
        "leads": LEADS, "patches": PATCHES, "patch_length": LENGTH, "width": 16, "depth": 2,
        "heads": 2,
    }  # fmt: skip
    model = PatchECG(3, **(tiny | changes))
    with torch.no_grad():
        for name, parameter in model.named_parameters():  # biases and places away from zero
            if parameter.requires_grad and "rank" not in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    if model.shuffle is not None:
        for layer in model.shuffle.layers:
            layer.rank.data = torch.randn(len(layer.rank))
    return model


def batch(seed: int = 0, rows: int = 5) -> tuple[Tensor, Tensor]:
    """Values and masks: whole patches, parts of patches and whole leads missing."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(rows, 1, 1, 1, generator=generator)
    patch = torch.rand(rows, LEADS, PATCHES, 1, generator=generator) < share
    sample = torch.rand(rows, LEADS, PATCHES, LENGTH, generator=generator) < 0.7
    observed = patch & sample
    observed[:, -1, -1, -1] = True
    return torch.randn(rows, LEADS, PATCHES, LENGTH, generator=generator), observed


def logits(model: PatchECG, value: Tensor, observed: Tensor, **kwargs) -> Tensor:
    with torch.no_grad():
        return model(value, observed, **kwargs)["patches"]


VARIANTS = list(itertools.product(ENCODERS, MODES, [False, True]))


@pytest.mark.parametrize(("encoder", "s3", "uniform"), VARIANTS)
def test_unobserved_values_change_nothing(encoder, s3, uniform):
    model = network(patch_encoder=encoder, s3=s3, official_uniform_attention=uniform).eval()
    value, observed = batch()
    expected = logits(model, value, observed)
    for filler in (float("nan"), float("inf"), 1e30, -3.0):
        other = torch.where(observed, value, filler)
        assert torch.equal(logits(model, other, observed), expected)
    assert not torch.allclose(logits(model, 2 * value, observed), expected)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("s3", MODES)
def test_unobserved_values_get_no_gradient(s3, packed):
    model = network(s3=s3, packed=packed).train()
    value, observed = batch()
    value = torch.where(observed, value, float("nan")).requires_grad_()
    model(value, observed)["patches"].square().sum().backward()
    assert not value.grad[~observed].any()
    assert value.grad[observed].any()


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_missing_tokens_can_be_left_out(encoder, uniform):
    """Against a record whose tokens are built by hand, without the missing ones."""
    model = network(patch_encoder=encoder, official_uniform_attention=uniform).eval()
    value, observed = batch(rows=1)
    observed[0, 1] = False
    tokens = [model.cls[0]]
    where = model.embedding()
    for place in range(TOKENS):
        lead, patch = divmod(place, PATCHES)
        seen = observed[0, lead, patch]
        if seen.any():
            clean = torch.where(seen, value[0, lead, patch], 0.0)
            tokens.append(model.encoder(clean[None], seen[None]) + where[place])
    assert 2 < len(tokens) < TOKENS
    alone = model.head(model.transformer(torch.cat(tokens)[None], None))
    torch.testing.assert_close(logits(model, value, observed), alone, rtol=1e-5, atol=1e-5)


@given(st.integers(0, 2**31), st.integers(1, 9), st.sampled_from(VARIANTS))
def test_packed_equals_padded(seed, rows, variant):
    encoder, s3, uniform = variant
    model = network(patch_encoder=encoder, s3=s3, official_uniform_attention=uniform).eval()
    value, observed = batch(seed, rows)
    torch.testing.assert_close(
        logits(model, value, observed, packed=True),
        logits(model, value, observed, packed=False),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("s3", MODES)
def test_records_do_not_touch_each_other(s3, packed):
    model = network(s3=s3, packed=packed).eval()
    value, observed = batch(rows=6)
    together = logits(model, value, observed)
    shuffled = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(
        logits(model, value[shuffled], observed[shuffled]), together[shuffled], **close
    )
    for i in range(6):
        alone = logits(model, value[i : i + 1], observed[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], **close)


@pytest.mark.parametrize("s3", MODES)
def test_packing_spares_the_work(s3):
    """The encoder meets each observed patch once, the transformer hardly a missing one."""
    model = network(s3=s3, packed=True).eval()
    value, observed = batch(rows=8)
    encoded, met = [], []
    model.encoder.register_forward_pre_hook(lambda _, args: encoded.append(len(args[0])))
    model.transformer.blocks[0].register_forward_pre_hook(
        lambda _, args: met.append(args[0].shape[0] * args[0].shape[1])
    )
    logits(model, value, observed)
    seen = int(observed.any(-1).sum())
    assert encoded == [seen]
    assert seen + 8 <= sum(met) <= 1.25 * (seen + 8) < 8 * (TOKENS + 1)


@pytest.mark.parametrize("changes", [{}, {"lead_embedding": False, "time_embedding": False}])
@pytest.mark.parametrize("packed", [False, True])
def test_runs_in_half_precision(changes, packed):
    model = network(packed=packed, s3="before_cls", **changes).eval()
    value, observed = batch()
    expected = logits(model, value, observed)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(
            logits(model, value, observed).float(), expected, rtol=0.05, atol=0.05
        )


@pytest.mark.parametrize("packed", [False, True])
def test_batch_norm_sees_only_patches_that_exist(packed):
    """Training statistics equal those over the observed patches alone."""
    model, other = (network(packed=packed).train() for _ in range(2))
    value, observed = batch()
    model(value, observed)
    seen = observed.any(-1)
    other.encoder(torch.where(observed, value, 0.0)[seen], observed[seen])
    norm, expected = model.encoder.net.first_bn, other.encoder.net.first_bn
    torch.testing.assert_close(norm.running_mean, expected.running_mean)
    torch.testing.assert_close(norm.running_var, expected.running_var)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"patch_encoder": "linear"},
        {"s3": "before_cls"},
        {"s3": "official"},
        {"s3": "official", "official_uniform_attention": True},
        {"lead_embedding": False},
        {"time_embedding": False},
        {"lead_embedding": False, "time_embedding": False},
        {"joint_embedding": True},
        {"dropout": 0.2},
        {"official_uniform_attention": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_ablation_trains(changes, packed):
    model = network(packed=packed, **changes).train()
    value, observed = batch()
    observed[0] = True  # each place of the grid is seen
    out = model(value, observed)["patches"]
    assert out.shape == (5, 3)
    out.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        # What the stitch adds to all of a token alike, every layer norm takes away again: its
        # gradient is rounding, or exactly 0.
        flat = ("rank", "qkv", "stitch.bias")
        if parameter.requires_grad and not any(part in name for part in flat):
            assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, LEADS + PATCHES),
        ({"lead_embedding": False}, PATCHES),
        ({"time_embedding": False}, LEADS),
        ({"lead_embedding": False, "time_embedding": False}, 0),
        ({"joint_embedding": True}, TOKENS),
    ],
)
def test_the_place_of_a_patch_counts_as_far_as_it_is_learned(changes, count):
    model = network(**changes).eval()
    assert sum(p.numel() for p in model.embedding.parameters()) == count * 16
    value, observed = batch(rows=1)
    observed[:] = True
    swapped = [1, 0, *range(2, PATCHES)]
    time_matters = not torch.allclose(
        logits(model, value[:, :, swapped], observed), logits(model, value, observed), atol=1e-5
    )
    lead_matters = not torch.allclose(
        logits(model, value[:, [1, 0, 2]], observed), logits(model, value, observed), atol=1e-5
    )
    joint = "joint_embedding" in changes
    assert time_matters == (joint or changes.get("time_embedding", True))
    assert lead_matters == (joint or changes.get("lead_embedding", True))


@pytest.mark.parametrize(("s3", "packed"), list(itertools.product(MODES, [False, True])))
def test_uniform_attention_does_not_ask_queries_and_keys(s3, packed):
    model = network(s3=s3, official_uniform_attention=True, packed=packed).eval()
    sharp = network(s3=s3, packed=packed).eval()
    value, observed = batch()
    before = logits(model, value, observed), logits(sharp, value, observed)
    for network_ in (model, sharp):
        for block in network_.transformer.blocks:
            block.attention.qkv.weight.data[:32].normal_()  # queries and keys of width 16
            block.attention.qkv.bias.data[:32].normal_()
    assert torch.equal(logits(model, value, observed), before[0])
    assert not torch.allclose(logits(sharp, value, observed), before[1])


def test_uniform_attention_is_the_mean_of_what_is_present():
    attention = network(official_uniform_attention=True).eval().transformer.blocks[0].attention
    x, present = torch.randn(2, 7, 16), torch.rand(2, 7) < 0.6
    present[:, 0] = True
    values = attention.qkv(x)[..., 32:]
    for row in range(2):
        expected = attention.out(values[row, present[row]].mean(0))
        torch.testing.assert_close(
            attention(x, present)[row], expected.expand(7, 16), rtol=1e-5, atol=1e-6
        )


def sequence(model: PatchECG, value: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """CLS and tokens as the transformer meets them, and which are present."""
    present = observed.any(-1).flatten(1)
    with torch.no_grad():
        return model._sequence(model._tokens(value, observed, present), present)


def test_s3_before_cls_keeps_missing_tokens_zero():
    value, observed = batch()
    tokens, present = sequence(network(s3="before_cls").eval(), value, observed)
    assert torch.equal(present[:, 1:], observed.any(-1).flatten(1))
    assert not tokens[~present].any()
    assert tokens[present].any(-1).all()


@pytest.mark.parametrize("uniform", [False, True])
def test_s3_official_falls_into_its_trap(uniform):
    """Missing tokens become other than zero, and CLS is no part of the first segment."""
    model = network(s3="official", official_uniform_attention=uniform).eval()
    value, observed = batch()
    tokens, present = sequence(model, value, observed)
    missing = ~observed.any(-1).flatten(1)
    left_out = (TOKENS + 1) % 4 + TOKENS % 8 + (TOKENS - TOKENS % 8) % 16
    assert left_out == 9  # CLS, and eight tokens that do not fill sixteen segments
    assert tokens[:, left_out:][missing[:, left_out - 1 :]].any(-1).all()
    assert torch.equal(tokens[:, 0], model.cls[0].expand(5, -1))
    assert present[:, 1:][missing].all() == uniform


def test_the_transformer_is_torchs_own():
    torch.manual_seed(0)
    ours = MaskedTransformer(16, depth=1, heads=2).eval()
    block = ours.blocks[0]
    theirs = nn.TransformerEncoderLayer(
        16, 2, 64, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    theirs.self_attn.in_proj_weight.data = block.attention.qkv.weight.data
    theirs.self_attn.in_proj_bias.data = block.attention.qkv.bias.data
    for mine, other in (
        (block.attention.out, theirs.self_attn.out_proj), (block.norm1, theirs.norm1),
        (block.norm2, theirs.norm2), (block.mlp[0], theirs.linear1), (block.mlp[3], theirs.linear2),
    ):  # fmt: skip
        other.load_state_dict(mine.state_dict())
    x, present = torch.randn(4, 9, 16), torch.rand(4, 9) < 0.5
    present[:, 0] = True
    expected = theirs(x, src_key_padding_mask=~present)  # in training mode: no fast path
    torch.testing.assert_close(ours(x, present), ours.norm(expected[:, 0]), rtol=1e-5, atol=1e-6)
    assert not block(x, present)[~present].any()
    torch.testing.assert_close(block(x, present)[present], expected[present], rtol=1e-5, atol=1e-6)


@given(st.lists(st.integers(1, 181), min_size=1, max_size=40))
def test_groups_hold_every_record_once_and_waste_little(counts):
    groups = length_groups(counts)
    assert sorted(i for group in groups for i in group) == list(range(len(counts)))
    for group in groups:
        lengths = [counts[i] for i in group]
        assert max(lengths) <= 1.25 * min(lengths)


def test_the_published_settings():
    """The public transformer has 21,442,620 parameters with 180 joint places it never uses."""
    model = PatchECG(23, s3="official")
    total = sum(p.numel() for p in model.parameters())
    assert total - 293_936 + 180 * 768 == 21_442_620
    assert total == 21_598_316


@pytest.fixture
def pretrained(tmp_path) -> Path:
    torch.manual_seed(5)
    net = Net1D(
        1, 9, base=4, filters=(4, 8), blocks=(1, 2), kernel=5, group_width=4, normalise=False
    )
    torch.save({"state_dict": net.state_dict()}, tmp_path / "single_lead.pt")
    return tmp_path / "single_lead.pt"


@pytest.mark.parametrize("packed", [False, True])
def test_a_pretrained_encoder_stays_as_it_is(pretrained, packed):
    model = network(patch_encoder=str(pretrained), packed=packed).train()
    assert not model.encoder.net.training
    trained = {n for n, p in model.encoder.named_parameters() if p.requires_grad}
    assert trained == {"net.dense.weight", "net.dense.bias"}
    saved = torch.load(pretrained, weights_only=True)["state_dict"]
    value, observed = batch()
    model(value, observed)["patches"].sum().backward()
    state = model.encoder.net.state_dict()
    assert all(torch.equal(state[k], v) for k, v in saved.items() if "dense" not in k)
    assert model.encoder.net.dense.weight.grad.any()
    model.eval()
    expected = logits(model, value, observed)
    assert torch.equal(logits(model, torch.where(observed, value, 9.0), observed), expected)


def test_a_pretrained_encoder_of_several_leads_is_refused(tmp_path):
    net = Net1D(12, 9, base=4, filters=(4,), blocks=(1,), kernel=5, group_width=4)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    with pytest.raises(ConfigError, match=r"single lead.*12"):
        network(patch_encoder=str(tmp_path / "net.pt"))


@pytest.mark.parametrize("packed", [False, True])
def test_a_record_with_nothing_observed_is_refused(packed):
    value, observed = batch()
    observed[2] = False
    with pytest.raises(DataError, match="batch row 2"):
        network(packed=packed)(value, observed)


def test_an_observed_nan_is_refused():
    value, observed = batch()
    value[3, -1, -1, -1] = float("nan")
    with pytest.raises(DataError, match="batch row 3 is not finite"):
        network()(value, observed)


@pytest.mark.parametrize("wrong", ["value", "mask", "type"])
def test_inputs_of_another_shape_or_type_are_refused(wrong):
    value, observed = batch()
    if wrong == "value":
        value, observed = value[:, :2], observed[:, :2]
    elif wrong == "mask":
        observed = observed[..., :1]
    else:
        observed = observed.float()
    with pytest.raises(DataError, match="mask"):
        network()(value, observed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"s3": "after_cls"},
        {"patch_encoder": "net2d"},
        {"heads": 3},
        {"dropout": 1.0},
        {"patches": 0},
        {"depth": 0},
    ],
    ids=str,
)
def test_wrong_settings_are_named(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ConfigError, match=rf"model\.{name}.*{value}"):
        network(**wrong)
