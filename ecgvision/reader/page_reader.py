"""Read a page: from a picture to the waveform of every lead, and to what was printed at all.

Each question is asked where it is easiest to answer. Cells of 16 pixels say whose trace runs by
them, where its 0 mV is and when: a few hundred votes for every row, of whichever layout. The grid
says how wide a second is, where there is one. A map of the whole page says which pixels a trace was
drawn on. Along each row that the votes agree on, the columns of that map are read, one for each
sample; and limb leads that were printed at once correct each other. Our own design.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from ecgvision.core.errors import ConfigError
from ecgvision.reader.networks.dense_head import RELATIVE_GAINS, Cells, DenseHead
from ecgvision.reader.networks.ink_map import InkMap
from ecgvision.reader.networks.limb_order import by_einthoven, name_cells, of_rows
from ecgvision.reader.networks.limb_plane import in_plane
from ecgvision.reader.networks.page_map import PageMap
from ecgvision.reader.networks.rows import Rows, find_rows
from ecgvision.reader.networks.trace_decoder import MARGIN, TraceDecoder, more_points

PACE_TO_GAIN = 0.4
"""Seconds of paper for a millivolt of height: 10 mm/mV over 25 mm/s."""

LEAST_VOLTAGE_SCALE = 0.005
"""Of the page's height 1 mV takes at least so much, our default: a millimetre of a letter page."""


class Seen(NamedTuple):
    """What there is before any row is read: `Cells`, an `InkMap`'s two maps, and of each cell of 8
    pixels the logits of the marks it may stand by, (B, NO_MARK + 1, rows, columns)."""

    cells: Cells
    ink: Tensor
    offset: Tensor
    marks: Tensor


class PageReader(nn.Module):
    """An image encoder's maps, cells that vote for rows, a map of ink, and columns read along rows.

    Args:
        name: the image encoder, `readnet` or a timm network; see `PageMap`.
        size: (height, width) of the pages.
        length: samples of the window that is read of each lead.
        seconds: of the window.
        width: channels of the map.
        pretrained, dropout: see `PageMap`.

    Shape:
        image: (B, 3, height, width) uint8. Result, a dict with T = length: `signal` (B, 12, T) mV;
        `log_scale` (B, 12, T), log of a Laplace scale in mV; `presence` (B, 12, T), the logit that
        the sample was printed; `points` (B, 12, T, 2), where each sample's 0 mV is, x and y as
        fractions of the image; `trace` (B, 12, T, 2), where the ink of it was found; `gain` (B, G),
        the probabilities of `RELATIVE_GAINS`.

    Raises:
        ConfigError: for a network or a size that makes no sense.
    """

    def __init__(
        self, name: str, size: Sequence[int], *, length: int = 1000, seconds: float = 10.0,
        width: int = 128, dropout: float = 0.0, pretrained: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if length < 2 or not seconds > 0:
            raise ConfigError("a reader reads two samples or more", value=(length, seconds))
        self.length, self.seconds = length, seconds
        self.image_size = (int(size[0]), int(size[1]))
        self.page = PageMap(name, size, width, pretrained=pretrained, dropout=dropout)
        self.cells = DenseHead(width, self.page.grid)
        self.ink = InkMap(self.page.channels)
        self.strips = TraceDecoder()

    @property
    def voltage_per_time_scale(self) -> float:
        """The share of the height that 1 mV takes over the share of the width that the window
        takes, where a millivolt is 10 mm and a second 25."""
        height, width = self.image_size
        return PACE_TO_GAIN / self.seconds * width / height

    def see(self, image: Tensor, inked: int | None = None) -> Seen:
        """The cells of pages, and the ink of the first `inked` of them; None: of all."""
        maps, printed = self.page(image)
        cells = self.cells(maps[-1], printed.names)
        if inked is not None:
            image, maps = image[:inked], [part[:inked] for part in maps]
        ink, offset = self.ink(image, maps)
        return Seen(cells, ink, offset, printed.marks)

    def rows(self, cells: Cells, leads: Tensor, image: Tensor) -> tuple[Rows, Tensor, Tensor]:
        """Where the cells have the rows, by how much of the sheet's height 1 mV rises, (B,), and
        the probabilities of `RELATIVE_GAINS`, (B, G), of which the likeliest was taken for that."""
        rows = find_rows(cells, leads, self.page.grid, image, self.length, self.seconds)
        weight = leads.sum(1).square()
        weight = weight / weight.sum(1, keepdim=True).clamp(min=1e-6)
        gain = (weight[:, None] * cells.gain).sum(2).softmax(1)
        likeliest = gain.new_tensor(RELATIVE_GAINS)[gain.argmax(1)]
        height = likeliest * (weight * cells.stretch).sum(1).exp()
        return (
            rows,
            (self.voltage_per_time_scale * rows.time_scale * height).clamp(min=LEAST_VOLTAGE_SCALE),
            gain,
        )

    def forward(
        self, image: Tensor, points: Tensor | None = None, up: Tensor | None = None
    ) -> dict[str, Tensor] | tuple[Seen, Tensor, Tensor]:
        """What is read of pages.

        Args:
            points: in training, where samples truly are, (B, 12, L + 2 MARGIN, 2), so that columns
                can be read before the rows are found. The result is then what was `Seen`, the
                heights (B, 12, L) that were read there as fractions of the page's, and log scales
                of the same. Of fewer pages than `image` holds: columns and ink of those alone.
            up: where the columns there run to, see `TraceDecoder`.
        """
        if points is not None:
            seen = self.see(image, len(points))
            return seen, *self.strips(seen.ink, seen.offset, points, up)
        seen = self.see(image)
        named = name_cells(seen.cells)
        rows, voltage_scale, gain = self.rows(seen.cells, named.leads, image)
        points = more_points(rows.points)
        up = rows.sheet.up(points.double()).to(points.dtype)
        height, log_scale = self.strips(seen.ink, seen.offset, points, up)
        voltage_scale = voltage_scale[:, None, None]
        signal = height / voltage_scale * named.sign()[..., None]
        presence = rows.presence.clamp(1e-6, 1 - 1e-6).logit()
        row, factor = by_einthoven(signal, presence > 0, named)
        above = height[..., None] * up[:, :, MARGIN:-MARGIN]
        read = {"signal": signal, "presence": presence,
                "log_scale": log_scale - voltage_scale.log(), "points": rows.points,
                "trace": rows.points + above}  # fmt: skip
        read = {key: of_rows(part, row) for key, part in read.items()}
        signal = read["signal"] * factor[..., None]
        plane = in_plane(signal, read["log_scale"], read["presence"] > 0)
        return read | {"signal": plane, "gain": gain}
