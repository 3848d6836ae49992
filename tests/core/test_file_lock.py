"""One process at a time holds a lock file, and the next may take it afterwards."""

from __future__ import annotations

import pytest

from ecgvision.core.errors import DataError
from ecgvision.core.file_lock import only_process


def test_a_second_holder_is_refused_until_the_first_is_done(tmp_path):
    file, busy = tmp_path / ".lock", DataError("busy", file=tmp_path)
    with only_process(file, busy):
        with pytest.raises(DataError, match="busy") as caught, only_process(file, busy):
            pass
        assert caught.value is busy
    with only_process(file, busy):
        pass
    with pytest.raises(KeyError), only_process(file, busy):
        raise KeyError
    with only_process(file, busy):
        assert file.exists()
