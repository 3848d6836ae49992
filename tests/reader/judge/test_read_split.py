"""How well a reader reads: judged by what it would write, and summed up as by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from ecgvision.data.resample import resample
from ecgvision.reader.confidence import calibrated, lead_confidence, page_confidence
from ecgvision.reader.judge.calibrate import (
    READABLE,
    add_confidence,
    fit_confidence,
    least_confidence,
)
from ecgvision.reader.judge.digitisation import FIGURES
from ecgvision.reader.judge.read_split import _judge
from ecgvision.reader.judge.snr import snr_db
from ecgvision.reader.judge.summary import column_medians, summarise

DRAWN = {"paper": "kit", "gain": 10.0, "speed": 25.0, "printed": True, "right": 0.8,
         "lead_confidence": 0.7, "confidence": 0.7, "kaggle_signal": 4.0, "kaggle_noise": 1.0}  # fmt: skip


def test_the_table_is_judged_as_by_hand() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "record_id": [f"r{i // 3}" for i in range(12)], "patient_id": "", "layout": ["3x4"] * 6 + ["6x2"] * 6,
        "artefact": "clean", "lead": ["I", "II", "V1"] * 4, **DRAWN, "snr_db": rng.normal(size=12),
        **{name: rng.random(12) for name in FIGURES[1:]},
    })  # fmt: skip
    table.loc[0, "snr_db"] = math.nan
    found = summarise(table, 0.5)
    assert found["all"]["pages"] == 4
    assert found["layout:6x2"]["snr_db"]["mean"] == pytest.approx(
        table["snr_db"][6:].mean(), abs=1e-4
    )
    assert found["lead:V1"]["leads"] == 4
    medians = [np.nanmedian(table["snr_db"].to_numpy().reshape(4, 3)[list(chosen)])
               for chosen in itertools.product(range(4), repeat=4)]  # fmt: skip
    np.testing.assert_allclose(found["all"]["snr_db"]["ci95"],
                               np.percentile(medians, [2.5, 97.5]), atol=0.15)  # fmt: skip
    assert not any(key.startswith("view:") for key in found)  # there is one artefact
    table.loc[3:5, "artefact"] = "photo"
    assert summarise(table, 0.5)["view:3x4, photo"]["correlation"]["p90"] == pytest.approx(
        np.percentile(table["correlation"][3:6], 90), abs=1e-4
    )
    assert found["all"]["snr_db"]["median"] == pytest.approx(
        np.median(table["snr_db"][1:]), abs=1e-4
    )
    assert math.isnan(snr_db(np.zeros(5), np.zeros(5)))  # what a NaN stands for


@pytest.mark.parametrize("rows", [1, 2, 3, 36, 701])
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.9])
@pytest.mark.filterwarnings("ignore:All-NaN slice:RuntimeWarning")
def test_medians_of_columns_are_numpys_own(rows: int, missing: float) -> None:
    rng = np.random.default_rng(rows)
    values = rng.normal(size=(rows, 8))
    values[rng.random(values.shape) < missing] = np.nan
    values[:, 0] = np.nan
    values[:, 1] = -np.inf
    values[:, 2] = np.round(values[:, 2])
    np.testing.assert_array_equal(column_medians(values), np.nanmedian(values, axis=0))


def test_intervals_are_over_patients() -> None:
    """Ten records of one patient say no more than one of them does."""
    rng = np.random.default_rng(1)
    value = np.repeat(rng.normal(size=8), 10)
    table = pd.DataFrame({
        "record_id": [f"r{i}" for i in range(80)], "patient_id": [f"p{i // 10}" for i in range(80)],
        "layout": "3x4", "artefact": "clean", "lead": "I", **DRAWN, **dict.fromkeys(FIGURES, value),
    })  # fmt: skip
    patients, one, records = (
        summarise(part, 0.5)["all"] for part in (table, table[::10], table.assign(patient_id=""))
    )
    for figure in FIGURES:
        low, high = patients[figure]["ci95"]
        assert [low, high] == pytest.approx(one[figure]["ci95"], abs=0.2)
        narrow = records[figure]["ci95"]
        assert high - low > 1.5 * (narrow[1] - narrow[0])


def test_the_kaggle_score_is_of_pages_and_its_interval_over_patients() -> None:
    rng = np.random.default_rng(2)
    signal, noise = rng.uniform(1, 9, 24), rng.uniform(0.1, 0.9, 24)
    table = pd.DataFrame({
        "record_id": [f"r{i // 3}" for i in range(24)], "patient_id": [f"p{i // 6}" for i in range(24)],
        "layout": "3x4", "artefact": "clean", "lead": ["I", "II", "V1"] * 8, **DRAWN,
        **dict.fromkeys(FIGURES, 1.0),
    } | {"kaggle_signal": signal, "kaggle_noise": noise})  # fmt: skip
    ratio = signal.reshape(8, 3).sum(1) / noise.reshape(8, 3).sum(1)
    found = summarise(table, 0.5)["all"]["snr_kaggle_db"]
    assert found["value"] == pytest.approx(10 * math.log10(ratio.mean()), abs=1e-3)
    by_patient = ratio.reshape(4, 2).mean(1)
    draws = [10 * math.log10(by_patient[list(chosen)].mean())
             for chosen in itertools.product(range(4), repeat=4)]  # fmt: skip
    np.testing.assert_allclose(found["ci95"], np.percentile(draws, [2.5, 97.5]), atol=0.3)


def test_what_is_refused_is_settled_on_all_validation_pages() -> None:
    rng = np.random.default_rng(0)
    sure = rng.random(50)
    table = pd.DataFrame({
        "record_id": np.repeat([f"r{i}" for i in range(50)], 12), "layout": "12x1",
        "artefact": "clean", "confidence": np.repeat(sure, 12),
    })  # fmt: skip
    leads = table.drop(index=range(5))  # a page with fewer leads counts as much
    assert least_confidence(leads) == pytest.approx(READABLE * np.percentile(sure, 5))


def test_a_reader_is_judged_by_what_it_would_write() -> None:
    """What was printed and not said to be counts as not read."""
    rng = np.random.default_rng(0)
    true = torch.from_numpy(np.cumsum(rng.normal(size=(1, 12, 400)), -1).astype(np.float32) / 9)
    presence = torch.full((1, 12, 400), 4.0)
    presence[:, 1, 200:] = -4.0
    presence[:, 2, 90:] = -4.0  # less than a second
    answer = {"signal": 0.99 * true, "presence": presence, "trace": torch.zeros(1, 12, 400, 2),
              "log_scale": torch.full((1, 12, 400), -2.0),
              "gain": torch.tensor([[0.1, 0.2, 0.6, 0.1]])}  # fmt: skip
    whose = pd.DataFrame({"record_id": ["r"], "patient_id": ["p"]})
    fine = resample(true[0].numpy(), 100.0, 500.0)[None]
    printed = np.ones((1, 12, 400), bool)
    printed[0, 11] = False  # and yet it is found
    fine[0, 11] = np.nan
    fine[0, 4, :500] += 0.5
    view = {"layout": "12x1", "artefact": "clean", "paper": "kit", "gain": 10.0, "speed": 25.0}
    table = _judge(answer, fine, printed, whose, [view], 100.0)
    assert set(table["patient_id"]) == {"p"}
    assert set(table["paper"]) == {"kit"}
    sure = 0.6 * lead_confidence(presence.sigmoid(), np.full(true.shape, math.exp(-2)), 100)
    assert table["raw_confidence"].to_numpy() == pytest.approx(sure[0])
    settled = add_confidence(table, (0.7, -0.2))
    wanted = calibrated(sure[0], (0.7, -0.2))
    assert settled["lead_confidence"].to_numpy() == pytest.approx(wanted)
    assert settled["confidence"].to_numpy() == pytest.approx(np.full(12, page_confidence(wanted)))
    told = table.set_index("lead")
    assert told["printed"].tolist() == [True] * 11 + [False]
    assert told.loc["V6", ["right", "snr_db"]].isna().tolist() == [False, True]
    assert told["right"].loc[["I", "aVL", "V6"]].tolist() == pytest.approx([1, 0.75, 0], abs=0.02)
    assert math.isnan(told.loc["III", "right"])  # nothing was found of it
    snr = table.set_index("lead")["snr_db"]
    assert snr["I"] > 30
    assert snr["II"] == pytest.approx(snr["I"] / 2, rel=0.35)
    assert snr["III"] == 0
    share = table.set_index("lead")["presence_accuracy"]
    assert (share["I"], share["II"], share["III"]) == (1, 0.5, 0)
    figures = summarise(settled, 0.99)["all"]
    assert (figures["pages"], figures["leads"], figures["refused"]) == (1, 11, 1)
    assert figures["confidence"]["right"] == pytest.approx(told["right"].mean(), abs=1e-3)


def test_papers_and_gains_are_told_apart_where_there_are_several() -> None:
    table = pd.DataFrame({
        "record_id": [f"r{i}" for i in range(6)], "patient_id": "", "layout": "3x4",
        "artefact": "clean", "lead": "I", **DRAWN, **dict.fromkeys(FIGURES, 1.0),
    })  # fmt: skip
    assert set(summarise(table, 0.5)) == {"all", "layout:3x4", "artefact:clean", "lead:I"}
    table["gain"], table["paper"] = [5.0, 5.0, 10.0, 10.0, 10.0, 10.0], ""
    table["speed"] = math.nan  # of pages drawn beforehand
    found = summarise(table, 0.5)
    assert {k: v["pages"] for k, v in found.items() if k.startswith(("gain", "speed", "paper"))} == {
        "gain:5": 2, "gain:10": 4
    }  # fmt: skip
    table.loc[[0, 3], "confidence"] = 0.4
    assert summarise(table, 0.5)["gain:10"]["refused"] == 1


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, -0.6), (2.0, 0.4)])
def test_confidence_is_fitted_to_what_was_right(slope: float, offset: float) -> None:
    rng = np.random.default_rng(0)
    raw = rng.uniform(0.05, 0.99, 4000)
    right = rng.binomial(100, calibrated(raw, (slope, offset))) / 100
    table = pd.DataFrame({"raw_confidence": raw, "right": right})
    assert fit_confidence(table) == pytest.approx((slope, offset), abs=0.05)
    table.loc[::2, "right"] = math.nan  # what was not found says nothing
    assert fit_confidence(table) == pytest.approx((slope, offset), abs=0.07)


def test_no_evidence_leaves_confidence_as_it_is() -> None:
    assert fit_confidence(pd.DataFrame({"raw_confidence": [], "right": []})) == (1.0, 0.0)
    backwards = pd.DataFrame({"raw_confidence": [0.1, 0.9] * 200, "right": [1.0, 0.0] * 200})
    slope, _ = fit_confidence(backwards)
    assert slope > 0


def test_calibration_keeps_order_and_nothing() -> None:
    raw = np.array([0.0, 1e-9, 0.2, 0.5, 1.0])
    assert calibrated(raw, (1.0, 0.0)) == pytest.approx(raw, abs=1e-5)
    told = calibrated(raw, (0.6, -0.4))
    assert told[0] == 0
    assert (np.diff(told[1:]) > 0).all()
