"""Lists of what there is name everything, each with a line."""

from __future__ import annotations

import json

import pytest

from data_prep.download.catalogue import SOURCES
from ecgvision.core.layouts import LAYOUTS
from ecgvision.labels.schemes import SCHEMES
from ecgvision.nn.encoder_names import OWN, SIGNAL_ENCODERS
from ecgvision.render.artefacts.registry import ARTEFACTS
from ecgvision.render.papers.named import PAPERS
from ecgvision.systems import SYSTEMS
from experiments.list import KINDS, SIGNALS, main

NAMES = {
    "systems": SYSTEMS, "encoders": [*OWN, *SIGNAL_ENCODERS], "layouts": LAYOUTS, "papers": PAPERS,
    "artefacts": ARTEFACTS, "labels": SCHEMES, "sources": [f"download {name}" for name in SOURCES],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_named_with_a_line(kind, capsys):
    assert main([kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main([kind, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(NAMES[kind]) <= set(found)
    assert len(lines) == len(found)
    assert all(text.strip() and not text.endswith(":") for text in found.values())


def test_every_signal_encoder_is_described():
    assert set(SIGNALS) == set(SIGNAL_ENCODERS)


def test_an_unknown_kind_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["weather"])
    assert "systems" in capsys.readouterr().err
