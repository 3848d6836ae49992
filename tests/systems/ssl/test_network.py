"""The gated network: the published sizes, a gate that adds up to 1, fusions, whole states."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.checkpoints import load_weights
from ecgvision.nn.standardise import Moments
from ecgvision.systems.ssl.network import Gate, GatedNet, SpectrogramEncoder, TimeEncoder, xavier_
from ecgvision.systems.ssl.spectrogram import Spectrogram


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def tiny(**changes) -> GatedNet:
    torch.manual_seed(0)
    return GatedNet(3, **({"time_encoder": "resnet1d_lite"} | changes)).eval()


@pytest.fixture(scope="module")
def gated() -> GatedNet:
    net = tiny(streams=("fused", "time", "spectrogram"))
    nn.init.normal_(net.gate.linear.weight)
    return net


@pytest.fixture
def signal() -> torch.Tensor:
    return torch.randn(2, 12, 250, generator=torch.Generator().manual_seed(0))


def test_the_published_sizes():
    """The paper's 1.54, 22.1 and 23.9 M hold unused classifiers of 1000 classes, and stem biases."""
    unused, head = 512 * 1000 + 1000, 512 * 256 + 256 + 256 * 24 + 24
    time, spectrogram = count(TimeEncoder()) + 32, count(SpectrogramEncoder()) + 64
    assert round((time + unused + head) / 1e6, 2) == 1.54
    assert round((spectrogram + unused + head) / 1e6, 1) == 22.1
    assert round((count(GatedNet(24)) + 96 + 2 * unused) / 1e6, 1) == 23.9
    assert count(GatedNet(24)) - count(GatedNet(24, fusion="concat")) == 1024 * 2 + 2


def test_squeeze_is_a_sixteenth_everywhere():
    encoder = SpectrogramEncoder()
    squeezes = [m for m in encoder.modules() if type(m).__name__ == "SEModule"]
    assert len(squeezes) == 3 + 4 + 6 + 3
    for squeeze in squeezes:
        assert squeeze.fc1.out_channels * 16 == squeeze.fc1.in_channels
        assert squeeze.fc1.bias is None
    stem = encoder.encoder.conv1
    assert (stem.in_channels, stem.out_channels, stem.kernel_size) == (12, 64, (7, 7))
    assert (stem.stride, stem.padding) == ((2, 2), (3, 3))


def test_the_gate_adds_up_to_1_and_weighs_the_readings(gated, signal):
    out = gated(signal, gate=True)
    torch.testing.assert_close(out["gate"].sum(1), torch.ones(2))
    found = gated.features(signal)
    one, two = found["time"], found["spectrogram"]
    alike = [(r - r.mean(1, keepdim=True)) / (r.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
             for r in (one, two)]  # fmt: skip
    weights = torch.softmax(gated.gate.linear(torch.cat(alike, 1)), 1)
    torch.testing.assert_close(out["gate"], weights)
    first, second = gated.heads["fused"]
    weighed = torch.cat([weights[:, :1] * one, weights[:, 1:] * two], 1)
    torch.testing.assert_close(out["fused"], second(first(weighed)))
    for name, features in found.items():
        first, second = gated.heads[name]
        assert first.out_features == features.shape[1] // 2
        torch.testing.assert_close(out[name], second(first(features)))


def test_a_gate_starts_even_and_sees_no_sizes():
    time, spectrogram = torch.randn(3, 2), torch.randn(3, 4)
    gate = Gate(6)
    assert torch.equal(gate(time, spectrogram), torch.full((3, 2), 0.5))
    assert torch.equal(
        xavier_(nn.Sequential(Gate(6)))[0](time, spectrogram), torch.full((3, 2), 0.5)
    )
    nn.init.normal_(gate.linear.weight)
    torch.testing.assert_close(
        gate(time, 1e3 * spectrogram), gate(time, spectrogram), atol=1e-3, rtol=0
    )
    raw = Gate(6, raw=True)
    weights = torch.softmax(raw.linear(torch.cat([time, spectrogram], 1)), 1)
    torch.testing.assert_close(raw(time, spectrogram), weights)
    assert not torch.equal(weights, torch.full((3, 2), 0.5))


def test_a_gate_can_close():
    gate = Gate(4)
    nn.init.zeros_(gate.linear.weight)
    with torch.no_grad():
        gate.linear.bias.copy_(torch.tensor([50.0, -50.0]))
    torch.testing.assert_close(gate(torch.randn(3, 2), torch.randn(3, 2))[:, 0], torch.ones(3))


def test_outputs_are_those_asked_for(gated, signal):
    assert list(gated(signal)) == ["fused", "time", "spectrogram"]
    assert list(tiny()(signal[:1])) == ["fused"]
    assert tiny(fusion="concat")(signal)["fused"].shape == (2, 3)
    time = tiny(fusion="time")
    assert list(time(signal)) == ["time"]
    assert not hasattr(time, "spectrogram_encoder")
    spectrogram = tiny(fusion="spectrogram")
    assert list(spectrogram(signal)) == ["spectrogram"]
    assert not hasattr(spectrogram, "time_encoder")


def test_time_features_are_average_and_maximum(signal):
    encoder = TimeEncoder("resnet1d_lite").eval()
    raw = encoder.encoder(signal)
    assert encoder.features == 2 * raw.shape[1]
    torch.testing.assert_close(encoder(signal), torch.cat([raw.mean(-1), raw.amax(-1)], 1))


def test_moments_are_applied_inside(signal):
    mean, std = tuple(0.1 * i for i in range(12)), tuple(1.0 + i for i in range(12))
    moved = signal * torch.tensor(std).view(1, 12, 1) + torch.tensor(mean).view(1, 12, 1)
    net, plain = tiny(fusion="time", time_moments=Moments(mean, std)), tiny(fusion="time")
    torch.testing.assert_close(net(moved)["time"], plain(signal)["time"], rtol=1e-3, atol=1e-4)
    net = tiny(fusion="spectrogram", spectrogram_moments=Moments(mean, std))
    shown = (Spectrogram()(signal) - torch.tensor(mean).view(1, 12, 1, 1)) / torch.tensor(std).view(
        1, 12, 1, 1
    )
    torch.testing.assert_close(net.features(signal)["spectrogram"], net.spectrogram_encoder(shown))


def test_what_was_not_observed_counts_as_0(gated, signal):
    holes = signal.clone()
    holes[:, 3] = torch.nan
    signal[:, 3] = 0
    assert torch.equal(gated(holes)["fused"], gated(signal)["fused"])


def test_every_parameter_learns(signal):
    net = tiny(streams=("fused", "time", "spectrogram")).train()
    sum(z.square().sum() for z in net(signal).values()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_wrong_settings_and_signals_are_refused(gated, signal):
    with pytest.raises(ConfigError, match=r"fusion.*'sum'.*concat"):
        tiny(fusion="sum")
    with pytest.raises(ConfigError, match="streams"):
        tiny(streams=("time",))
    with pytest.raises(ConfigError, match="streams"):
        tiny(streams=("fused", "image"))
    with pytest.raises(ConfigError, match=r"no gate.*'time'"):
        tiny(fusion="time")(signal, gate=True)
    with pytest.raises(DataError, match=r"\(B, 12, T\)"):
        gated(signal[:, :3])
    with pytest.raises(DataError, match="25 samples"):
        gated(signal[:, :, :20])


def test_xavier_draws_all_weights_anew():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(12, 64, 5), nn.BatchNorm1d(64), nn.Linear(300, 400))
    nn.init.constant_(net[0].bias, 3)
    assert xavier_(net) is net
    for layer, fans in ((net[0], (12 + 64) * 5), (net[2], 300 + 400)):
        assert float(layer.weight.detach().std()) == pytest.approx((2 / fans) ** 0.5, rel=0.05)
        assert not layer.bias.any()
    assert net[1].weight.eq(1).all()


def test_a_pretrained_encoder_is_loaded_whole(tmp_path, signal):
    torch.manual_seed(1)
    source = TimeEncoder("resnet1d_lite").eval()
    source(signal)
    file = tmp_path / "ssl.ckpt"
    state = {f"student.encoder.{k}": v for k, v in source.state_dict().items()}
    torch.save({"state_dict": state | {"head.weight": torch.zeros(2)}, "epoch": 3}, file)
    net = tiny(fusion="time")
    assert not torch.equal(net.time_encoder(signal), source(signal))
    load_weights(net.time_encoder, file, prefix="student.encoder.")
    assert torch.equal(net.time_encoder(signal), source(signal))


def test_states_that_do_not_fit_are_refused_and_load_nothing(tmp_path):
    net = TimeEncoder("resnet1d_lite")
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = {k: v + 1 for k, v in net.state_dict().items()}
    file = tmp_path / "ssl.pt"
    first = next(iter(state))

    def refused(wrong, match, **options):
        torch.save(wrong, file)
        with pytest.raises(ConfigError, match=match):
            load_weights(net, file, **options)
        assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())

    refused({k: v for k, v in state.items() if k != first}, rf"ssl\.pt.*missing.*{first}")
    refused(state | {"head.weight": torch.zeros(1)}, r"unexpected.*head\.weight")
    refused(state | {first: torch.zeros(1)}, rf"another shape.*{first}")
    refused({f"module.{k}": v for k, v in state.items()}, r"missing.*unexpected.*module\.")
    refused(state, rf"missing.*begins with {first}", prefix="student.")
    refused([1, 2], r"no state dict.*list")
    refused({"state_dict": object()}, "readable")  # needs code to load
    file.write_text("no tensors")
    with pytest.raises(ConfigError, match=r"ssl\.pt.*readable"):
        load_weights(net, file)
    with pytest.raises(ConfigError, match=r"none\.pt: there is no checkpoint"):
        load_weights(net, tmp_path / "none.pt")
    torch.save(state, file)
    load_weights(net, file)
    assert torch.equal(net.state_dict()[first], before[first] + 1)
