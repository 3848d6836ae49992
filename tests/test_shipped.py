"""The reader that comes with the package: whole, as its card says, and able to read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.synthesize import synthesize
from ecgvision.cli import main
from ecgvision.core import run_folder
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.data.resample import resample
from ecgvision.data.standard_page import printed_leads, standard_page
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.card_file import MODEL
from ecgvision.deploy.signal_bundle import SignalBundle
from ecgvision.nn.checkpoints import load_weights, weights_hash
from ecgvision.reader.judge.snr import challenge_snr
from ecgvision.records.reading import read_record
from ecgvision.render.draw import draw
from ecgvision.shipped import IMAGE_STUDENT, NAME, PAGE_READER, READER, STUDENT
from ecgvision.store.packed import Store
from ecgvision.systems.read.system import make_reader


def drawn(folder: Path, dpi: float) -> tuple[np.ndarray, float, Page]:
    """Draw a record as `page.png`; return its ten seconds in mV, their rate, and the page."""
    store = Store(synthesize(folder / "store", records=4, seed=5, progress=False))
    signal = store.read(2)[:, : round(10 * store.rate)]
    page = Page(get_layout("3x4+II"), dpi=dpi)
    Image.fromarray(draw(signal, store.rate, page, seed=0).image).save(folder / "page.png")
    return signal, store.rate, page


def test_the_files_are_those_of_the_card() -> None:
    card = (READER / "CARD.md").read_text(encoding="utf-8")
    assert weights_hash(run_folder.checkpoint_file(NAME)) in card
    assert hashlib.sha256((READER / "bundle" / MODEL).read_bytes()).hexdigest() in card
    assert sum(f.stat().st_size for f in READER.rglob("*") if f.is_file()) < 12e6
    for file in (MODEL, run_folder.BEST):
        assert max(f.stat().st_size for f in READER.rglob(Path(file).name)) < 10e6
    config = run_folder.read_config(READER)
    assert config["exp"] == "read"
    assert not config["data"]["store"]


def test_its_weights_are_those_of_the_network() -> None:
    reader = make_reader(run_folder.read_config(READER), pretrained=False)
    load_weights(reader, run_folder.checkpoint_file(NAME), prefix="model.")


def test_a_page_is_read_without_naming_a_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signal, rate, page = drawn(tmp_path, dpi=110)
    assert main(["digitize", str(tmp_path / "page.png"), "--json",
                 "--out", str(tmp_path / "record.csv")]) == 0  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert told["bundle"] == json.loads((PAGE_READER / "bundle.json").read_text())["digest"][:16]
    read = read_record(tmp_path / "record.csv")
    truth = resample(signal, rate, read.rate)
    printed = page.observed(truth.shape[1], read.rate)
    truth = np.where(printed, truth, np.nan).astype(np.float32)
    found = np.where(printed, read.signal, np.nan).astype(np.float32)
    fine = [resample(v, read.rate, 500.0)[None] for v in (truth, found)]
    snr = challenge_snr(*fine, 500.0)[0]
    assert len(snr) == len(LEADS)
    assert np.median(snr) > 8


def test_where_a_run_is_asked_for_its_name_will_do() -> None:
    from ecgvision.systems.page_input.adopt import adopt_reader
    from experiments.configure import configure

    config = configure(["+exp=signal", "input=page", f"model.reader={NAME}"])
    adopt_reader(config)
    assert config["model"]["reader"] == str((READER / run_folder.BEST).resolve())
    wrong = configure(["+exp=signal", "input=page", f"model.reader={NAME}", "data.signal_rate=50"])
    with pytest.raises(ConfigError, match=r"data\.signal_rate"):
        adopt_reader(wrong)


@pytest.mark.parametrize("student", [STUDENT, IMAGE_STUDENT])
def test_a_student_is_small_and_as_its_card_says(student: Path) -> None:
    card = (student / "CARD.md").read_text(encoding="utf-8")
    assert hashlib.sha256((student / MODEL).read_bytes()).hexdigest() in card
    folders = (STUDENT, IMAGE_STUDENT, PAGE_READER)
    files = [f for folder in folders for f in folder.rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) < 15e6
    assert "CC BY 4.0" in card


def test_the_image_student_answers_a_picture_as_the_standard_page_that_was_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, page = drawn(tmp_path, dpi=150)
    assert main(["predict", "--model", "direct", str(tmp_path / "page.png"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["results"][0]
    bundle = Bundle.open(IMAGE_STUDENT)
    picture = np.asarray(Image.open(tmp_path / "page.png").convert("RGB"))
    shown = standard_page(picture, printed_leads(page), bundle.image_size)
    wanted = bundle.run(shown.transpose(2, 0, 1)[None])[1][0]
    found = [told["probabilities"][code] for code in bundle.codes]
    np.testing.assert_allclose(found, wanted, atol=0.15)
    record = tmp_path / "record"
    assert main(["digitize", str(tmp_path / "page.png"), "--out", str(record)]) == 0
    assert main(["predict", "--model", "direct", str(record)]) == 2
    assert "looks at pictures" in capsys.readouterr().err


def test_a_picture_is_answered_as_its_signal_without_naming_a_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signal, rate, page = drawn(tmp_path, dpi=150)
    assert main(["predict", str(tmp_path / "page.png"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["results"][0]
    assert told["read"]["layout"]["name"] == "3x4+II"
    assert min(lead["seconds"] for lead in told["read"]["leads"].values()) > 2
    bundle = SignalBundle.open(STUDENT)
    shown = np.where(page.observed(signal.shape[1], rate), signal, np.float32(np.nan))
    value, observed = bundle.window(shown, rate)
    wanted = bundle.run(value[None], observed[None])[1][0]
    found = [told["probabilities"][code] for code in bundle.codes]
    np.testing.assert_allclose(found, wanted, atol=0.1)
