"""Put a finished run of `+exp=signal` into the package, as the network behind its page reader."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.errors import ConfigError
from ecgvision.core.outputs import check_outside, check_replaceable
from ecgvision.core.run_folder import read_config, read_metrics
from ecgvision.deploy.card_file import CARD as BUNDLE_CARD
from ecgvision.shipped import STUDENT

CARD = "CARD.md"


def release(run: Path, target: Path = STUDENT, *, note: str = "") -> Path:
    """Write the bundle of a finished run with a model card to a folder, whole or not at all.

    Args:
        note: sentences for the card: where the records are from, and under which licence.

    Raises:
        ConfigError: if it is no such run, or has not finished.
        BundleError: if its bundle is not as it was written.
    """
    check_replaceable(target, CARD, "a released student")
    check_outside(target, [run])
    config = read_config(run)
    if config["exp"] != "signal" or config["input"] != "signal":
        raise ConfigError("the package's student is a run of +exp=signal on signals", file=run,
                          value=config["exp"])  # fmt: skip
    metrics = read_metrics(run)
    from ecgvision.deploy.signal_bundle import SignalBundle

    bundle = SignalBundle.open(run / "bundle")
    with atomic_folder(target) as made:
        for name in (BUNDLE_CARD, *bundle.card["files"]):
            shutil.copy(run / "bundle" / name, made / name)
        (made / CARD).write_text(card(bundle.card, config, metrics, note), encoding="utf-8")
    return target


def card(
    bundle: Mapping[str, Any], config: Mapping[str, Any], metrics: Mapping[str, Any],
    note: str = "",
) -> str:  # fmt: skip
    """The model card, in Markdown."""
    data, folds, given = metrics["data"], config["data"]["folds"], bundle["input"]
    stream = "signal"
    test = metrics["test"]
    digests = [f"- `{name}`: sha256 `{digest}`" for name, digest in bundle["files"].items()]
    lines = [
        "# The network of signals behind the page reader", "",
        f"`{config['model']['encoder']}` over {len(given['used'])} leads of "
        f"{given['samples'] / given['rate']:g} s at {given['rate']:g} Hz, with a mask of what is "
        f"seen. Labels: {', '.join(bundle['labels']['codes'])} "
        f"(`{bundle['labels']['scheme']}`).", "",
        f"- Learned from {data['train']} records, folds {_text(folds['train'])}, parts hidden as "
        f"by printed layouts and in blocks (`data.train_mask={config['data']['train_mask']}`); "
        f"checkpoint, temperature and thresholds from {data['val']} records, folds "
        f"{_text(folds['val'])}. {note}".rstrip(),
        *digests, "",
        f"Signals of {data['test']} test records, folds {_text(folds['test'])}, as layouts show "
        "them; AUROC with 95 % intervals by bootstrap over patients:", "",
        "| layout | macro AUROC | " + " | ".join(bundle["labels"]["codes"]) + " |",
        "|---" * (2 + len(bundle["labels"]["codes"])) + "|",
        *(_row(name.partition("@")[2] or "all", found) for name, found in test.items()
          if name.partition("@")[0] == stream), "",
        bundle["intended_use"], "",
    ]  # fmt: skip
    return "\n".join(lines)


def _row(name: str, found: Mapping[str, Any]) -> str:
    figures = [found["macro_auroc"], *(one["auroc"] for one in found["per_class"].values())]
    return f"| {name} | {' | '.join(map(_figure, figures))} |"


def _figure(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return "–"
    low, high = found["ci95"] or (None, None)
    return f"{found['value']:.3f}" + ("" if low is None else f" ({low:.3f}-{high:.3f})")


def _text(folds: Sequence[int]) -> str:
    return ", ".join(map(str, folds))
