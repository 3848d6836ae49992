"""Benchmark of the reader's trace decoding, against simpler methods on the same ink map.

python -m experiments.bench reader --store stores/own

All methods share one reader's rows and ink map, and pages of the validation folds. They differ in
how they determine the trace's height in each column:

    dense      mean height of the column's ink, each pixel assigned to the nearest row: column-wise
               segmentation, common among digitisers
    owned      the same, each pixel assigned to the row that the reader predicts
    crossed    the same, and also to other rows whose traces cross it
    reader     the same, and refined from neighbouring columns: the complete decoder
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ecgvision.core.arguments import COUNT
from ecgvision.store.packed import check_store

if TYPE_CHECKING:
    from torch import nn


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the reader, and the stores of the pages."""
    parser.add_argument("--run", default="shipped", help="of +exp=read; default: the package's")
    parser.add_argument("--store", nargs="+", required=True, metavar="DIR",
                        help="stores of the records that pages are drawn of")  # fmt: skip
    parser.add_argument("--pages", type=COUNT, default=66, help="at most; default %(default)s")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the median SNR in dB of each method, with 95 % intervals over patients.

    Figures are given for all pages, and by layout and artefact.

    Raises:
        ConfigError: if the run is not a reader.
    """
    import copy

    from ecgvision.core.errors import ConfigError
    from ecgvision.core.run_folder import checkpoint_file, read_config

    folder = checkpoint_file(args.run).parent.parent
    config = copy.deepcopy(read_config(folder))
    if config["exp"] != "read":
        raise ConfigError("only a reader's columns are read", file=folder, value=config["exp"])
    for store in args.store:
        check_store(store)
    from ecgvision.nn.training.quiet import silence_lightning
    from ecgvision.reader.judge.calibrate import add_confidence
    from ecgvision.reader.judge.read_split import read_split
    from ecgvision.reader.judge.summary import summarise
    from ecgvision.reader.page_reader import PageReader
    from ecgvision.trained_runs.build import open_run  # slow imports follow the checks
    from experiments.bench.reader_ways import Dense

    silence_lightning()
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
        summary = summarise(add_confidence(table, (1.0, 0.0)), 0.0)
        figures[name] = {
            kind.partition(":")[2] or "all": {
                "pages": summary[kind]["pages"], "snr_db": summary[kind]["snr_db"]["median"],
                "ci95": summary[kind]["snr_db"]["ci95"],
            }
            for kind in summary if kind == "all" or kind.startswith(("layout:", "artefact:"))
        }  # fmt: skip
    return figures
