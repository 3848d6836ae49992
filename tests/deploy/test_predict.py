"""Files to answers: each as the bundle says of the letterboxed page; bad ones beside good ones."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ecgvision.cli import main
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.network_input import to_network
from ecgvision.deploy import predict, predict_files
from ecgvision.deploy.bundle import Bundle
from ecgvision.render.draw import draw


def save_page(path: Path, seed: int, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    image[..., seed % 3] //= 4
    Image.fromarray(image).save(path)
    return image


@pytest.fixture
def bundle(bundle_folder: Path) -> Bundle:
    return Bundle.open(bundle_folder, threads=1)


@pytest.mark.parametrize("size", [(96, 128), (200, 150), (300, 900)])
def test_a_file_is_answered_as_its_letterboxed_page(
    bundle: Bundle, by_hand: SimpleNamespace, tmp_path: Path, size: tuple[int, int]
) -> None:
    image = save_page(tmp_path / "a.png", 3, size)
    answer = predict.predict_file(bundle, tmp_path / "a.png")
    small = np.moveaxis(to_network(image, by_hand.size), 2, 0)[None]
    logits, probabilities, decisions = by_hand.expected(small)
    np.testing.assert_allclose(answer.logits, logits[0], atol=1e-5)
    np.testing.assert_allclose(answer.probabilities, probabilities[0], atol=1e-6)
    assert answer.decisions == tuple(decisions[0])
    assert answer.page == size


def test_a_bad_file_does_not_silence_the_others(bundle: Bundle, tmp_path: Path) -> None:
    save_page(tmp_path / "a.png", 0)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-20])
    save_page(tmp_path / "c.png", 1)
    answers = list(predict.predict_files(bundle, [tmp_path / f"{n}.png" for n in "abc"]))
    assert [a.error is None for a in answers] == [True, False, True]
    assert "b.png" in str(answers[1].error)
    assert "cut short" in str(answers[1].error)


def test_what_is_no_readable_page_is_refused_where_that_is_asked(
    bundle_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    t = np.arange(5000) / 500
    spike = 1.2 * np.exp(-(((t % 0.8) - 0.4) ** 2) / 0.0008) - 0.1
    signal = (spike * np.linspace(0.5, 1, 12)[:, None]).astype(np.float32)
    page = draw(signal, 500.0, Page(get_layout("3x4+II"), dpi=100), seed=0).image
    Image.fromarray(np.rot90(page, 2)).save(tmp_path / "turned.png")
    save_page(tmp_path / "noise.png", 0, (600, 800))
    words = ["predict", "--bundle", str(bundle_folder), "--json", str(tmp_path)]
    assert main(words) == 0
    assert all("error" not in entry for entry in json.loads(capsys.readouterr().out)["results"])
    assert main([*words, "--check"]) == 2
    told = {
        Path(e["file"]).stem: e.get("error") for e in json.loads(capsys.readouterr().out)["results"]
    }
    assert "nothing can be read" in told["noise"]
    assert told["turned"] is None  # the reader turns it back


def test_json_holds_answers_errors_and_the_model(
    bundle: Bundle, by_hand: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_page(tmp_path / "a.png", 0)
    assert predict_files.run(bundle, [str(tmp_path / "a.png"), "/absent.png"], as_json=True) == 2
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["bundle"]["label_hash"] == by_hand.scheme.hash
    assert document["bundle"]["id"] == bundle.id
    learned = {"layouts": ["3x4+II", "6x2"], "artefacts": ["clean"]}
    assert document["bundle"]["learned_from"] == learned
    good, bad = document["results"]
    answer = predict.predict_file(bundle, tmp_path / "a.png")
    assert good["probabilities"] == dict(zip(bundle.codes, answer.probabilities, strict=True))
    cuts = dict(zip(bundle.codes, bundle.thresholds, strict=True))
    assert good["positive"] == [c for c in bundle.codes if good["probabilities"][c] >= cuts[c]]
    assert good["page"] == {"height": 96, "width": 128}
    assert bad == {"file": "/absent.png", "error": bad["error"]}
    assert err.count("\n") == 1
    assert "/absent.png" in err


def test_the_table_lists_labels_by_probability_and_stars_the_positive(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_page(tmp_path / "a.png", 0)
    assert predict_files.run(bundle, [str(tmp_path / "a.png")], as_json=False) == 0
    head, *rows, learned = capsys.readouterr().out.splitlines()
    assert "learned from layouts 3x4+II, 6x2; artefacts clean" in learned
    assert head == str(tmp_path / "a.png")
    answer = predict.predict_file(bundle, tmp_path / "a.png")
    order = np.argsort(-np.array(answer.probabilities), kind="stable")
    starred = [row.split()[0] == "*" for row in rows]
    assert starred == [answer.decisions[i] for i in order]
    codes = [row.replace("*", " ").split()[0] for row in rows]
    assert codes == [bundle.codes[i] for i in order]
