"""A card with anything in any place is refused, or read as far as it makes sense; never a traceback."""

from __future__ import annotations

import copy
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ecgvision.core.errors import BundleError
from ecgvision.core.processors import usable_cores, usable_threads
from ecgvision.deploy import bundle as module
from ecgvision.deploy import info
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card_file import CARD, MODEL, digest
from ecgvision.deploy.open_bundle import open_bundle
from ecgvision.deploy.predict_files import as_document
from ecgvision.deploy.reader_card import read_reader_card
from ecgvision.shipped import READER

HOSTILE = [None, [], {}, "", "x", "\udcff\0", True, 0, -1, 10**17, 10**400, 1e300, math.nan,
           math.inf, -math.inf, [math.nan], [[1]], {"a": None}]  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value; of a long list or table only the first few."""
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())  # fmt: skip
    for key, item in list(items)[:3] if len(at) > 1 else items:
        if len(at) < 4:
            yield from places(item, (*at, key))


def changed(card: dict[str, Any], at: tuple[Any, ...], value: Any) -> dict[str, Any]:
    made = copy.deepcopy(card)
    place: Any = made
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = value
    return made


def write(folder: Path, card: dict[str, Any]) -> None:
    """Seal a card as a faulty writer would; JSON of Python, with NaN."""
    card["digest"] = digest(card) if card.get("digest") else card.get("digest")
    (folder / CARD).write_text(json.dumps(card))


def test_a_student_s_card(bundle_folder: Path) -> None:
    card = json.loads((bundle_folder / CARD).read_text())
    page = np.zeros((1, 3, *card["input"]["size"]), np.uint8)
    opened, refusals = 0, []
    for at in places(card):
        for value in HOSTILE:
            write(bundle_folder, changed(card, at, value))
            try:
                bundle = Bundle.open(bundle_folder, threads=1)
            except BundleError as error:
                refusals.append(str(error))
                continue
            opened += 1
            assert info.describe(bundle)
            assert json.dumps(as_document(bundle, []), allow_nan=False)
            assert all(np.isfinite(part).all() for part in bundle.run(page))
            numbers = [bundle.temperature, *bundle.thresholds]
            assert all(map(math.isfinite, numbers))
    assert opened > 50
    assert len(refusals) > 500
    assert not any("\n" in text for text in refusals)


def test_a_reader_s_card(tmp_path: Path) -> None:
    card = json.loads((READER / "bundle" / CARD).read_text())
    card["metrics"] = {"all": {k: v for k, v in card["metrics"]["all"].items() if k != "leads"}}
    card["info"] = {}
    refusals = []
    for at in places(card):
        for value in HOSTILE:
            write(tmp_path, changed(card, at, value))
            try:
                found = read_reader_card(tmp_path)
            except BundleError as error:
                refusals.append(str(error))
                continue
            facts = ("rate", "samples", "gains", "calibration", "least_confidence")
            stand_in = SimpleNamespace(card=found, id="", image_size=tuple(found["input"]["size"]),
                                       **{key: found[key] for key in facts})  # fmt: skip
            assert info.describe_reader(stand_in)
            assert np.isfinite(np.hstack([found[key] for key in facts])).all()
    assert len(refusals) > 500
    assert not any("\n" in text for text in refusals)


@pytest.mark.parametrize("name", [CARD, MODEL])
@pytest.mark.parametrize("kind", ["pipe", "device", "large", "loop", "folder", "empty"])
def test_a_file_of_the_bundle_that_is_no_file(bundle_folder: Path, name: str, kind: str) -> None:
    file = bundle_folder / name
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "large":
        with file.open("wb") as stream:
            stream.truncate(13_000_000_000)  # sparse: it takes no room
    elif kind == "loop":
        file.symlink_to(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.touch()
    with pytest.raises(BundleError, match=name):
        open_bundle(bundle_folder, threads=1)


@pytest.mark.parametrize("folder", ["x" * 300, "a/" * 2500, "a\0b", "/dev/null", "/proc/self/fd/0"])
def test_a_folder_that_is_none(folder: str) -> None:
    with pytest.raises((BundleError, OSError)) as caught:
        open_bundle(folder)
    assert not isinstance(caught.value, UnicodeError)


def test_threads_are_at_most_the_usable_cores(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    monkeypatch.setattr(module, "usable_threads", lambda n: taken.append(n) or usable_threads(n))
    Bundle.open(bundle_folder, threads=100_000)
    assert taken == [100_000]
    assert usable_threads(100_000) == usable_cores()
    assert usable_threads(1) == 1
    monkeypatch.setattr("ecgvision.core.processors.usable_cores", lambda: 1)
    monkeypatch.setattr("ecgvision.core.processors.os.cpu_count", lambda: 64)
    assert usable_threads(0) == 1
    monkeypatch.setattr("ecgvision.core.processors.os.cpu_count", lambda: 1)
    assert usable_threads(0) == 0
