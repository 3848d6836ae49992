"""Networks of signals, deployed: records and readings are answered as the network answers them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ecgvision.cli import main
from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import BundleError, ConfigError, ImageError, RecordError
from ecgvision.data.patch_settings import PatchSettings
from ecgvision.data.resample import resample
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card_file import write_card
from ecgvision.deploy.digitize import Digitised, PageLayout
from ecgvision.deploy.export_signal import export_signal
from ecgvision.deploy.open_bundle import open_bundle, open_reader
from ecgvision.deploy.predict import predict_file, predict_files
from ecgvision.deploy.predict_signal import predict_digitised
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.labels.schemes import get_scheme
from ecgvision.nn.signal_student import SignalStudent

RATE, SECONDS = 50.0, 4.0
PAGE = np.full((80, 100, 3), 255, np.uint8)
SCHEME = get_scheme("superdiagnostic")
POINTS = SimpleNamespace(temperature=2.0, thresholds=(0.5, 0.55, 0.45, 0.6, 0.52), notes=())
WEIGHT = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)


class Means(nn.Module):
    """Logits from the mean of each lead where it is observed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(WEIGHT))

    def forward(self, value: Tensor, observed: Tensor) -> dict[str, Tensor]:
        count = observed.sum((2, 3)).clamp(min=1)
        return {"signal": (value.sum((2, 3)) / count) @ self.weight}


def by_hand(signal: np.ndarray, observed: np.ndarray) -> np.ndarray:
    mean = np.where(observed, signal, 0).sum(1) / np.maximum(observed.sum(1), 1)
    return 1 / (1 + np.exp(-(mean @ WEIGHT) / POINTS.temperature))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cut = PatchSettings(seconds=SECONDS, rate=RATE, layouts=("12x1",), patch_length=100, stride=100)
    student = SignalStudent(Means(), "signal", cut=cut, temperature=POINTS.temperature,
                            thresholds=POINTS.thresholds).eval()  # fmt: skip
    rng = np.random.default_rng(1)
    check = rng.normal(size=(3, 12, 200)).astype(np.float32), rng.random((3, 12, 200)) > 0.3
    made = tmp_path_factory.mktemp("signal") / "bundle"
    card = export_signal(student, made, scheme=SCHEME, points=POINTS, metrics={}, check=check,
                         info={"exp": "signal", "layouts": ["12x1"]})  # fmt: skip
    assert card["check"]["records"] == 3
    assert card["check"]["largest_difference"]["probabilities"] < 1e-4
    return made


@pytest.fixture(scope="session")
def bundle(folder: Path) -> SignalBundle:
    opened = open_bundle(folder, threads=1)
    assert isinstance(opened, SignalBundle)
    return opened


@pytest.fixture
def record() -> np.ndarray:
    rng = np.random.default_rng(2)
    time = np.arange(5000) / 500
    waves = np.stack([np.sin(2 * np.pi * (1 + k / 5) * time) for k in range(12)])
    return (waves + rng.normal(size=(12, 1))).astype(np.float32)


def digitised(signal: np.ndarray, confidence: tuple[float, ...]) -> Digitised:
    found = np.isfinite(signal)
    return Digitised(
        Ecg(signal.astype(np.float32), 500.0), confidence, 0.7, (0.05,) * 12, 1.0, 1.0, found,
        np.zeros((*signal.shape, 2)), PageLayout("3x4", 0.9, False, 0, True),
    )  # fmt: skip


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([50.0, 100.0, 250.0, 500.0]), st.floats(1, 12), st.integers(0, 2**31))
def test_a_window_is_the_record_at_the_networks_rate(bundle, rate, seconds, seed):
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(12, round(seconds * rate))).astype(np.float32)
    signal[rng.integers(12)] = np.nan
    value, observed = bundle.window(signal, rate)
    assert value.shape == observed.shape == (12, 200)
    wanted = resample(signal[:, : round(SECONDS * rate)], rate, RATE)[:, :200]
    there = np.isfinite(wanted)
    assert (observed[:, : wanted.shape[1]] == there).all()
    assert not observed[:, wanted.shape[1] :].any()
    np.testing.assert_allclose(value[:, : wanted.shape[1]][there], wanted[there], atol=0.02)
    assert (value[~observed] == 0).all()


def test_a_records_answer_is_the_networks(bundle, record, tmp_path):
    np.save(tmp_path / "a.npy", record)
    answer = predict_file(bundle, tmp_path / "a.npy", rate=500)
    value, observed = bundle.window(record, 500)
    np.testing.assert_allclose(answer.probabilities, by_hand(value, observed), atol=1e-5)
    assert answer.page is None
    assert answer.seen.seconds == (SECONDS,) * 12
    assert "page" not in answer.to_dict()
    assert answer.to_dict()["read"]["leads"]["V6"] == {"seconds": SECONDS}


def test_a_page_is_answered_by_the_leads_that_were_read_with_confidence(bundle, record):
    record[3, 1000:] = np.nan
    read = digitised(record, (0.9,) * 11 + (0.1,))
    (_, probabilities, _), seen = predict_digitised(bundle, read, PAGE, "page.png")
    shown = record.copy()
    shown[11] = np.nan
    value, observed = bundle.window(shown, 500)
    np.testing.assert_allclose(probabilities, by_hand(value, observed), atol=1e-5)
    assert seen.seconds[11] == 0
    assert seen.seconds[3] == pytest.approx(2, abs=0.05)
    assert seen.to_dict()["layout"]["name"] == "3x4"
    assert "without V6" in str(seen)


def test_too_little_of_a_page_or_a_record_is_refused(bundle, record, tmp_path):
    with pytest.raises(ImageError, match=r"page\.png.*asks for 6"):
        predict_digitised(bundle, digitised(record, (0.9,) * 5 + (0.1,) * 7), PAGE, "page.png")
    with pytest.raises(ImageError, match="no lead was read with confidence"):
        predict_digitised(bundle, digitised(record, (0.1,) * 12), PAGE, "page.png")
    record[5:] = np.nan
    np.save(tmp_path / "few.npy", record)
    with pytest.raises(RecordError, match=r"few\.npy.*5 leads"):
        predict_file(bundle, tmp_path / "few.npy", rate=500)


def test_a_bad_record_does_not_silence_the_others(bundle, record, tmp_path):
    np.save(tmp_path / "a.npy", record)
    (tmp_path / "b.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-20])
    files = [tmp_path / "b.npy", tmp_path / "a.npy"]
    answers = list(predict_files(bundle, files, rate=500))
    assert [answer.error is None for answer in answers] == [False, True]


def test_the_command_takes_records(folder, record, tmp_path, capsys):
    file = tmp_path / "a.csv"
    rows = "\n".join(",".join(f"{v:.4f}" for v in column) for column in record.T)
    file.write_text(",".join(LEADS) + "\n" + rows)
    assert main(["predict", "--bundle", str(folder), str(file), "--rate", "500", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == 2
    assert set(told["results"][0]["probabilities"]) == set(SCHEME.codes)
    assert main(["predict", "--bundle", str(folder), str(file)]) == 2  # its rate is not stated
    assert "--rate" in capsys.readouterr().err
    assert main(["info", "--bundle", str(folder)]) == 0
    assert "4 s at 50 Hz" in capsys.readouterr().out


def test_a_student_that_looks_at_pictures_takes_no_record(bundle_folder, record, tmp_path):
    np.save(tmp_path / "a.npy", record)
    with pytest.raises(ConfigError, match=r"a\.npy"):
        predict_file(Bundle.open(bundle_folder, threads=1), tmp_path / "a.npy", rate=500)


def test_a_picture_needs_a_reader(bundle, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.full((200, 200, 3), 255, np.uint8))
    with pytest.raises(ConfigError, match="reader"):
        predict_file(bundle, tmp_path / "a.png")


def test_another_label_scheme_is_refused(folder):
    with pytest.raises(BundleError, match="label scheme"):
        SignalBundle.open(folder, label_hash="0" * 16)


def test_it_is_no_reader(folder):
    with pytest.raises(BundleError, match="ecgvision predict"):
        open_reader(folder)


@pytest.mark.parametrize(("key", "value"), [
    ("names", ["signal"]), ("leads", list(LEADS[::-1])), ("used", []), ("used", ["X"]),
    ("rate", -1.0), ("rate", "50"), ("samples", 0), ("samples", 1.5), ("samples", 10**9),
    ("samples", 100),
])  # fmt: skip
def test_a_card_with_another_input_is_refused(folder, tmp_path, key, value):
    card = json.loads((folder / "bundle.json").read_text())
    card["input"][key] = value
    (tmp_path / "model.onnx").write_bytes((folder / "model.onnx").read_bytes())
    write_card(tmp_path, card)
    with pytest.raises(BundleError):
        SignalBundle.open(tmp_path)


def test_a_batch_of_another_shape_is_refused(bundle):
    with pytest.raises(BundleError, match="window"):
        bundle.run(np.zeros((1, 12, 100), np.float32), np.ones((1, 12, 100), bool))


def test_a_window_without_the_networks_leads_is_refused(bundle, record):
    only = replace_leads(bundle, ("V1",))
    record[6] = np.nan
    with pytest.raises(RecordError, match="V1"):
        only.window(record, 500)


def replace_leads(bundle: SignalBundle, used: tuple[str, ...]) -> SignalBundle:
    card = {**bundle.card, "input": {**bundle.card["input"], "used": list(used)}}
    return SignalBundle(bundle.folder, card, bundle._session)
