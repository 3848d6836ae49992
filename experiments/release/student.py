"""Put the student of a finished run into the package: a network of signals, or one of standard
pages, both behind its page reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgvision.core.atomic_io import atomic_folder
from ecgvision.core.errors import ConfigError
from ecgvision.core.outputs import check_outside, check_replaceable
from ecgvision.core.run_folder import read_config, read_metrics
from ecgvision.deploy.card_file import SIGNAL, write_contents
from ecgvision.shipped import IMAGE_STUDENT, STUDENT

if TYPE_CHECKING:  # slow to import, and not needed to refuse what is no run
    from ecgvision.deploy.open_bundle import AnyStudent

CARD = "CARD.md"


def release(run: Path, target: Path | None = None, *, note: str = "") -> Path:
    """Write the bundle of a finished run with a model card to a folder, whole or not at all.

    Args:
        target: None takes the package's folder for students of this kind.
        note: sentences for the card: where the records are from, and under which licence.

    Raises:
        ConfigError: if its student does not stand behind a reader, or it has not finished.
        BundleError: if its bundle is not as it was written.
    """
    metrics, config = read_metrics(run), read_config(run)
    from ecgvision.deploy.bundle import read_contents
    from ecgvision.deploy.open_bundle import open_student

    bundle = open_student(run / "bundle")
    if not bundle.needs_reader:
        raise ConfigError("the package's students stand behind its page reader, and this one sees "
                          "pictures as they are", file=run,
                          remedy="Take a run of +exp=signal, or of +exp=vizecg with "
                          "data.standard_page=true")  # fmt: skip
    if target is None:
        target = STUDENT if bundle.card["format"] == SIGNAL else IMAGE_STUDENT
    check_replaceable(target, CARD, "a released student")
    check_outside(target, [run])
    with atomic_folder(target) as made:
        write_contents(made, bundle.card, read_contents(bundle.folder, bundle.card))
        (made / CARD).write_text(card(bundle, config, metrics, note), encoding="utf-8")
    return target


def card(
    bundle: AnyStudent, config: Mapping[str, Any], metrics: Mapping[str, Any], note: str = "",
) -> str:  # fmt: skip
    """The model card, in Markdown."""
    data, folds, labels = metrics["data"], config["data"]["folds"], bundle.card["labels"]
    describe = _of_signals if bundle.card["format"] == SIGNAL else _of_pages
    title, network, shown, judged, stream = describe(bundle, config)
    digests = [f"- `{name}`: sha256 `{digest}`" for name, digest in bundle.card["files"].items()]
    lines = [
        f"# {title}", "",
        f"{network} Labels: {', '.join(labels['codes'])} (`{labels['scheme']}`).", "",
        f"- Learned from {data['train']} records, folds {_text(folds['train'])}, {shown}; "
        f"checkpoint, temperature and thresholds from {data['val']} records, folds "
        f"{_text(folds['val'])}. {note}".rstrip(),
        *digests, "",
        f"{judged} of {data['test']} test records, folds {_text(folds['test'])}; AUROC with "
        "95 % intervals by bootstrap over patients:", "",
        "| view | macro AUROC | " + " | ".join(labels["codes"]) + " |",
        "|---" * (2 + len(labels["codes"])) + "|",
        *(_row(name.partition("@")[2] or "all", found) for name, found in metrics["test"].items()
          if name.partition("@")[0] == stream), "",
        bundle.card["intended_use"], "",
    ]  # fmt: skip
    return "\n".join(lines)


def _of_signals(bundle: AnyStudent, config: Mapping[str, Any]) -> tuple[str, ...]:
    given = bundle.card["input"]
    return (
        "The network of signals behind the page reader",
        f"`{config['model']['encoder']}` over {len(given['used'])} leads of "
        f"{given['samples'] / given['rate']:g} s at {given['rate']:g} Hz, with a mask of what is "
        "seen.",
        "parts hidden as by printed layouts and in blocks "
        f"(`data.train_mask={config['data']['train_mask']}`)",
        "Signals, as layouts show them,", "signal",
    )  # fmt: skip


def _of_pages(bundle: AnyStudent, config: Mapping[str, Any]) -> tuple[str, ...]:
    height, width = bundle.card["input"]["size"]
    return (
        "The image student behind the page reader",
        f"`{config['model']['image_encoder']}` over standard pages of {height} x {width} pixels.",
        f"drawn as pages: {bundle.learned_from_text()}",
        "Drawn pages", "image",
    )  # fmt: skip


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
