"""The cohort as a store: determinism, folds, labels, refusals; and the baseline's features."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from data_prep.synthesize import main, synthesize
from data_prep.synthetic.cohort import BLOCK, EXCLUSIVE, draw_conditions, visits
from ecgvision.core.errors import ConfigError
from ecgvision.labels.schemes import get_scheme, targets
from ecgvision.store.packed import Store
from experiments.bench import cohort

FILES = ("signals.npy", "records.parquet")
SHORT = {"rate": 100, "seconds": 3, "progress": False}


def content(path: Path) -> list[bytes]:
    return [(path / name).read_bytes() for name in FILES]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Store:
    path = tmp_path_factory.mktemp("synth") / "store"
    return Store(synthesize(path, records=400, seed=1, rate=100, progress=False))


def test_same_seed_same_bytes_whatever_the_jobs(tmp_path: Path):
    one = synthesize(tmp_path / "one", records=12, seed=5, jobs=1, **SHORT)
    two = synthesize(tmp_path / "two", records=12, seed=5, jobs=2, **SHORT)
    other = synthesize(tmp_path / "other", records=12, seed=6, jobs=1, **SHORT)
    assert content(one) == content(two)
    assert content(one)[0] != content(other)[0]
    Store(one).verify()


def test_a_longer_cohort_starts_with_the_same_records(tmp_path: Path):
    short = Store(synthesize(tmp_path / "short", records=5, seed=5, **SHORT))
    long = Store(synthesize(tmp_path / "long", records=9, seed=5, **SHORT))
    for i in range(5):
        np.testing.assert_array_equal(short.read(i), long.read(i))
        assert short.records.scp_codes[i] == long.records.scp_codes[i]


def test_the_store_says_what_a_reader_needs(small: Store):
    r = small.records
    assert len(small) == 400
    assert small.rate == 100
    assert r.record_id.is_unique
    assert set(r.sex) == {"male", "female"}
    assert r.age.between(18, 95).all()
    assert (r.length == 1000).all()
    np.testing.assert_allclose(r["scale"], 0.001)
    assert np.isfinite(small.read(0)).all()


def test_patients_return_and_keep_to_one_fold(small: Store):
    by_patient = small.records.groupby("patient_id")
    assert by_patient.fold.nunique().max() == 1
    assert by_patient.size().max() >= 3
    assert set(small.records.fold) == set(range(1, 11))
    assert (by_patient.sex.nunique() == 1).all()


def test_a_block_gives_every_fold_the_same_strata():
    whole = {v.patient: v for v in visits(0, 3 * BLOCK) if v.patient < BLOCK}.values()
    counts = {f: sorted(v.stratum for v in whole if v.fold == f) for f in range(1, 11)}
    assert len(whole) == BLOCK
    assert all(c == counts[1] for c in counts.values())


def test_every_scheme_finds_labels(small: Store):
    for name in ("superdiagnostic", "subdiagnostic", "diagnostic", "form", "rhythm", "all"):
        y, labelled = targets(small.records, get_scheme(name))
        assert labelled.any()
        assert (y.sum(axis=0) > 0).mean() > 0.5, name
    y, labelled = targets(small.records, get_scheme("superdiagnostic"))
    share = y[labelled].mean(axis=0)
    assert 0.3 < share[0] < 0.5
    assert (share[1:] > 0.1).all()
    assert (share[1:] < 0.3).all()
    assert (y[:, 1:].sum(axis=1) > 1).any()  # classes meet in one record
    assert not (y[:, 0] & y[:, 1:].any(axis=1)).any()  # and none with NORM
    for fold in range(1, 11):
        assert y[(small.records.fold == fold).to_numpy()].any(axis=0).all()


def test_conditions_that_hide_each_other_do_not_meet():
    rng = np.random.default_rng(0)
    drawn = [set(draw_conditions(rng, s)) for s in ("MI", "STTC", "CD", "HYP") for _ in range(300)]
    assert not any(name in d and d & hidden for d in drawn for name, hidden in EXCLUSIVE.items())


@pytest.mark.parametrize(
    "wrong",
    [{"records": 0}, {"seed": -1}, {"rate": 10}, {"seconds": 1}, {"jobs": 0}],
    ids=lambda w: next(iter(w)),
)
def test_senseless_sizes_are_refused(tmp_path: Path, wrong: dict):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        synthesize(tmp_path / "x", **({"records": 2, "seed": 0} | SHORT | wrong))
    assert not any(tmp_path.iterdir())


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "store"
    command = ["--records", "3", "--rate", "100", "--jobs", "1", "--out", str(out)]
    assert main(command) == 0
    assert capsys.readouterr().out.strip() == str(out)
    codes = json.loads(Store(out).records.scp_codes[0])
    assert set(codes.values()) == {100.0}
    assert main(command) == 2  # a store stands there already
    assert str(out) in capsys.readouterr().err


def test_baseline_measures_what_it_names():
    rate, t = 500, np.arange(5000) / 500
    beats = np.arange(0.5, 9.8, 0.8)
    wave = sum(np.exp(-0.5 * ((t - b) / 0.012) ** 2) for b in beats)
    signal = np.outer(np.linspace(0.5, 1.6, 12), wave).astype(np.float32)
    x = cohort.features(signal, rate)
    assert x[0] == pytest.approx(75, abs=0.5)
    assert x[1] < 0.01
    assert 40 < x[2] < 85  # +-2.5 standard deviations of 12 ms are 60 ms
    np.testing.assert_allclose(x[3:15], signal.max(axis=1))
    np.testing.assert_allclose(x[27:], signal.std(axis=1), rtol=1e-5)


def test_baseline_runs_on_a_store(small: Store):
    args = Namespace(store=small.path, labels="superdiagnostic", train=list(range(1, 8)), test=[8, 9, 10])  # fmt: skip
    result = cohort.run(args)
    assert set(result["auroc"]) == set(get_scheme("superdiagnostic").codes)
    # Well above chance, so that it measures something, and well below what shapes allow.
    assert 0.6 < result["macro_auroc"] < 0.9
