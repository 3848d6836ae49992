"""A network of signals held against recordings and labels of real pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from ecgvision.cli import main
from ecgvision.core.errors import ImageError
from ecgvision.deploy.prediction import Prediction
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.shipped import STUDENT
from ecgvision.trained_runs import page_labels

CODES = ("NORM", "MI")


def row(p, q, labels, refused=None, cut=0.5):
    def answer(values):
        return values and {
            "probabilities": dict(zip(CODES, values, strict=True)),
            "decisions": {c: v >= cut for c, v in zip(CODES, values, strict=True)},
        }

    return {"file": "x", "refused": refused, "picture": answer(p), "recording": answer(q),
            "labels": labels}  # fmt: skip


def test_the_figures_are_those_of_a_count_by_hand():
    rows = [
        row((0.9, 0.2), (0.8, 0.4), ["NORM"]),
        row((0.3, 0.6), (0.3, 0.4), ["NORM", "MI"]),
        row(None, (0.1, 0.9), ["MI"], refused="blank"),
        row((0.7, 0.1), None, None),
    ]
    found = page_labels.summarise(rows, CODES)
    assert (found["n"], found["refused"], found["n_recording"]) == (4, 1, 2)
    assert found["difference"]["value"] == pytest.approx((0.1 + 0.2 + 0 + 0.2) / 4)
    assert found["agree"]["value"] == pytest.approx(3 / 4)
    low, high = found["difference"]["ci95"]
    assert low == pytest.approx(0.1)
    assert high == pytest.approx(0.15)
    picture = found["labels_by_picture"]
    assert picture["n"] == 2
    assert picture["f1"]["value"] == pytest.approx(2 * 2 / (3 + 2))
    assert picture["per_label"]["NORM"] == {"right": 1, "missed": 1, "false": 0}
    recording = found["labels_by_recording"]
    assert recording["n"] == 3
    assert recording["per_label"]["MI"] == {"right": 1, "missed": 1, "false": 0}


def test_without_anything_known_nothing_is_claimed():
    found = page_labels.summarise([row((0.7, 0.1), None, None)], CODES)
    assert found["difference"] == {"value": None, "ci95": None}
    assert found["labels_by_picture"]["f1"] == {"value": None, "ci95": None}


@pytest.fixture
def folder(tmp_path):
    rows = [{"file": f"{name}.png", "kind": "photo", "layout": "12x1", "labels": labels}
            for name, labels in (("a", "NORM"), ("b", "MI, CD"), ("c", ""))]  # fmt: skip
    for one in rows:
        Image.fromarray(np.full((80, 100, 3), 255, np.uint8)).save(tmp_path / one["file"])
    (tmp_path / "places.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "truth").mkdir()
    time = np.arange(5000) / 500
    np.save(tmp_path / "truth" / "a.npy", np.tile(np.sin(7 * time), (12, 1)))
    return tmp_path


def test_the_command_judges_the_packages_student(folder, monkeypatch, capsys):
    bundle = SignalBundle.open(STUDENT)
    rng = np.random.default_rng(0)
    signal = rng.normal(0, 0.2, (1, 12, bundle.samples)).astype(np.float32)
    answer = [value[0] for value in bundle.run(signal, np.ones_like(signal, bool))]

    def predict(_bundle, page, file, *, reader):
        assert reader is not None
        if file.endswith("b.png"):
            raise ImageError("not enough of the page can be read", file=file)
        assert page.shape == (80, 100, 3)
        logits, probabilities, decisions = answer
        return Prediction(file, logits=logits, probabilities=probabilities, decisions=decisions)

    monkeypatch.setattr(page_labels, "predict_picture", predict)
    asked = ["evaluate", "shipped-student", "--pages", str(folder)]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [page["file"] for page in found["pages"]] == ["a.png", "b.png"]  # of c nothing is known
    assert (found["n"], found["refused"], found["n_recording"]) == (2, 1, 1)
    assert "b.png" in found["pages"][1]["refused"]
    told = found["pages"][0]["picture"]["probabilities"]
    assert list(told.values()) == pytest.approx(answer[1].tolist())
    assert main(asked) == 0
    assert "2 pictures, 1 refused" in capsys.readouterr().out


def test_pictures_of_which_nothing_is_known_are_refused(folder, capsys):
    rows = [{"file": "c.png", "kind": "photo"}]
    (folder / "places.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["evaluate", "shipped-student", "--pages", str(folder)]) == 2
    assert "neither labels nor recordings" in capsys.readouterr().err
