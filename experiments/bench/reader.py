"""What the columns of a page reader are read by, against simpler ways on the same map of ink.

python -m experiments.bench reader --store stores/own

All ways share one reader's rows and map, and pages of the validation folds; they differ in how the
height of the trace is told in each column:

    dense      the mean height of the column's ink, each pixel counted to the row that is nearest:
               column-wise segmentation, as digitisers commonly do it
    owned      the same, each pixel counted to the row that the reader says it belongs to
    crossed    the same, and to the rows whose strokes run over that row
    reader     and sharpened by what neighbouring columns hold
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import Tensor, nn

from ecgvision.models.strips import MARGIN, REACH, STEPS, StripHead, look

SAME_ROW = 0.02
"""Of the page's height: rows that are no further apart are one, of several leads; our default."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which reader, and pages of what."""
    parser.add_argument("--run", default="shipped", help="of +exp=read; default: the package's")
    parser.add_argument("--store", nargs="+", required=True, metavar="DIR",
                        help="stores of the records that pages are drawn of")  # fmt: skip
    parser.add_argument("--pages", type=int, default=66, help="at most; default %(default)s")


class Dense(nn.Module):
    """Heights of a column's ink in the mean, as `StripHead` answers.

    Args:
        head: a reader's own, whose votes are asked; None counts each pixel to the nearest row.
        crossed: whether a pixel may count for more rows than the one that it is given.
    """

    def __init__(self, head: StripHead | None = None, *, crossed: bool = False) -> None:
        super().__init__()
        self.head = head
        self.crossed = crossed
        self.heights = torch.linspace(REACH, -REACH, STEPS)

    def forward(
        self, ink: Tensor, offset: Tensor, points: Tensor, up: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        up = points.new_tensor([0.0, -1.0]).expand_as(points) if up is None else up
        heights = self.heights[:, None]
        if self.head is not None:
            votes = self.head.votes(ink.float(), offset.float(), points, up, crossed=self.crossed)
            votes = votes.softmax(1).unflatten(0, points.shape[:2])
        else:
            (seen,) = look(self.heights, (ink.float(),), points, up)
            above, below = _room(points[..., 1])
            near = (heights < above[:, :, None]) & (heights > -below[:, :, None])
            votes = seen.sigmoid() * near
            votes = votes / votes.sum(2, keepdim=True).clamp(min=1e-6)
        height = (votes * heights).sum(2)[..., MARGIN:-MARGIN]
        return height, torch.full_like(height, -5.0)


def _room(y: Tensor) -> tuple[Tensor, Tensor]:
    """(B, leads, columns): half of the way to the next row above, and below."""
    gap = y[:, :, None] - y[:, None]  # of each lead to each other, positive where that is higher
    above = torch.where(gap > SAME_ROW, gap, 2 * REACH).amin(2) / 2
    below = torch.where(gap < -SAME_ROW, -gap, 2 * REACH).amin(2) / 2
    return above, below


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Median SNR in dB of each way, with 95 % intervals over patients, by artefact."""
    import copy

    from ecgvision.build import open_run
    from ecgvision.ecg import ConfigError
    from ecgvision.evaluate.reading import read_split
    from ecgvision.evaluate.reading_confidence import settle
    from ecgvision.evaluate.reading_summary import summarise
    from ecgvision.models.reader import PageReader
    from ecgvision.rundir import checkpoint_file, read_config
    from ecgvision.tasks.quiet import quiet_lightning

    quiet_lightning()
    folder = checkpoint_file(args.run).parent.parent
    config = copy.deepcopy(read_config(folder))
    if config["exp"] != "read":
        raise ConfigError("only a reader's columns are read", file=folder, value=config["exp"])
    config["data"] |= {"store": args.store, "val_pages": args.pages}
    opened = open_run(folder, config)
    network = opened.task.model
    assert isinstance(network, PageReader)
    own = network.strips
    ways: dict[str, nn.Module] = {"dense": Dense(), "owned": Dense(own),
                                  "crossed": Dense(own, crossed=True), "reader": own}  # fmt: skip
    figures: dict[str, Any] = {}
    for name, way in ways.items():
        network.add_module("strips", way)
        table, _ = read_split(opened.task, opened.data, "val", rate=config["data"]["signal_rate"],
                              accelerator="cpu")  # fmt: skip
        told = summarise(settle(table, (1.0, 0.0)), 0.0)
        figures[name] = {
            kind.partition(":")[2] or "all": {
                "pages": told[kind]["pages"], "snr_db": told[kind]["snr_db"]["median"],
                "ci95": told[kind]["snr_db"]["ci95"],
            }
            for kind in told if kind == "all" or kind.startswith(("layout:", "artefact:"))
        }  # fmt: skip
    return figures
