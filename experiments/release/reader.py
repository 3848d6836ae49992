"""Put a finished run of `+exp=read` into the package.

What a deployment needs, its bundle, and what another run needs to start from it: weights and
configuration, without paths of this machine.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ecgvision.core.atomic_io import atomic_folder, write_json
from ecgvision.core.errors import ConfigError
from ecgvision.core.outputs import check_outside, check_replaceable
from ecgvision.core.run_folder import BEST, CONFIG_FILE, METRICS, read_config, read_metrics
from ecgvision.shipped import READER
from ecgvision.store.packed import Store, check_store

CARD = "CARD.md"
PRIVATE = {"data": {"store": [], "root": None, "cache_dir": None}, "model": {"weights": None},
           "run_dir": "runs"}  # fmt: skip
"""Paths of the machine that trained it, and what stands in their place."""


def release(run: Path, target: Path = READER, *, note: str = "") -> Path:
    """Write a finished run of `+exp=read` to a folder, whole or not at all.

    Raises:
        ConfigError: if it is no such run, or has not finished.
        BundleError: if its bundle is not as it was written.
        StoreError: if a store that it learned from is no longer there.
    """
    check_replaceable(target, CARD, "a released reader")
    check_outside(target, [run])
    config = read_config(run)
    if config["exp"] != "read":
        raise ConfigError("only a reader is shipped", file=run, value=config["exp"])
    metrics = read_metrics(run)
    for folder in config["data"]["store"]:
        check_store(folder)
    import torch  # what has been said so far needs nothing slow

    from ecgvision.deploy.reader_bundle import ReaderBundle
    from ecgvision.nn.checkpoints import read_weights
    from ecgvision.systems.leakage import seen_of, write_seen_records

    ReaderBundle.open(run / "bundle")
    stores = [Store(folder) for folder in config["data"]["store"]]
    kept = {key: metrics[key] for key in ("exp", "version", "layouts", "artefacts", "reading",
                                          "data")}  # fmt: skip
    with atomic_folder(target) as made:
        kept["seen"] = write_seen_records(made, seen_of(run / BEST))
        shutil.copytree(run / "bundle", made / "bundle")
        (made / CONFIG_FILE).write_text(yaml.safe_dump(_public(config), sort_keys=False),
                                        encoding="utf-8")  # fmt: skip
        write_json(made / METRICS, kept)
        (made / BEST).parent.mkdir()
        weights = read_weights(run / BEST)
        torch.save({"state_dict": weights.state, "label_hash": weights.label_hash}, made / BEST)
        text = card(kept, config, [store.manifest["source"] for store in stores], made, note)
        (made / CARD).write_text(text, encoding="utf-8")
    return target


def _public(config: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(config)
    for key, value in PRIVATE.items():
        out[key] = {**config[key], **value} if isinstance(value, dict) else value
    return out


def card(
    metrics: Mapping[str, Any], config: Mapping[str, Any], sources: Sequence[str], folder: Path,
    note: str = "",
) -> str:  # fmt: skip
    """The model card, in Markdown."""
    from ecgvision.deploy.card_file import MODEL
    from ecgvision.nn.checkpoints import weights_hash

    data, folds = metrics["data"], config["data"]["folds"]
    rows = [_row(name.partition(":")[2] or "all", found)
            for name, found in metrics["reading"]["test"].items()
            if name == "all" or name.startswith(("layout:", "artefact:", "view:"))]  # fmt: skip
    digest = hashlib.sha256((folder / "bundle" / MODEL).read_bytes()).hexdigest()
    size = "x".join(map(str, config["data"]["image_size"]))
    lines = [
        "# A reader of printed ECG pages", "",
        f"`{config['model']['image_encoder']}` at {size} pixels: twelve leads of "
        f"{config['data']['seconds']:g} s in mV, at {config['data']['signal_rate']} Hz, with "
        "presence and expected error of each sample.", "",
        f"- Learned from drawn pages of {data['train']} records ({', '.join(sources)}), folds "
        f"{', '.join(map(str, folds['train']))}; chosen on pages of {data['val']}, folds "
        f"{', '.join(map(str, folds['val']))}; no label was used. {note}".rstrip(),
        f"- Pages: {', '.join(metrics['layouts'])}; {', '.join(metrics['artefacts'])}.",
        f"- Weights: `{weights_hash(folder / BEST)}` (`ecgvision.nn.checkpoints.weights_hash`).",
        f"- Bundle: sha256 `{digest}` of `{MODEL}`.", "",
        "Drawn pages of records of the test folds "
        f"({', '.join(map(str, folds['test']))}), read once; SNR after alignment as in the "
        "PhysioNet Challenge 2024, early readings in full (its own scorer drops most of them), and "
        "the errors of the amplitudes of a lead's tallest waves and of the times between them, "
        "over pages and leads; 95 % intervals by bootstrap over patients:", "",
        "| pages | n | median dB | 95 % interval | mean dB | median correlation "
        "| amplitude, median mV | interval, median ms |", "|---|---|---|---|---|---|---|---|",
        *rows, "",
    ]  # fmt: skip
    return "\n".join(lines)


def _row(name: str, found: Mapping[str, Any]) -> str:
    shown = (("snr_db", "median", 1, 1), ("snr_db", "mean", 1, 1), ("correlation", "median", 1, 3),
             ("amplitude_error_mv", "median", 1, 3),
             ("interval_error_s", "median", 1000, 1))  # fmt: skip
    cells = ["–" if (value := found[figure][kind]) is None else f"{times * value:.{digits}f}"
            for figure, kind, times, digits in shown]  # fmt: skip
    cells.insert(1, "–" if (ends := found["snr_db"]["ci95"]) is None
                else f"{ends[0]:.1f} to {ends[1]:.1f}")  # fmt: skip
    return f"| {name} | {found['pages']} | {' | '.join(cells)} |"
