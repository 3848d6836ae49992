"""The reader: its contract, its geometry, and that its parts are those of a diagnosis."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ecgvision.core.errors import ConfigError
from ecgvision.nn.image_encoders.image_encoder import ImageEncoder, image_encoder
from ecgvision.nn.image_encoders.page_context import PageContext, sine_positions
from ecgvision.reader.data.marks import NO_MARK
from ecgvision.reader.networks.dense_head import BACKGROUND, RELATIVE_GAINS
from ecgvision.reader.networks.limb_order import name_cells
from ecgvision.reader.networks.page_map import PageMap
from ecgvision.reader.networks.trace_decoder import MARGIN
from ecgvision.reader.page_reader import PageReader

SIZE = (96, 128)
SMALL = {"length": 96, "seconds": 1.0, "width": 16}
NETWORKS = ("readnet", "test_efficientnet")


def pages(count: int = 2, size: tuple[int, int] = SIZE, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=g)


@pytest.mark.parametrize("name", NETWORKS)
def test_contract(name: str) -> None:
    model = PageReader(name, SIZE, **SMALL)
    out = model(pages())
    assert {k: tuple(v.shape) for k, v in out.items()} == {
        "signal": (2, 12, 96), "log_scale": (2, 12, 96), "presence": (2, 12, 96),
        "points": (2, 12, 96, 2), "trace": (2, 12, 96, 2), "gain": (2, len(RELATIVE_GAINS)),
    }  # fmt: skip
    for value in out.values():
        assert value.dtype == torch.float32
        assert value.isfinite().all()
    seen = model.see(pages())
    assert seen.ink.shape == (2, 1, *SIZE)
    assert seen.offset.shape == (2, 1, SIZE[0] // 2, SIZE[1] // 2)
    assert seen.marks.shape == (2, NO_MARK + 1, SIZE[0] // 8, SIZE[1] // 8)
    assert seen.cells.logits.shape == (2, BACKGROUND + 1, 48)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_learns(name: str) -> None:
    """From the parts that training has a loss for."""
    torch.manual_seed(0)
    model = PageReader(name, SIZE, **SMALL)
    for zero in (model.strips.sharpen[4], model.strips.crossings.answer):
        nn.init.normal_(zero.weight, std=0.05)  # else nothing passes
    points = torch.rand(4, 12, 40 + 2 * MARGIN, 2)
    seen, *read = model(pages(4), points)
    parts = (*seen.cells, seen.ink, seen.offset, seen.marks, *read)
    sum((v.sin() * torch.linspace(1, 2, v.numel()).view_as(v)).sum() for v in parts).backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_a_diagnosis_teaches_the_reader() -> None:
    """What a network of signals asks of the waveform and of presence reaches the encoder."""
    torch.manual_seed(0)
    model = PageReader("readnet", SIZE, **SMALL).eval()
    for part in ("signal", "presence"):
        model.zero_grad()
        model(pages())[part].sin().sum().backward()
        assert model.page.encoder.first[0].weight.grad.abs().sum() > 0


def test_pages_do_not_touch_one_another() -> None:
    model = PageReader("readnet", SIZE, **SMALL).eval()
    image = pages(3)
    with torch.no_grad():
        together, alone = model(image), model(image[1:2])
    for name in together:
        torch.testing.assert_close(together[name][1:2], alone[name], atol=1e-3, rtol=1e-3)


def test_what_is_kept_is_the_network_of_a_diagnosis() -> None:
    image = pages(1)
    for name in NETWORKS:
        kept = PageMap(name, SIZE, 128).eval()
        fresh = image_encoder(name, SIZE).eval()
        fresh.load_state_dict(kept.encoder.state_dict())
        if isinstance(fresh, ImageEncoder):
            encoder = kept.encoder
            last = encoder.backbone((image.float() / 255 - encoder.mean) / encoder.std)[-1]
            torch.testing.assert_close(fresh(image), last)
        else:
            torch.testing.assert_close(fresh(image), kept(image)[0][-1])
            nn.init.normal_(kept.print.join.weight)  # a diagnosis is not told what it lays beside
            torch.testing.assert_close(fresh(image), kept.encoder(image))
            assert not torch.allclose(fresh(image), kept(image)[0][-1])


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_have_their_strides(name: str) -> None:
    page = PageMap(name, SIZE, 16)
    maps, printed = page(pages(1))
    assert printed.marks.shape == (1, NO_MARK + 1, SIZE[0] // 8, SIZE[1] // 8)
    assert page.grid == (6, 8)
    for found, stride, channels in zip(maps, (4, 8, 16), page.channels, strict=True):
        assert found.shape == (1, channels, SIZE[0] // stride, SIZE[1] // stride)


def test_every_cell_hears_of_every_other() -> None:
    torch.manual_seed(0)
    context = PageContext(16, (9, 14)).eval()
    x = torch.randn(1, 16, 9, 14, requires_grad=True)
    context(x)[0, :, 0, 0].sum().backward()
    assert (x.grad.abs().sum((0, 1)) > 0).all()


def test_positions_tell_cells_apart() -> None:
    found = sine_positions(9, 14, 32)
    assert found.shape == (32, 9, 14)
    flat = found.flatten(1).T
    apart = torch.cdist(flat, flat) + 10 * torch.eye(len(flat))
    assert apart.min() > 0.1
    assert torch.equal(found[:16, :, 0], found[:16, :, 5])  # y in the first half
    assert torch.equal(found[16:, 0], found[16:, 4])


def test_a_millivolt_is_as_high_as_the_pace_of_time_says() -> None:
    """A page of 250 mm x 200 mm with 10 s over its width: 1 mV is 10 mm, a twentieth."""
    model = PageReader("readnet", (128, 160), length=100, seconds=10.0, width=16)
    rows, columns = model.page.grid
    cells = model.cells(
        torch.zeros(1, 16, rows, columns), torch.zeros(1, 13, 2 * rows, 2 * columns)
    )
    logits = torch.full_like(cells.logits, -20.0)
    logits[:, 1] = 20.0  # lead II everywhere
    x = model.cells.middle[0] / columns
    gain = torch.zeros(len(RELATIVE_GAINS), len(x))
    gain[RELATIVE_GAINS.index(0.5)] = 3.0
    told = cells._replace(logits=logits, x=x[None], y=torch.full_like(x, 0.5)[None],
                          time=x[None], gain=gain[None],
                          stretch=torch.full_like(x, math.log(1.1))[None])  # fmt: skip
    page = torch.full((1, 3, 128, 160), 255, dtype=torch.uint8)  # without a grid
    found, voltage_scale, sure = model.rows(told, name_cells(told).leads, page)
    assert found.time_scale.item() == pytest.approx(1.0, abs=1e-3)
    # 25 mm/s x 10 s = 250 mm wide, so 250 x 128 / 160 = 200 mm high; half the usual gain, seen a
    # tenth higher
    torch.testing.assert_close(voltage_scale[0].item(), 1.1 * 0.5 * 10 / 200, atol=1e-4, rtol=0)
    wanted = torch.tensor([0.0, 3.0, 0.0, 0.0]).softmax(0)
    torch.testing.assert_close(sure[0], wanted)


@pytest.mark.parametrize("wrong", [
    {"length": 1}, {"seconds": 0.0}, {"width": 18}, {"size": (100, 128)}, {"name": "tracenet"},
    {"name": "vit_tiny_patch16_224"}, {"pretrained": True},
])  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    given = {"name": "readnet", "size": SIZE} | SMALL | wrong
    with pytest.raises(ConfigError):
        PageReader(given.pop("name"), given.pop("size"), **given)


# Of `readnet`, the default, tests/experiments/test_read_run.py opens the bundle of a trained reader.
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "readnet"])
def test_it_is_exported_as_it_answers(name: str) -> None:
    model = PageReader(name, SIZE, **SMALL).eval()
    image = pages(2)

    class Signal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x)["signal"]

    program = torch.export.export(Signal(), (image[:1],))  # one page, as bundles are
    for other in image.split(1):
        with torch.no_grad():
            torch.testing.assert_close(program.module()(other), model(other)["signal"])
