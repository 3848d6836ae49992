"""`ecgvision export`: the bundle of a finished run, as it is or on 8-bit integers."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.errors import BundleError, ConfigError
from ecgvision.core.outputs import check_outside, check_replaceable
from ecgvision.core.run_folder import read_config
from ecgvision.deploy.card_file import CARD, write_contents

if TYPE_CHECKING:  # slow to import, and not needed for a help text
    import numpy as np
    from numpy.typing import NDArray

    from ecgvision.data.module import EcgDataModule
    from ecgvision.deploy.bundle import Bundle

CALIBRATION_PAGES = 64
"""Training pages from which ranges are calibrated (our default)."""

MOST_LOSS = 0.003
"""Largest change of validation macro AUROC by int8, either way (our default)."""

LEAST_GAIN = 1.05
"""Least speed of int8 in relation to float (our default: less is within the noise of a clock)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ecgvision export`."""
    parser.description = (
        "Write the bundle of a finished run to a folder of its own. With --int8, the network's "
        "products work on 8-bit integers, calibrated on training pages. That is written only if "
        "validation macro AUROC changes by at most "
        f"{MOST_LOSS} and a page is answered at least {LEAST_GAIN} times as fast on this machine; "
        "otherwise the command says why not, and writes nothing."
    )
    parser.epilog = "Example: ecgvision export runs/vizecg/RUN --out student --int8"
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="folder of a finished run")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR",
                        help="folder of the bundle")  # fmt: skip
    parser.add_argument("--int8", action="store_true",
                        help="on 8-bit integers; of a student that looks at pictures")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Write the bundle and print its folder; return the exit code.

    Raises:
        BundleError: if the run has no bundle, a damaged one or, for int8, one of another kind; or
            if int8 is no gain.
        ConfigError: if it is no run.
        OutputError: if the folder holds something else, or is the run's own bundle.
    """
    check_replaceable(args.out, CARD, "a bundle")
    source = args.run_folder / "bundle"
    check_outside(args.out, [source])
    read_config(args.run_folder)
    from ecgvision.deploy.bundle import Bundle, read_contents
    from ecgvision.deploy.open_bundle import open_bundle

    bundle = open_bundle(source, threads=1)
    if not args.int8:
        with atomic_folder(args.out) as made:
            write_contents(made, bundle.card, read_contents(source, bundle.card))
    elif isinstance(bundle, Bundle):
        _write_int8(bundle, args.run_folder, args.out)
    else:
        raise BundleError("int8 is of students that look at pictures", file=source,
                          value=bundle.card["format"], remedy="Leave --int8 out")  # fmt: skip
    print(args.out)
    return 0


def _write_int8(bundle: Bundle, run_folder: Path, out: Path) -> None:
    """Quantise, judge on validation pages, and write what is a gain."""
    from ecgvision.deploy.bundle import Bundle
    from ecgvision.deploy.quantised import quantise, times_as_fast, write_quantised
    from ecgvision.trained_runs.build import open_run

    data = open_run(run_folder).data
    calibration = _training_pages(data)
    model = quantise(bundle, calibration)
    with tempfile.TemporaryDirectory() as work:
        trial = Path(work) / "int8"
        write_quantised(bundle, trial, model, about={})
        quantised = Bundle.open(trial, threads=1)
        before, after, pages = _on_validation(data, bundle, quantised)
        speed = times_as_fast(bundle, quantised, pages)
    found = {"calibration_pages": len(calibration), "validation_macro_auroc": round(after, 5),
             "in_float": round(before, 5), "times_as_fast": round(speed, 3)}  # fmt: skip
    print(f"validation macro AUROC {before:.4f} in float, {after:.4f} on int8; "
          f"{speed:.2f} times as fast")  # fmt: skip
    if abs(after - before) > MOST_LOSS:
        raise BundleError("int8 changes the answers too much, so nothing is written",
                          file=bundle.folder, value=found, remedy="Leave --int8 out")  # fmt: skip
    if speed < LEAST_GAIN:
        raise BundleError("int8 is not faster on this machine, so nothing is written",
                          file=bundle.folder, value=found, remedy="Leave --int8 out")  # fmt: skip
    write_quantised(bundle, out, model, about=found)


def _training_pages(data: EcgDataModule) -> NDArray[np.uint8]:
    import numpy as np

    from ecgvision.core.evenly_spaced import evenly_spaced

    pages: Any = data.dataset("train")
    if "image" not in pages[(0, 0)]:
        raise ConfigError("this run has no pages to calibrate on", remedy="Leave --int8 out")
    chosen = evenly_spaced(CALIBRATION_PAGES, len(pages))
    return np.stack([pages[(0, int(i))]["image"].numpy() for i in chosen])


def _on_validation(
    data: EcgDataModule, *bundles: Bundle
) -> tuple[float, float, NDArray[np.uint8]]:  # fmt: skip
    """Return the macro AUROC of two bundles on all validation pages, and some of those pages."""
    import numpy as np
    import torch
    from tqdm import tqdm

    from ecgvision.nn.training.auroc import macro_auroc

    logits: list[list[NDArray[np.float32]]] = [[], []]
    targets = []
    for batch in tqdm(data.loader("val"), desc="validation pages", unit="batch"):
        pages = batch["image"].numpy()
        targets.append(batch["target"])
        for found, bundle in zip(logits, bundles, strict=True):
            found.append(bundle.run(pages)[0])
    wanted = torch.cat(targets)
    before, after = (float(macro_auroc(torch.from_numpy(np.concatenate(found)), wanted))
                     for found in logits)  # fmt: skip
    return before, after, pages
