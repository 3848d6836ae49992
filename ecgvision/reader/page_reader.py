"""Page reader: the waveform of every lead, and which samples were printed, from an image.

Cells of 16 pixels predict which trace is near, where its 0 mV line is, and its time: a few hundred
votes for every row, in any layout. The grid, where there is one, determines the width of a second.
A map of the full page marks the pixels of traces. Along each row, the columns of that map are read,
one per sample. Limb leads that were printed at the same time correct each other. Our own design.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from ecgvision.core.errors import ConfigError
from ecgvision.reader.networks.dense_head import RELATIVE_GAINS, Cells, DenseHead
from ecgvision.reader.networks.ink_map import InkMap
from ecgvision.reader.networks.limb_order import by_einthoven, name_cells, select_rows
from ecgvision.reader.networks.limb_plane import project_to_plane
from ecgvision.reader.networks.page_map import PageMap
from ecgvision.reader.networks.rows import Rows, find_rows
from ecgvision.reader.networks.trace_decoder import MARGIN, TraceDecoder, more_points

PACE_TO_GAIN = 0.4
"""Seconds of paper per millivolt of height: 10 mm/mV over 25 mm/s."""

LEAST_VOLTAGE_SCALE = 0.005
"""Minimum height of 1 mV as a fraction of the page's height; our default: a millimetre of a letter
page."""


class Seen(NamedTuple):
    """Intermediate results of a page before any row is read.

    Holds the `Cells`, the two maps of an `InkMap`, and the logits of the marks near each cell of 8
    pixels, (B, NO_MARK + 1, rows, columns).
    """

    cells: Cells
    ink: Tensor
    offset: Tensor
    marks: Tensor


class PageReader(nn.Module):
    """Reader of pages: image encoder, cells that vote for rows, ink map and trace decoder.

    Args:
        name: the image encoder, `readnet` or a timm network; see `PageMap`.
        size: (height, width) of the pages.
        length: number of samples of the window that is read of each lead.
        seconds: duration of the window.
        width: channels of the map.
        pretrained, dropout: see `PageMap`.

    Shape:
        image: (B, 3, height, width) uint8. Result, a dict with T = length: `signal` (B, 12, T) mV;
        `log_scale` (B, 12, T), log of a Laplace scale in mV; `presence` (B, 12, T), the logit that
        the sample was printed; `points` (B, 12, T, 2), each sample's 0 mV point, x and y as
        fractions of the image; `trace` (B, 12, T, 2), where its ink was found; `gain` (B, G), the
        probabilities of `RELATIVE_GAINS`.

    Raises:
        ConfigError: for an invalid network, size, length or duration.
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
        """Ratio of the height of 1 mV to the width of the window, both as shares of the image.

        Holds for 10 mm/mV at 25 mm/s.
        """
        height, width = self.image_size
        return PACE_TO_GAIN / self.seconds * width / height

    def see(self, image: Tensor, inked: int | None = None) -> Seen:
        """Return the cells of all pages, and the ink of the first `inked` pages (None: of all)."""
        maps, printed = self.page(image)
        cells = self.cells(maps[-1], printed.names)
        if inked is not None:
            image, maps = image[:inked], [part[:inked] for part in maps]
        ink, offset = self.ink(image, maps)
        return Seen(cells, ink, offset, printed.marks)

    def rows(self, cells: Cells, leads: Tensor, image: Tensor) -> tuple[Rows, Tensor, Tensor]:
        """Return the rows, the voltage scale and the probabilities of the gains.

        The voltage scale, (B,), is the share of the sheet's height that 1 mV takes, at the most
        likely gain. The probabilities of `RELATIVE_GAINS` are (B, G).
        """
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
        """Read pages.

        Args:
            points: for training, the true points of the samples, (B, 12, L + 2 MARGIN, 2), so that
                the decoder can learn before rows are found. The result is then the `Seen`, the
                heights read there, (B, 12, L), as fractions of the page's height, and the log of
                their scales. If `points` holds fewer pages than `image`, columns and ink are read
                for those pages only.
            up: direction of the columns at `points`; see `TraceDecoder`.
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
        read = {key: select_rows(part, row) for key, part in read.items()}
        signal = read["signal"] * factor[..., None]
        plane = project_to_plane(signal, read["log_scale"], read["presence"] > 0)
        return read | {"signal": plane, "gain": gain}
