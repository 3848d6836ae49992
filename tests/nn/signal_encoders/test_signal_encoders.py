"""Signal encoders: one contract for all, the published sizes, and what each family is made of."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError
from ecgvision.deploy.graph import to_onnx
from ecgvision.nn.signal_encoders import SIGNAL_ENCODERS, signal_encoder
from ecgvision.nn.signal_encoders.inception import Inception1d
from ecgvision.nn.signal_encoders.net1d import Net1D, Net1DFeatures
from ecgvision.nn.signal_encoders.recurrent import Lstm1d
from ecgvision.nn.signal_encoders.xresnet import XBottleneck1d


def size(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def frames(encoder: nn.Module, length: int) -> int:
    return -(-length // encoder.stride)


@pytest.mark.parametrize("name", SIGNAL_ENCODERS)
def test_features_and_gradients(name):
    torch.manual_seed(0)
    encoder = signal_encoder(name, leads=12)
    features = encoder(torch.randn(2, 12, 640))
    assert features.shape == (2, encoder.channels, frames(encoder, 640))
    (features * torch.randn_like(features)).sum().backward()
    for key, parameter in encoder.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key
        if parameter.requires_grad:
            assert torch.isfinite(parameter.grad).all(), key


@pytest.mark.parametrize("name", SIGNAL_ENCODERS)
@pytest.mark.parametrize("leads", [1, 2, 3])
def test_any_lead_count_any_length_and_a_single_record(name, leads):
    torch.manual_seed(0)
    encoder = signal_encoder(name, leads).eval()
    with torch.no_grad():
        for length in (1, 2, 31, 33, 257):
            features = encoder(torch.randn(1, leads, length))
            assert features.shape == (1, encoder.channels, frames(encoder, length))
            assert torch.isfinite(features).all()


@pytest.mark.parametrize("name", SIGNAL_ENCODERS)
def test_every_sample_of_every_lead_is_read(name):
    """A gradient reaches each input, hence neither a lead nor the end of an odd length is lost."""
    torch.manual_seed(0)
    encoder, x = signal_encoder(name, 3).eval(), torch.randn(2, 3, 301, requires_grad=True)
    features = encoder(x)
    (features * torch.randn_like(features)).sum().backward()
    assert (x.grad.abs().amax(0).amax(-1) > 0).all()  # each lead
    # Plain pooling by stride skips single samples at times, four neighbours never.
    assert (F.max_pool1d(x.grad.abs().amax((0, 1))[None], 4, ceil_mode=True) > 0).all()


@pytest.mark.parametrize("name", SIGNAL_ENCODERS)
def test_records_do_not_mix(name):
    torch.manual_seed(0)
    encoder, x = signal_encoder(name, 2).eval(), torch.randn(3, 2, 300)
    with torch.no_grad():
        torch.testing.assert_close(encoder(x)[1:2], encoder(x[1:2]), atol=1e-5, rtol=1e-4)


# Every kind of block once: deeper networks of a family repeat these, and `lstm_bidir` holds `lstm`.
EXPORTED = (
    "resnet1d_lite", "resnet1d18", "xresnet1d18", "xresnet1d50", "xresnet1d18_wide", "inception1d",
    "net1d", "lstm_bidir",
)  # fmt: skip


# All three are said by the exporter of its own treatment of torch's LSTM.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.filterwarnings("ignore:_check_is_size will be removed:FutureWarning")
@pytest.mark.filterwarnings("ignore:The tensor attributes self.lstm._flat_weights:UserWarning")
@pytest.mark.parametrize("name", EXPORTED)
def test_onnx_runtime_agrees_at_any_batch_size(name):
    torch.manual_seed(0)
    encoder = signal_encoder(name, 2).eval()
    graph = to_onnx(encoder, {"signal": torch.zeros(2, 101)}, ["features"])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    for batch in (1, 5):
        x = torch.randn(batch, 2, 101)
        with torch.no_grad():
            expected = encoder(x).numpy()
        (found,) = session.run(None, {"signal": x.numpy()})
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "head", "published"),
    [
        # Head [128] over pooled mean and maximum with 71 labels, as the PTB-XL benchmark counts.
        ("xresnet1d101", 2 * 512 + 512 * 128 + 128 + 2 * 128 + 128 * 71 + 71, "1.88"),
        # One linear layer over pooled mean and maximum with 9 labels (MVKT-ECG's default).
        ("xresnet1d101_wide", 4096 * 9 + 9, "28.3"),
        ("xresnet1d34_wide", 1024 * 9 + 9, "7.24"),
    ],
)
def test_published_sizes(name, head, published):
    millions = (size(signal_encoder(name, 12)) + head) / 1e6
    assert f"{millions:.{len(published.split('.')[1])}f}" == published


def test_net1d_has_the_published_size():
    encoder = signal_encoder("net1d", 2)
    assert size(encoder) + size(nn.Linear(encoder.channels, 768)) == 293_936
    frozen = {key for key, p in encoder.named_parameters() if not p.requires_grad}
    assert frozen == {"stages.0.0.bn1.weight", "stages.0.0.bn1.bias"}


def test_the_pooled_net1d_is_the_mean_of_the_encoder():
    torch.manual_seed(0)
    whole, encoder, x = Net1D(3).eval(), Net1DFeatures(3).eval(), torch.randn(2, 3, 1000)
    left = encoder.load_state_dict(whole.state_dict(), strict=False)
    assert left.unexpected_keys == ["dense.weight", "dense.bias"]
    assert not left.missing_keys
    torch.testing.assert_close(encoder(x).mean(-1), whole.pooled(x))


@pytest.mark.parametrize(("name", "ways"), [("lstm", 1), ("lstm_bidir", 2)])
def test_lstm_has_the_size_of_its_gates(name, ways):
    hidden = 256
    first = 4 * hidden * (12 + hidden + 2)  # two biases, as cuDNN has them
    second = 4 * hidden * (ways * hidden + hidden + 2)
    encoder = signal_encoder(name, 12)
    assert size(encoder) == ways * (first + second)
    assert encoder.channels == ways * hidden


def test_lstm_is_the_recurrence_of_its_gates():
    """One layer one way against the equations of Hochreiter and Schmidhuber's cell with gates."""
    torch.manual_seed(0)
    encoder, x = Lstm1d(2, hidden=3, layers=1).eval(), torch.randn(4, 2, 7)
    cell = encoder.lstm
    h = c = torch.zeros(4, 3)
    for t in range(7):
        gates = (
            x[..., t] @ cell.weight_ih_l0.T + cell.bias_ih_l0
            + h @ cell.weight_hh_l0.T + cell.bias_hh_l0
        )  # fmt: skip
        i, f, g, o = gates.chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        torch.testing.assert_close(encoder(x)[..., t], h)


def test_one_way_lstm_does_not_look_ahead_and_the_other_does():
    torch.manual_seed(0)
    x = torch.randn(1, 2, 50)
    changed = x.clone()
    changed[..., 30:] = 0
    with torch.no_grad():
        one, both = signal_encoder("lstm", 2), Lstm1d(2, layers=1, bidirectional=True)
        torch.testing.assert_close(one(x)[..., :30], one(changed)[..., :30])
        # Over one layer, the first half reads forward and the second back.
        torch.testing.assert_close(both(x)[:, :256, :30], both(changed)[:, :256, :30])
        assert not torch.allclose(both(x)[:, 256:, :30], both(changed)[:, 256:, :30])
        torch.testing.assert_close(both(x)[:, 256:, 30:], both(x[..., 30:])[:, 256:])


def test_inception_has_the_branches_of_the_benchmark():
    encoder = signal_encoder("inception1d", 12)
    first = 12 * 32 + 32 * 32 * (39 + 19 + 9) + 12 * 32 + 2 * 128
    later = 128 * 32 + 32 * 32 * (39 + 19 + 9) + 128 * 32 + 2 * 128
    shortcuts = (12 * 128 + 2 * 128) + (128 * 128 + 2 * 128)
    assert size(encoder) == first + 5 * later + shortcuts
    assert encoder.channels == 128


def test_inception_sees_as_far_as_its_kernels_reach():
    """Six modules of 39 samples see 19 samples each to either side."""
    torch.manual_seed(0)
    encoder, x = signal_encoder("inception1d", 1).eval(), torch.randn(1, 1, 401)
    x.requires_grad_()
    encoder(x)[..., 200].sum().backward()
    seen = x.grad[0, 0].nonzero().flatten()
    assert (int(seen.min()), int(seen.max())) == (200 - 6 * 19, 200 + 6 * 19)


@pytest.mark.parametrize(
    "wrong", [{"depth": 4}, {"depth": 0}, {"kernels": (40, 9)}, {"kernels": ()}]
)
def test_wrong_inception_settings_are_named(wrong):
    with pytest.raises(ConfigError, match="inception1d"):
        Inception1d(1, **wrong)


@pytest.mark.parametrize("expansion", [1, 4])
@pytest.mark.parametrize("length", [1, 8, 9])
def test_an_untrained_xresnet_block_is_its_shortcut(expansion, length):
    """Pairs are averaged (the last alone if the length is odd), then mixed by a 1x1 convolution."""
    torch.manual_seed(0)
    block, x = XBottleneck1d(6, 4, 2, 3, expansion).eval(), torch.randn(2, 6, length)
    pairs = [x[..., i : i + 2].mean(-1) for i in range(0, length, 2)]
    weight = block.shortcut[1][0].weight[..., 0]
    mixed = torch.stack([pair @ weight.T for pair in pairs], -1) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(block(x), mixed.relu())


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_wide_and_narrow_share_their_depth(depth):
    narrow, wide = (signal_encoder(f"xresnet1d{depth}{w}", 2) for w in ("", "_wide"))
    blocks = [sum(isinstance(m, XBottleneck1d) for m in net.modules()) for net in (narrow, wide)]
    layers = (depth - 2) // (2 if depth < 50 else 3)
    assert blocks == [layers, layers]
    assert wide.channels == 8 * narrow.channels
    assert wide.stride == narrow.stride == 32


def test_wrong_names_and_leads_are_refused():
    with pytest.raises(ConfigError, match="resnet1d_of_dreams"):
        signal_encoder("resnet1d_of_dreams")
    with pytest.raises(ConfigError, match=r"at least one lead.*got 0"):
        signal_encoder("resnet1d_lite", 0)
