"""Net1D: its published size and lengths, its padding, and loading a pretrained one."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.signal_encoders.net1d import Net1D, Net1DBlock, SameConv1d
from ecgvision.systems.patchecg.patch_encoders import load_net1d

TINY = {"base": 4, "filters": (4, 8), "blocks": (1, 2), "kernel": 5, "group_width": 4}


def test_the_published_settings_have_the_published_size():
    net = Net1D()
    assert sum(p.numel() for p in net.parameters()) == 293_936
    assert sum(p.numel() for p in net.parameters() if not p.requires_grad) == 2 * 16


def test_lengths_of_the_published_settings():
    net, lengths = Net1D().eval(), []
    for module in (net.first_conv, *net.stages):
        module.register_forward_hook(lambda _m, _i, out: lengths.append(out.shape[-1]))
    assert net(torch.zeros(3, 2, 64)).shape == (3, 768)
    assert lengths == [32, 16, 8, 4, 2, 1, 1, 1]


@pytest.mark.parametrize("length", [1, 2, 7, 64])
@pytest.mark.parametrize(("kernel", "stride"), [(16, 2), (5, 1), (1, 1), (3, 2)])
def test_same_padding_equals_a_plain_sum(length, kernel, stride):
    torch.manual_seed(0)
    conv, x = SameConv1d(1, 1, kernel, stride=stride), torch.randn(1, 1, length)
    steps = -(-length // stride)
    left = max(0, (steps - 1) * stride + kernel - length) // 2
    expected = []
    for i in range(steps):
        total = conv.bias[0]
        for j in range(kernel):
            at = i * stride + j - left
            if 0 <= at < length:
                total = total + conv.weight[0, 0, j] * x[0, 0, at]
        expected.append(total)
    torch.testing.assert_close(conv(x)[0, 0], torch.stack(expected))


def block(**changes) -> Net1DBlock:
    torch.manual_seed(0)
    settings = {"kernel": 4, "stride": 2, "groups": 2, "first": False, "normalise": True}
    return Net1DBlock(4, 10, **(settings | changes), dropout=0.5).eval()


@pytest.mark.parametrize("length", [1, 6, 7])
def test_shortcut_pools_and_widens_with_zeros(length):
    ours, x = block(), torch.randn(3, 4, length)
    nn.init.zeros_(ours.conv3.weight)
    nn.init.zeros_(ours.conv3.bias)
    out = ours(x)
    assert not out[:, :3].any()
    assert not out[:, 7:].any()
    for i in range(out.shape[-1]):
        pair = [x[..., 2 * i], x[..., 2 * i + 1] if 2 * i + 1 < length else torch.zeros(3, 4)]
        assert torch.equal(out[:, 3:7, i], torch.maximum(*pair))


def test_the_first_block_takes_its_input_as_it_is():
    x = torch.randn(2, 4, 8)
    first = block(first=True)
    expected = first.conv1(x)
    expected = first.conv2(F.silu(first.bn2(expected)))
    expected = first.conv3(F.silu(first.bn3(expected)))
    squeezed = expected.mean(-1)
    gate = torch.sigmoid(first.se_fc2(F.silu(first.se_fc1(squeezed))))
    torch.testing.assert_close(first(x) - first._shortcut(x), expected * gate[..., None])
    assert not torch.allclose(block()(x), first(x))


def test_every_trained_parameter_learns():
    torch.manual_seed(0)
    net = Net1D(2, 3, **TINY).train()
    net(torch.randn(4, 2, 32)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_a_single_signal_cannot_train_batch_norm():
    net = Net1D(2, 3, **TINY)
    with pytest.raises(DataError, match=r"two signals.*got 1"):
        net(torch.zeros(1, 2, 16))
    assert net.eval()(torch.zeros(1, 2, 16)).shape == (1, 3)
    assert Net1D(2, 3, **TINY, normalise=False)(torch.zeros(1, 2, 16)).shape == (1, 3)


@pytest.mark.parametrize(
    "wrong", [{"blocks": (1,)}, {"filters": (8, 4)}, {"filters": (), "blocks": ()}]
)
def test_wrong_stages_are_refused(wrong):
    with pytest.raises(ConfigError, match="stage"):
        Net1D(**(TINY | wrong))


@pytest.mark.parametrize("filters", [(4, 9), (2, 4)])
def test_channels_that_cannot_be_grouped_are_refused(filters):
    with pytest.raises(ConfigError, match="group"):
        Net1D(**(TINY | {"base": 2, "filters": filters}))


def published(net: Net1D) -> dict[str, torch.Tensor]:
    """The state under the names of the public implementation."""
    renamed = {}
    for key, value in net.state_dict().items():
        parts = key.split(".")
        if parts[0] == "stages":
            parts[:3] = ["stage_list", parts[1], "block_list", parts[2]]
        if parts[-2] in ("first_conv", "conv1", "conv2", "conv3"):
            parts.insert(-1, "conv")
        renamed[".".join(parts)] = value
    return renamed


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_structure_is_read_from_the_weights(tmp_path, normalise, wrapped):
    torch.manual_seed(0)
    net = Net1D(1, 7, **TINY, normalise=normalise, dropout=0.0).train()
    net(torch.randn(4, 1, 32))  # batch norm has now seen a batch
    state = published(net)
    assert "stage_list.1.block_list.0.conv2.conv.weight" in state
    torch.save({"state_dict": state, "epoch": 3} if wrapped else state, tmp_path / "net.pt")
    loaded, x = load_net1d(tmp_path / "net.pt").eval(), torch.randn(5, 1, 48)
    torch.testing.assert_close(loaded.pooled(x), net.eval().pooled(x))
    assert loaded.normalise == normalise


def test_batch_norm_that_never_saw_a_batch_is_no_part(tmp_path):
    torch.manual_seed(0)
    plain = Net1D(1, 7, **TINY, normalise=False).eval()
    idle = Net1D(1, 7, **TINY)
    idle.load_state_dict(plain.state_dict(), strict=False)
    torch.save(published(idle), tmp_path / "net.pt")
    x = torch.randn(5, 1, 48)
    assert torch.equal(load_net1d(tmp_path / "net.pt").eval().pooled(x), plain.pooled(x))


def test_other_files_are_refused(tmp_path):
    file = tmp_path / "net.pt"
    file.write_text("no tensors")
    with pytest.raises(ConfigError, match=r"net\.pt.*readable"):
        load_net1d(file)
    torch.save({"state_dict": object()}, file)  # needs code to load: refused
    with pytest.raises(ConfigError, match=r"net\.pt.*readable"):
        load_net1d(file)
    torch.save([1, 2], file)
    with pytest.raises(ConfigError, match="list"):
        load_net1d(file)
    torch.save(nn.Linear(2, 2).state_dict(), file)
    with pytest.raises(ConfigError, match="Net1D"):
        load_net1d(file)
    state = published(Net1D(1, 2, **TINY, normalise=False))
    torch.save({k: v for k, v in state.items() if "se_fc2" not in k}, file)
    with pytest.raises(ConfigError, match="se_fc2"):
        load_net1d(file)
