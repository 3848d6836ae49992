"""Crops: where they lie, what a layout hides of them, and the share of labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ConfigError, DataError, LayoutError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.cohort import Cohort
from ecgvision.data.crops import CropDataModule, CropDataset, CropSettings
from ecgvision.data.label_fraction import choose, tell
from ecgvision.store.packed import StoreWriter
from ecgvision.systems.ssl.unlabelled import CropsForPretraining

FOLDS = {"train": [*range(1, 9)], "val": [9], "test": [10]}


@pytest.fixture(scope="module")
def cohort(tiny_store) -> Cohort:
    return Cohort([tiny_store], "superdiagnostic", folds=FOLDS)


def module(cohort, settings=None, **more) -> CropDataModule:
    args = {"batch_size": 8, "num_workers": 0, "seed": 0} | more
    return CropDataModule(cohort, settings or CropSettings(), **args)


def test_evaluation_covers_the_record_in_halves_of_a_crop(cohort):
    data = module(cohort)
    item = data.dataset("test")[(0, 2)]
    signal = cohort.signal(int(data.positions("test")[2]), 10, 100)
    expected = np.stack([signal[:, s : s + 250] for s in (0, 125, 250, 375, 500, 625, 750)])
    np.testing.assert_array_equal(item["signal"].numpy(), expected)
    assert item["present"].all()


@given(seconds=st.floats(1, 10), crop=st.floats(0.1, 5), stride=st.floats(0.02, 5))
def test_crops_leave_no_sample_out(seconds, crop, stride):
    crop, stride = min(crop, seconds), min(stride, crop, seconds)
    settings = CropSettings(seconds=seconds, rate=100, crop_seconds=crop, crop_stride=stride)
    covered = np.zeros(settings.length, int)
    for start in settings.starts:
        assert 0 <= start <= settings.length - settings.samples
        covered[start : start + settings.samples] += 1
    assert covered.min() >= 1
    assert len(set(settings.starts)) == len(settings.starts)


def test_training_crops_are_drawn_anew_each_epoch_and_the_same_each_time(cohort):
    data = module(cohort)
    dataset = data.dataset("train")
    first, again, later = dataset[(0, 3)], dataset[(0, 3)], dataset[(1, 3)]
    assert first["signal"].shape == (5, 12, 250)
    np.testing.assert_array_equal(first["signal"], again["signal"])
    assert not np.array_equal(first["signal"], later["signal"])
    signal = cohort.signal(int(data.positions("train")[3]), 10, 100)
    windows = np.lib.stride_tricks.sliding_window_view(signal[1], 250)
    for crop in first["signal"].numpy():
        assert (windows == crop[1]).all(1).sum() == 1


def test_what_a_layout_hides_is_zero(cohort):
    data = module(cohort, CropSettings(layouts=("12x1", "3x4")))
    dataset, number = data.dataset("val"), len(data.positions("val"))
    assert len(dataset) == 2 * number
    whole, cut = dataset[(0, 1)], dataset[(0, number + 1)]
    shown = Page(get_layout("3x4")).observed(1000, 100)
    for k, start in enumerate(range(0, 751, 125)):
        mask = shown[:, start : start + 250]
        np.testing.assert_array_equal(cut["signal"][k], np.where(mask, whole["signal"][k], 0))
    assert cut["layout"] == 1


def odd_store(folder, signals):
    with StoreWriter(folder, rate=100, source="odd") as writer:
        for i, signal in enumerate(signals):
            writer.add(signal.astype(np.float32), record_id=f"odd/{i}", patient_id=f"p{i}",
                       fold=i % 3 + 1, scp_codes={"NORM": 100.0}, columns=None, age=60.0,
                       sex="male", device="", site="", flags=[])  # fmt: skip
    return folder


def test_a_short_recording_gives_crops_within_it_and_no_answer_for_the_rest(tmp_path):
    rng = np.random.default_rng(0)
    store = odd_store(tmp_path / "s", [rng.normal(size=(12, n)) for n in (400, 100, 400)])
    folds = {"train": [1, 2], "val": [3], "test": []}
    cohort = Cohort([store], "superdiagnostic", folds=folds)
    settings = CropSettings()
    drawn = CropDataset(cohort, np.array([0]), settings, train=True, seed=0)
    for epoch in range(20):
        item = drawn[(epoch, 0)]
        assert item["present"].all()
        assert (item["signal"].abs().sum(1) > 0).all()  # nowhere beyond the recording's end
    tiny = CropDataset(cohort, np.array([1]), settings, train=True, seed=0)[(0, 0)]
    assert (tiny["signal"][:, :, 100:] == 0).all()
    assert (tiny["signal"][:, :, :100] != 0).all()
    judged = CropDataset(cohort, np.array([2]), settings, train=False, seed=0)[(0, 0)]
    assert judged["present"].tolist() == [True, True, True, True, False, False, False]


def test_a_record_without_samples_is_named(tmp_path):
    store = odd_store(tmp_path / "s", [np.full((12, 1000), np.nan)])
    folds = {"train": [1], "val": [], "test": []}
    dataset = CropDataset(Cohort([store], "superdiagnostic", folds=folds), np.array([0]),
                          CropSettings(), train=True, seed=0)  # fmt: skip
    with pytest.raises(DataError, match="odd/0"):
        dataset[(0, 0)]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"crop_seconds": 11.0}, ConfigError),
        ({"crop_stride": 3.0}, ConfigError),
        ({"crops": 0}, ConfigError),
        ({"rate": float("nan")}, ConfigError),
        ({"layouts": ()}, ConfigError),
        ({"layouts": ("4x4",)}, LayoutError),
    ],
)
def test_settings_that_make_no_sense(settings, error):
    with pytest.raises(error):
        CropSettings(**settings)


class Table:
    """A cohort of 400 records of 150 patients with a common, a rare and an absent label."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        patient = rng.integers(150, size=400)
        self.records = pd.DataFrame({"patient_id": [f"p{p}" for p in patient]})
        self.targets = np.zeros((400, 3), np.uint8)
        self.targets[:, 0] = rng.random(400) < 0.5
        self.targets[7, 1] = 1
        self.scheme = type("Scheme", (), {"codes": ("A", "B", "C")})


@pytest.mark.parametrize("seed", range(4))
def test_a_fraction_holds_whole_patients_and_every_label(seed):
    table, everyone = Table(), np.arange(0, 400, 1)
    chosen = {f: choose(table, everyone, f, seed=seed) for f in (0.02, 0.1, 0.5, 1.0)}
    patients = table.records["patient_id"]
    total = patients.nunique()
    for fraction, positions in chosen.items():
        inside = set(patients.iloc[positions])
        assert len(inside) == max(1, round(fraction * total))
        assert not inside & set(patients.drop(positions))  # a patient is taken whole
        assert (table.targets[positions].sum(0)[:2] > 0).all()
        np.testing.assert_array_equal(positions, choose(table, everyone, fraction, seed=seed))
    assert set(chosen[0.02]) < set(chosen[0.1]) < set(chosen[0.5]) < set(chosen[1.0])
    assert set(chosen[0.1]) != set(choose(table, everyone, 0.1, seed=seed + 10))
    told = tell(table, everyone, chosen[0.1], 0.1)
    assert told["records"] == len(chosen[0.1])
    assert (told["of_records"], told["of_patients"]) == (400, total)
    assert told["positives"]["C"] == 0


def test_labels_come_before_the_fraction():
    """Two labels of two patients need both, though one patient was asked for."""
    table = Table()
    table.targets[:] = 0
    table.targets[0, 0] = table.targets[1, 1] = 1
    table.records["patient_id"] = [f"p{i}" for i in range(400)]
    assert choose(table, np.arange(400), 1e-6, seed=0).tolist() == [0, 1]


def test_validation_and_test_stay_whole(cohort):
    whole, part = module(cohort), module(cohort, label_fraction=0.5)
    assert len(part.positions("train")) == round(0.5 * 48)
    for split in ("val", "test"):
        np.testing.assert_array_equal(part.positions(split), whole.positions(split))
    assert whole.about() == {}
    assert part.about()["label_fraction"]["records"] == 24
    with pytest.raises(ConfigError, match="label_fraction"):
        module(cohort, label_fraction=0.0)


def test_pretraining_sees_training_folds_only(cohort):
    data = CropsForPretraining(cohort, CropSettings(crops=1), batch_size=8, num_workers=0, seed=0)
    data.setup()
    seen = {int(i) for batch in data.train_dataloader() for i in batch["index"]}
    assert seen
    assert set(cohort.records.loc[np.isin(cohort.index, list(seen)), "fold"]) <= set(range(1, 9))
    for split in ("val", "test"):
        with pytest.raises(DataError, match="training folds"):
            data.loader(split)


def test_pretraining_needs_no_label_and_no_other_fold(tmp_path, make_store):
    folds = {"train": [1, 2], "val": [9], "test": [10]}
    cohort = Cohort([make_store(tmp_path / "s", records=16, folds=2)], "rhythm", folds=folds,
                    unlabelled="keep")  # fmt: skip
    args = {"batch_size": 8, "num_workers": 0, "seed": 0}
    CropsForPretraining(cohort, CropSettings(crops=1), **args).setup()
    with pytest.raises(DataError, match="no positive"):
        CropDataModule(cohort, CropSettings(), **args).positions("train")
