"""How well a reader reads: judged by what it would write, and summed up as by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from ecgvision.data.resample import resample
from ecgvision.deploy.confidence import lead_confidence, page_confidence
from ecgvision.evaluate.digitisation import FIGURES
from ecgvision.evaluate.reading import _judge, summarise
from ecgvision.evaluate.snr import snr_db
from experiments.finish_read import READABLE, least_confidence


def test_the_table_is_judged_as_by_hand() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "record_id": [f"r{i // 3}" for i in range(12)], "patient_id": "", "layout": ["3x4"] * 6 + ["6x2"] * 6,
        "artefact": "clean", "lead": ["I", "II", "V1"] * 4, "snr_db": rng.normal(size=12),
        **{name: rng.random(12) for name in FIGURES[1:]},
    })  # fmt: skip
    table.loc[0, "snr_db"] = math.nan
    found = summarise(table)
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
    assert summarise(table)["view:3x4, photo"]["correlation"]["p90"] == pytest.approx(
        np.percentile(table["correlation"][3:6], 90), abs=1e-4
    )
    assert found["all"]["snr_db"]["median"] == pytest.approx(
        np.median(table["snr_db"][1:]), abs=1e-4
    )
    assert math.isnan(snr_db(np.zeros(5), np.zeros(5)))  # what a NaN stands for


def test_intervals_are_over_patients() -> None:
    """Ten records of one patient say no more than one of them does."""
    rng = np.random.default_rng(1)
    value = np.repeat(rng.normal(size=8), 10)
    table = pd.DataFrame({
        "record_id": [f"r{i}" for i in range(80)], "patient_id": [f"p{i // 10}" for i in range(80)],
        "layout": "3x4", "artefact": "clean", "lead": "I", **dict.fromkeys(FIGURES, value),
    })  # fmt: skip
    patients, one, records = (
        summarise(part)["all"] for part in (table, table[::10], table.assign(patient_id=""))
    )
    for figure in FIGURES:
        low, high = patients[figure]["ci95"]
        assert [low, high] == pytest.approx(one[figure]["ci95"], abs=0.2)
        narrow = records[figure]["ci95"]
        assert high - low > 1.5 * (narrow[1] - narrow[0])


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
              "log_scale": torch.full((1, 12, 400), -2.0)}  # fmt: skip
    whose = pd.DataFrame({"record_id": ["r"], "patient_id": ["p"]})
    fine = resample(true[0].numpy(), 100.0, 500.0)[None]
    printed = np.ones((1, 12, 400), bool)
    table = _judge(answer, fine, printed, whose, [("12x1", "clean")], 100.0)
    assert set(table["patient_id"]) == {"p"}
    sure = page_confidence(
        lead_confidence(presence.sigmoid(), np.full(true.shape, math.exp(-2)), 100)
    )
    assert table["confidence"].to_numpy() == pytest.approx(sure[0])
    snr = table.set_index("lead")["snr_db"]
    assert snr["I"] > 30
    assert snr["II"] == pytest.approx(snr["I"] / 2, rel=0.35)
    assert snr["III"] == 0
    share = table.set_index("lead")["presence_accuracy"]
    assert (share["I"], share["II"], share["III"]) == (1, 0.5, 0)
