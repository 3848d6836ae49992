"""Errors that survive a process boundary."""

from __future__ import annotations

import pickle

import pytest
from torch.utils.data import DataLoader, Dataset

from ecgvision.core import errors
from ecgvision.core.errors import EcgVisionError, RecordError


def test_every_error_names_file_value_and_remedy_and_survives_pickling():
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, EcgVisionError)
    ]
    assert len(kinds) >= 9
    for kind in kinds:
        error = pickle.loads(
            pickle.dumps(kind("wrong rate", file="a.hea", value=-1, remedy="Correct it"))
        )
        assert type(error) is kind
        assert str(error) == "a.hea: wrong rate (got -1). Correct it"
        assert "\n" not in str(kind("two\nlines"))


class Broken(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, item):
        raise RecordError("wrong rate", file="a.hea", value=-1, remedy="Correct it")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_error_of_a_loaders_worker_says_no_more_than_it_would_have():
    with pytest.raises(RecordError) as error:
        next(iter(DataLoader(Broken(), num_workers=1)))
    assert str(error.value) == "a.hea: wrong rate (got -1). Correct it"
