"""Where a patch stands on a page, and two ways to its samples: by the query, or along the ink."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH_WIDTH = 0.057
"""Where learning starts: fraction of the width of a letter page that 0.64 s take at 25 mm/s."""

TAPS, FINE = 48, 3
"""Heights at which a column of ink is looked at, and parts of each in which it is measured; our
defaults: 1.25 mm to find the curve among others, 0.4 mm, a pixel of 576 a page, to read it."""

REACH_MM = 30.0
"""How far above and below 0 mV a trace is followed, on a letter page; our default: 3 mV at
10 mm/mV, above most R and S waves."""

MARGIN = 4
"""Columns read before and after a patch, so that its first and last samples have neighbours; our
default, half of what the last network sees."""

CONTRAST, NEAR_MM = 12.0, 10.0
"""Our defaults: how much the page's usual ink counts above its paper in the votes, and, where
learning starts, how far from 0 mV (mm, a standard deviation) a trace is at home."""

LETTER_MM, GAIN = 215.9, 10.0
"""Height of the page and mm/mV where learning starts; both the kit's defaults."""


class Locator(nn.Module):
    """Where on the map each query's patch stands.

    One head of attention is the search; its mean place, shifted by what the query itself says, is
    the middle of the patch, and the query gives the patch's length and slope.

    Shape:
        x: (B, N, width); tokens: (B, rows * columns, width); result: log-probabilities
        (B, N, rows, columns), and both ends of each patch, (B, N, 2, 2) x and y as fractions of the
        image.
    """

    cells: Tensor

    def __init__(self, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        rows, columns = grid
        self.grid = grid
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.line = nn.Linear(width, 4)  # shift in x and y, length in x, rise in y
        nn.init.zeros_(self.line.weight)
        with torch.no_grad():
            self.line.bias.copy_(torch.tensor([0.0, 0.0, PATCH_WIDTH, 0.0]))
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        cells = torch.stack([(x + 0.5) / columns, (y + 0.5) / rows], dim=-1).flatten(0, 1)
        self.register_buffer("cells", cells, persistent=False)

    def forward(self, x: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        q, k = self.query(x), self.key(tokens)
        logits = (q @ k.transpose(1, 2)).float() * q.shape[-1] ** -0.5
        where = logits.log_softmax(-1)
        line = self.line(x).float()
        middle, half = where.exp() @ self.cells + line[..., :2], line[..., 2:] / 2
        return where.unflatten(-1, self.grid), torch.stack([middle - half, middle + half], dim=2)


def along(ends: Tensor, count: int) -> Tensor:
    """(B, N, 2, 2) to (B, N, count, 2): the middles of `count` equal parts of each line."""
    share = ((torch.arange(count, device=ends.device) + 0.5) / count)[:, None]
    return ends[:, :, :1] + share * (ends[:, :, 1:] - ends[:, :, :1])


def ends_of(place: Tensor, printed: Tensor) -> tuple[Tensor, Tensor]:
    """The line through the first and the last printed sample of each patch: `along` turned round.

    Shape:
        place: (B, N, length, 2), of no account where not printed; printed: (B, N, length) bool;
        result: ends (B, N, 2, 2), and (B, N) bool, False where fewer than two samples were printed
        and the ends mean nothing.
    """
    length = printed.shape[-1]
    index = torch.arange(length, device=place.device)
    first = torch.where(printed, index, length - 1).amin(-1, keepdim=True)
    last = torch.where(printed, index, 0).amax(-1, keepdim=True)
    known = (last > first)[..., 0]
    a, b = (place.nan_to_num().gather(2, i[..., None].expand(-1, -1, -1, 2)) for i in (first, last))
    step = (b - a) / (last - first).clamp(min=1)[..., None]
    begin = a - (first + 0.5)[..., None] * step
    return torch.cat([begin, begin + length * step], dim=2), known


def ink_of(image: Tensor) -> Tensor:
    """What is darker than the paper around it in the brightest channel, which coloured grids leave
    bright; 1 is black on white. The paper is the mean of 25 x 25 pixels, as in `TraceMoments`.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, 1, H, W) float32 in [0, 1].
    """
    dark = 255 - image.amax(1, keepdim=True).float()
    paper = F.avg_pool2d(dark, 25, stride=8, padding=12, count_include_pad=False)
    return F.relu(dark - F.interpolate(paper, size=dark.shape[2:], mode="bilinear")) / 255


def usual_ink(image: Tensor) -> Tensor:
    """`ink_of` over what most ink of the page is, so that faded print is print.

    Shape:
        image: (B, 3, H, W) uint8; result: (B, 1, H, W) float32, 1 where it is usual.
    """
    ink = ink_of(image)
    usual = ink.square().sum((1, 2, 3)) / ink.sum((1, 2, 3)).clamp(min=1e-3)
    return ink / usual.clamp(min=1e-3)[:, None, None, None]


class QueryHead(nn.Module):
    """The samples from the query alone: what attention brought together. All that is read has gone
    through the encoder, which so learns waveforms.

    Shape:
        x: (B, N, width); image and ends are not looked at; result: (B, N, 4, length): signal in mV,
        log scale, presence, and how far above its 0 mV the sample stands, as a fraction of the
        page's height: here, at the gain where learning starts.
    """

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.answer = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(),
            nn.Linear(2 * width, 3 * length),
        )  # fmt: skip

    def forward(self, x: Tensor, image: Tensor, ends: Tensor) -> Tensor:
        out = self.answer(x).unflatten(-1, (3, -1)).float()
        return torch.cat([out, out[:, :, :1] * (GAIN / LETTER_MM)], dim=2)


class TraceHead(nn.Module):
    """The samples from the ink itself, followed along the line where the patch was found.

    One column of ink is read for each sample, and a few more on either side. A few convolutions
    along time over coarse heights, told by the query, choose among the curves that pass; among the
    fine heights of the one chosen the ink itself votes. The mean height, times the millivolts that
    a page has over its height, is the sample, so that a new head reads before it has learned
    anything. A steep stroke fills a column from its foot to its peak, where the mean says little:
    from mean, spread and skew of the votes in neighbouring columns a last small network restores
    what was sharp. The line is taken as given: no gradient of the waveform moves it.

    Args:
        width: of the queries.
        length: samples of a patch.
        hidden: channels of the convolutions, our default.

    Shape:
        x: (B, N, width); image: (B, 3, H, W) uint8; ends: (B, N, 2, 2) as the locator's; result:
        (B, N, 4, length): signal in mV, log scale, presence, and how far above its 0 mV the sample
        stands, as a fraction of the page's height.
    """

    heights: Tensor
    powers: Tensor
    finer: Tensor

    def __init__(self, width: int, length: int, *, hidden: int = 48) -> None:
        super().__init__()
        self.length = length
        reach = REACH_MM / LETTER_MM
        self.register_buffer("heights", torch.linspace(reach, -reach, FINE * TAPS),
                             persistent=False)  # fmt: skip
        cm = self.heights * (LETTER_MM / 10)
        self.register_buffer("powers", torch.stack([cm, cm**2, cm**3]), persistent=False)
        lift = F.interpolate(torch.eye(TAPS)[None], size=FINE * TAPS, mode="linear")[0].T
        self.register_buffer("finer", lift.contiguous(), persistent=False)
        self.ask = nn.Linear(width, hidden)
        self.enter = nn.Conv1d(TAPS, hidden, 3, padding=1)
        self.along = nn.ModuleList(nn.Conv1d(hidden, hidden, 5, padding=2) for _ in range(2))
        self.votes = nn.Conv1d(hidden, TAPS, 1)
        self.gain = nn.Linear(width, 1)  # below -1 the lead is printed upside down
        self.sharpen = nn.Sequential(
            nn.Conv1d(3, 24, 7, padding=3), nn.ReLU(), nn.Conv1d(24, 1, 7, padding=3)
        )
        self.answer = nn.Conv1d(hidden + 3, 2, 1)
        with torch.no_grad():
            for part in (self.votes, self.gain, self.sharpen[2], self.answer):
                for weights in part.parameters():
                    weights.zero_()
            assert self.votes.bias is not None
            coarse = self.heights.unflatten(0, (TAPS, FINE)).mean(1)
            # what is far is rather a neighbour's
            self.votes.bias -= 0.5 * (coarse * LETTER_MM / NEAR_MM) ** 2

    def columns(self, image: Tensor, ends: Tensor) -> Tensor:
        """The ink around each line, 1 where it is as dark as the page's usual ink:
        (B * N, FINE * TAPS, MARGIN + length + MARGIN), from above to below."""
        ends = ends.detach()
        more = (ends[:, :, 1:] - ends[:, :, :1]) * (MARGIN / self.length)
        ends = torch.cat([ends[:, :, :1] - more, ends[:, :, 1:] + more], dim=2)
        line = along(ends, self.length + 2 * MARGIN)
        down = torch.stack([torch.zeros_like(self.heights), -self.heights], dim=-1)
        spots = line[:, :, None] + down[:, None]  # (B, N, FINE * TAPS, columns, 2)
        read = F.grid_sample(usual_ink(image), 2 * spots.flatten(1, 2) - 1, align_corners=False)
        return read[:, 0].unflatten(1, (-1, FINE * TAPS)).flatten(0, 1)

    def forward(self, x: Tensor, image: Tensor, ends: Tensor) -> Tensor:
        read = self.columns(image, ends)
        coarse = read.unflatten(1, (TAPS, FINE)).mean(2)
        h = self.enter(coarse) + self.ask(x).flatten(0, 1)[..., None]
        for layer in self.along:
            h = h + layer(F.relu(h))
        h = F.relu(h)
        moments = self._moments(self.votes(h).float(), read)
        height = moments[:, :1] + self.sharpen(moments).float()  # cm, (B * N, 1, columns)
        per_mv = 10 / GAIN * (1 + self.gain(x).float().flatten(0, 1)[..., None])
        rest = self.answer(torch.cat([h, moments.to(h.dtype)], dim=1)).float()
        rise = height * (10 / LETTER_MM)
        out = torch.cat([height * per_mv, rest, rise], dim=1)[..., MARGIN : MARGIN + self.length]
        return out.unflatten(0, x.shape[:2])

    def _moments(self, coarse: Tensor, read: Tensor) -> Tensor:
        """(B * N, 3, columns) of the votes of coarse heights and fine ink: their mean height, their
        spread, and their third moment over the second, all in cm of a letter page."""
        count = read.shape[0]
        with torch.autocast(read.device.type, enabled=False):  # differences want all their digits
            lifted = self.finer.expand(count, -1, -1)
            votes = torch.baddbmm(read, lifted, coarse, beta=CONTRAST).softmax(1)
            mean, two, three = (self.powers.expand(count, -1, -1) @ votes).split(1, dim=1)
        square = (two - mean**2).clamp(min=0) + 1e-4
        cube = three - 3 * mean * two + 2 * mean**3
        return torch.cat([mean, square.sqrt(), cube / square], dim=1)
