"""Long work says that it is at work; short work says nothing."""

from __future__ import annotations

import threading
import time

import pytest

from ecgvision.core.progress import working


def test_only_long_work_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with working("exporting", every=30):
        pass
    assert capsys.readouterr().err == ""
    with working("exporting", every=0.05):
        time.sleep(0.4)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("exporting: ") for line in lines)


def test_an_error_ends_the_telling() -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), working("exporting", every=0.01):
        raise ZeroDivisionError
    assert threading.active_count() == before
