"""A stand-in for Captum where it is not installed: the same sum, in a plain loop."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType

import pytest

from tests.plain_gradients import PlainIntegratedGradients


@pytest.fixture
def captum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Captum itself where it is installed, the stand-in elsewhere."""
    if find_spec("captum") is None:
        package, attr = ModuleType("captum"), ModuleType("captum.attr")
        attr.IntegratedGradients = PlainIntegratedGradients
        monkeypatch.setitem(sys.modules, "captum", package)
        monkeypatch.setitem(sys.modules, "captum.attr", attr)
