"""The reader: its contract, its geometry in loops, and that it can learn to read."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ecgvision.ecg import ConfigError
from ecgvision.models.image_encoder import ImageEncoder, image_encoder
from ecgvision.models.page_map import PageMap, sine_positions
from ecgvision.models.reader import PageReader
from ecgvision.models.reading_heads import (
    CONTRAST,
    FINE,
    GAIN,
    LETTER_MM,
    MARGIN,
    PATCH_WIDTH,
    REACH_MM,
    TAPS,
    Locator,
    TraceHead,
    along,
    ends_of,
    ink_of,
)

SIZE = (96, 128)
SMALL = {"patches": 3, "patch_length": 32, "width": 16, "depth": 1, "heads": 2}
HEADS = ("query", "trace")


def pages(count: int = 2, size: tuple[int, int] = SIZE, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=g)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", ["tracenet", "test_efficientnet"])
def test_contract(name: str, head: str) -> None:
    model = PageReader(name, SIZE, head=head, **SMALL)
    out = model(pages())
    rows, columns = model.page.grid
    assert {k: tuple(v.shape) for k, v in out.items()} == {
        "signal": (2, 12, 96), "log_scale": (2, 12, 96), "presence": (2, 12, 96),
        "there": (2, 12, 3), "where": (2, 12, 3, rows, columns), "points": (2, 12, 96, 2),
        "trace": (2, 12, 96, 2),
    }  # fmt: skip
    for value in out.values():
        assert value.dtype == torch.float32
        assert value.isfinite().all()
    torch.testing.assert_close(out["where"].exp().sum((-1, -2)), torch.ones(2, 12, 3))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", ["tracenet", "test_efficientnet"])
def test_every_weight_learns(name: str, head: str) -> None:
    torch.manual_seed(0)
    model = PageReader(name, SIZE, head=head, **SMALL)
    with torch.no_grad():
        for name, part in model.named_parameters():
            zero = ("line.weight", "votes.weight", "answer.weight", "sharpen.2.weight")
            if name.endswith(zero):
                part.normal_(0, 0.05)  # some start at 0, through which nothing passes
    out = model(pages(4))
    sum(
        (v.sin() * torch.linspace(1, 2, v.numel()).view_as(v)).sum() for v in out.values()
    ).backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@pytest.mark.parametrize("head", HEADS)
def test_pages_do_not_touch_one_another(head: str) -> None:
    model = PageReader("tracenet", SIZE, head=head, **SMALL).eval()
    image = pages(3)
    with torch.no_grad():
        together, alone = model(image), model(image[1:2])
    for name in together:
        torch.testing.assert_close(together[name][1:2], alone[name], atol=1e-4, rtol=1e-4)


def test_patches_keep_their_order() -> None:
    """Lead by lead, time running on: the answer of a patch stands at its own samples."""
    model = PageReader("tracenet", SIZE, head="query", **SMALL).eval()
    with torch.no_grad():
        before = model(pages(1))["signal"]
        model.time[2] += torch.randn(16)
        moved = (model(pages(1))["signal"] - before).abs()[0].unflatten(1, (3, 32)).mean((0, 2))
        assert moved[2] > 3 * moved[:2].max()
        before = model(pages(1))["signal"]
        model.lead[4] += torch.randn(16)
        moved = (model(pages(1))["signal"] - before).abs()[0].mean(1)
    assert moved.argmax() == 4


def test_what_is_kept_is_the_network_of_a_diagnosis() -> None:
    for name in ("tracenet", "test_efficientnet"):
        kept = PageMap(name, SIZE, 16).encoder
        fresh = image_encoder(name, SIZE)
        fresh.load_state_dict(kept.state_dict())
        if isinstance(fresh, ImageEncoder):
            kept.eval(), fresh.eval()
            image = pages(1)
            torch.testing.assert_close(
                fresh(image), kept.backbone((image.float() / 255 - kept.mean) / kept.std)[-1]
            )


def test_a_timm_map_has_the_stride_asked_for() -> None:
    assert PageMap("test_efficientnet", SIZE, 16, stride=8).grid == (12, 16)
    assert PageMap("test_efficientnet", SIZE, 16, stride=4).grid == (24, 32)


def test_positions_tell_cells_apart() -> None:
    found = sine_positions(9, 14, 32)
    assert found.shape == (32, 9, 14)
    flat = found.flatten(1).T
    apart = torch.cdist(flat, flat) + 10 * torch.eye(len(flat))
    assert apart.min() > 0.1
    assert torch.equal(found[:16, :, 0], found[:16, :, 5])  # y in the first half
    assert torch.equal(found[16:, 0], found[16:, 4])


def test_the_locator_returns_the_mean_place_of_its_search() -> None:
    torch.manual_seed(0)
    locator = Locator(8, (3, 4))
    x, tokens = torch.randn(1, 2, 8), torch.randn(1, 12, 8)
    where, ends = locator(x, tokens)
    q, k = locator.query(x)[0], locator.key(tokens)[0]
    for n in range(2):
        weights = torch.softmax(torch.stack([q[n] @ k[i] for i in range(12)]) / math.sqrt(8), 0)
        torch.testing.assert_close(where[0, n].flatten().exp(), weights)
        cx = sum(weights[i] * (i % 4 + 0.5) / 4 for i in range(12))
        cy = sum(weights[i] * (i // 4 + 0.5) / 3 for i in range(12))
        for end, side in enumerate((-0.5, 0.5)):
            torch.testing.assert_close(ends[0, n, end], torch.stack([cx + side * PATCH_WIDTH, cy]))


@pytest.mark.parametrize("length", [16, 64])
def test_samples_lie_in_the_middle_of_their_share(length: int) -> None:
    start, way = torch.tensor([0.2, 0.3]), torch.tensor([0.5, -0.1])
    found = along(torch.stack([start, start + way])[None, None], length)[0, 0]
    for i in range(length):
        torch.testing.assert_close(found[i], start + (i + 0.5) / length * way)


def test_ends_are_found_again_from_any_two_samples() -> None:
    g = torch.Generator().manual_seed(0)
    ends = torch.rand(2, 5, 2, 2, generator=g)
    place = along(ends, 64)
    printed = torch.rand(2, 5, 64, generator=g) > 0.7
    printed[0, 0] = False
    printed[0, 1] = False
    printed[0, 1, 7] = True
    printed[1, 2] = False
    printed[1, 2, 30:32] = True
    place[~printed] = math.nan
    found, known = ends_of(place, printed)
    assert (~known).nonzero().tolist() == [[0, 0], [0, 1]]
    assert found.isfinite().all()
    torch.testing.assert_close(found[known], ends[known], atol=1e-4, rtol=0)


def test_told_patches_are_read_where_they_are_told() -> None:
    model = PageReader("tracenet", SIZE, **SMALL).eval()
    image, g = pages(2), torch.Generator().manual_seed(0)
    ends = torch.rand(2, 36, 2, 2, generator=g)
    which = torch.rand(2, 36, generator=g) > 0.5
    with torch.no_grad():
        free, told = model(image), model(image, (ends, which))
        nothing = model(image, (torch.full_like(ends, math.nan), torch.zeros_like(which)))
    for name in ("where", "points", "there"):
        torch.testing.assert_close(told[name], free[name])
    moved = (told["signal"] != free["signal"]).unflatten(2, (3, 32)).any(-1).flatten(1)
    assert not moved[~which].any()
    assert moved[which].float().mean() > 0.9
    torch.testing.assert_close(nothing["signal"], free["signal"])


def test_ink_is_dark_in_every_channel() -> None:
    page = torch.full((1, 3, 64, 64), 255, dtype=torch.uint8)
    page[:, :, 20] = 0  # a black line
    page[:, 1:, 40] = 60  # a red one, as of a grid
    ink = ink_of(page)
    assert ink[0, 0, 20].min() > 0.9
    assert ink[0, 0, 40].max() < 0.05
    assert ink[0, 0, 30].max() == 0


def drawn(curve: torch.Tensor, height: int = 432, width: int = 560) -> torch.Tensor:
    """A page with a curve of mm above its middle, over its middle half, two pixels thick."""
    page = torch.full((1, 3, height, width), 255, dtype=torch.uint8)
    for i in range(width // 4, 3 * width // 4):
        mm = curve[(i - width // 4) * len(curve) // (width // 2)]
        y = round(height / 2 - float(mm) / LETTER_MM * height)
        page[:, :, y - 1 : y + 1, i] = 0
    return page


def test_a_new_head_already_follows_the_ink() -> None:
    time = torch.arange(64) / 64
    mm = 6 * torch.sin(2 * torch.pi * time) + 3 * torch.exp(-((time - 0.6) ** 2) / 0.01)
    head = TraceHead(8, 64)
    ends = torch.tensor([[[[0.25, 0.5], [0.75, 0.5]]]])
    out = head(torch.zeros(1, 1, 8), drawn(mm), ends)
    assert out.shape == (1, 1, 4, 64)
    assert (out[0, 0, 0] - mm / GAIN).abs().max() < 0.12
    assert (out[0, 0, 1:3] == 0).all()
    torch.testing.assert_close(out[0, 0, 3] * LETTER_MM, out[0, 0, 0] * GAIN)
    ends[..., 1] += 4 / LETTER_MM  # looked for 4 mm too low: everything is 0.4 mV higher
    assert (
        head(torch.zeros(1, 1, 8), drawn(mm), ends)[0, 0, 0] - mm / GAIN - 0.4
    ).mean().abs() < 0.08
    with torch.no_grad():
        head.gain.bias.fill_(-2.0)
    assert (
        head(torch.zeros(1, 1, 8), drawn(mm), ends - torch.tensor([0, 4 / LETTER_MM]))[0, 0, 0]
        + mm / GAIN
    ).abs().max() < 0.12


def test_columns_are_the_ink_above_and_below_the_line() -> None:
    page = torch.full((1, 3, 216, 280), 255, dtype=torch.uint8)
    page[:, :, 100:102, 70:210] = 0
    head = TraceHead(8, 32)
    heights, columns = FINE * TAPS, 32 + 2 * MARGIN
    low = torch.tensor([[[[0.25, 0.5], [0.75, 0.5]], [[0.25, 101 / 216], [0.75, 101 / 216]]]])
    read = head.columns(page, low)
    assert read.shape == (2, heights, columns)
    mm = torch.linspace(REACH_MM, -REACH_MM, heights)
    for patch, height in ((0, 7 / 216 * LETTER_MM), (1, 0.0)):
        darkest = mm[read[patch].argmax(0)]
        assert (darkest[MARGIN + 1 : -MARGIN - 1] - height).abs().max() < 4 * REACH_MM / heights


def test_the_waveform_does_not_move_the_line() -> None:
    head = TraceHead(8, 64)
    ends = torch.tensor([[[[0.25, 0.5], [0.75, 0.5]]]], requires_grad=True)
    x = torch.randn(1, 1, 8, requires_grad=True)
    with torch.no_grad():
        head.answer.weight.normal_()
    head(x, pages(1), ends).sum().backward()
    assert ends.grad is None
    assert x.grad is not None


@pytest.mark.parametrize("wrong", [
    {"head": "both"}, {"patch_length": 1}, {"patches": 0}, {"depth": 0}, {"width": 18},
    {"zoom": 0}, {"zoom": 5},
])  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        PageReader("tracenet", SIZE, **(SMALL | wrong))


def test_a_stride_that_is_not_there_is_refused() -> None:
    for stride in (3, 32):
        with pytest.raises(ConfigError, match=r"model\.stride"):
            PageMap("test_efficientnet", SIZE, 16, stride=stride)


def test_there_is_no_pretrained_tracenet() -> None:
    with pytest.raises(ConfigError, match="no pretrained"):
        PageReader("tracenet", SIZE, pretrained=True, **SMALL)


@pytest.mark.parametrize("head", HEADS)
def test_it_is_exported_as_it_answers(head: str) -> None:
    model = PageReader("tracenet", SIZE, head=head, **SMALL).eval()
    image = pages(2)

    class Signal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x)["signal"]

    program = torch.export.export(Signal(), (image,))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(image), model(image)["signal"])


def test_the_encoder_sees_a_smaller_page() -> None:
    """The search is that of a reader of the small page; the head reads the large one."""
    torch.manual_seed(0)
    fine = PageReader("tracenet", (192, 256), zoom=2, **SMALL).eval()
    plain = PageReader("tracenet", SIZE, **SMALL).eval()
    plain.load_state_dict(fine.state_dict())
    large = pages(2, (192, 256))
    small = torch.nn.functional.avg_pool2d(large.float(), 2)
    with torch.no_grad():
        a, b = fine(large), plain(small)
    torch.testing.assert_close(a["where"], b["where"])
    torch.testing.assert_close(a["there"], b["there"])
    assert (a["signal"] - b["signal"]).abs().max() > 1e-3


def test_a_steep_stroke_shows_in_spread_and_skew() -> None:
    """The votes' moments against a loop over the heights."""
    head = TraceHead(8, 16)
    g = torch.Generator().manual_seed(0)
    read = torch.rand(3, FINE * TAPS, 5, generator=g)
    coarse = torch.randn(3, TAPS, 5, generator=g)
    with torch.no_grad():
        found = head._moments(coarse, read)
    cm = torch.linspace(REACH_MM, -REACH_MM, FINE * TAPS).double() / 10
    for n in range(3):
        for c in range(5):
            lifted = torch.nn.functional.interpolate(
                coarse[n, :, c][None, None], size=FINE * TAPS, mode="linear"
            )[0, 0]
            p = torch.softmax((lifted + CONTRAST * read[n, :, c]).double(), 0)
            mean = (p * cm).sum()
            second, third = ((p * (cm - mean) ** k).sum() for k in (2, 3))
            wanted = torch.stack([mean, (second + 1e-4).sqrt(), third / (second + 1e-4)])
            torch.testing.assert_close(found[n, :, c].double(), wanted, atol=1e-4, rtol=1e-4)
