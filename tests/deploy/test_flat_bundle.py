"""A bundle of the reader in paper coordinates: its networks' answers, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgvision.cli import main
from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import BundleError, ImageError, UnreadablePageError
from ecgvision.deploy.card_file import CARD, digest
from ecgvision.deploy.digitize import FEW_NAMES, digitize
from ecgvision.deploy.flat_bundle import MARKS_MODEL, TRACE_MODEL, FlatReaderBundle
from ecgvision.deploy.open_bundle import open_bundle, open_reader
from ecgvision.reader.confidence import calibrated
from ecgvision.reader.flat_reader import MULTIPLE, FlatReading, View
from ecgvision.reader.layout.arrangement import Arrangement
from ecgvision.reader.layout.maps import PageMaps
from ecgvision.reader.layout.rows import Mark
from ecgvision.reader.networks.mark_net import DeployedMarkNet
from ecgvision.reader.rectify.mesh import plain_mesh
from ecgvision.reader.trace import strips
from tests.flat_bundles import small_networks


@pytest.fixture
def folder(flat_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(flat_bundle, tmp_path / "bundle"))


def rewritten(folder: Path, **changes: object) -> Path:
    """The bundle with another card, sealed as a faulty writer would."""
    card = json.loads((folder / CARD).read_text()) | changes
    card["digest"] = digest(card)
    (folder / CARD).write_text(json.dumps(card))
    return folder


def test_the_bundle_answers_as_the_networks_do(flat_bundle: Path) -> None:
    bundle = FlatReaderBundle.open(flat_bundle, threads=1)
    marks, trace = small_networks()
    rng = np.random.default_rng(0)
    for size in ((MULTIPLE, MULTIPLE), (2 * MULTIPLE, 4 * MULTIPLE)):
        page = rng.integers(0, 256, (3, *size), dtype=np.uint8)
        with torch.inference_mode():
            wanted = DeployedMarkNet(marks).eval()(torch.from_numpy(page)[None])
        found = bundle.see(page)
        assert isinstance(found, PageMaps)
        for name, a, b in zip(PageMaps._fields, found, wanted, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a, b[0].numpy(), atol=1e-6, rtol=1e-3, err_msg=name)
        cells = tuple(n // 4 for n in size)
        assert found.marks.shape == (14, *cells)
        assert {v.shape for v in found[1:]} == {cells}
    for width in (strips.MULTIPLE, 5 * strips.MULTIPLE):
        strip = rng.integers(0, 256, (1, 3, strips.HEIGHT, width), dtype=np.uint8)
        with torch.inference_mode():
            height, printed = trace.eval()(torch.from_numpy(strip))
        found = bundle.trace(strip)
        assert [v.shape for v in found] == [(1, strips.HEIGHT, width), (1, width)]
        np.testing.assert_allclose(found[0], height.numpy(), atol=1e-3, rtol=1e-3)
        np.testing.assert_allclose(found[1], printed.numpy(), atol=1e-3, rtol=1e-3)


def test_its_card_says_what_it_is(flat_bundle: Path) -> None:
    bundle = FlatReaderBundle.open(flat_bundle, threads=1)
    assert (bundle.rate, bundle.samples) == (500.0, 5000)
    assert bundle.calibration == (0.9, 0.1)
    assert bundle.least_confidence == 0.2
    assert bundle.card["leads"] == list(LEADS)
    assert bundle.card["metrics"] == {"all": {"snr_db": 20.5}}
    assert bundle.card["info"] == {"note": "test"}
    assert bundle.id == digest(bundle.card)[:16]


def test_any_bundle_is_opened_as_its_card_says(flat_bundle: Path, bundle_folder: Path) -> None:
    assert isinstance(open_bundle(flat_bundle, threads=1), FlatReaderBundle)
    assert isinstance(open_reader(flat_bundle, threads=1), FlatReaderBundle)
    with pytest.raises(BundleError, match="ecgvision predict"):
        open_reader(bundle_folder, threads=1)
    with pytest.raises(BundleError, match="ecgvision predict"):
        FlatReaderBundle.open(bundle_folder, threads=1)


@pytest.mark.parametrize("name", [MARKS_MODEL, TRACE_MODEL, CARD])
def test_a_file_that_is_missing_or_altered_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    middle = len(content) // 2
    (folder / name).write_bytes(content[:middle] + b"?" + content[middle + 1 :])
    with pytest.raises(BundleError, match=name):
        FlatReaderBundle.open(folder, threads=1)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=r"missing|no card"):
        FlatReaderBundle.open(folder, threads=1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"leads": list(LEADS[::-1])}, "leads must be"),
        ({"marks": ["V1"]}, "marks must be"),
        ({"scales": {MARKS_MODEL: 8, TRACE_MODEL: 6}}, "scales must be"),
        ({"rate": 250.0}, "rate and samples"),
        ({"samples": 2500}, "rate and samples"),
        ({"calibration": [1.0]}, "a slope and an offset"),
        ({"calibration": [1.0, "0"]}, "a slope and an offset"),
        ({"files": {MARKS_MODEL: "0" * 64}}, "files must be"),
        ({"files": {MARKS_MODEL: "0" * 64, TRACE_MODEL: "0" * 64}}, "sha256"),
        ({"version": 2}, "version 1"),
        ({"metrics": None}, "lacks 'metrics'"),
        ({"least_confidence": "much"}, "lacks 'least_confidence'"),
        ({"format": "ecgvision-bundle"}, "ecgvision predict"),
    ],
)
def test_a_card_of_another_kind_is_refused(folder: Path, changes: dict, said: str) -> None:
    with pytest.raises(BundleError, match=said) as caught:
        FlatReaderBundle.open(rewritten(folder, **changes), threads=1)
    assert "\n" not in str(caught.value)


def test_models_that_changed_places_are_refused(folder: Path) -> None:
    card = json.loads((folder / CARD).read_text())
    (folder / MARKS_MODEL).rename(folder / "x")
    (folder / TRACE_MODEL).rename(folder / MARKS_MODEL)
    (folder / "x").rename(folder / TRACE_MODEL)
    files = card["files"]
    swapped = {MARKS_MODEL: files[TRACE_MODEL], TRACE_MODEL: files[MARKS_MODEL]}
    with pytest.raises(BundleError, match="model and card disagree"):
        FlatReaderBundle.open(rewritten(folder, files=swapped), threads=1)


# digitisation -------------------------------------------------------------------------------


def reading(evidence: float = 0.9, arrangement: bool = True) -> FlatReading:
    rng = np.random.default_rng(0)
    mv = np.full((12, 5000), np.nan, np.float32)
    mv[:6, :2500] = rng.normal(0, 0.3, (6, 2500))
    mv[6, :400] = 0.1  # less than a second
    spread, printed = np.full((12, 5000), 0.02), np.where(np.isfinite(mv), 0.99, 0.0)
    found = Arrangement("6x2", 0.95, evidence, (), 25.0) if arrangement else None
    view = View(plain_mesh((100, 200), 1.0), 2, True, [], [], found)
    return FlatReading(mv, spread, printed, np.full((12, 5000, 2), 7.0), 5.0, 0.9, view)


@pytest.fixture
def answering(
    flat_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., FlatReaderBundle]:
    """A bundle that reads what is given."""

    def make(found: FlatReading) -> FlatReaderBundle:
        bundle = FlatReaderBundle.open(flat_bundle, threads=1)
        bundle.asked = []
        monkeypatch.setattr(bundle, "read", lambda _, gain: bundle.asked.append(gain) or found,
                            raising=False)  # fmt: skip
        return bundle

    return make


def test_what_was_read_becomes_a_record(answering: Callable[..., FlatReaderBundle]) -> None:
    given = reading()
    bundle = answering(given)
    page = np.zeros((50, 80, 3), np.uint8)
    found = digitize(bundle, page, file="a/scan.png")
    assert found.ecg.rate == 500
    assert found.gain == 0.5  # relative to 10 mm/mV
    assert found.gain_confidence == 0.9
    np.testing.assert_array_equal(found.ecg.signal[:6], given.signal[:6])
    assert np.isnan(found.ecg.signal[6:]).all()
    wanted = calibrated(given.raw_confidence(), (0.9, 0.1))
    assert found.confidence[:6] == pytest.approx(wanted[:6].tolist())
    assert found.confidence[6:] == (0.0,) * 6
    assert found.page == pytest.approx(wanted[:6].mean())
    assert found.error_mv[:6] == pytest.approx([0.8 * 0.02] * 6)
    assert np.isnan(found.error_mv[6:]).all()
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["layout"] == {"name": "6x2", "probability": 0.95, "assumed": False, "turned": 2,
                                  "grid": True}  # fmt: skip
    assert document["leads"]["I"]["seconds"] == 5.0
    assert document["leads"]["V1"] == {"confidence": 0.0, "seconds": 0.0}
    digitize(bundle, page, gain=2.0)
    assert bundle.asked == [None, 20.0]
    few = digitize(answering(reading(evidence=FEW_NAMES / 2)), page)
    assert few.layout.assumed


def test_a_page_of_which_nothing_is_read_is_refused(
    answering: Callable[..., FlatReaderBundle],
) -> None:
    page = np.zeros((50, 80, 3), np.uint8)
    nothing = reading()
    nothing.signal[:] = np.nan
    for found in (nothing, reading(arrangement=False)):
        with pytest.raises(ImageError, match="nothing can be read"):
            digitize(answering(found), page, file="x.png")
    bundle = answering(reading())
    bundle.least_confidence = 0.999
    with pytest.raises(ImageError, match=r"0\.99|1\.00"):
        digitize(bundle, page)


def test_two_ecgs_in_one_picture_are_refused(answering: Callable[..., FlatReaderBundle]) -> None:
    marks = [Mark(lead, 20.0, y + k, 0.9) for k, lead in enumerate(LEADS) for y in (20.0, 160.0)]
    one = reading()
    two = replace(one, view=replace(one.view, marks=marks))
    with pytest.raises(UnreadablePageError, match="two ECGs") as caught:
        digitize(answering(two), np.zeros((50, 80, 3), np.uint8), file="x.png")
    assert "x.png" in str(caught.value)
    assert "Cut it" in str(caught.value)


def test_the_command_line_refuses_a_blank_picture_in_one_line(
    flat_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    Image.fromarray(np.full((64, 640, 3), 255, np.uint8)).save(tmp_path / "blank.png")
    words = ["digitize", str(tmp_path / "blank.png"), "--bundle", str(flat_bundle), "--out",
             str(tmp_path / "out.csv")]  # fmt: skip
    assert main(words) != 0
    said = capsys.readouterr().err
    assert "nothing can be read" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out.csv").exists()
