"""A server whose work is done in this process, by a bundle written by hand and a reader's stand-in."""

from __future__ import annotations

import dataclasses
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from ecgvision.core.ecg import Ecg
from ecgvision.core.errors import UnreadablePageError
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import Digitised, PageLayout
from ecgvision.deploy.serve import work
from ecgvision.deploy.serve.app import make_app
from ecgvision.deploy.serve.audit import Audit
from ecgvision.deploy.serve.settings import ServeSettings
from ecgvision.deploy.serve.tokens import Tokens
from ecgvision.reader.rectify.mesh import plain_mesh

READER = SimpleNamespace(id="a-reader", card={"intended_use": "Research."}, least_confidence=0.5)


class Inside:
    """Workers that answer in this process."""

    count = 1

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.asked: list[tuple[Any, ...]] = []

    async def warm(self) -> None:
        pass

    async def run(self, function: Callable[..., work.Answer], *args: Any) -> work.Answer:
        self.asked.append(args)
        return function(*args)

    def stop(self) -> None:
        pass


def read_stand_in(bundle: object, image: np.ndarray, *, file: str = "", gain: float | None = None):
    """Reads any page but a white one: lead II is a sine, its trace a line across the page."""
    if image.min() > 250:
        raise UnreadablePageError("nothing can be read", file=file, remedy="Is it sharp?")
    rate, count = 500.0, 5000
    signal = np.full((12, count), np.nan, np.float32)
    signal[1] = np.sin(np.arange(count) / rate * 6.28)
    found = np.isfinite(signal)
    height, width = image.shape[:2]
    trace = np.full((12, count, 2), np.nan)
    trace[1] = np.column_stack([np.linspace(5, width - 5, count), np.full(count, height / 2)])
    confidence = tuple(0.9 * (lead == 1) for lead in range(12))
    error = tuple(0.02 if lead == 1 else float("nan") for lead in range(12))
    return Digitised(Ecg(signal, rate), confidence, 0.8, error, 1.0 if gain is None else gain, 0.9,
                     found, trace, PageLayout("3x4+II", 0.9, False, 0, True),
                     plain_mesh(image.shape, width / 250))  # fmt: skip


def picture(shade: int = 0, kind: str = "PNG") -> bytes:
    image = np.full((120, 160, 3), 255, np.uint8)
    image[20:60, 30:90] = (200, shade, 60)
    out = io.BytesIO()
    Image.fromarray(image).save(out, kind)
    return out.getvalue()


def blank() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (160, 120), "white").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def serve(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., SimpleNamespace]]:
    """serve(labels=True, tokens=(), **settings): a client, its workers, and `audit()` lines.

    `labels` is a student, False for none, or True for that written by hand.
    """
    monkeypatch.setattr(work, "digitize", read_stand_in)
    monkeypatch.setattr("ecgvision.deploy.predict.digitize", read_stand_in)
    student = Bundle.open(bundle_folder, threads=1)
    opened: list[TestClient] = []

    def start(*, labels: Any = True, tokens: tuple[str, ...] = (), **settings: Any):
        chosen = student if labels is True else labels or None
        models = work.Models(READER, chosen)
        monkeypatch.setattr(work, "open_models", lambda _: models)
        work.use(models)
        file, inside = tmp_path / "audit.jsonl", Inside()
        app = make_app(dataclasses.replace(ServeSettings(), **settings), Tokens(tokens),
                       Audit(str(file)), inside)  # fmt: skip
        client = TestClient(app, base_url="http://127.0.0.1:8000")
        opened.append(client.__enter__())

        def audit() -> list[dict[str, Any]]:
            return [json.loads(line) for line in file.read_text().splitlines()]

        return SimpleNamespace(client=client, app=app, workers=inside, audit=audit, student=student)

    yield start
    for client in opened:
        client.__exit__(None, None, None)
