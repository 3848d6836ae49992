"""Waveforms off a picture, with a reader whose answers are known; and without torch."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from scipy.special import expit, logit

from ecgvision.cli import main
from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import BundleError, ImageError
from ecgvision.deploy.card_file import MODEL, OPSET, write_card
from ecgvision.deploy.digitize import SURE, Digitised, digitize, picture_points
from ecgvision.deploy.reader_bundle import ReaderBundle, Reading
from ecgvision.deploy.reader_card import make_reader_card, reader_notes
from ecgvision.reader.confidence import lead_confidence, page_confidence
from ecgvision.records.reading import read_record
from ecgvision.shipped import READER as SHIPPED

SIZE, T = (64, 96), 300
RNG = np.random.default_rng(0)
SIGNAL = RNG.normal(0, 0.5, (12, T)).astype(np.float32)
SCALE = np.linspace(0.02, 0.2, 12, dtype=np.float32)[:, None].repeat(T, 1)
SHOWN = np.zeros((12, T), bool)
SHOWN[:6, :150] = True
SHOWN[6:11, 150:] = True
SHOWN[3, 50:] = False  # half a second: too little to count
GAINS, GAIN = (0.5, 1.0, 2.0), np.array([0.03, 0.01, 0.96], np.float32)
CALIBRATION = (0.8, -0.3)
TRACE = RNG.random((12, T, 2)).astype(np.float32)


def graph() -> onnx.ModelProto:
    """Presence is 0.95 where SHOWN if the upper left quarter of the page is darker by more than 8
    levels than the upper right one, and than the lower half, else 0.05; the rest is constant."""
    node, real = helper.make_node, TensorProto.FLOAT
    constants = {
        "signal0": SIGNAL[None], "scale0": SCALE[None], "trace0": TRACE[None],
        "shown": np.where(SHOWN, 0.9, 0.0).astype(np.float32)[None], "low": np.float32(0.05),
        "axes": np.array([1, 2, 3]), "plane": np.array([2, 3]), "start": np.array([0, 0]),
        "middle": np.array([SIZE[0] // 2, SIZE[1] // 2]), "left": np.array([SIZE[0] // 2, 0]),
        "above": np.array([0, SIZE[1] // 2]), "right": np.array([SIZE[0] // 2, SIZE[1]]),
        "end": np.array(SIZE), "eight": np.float32(8.0),
        "gain0": GAIN[None], "shape2": np.array([-1, 1]), "shape": np.array([-1, 1, 1]), "shape4": np.array([-1, 1, 1, 1]), "zero": np.float32(0),
    }  # fmt: skip
    nodes = [
        node("Cast", ["image"], ["real"], to=real),
        node("Slice", ["real", "start", "middle", "plane"], ["quarter"]),
        node("Slice", ["real", "above", "right", "plane"], ["beside"]),
        node("Slice", ["real", "left", "end", "plane"], ["lower"]),
        node("ReduceMean", ["quarter", "axes"], ["a"], keepdims=0),
        node("ReduceMean", ["beside", "axes"], ["b"], keepdims=0),
        node("ReduceMean", ["lower", "axes"], ["c"], keepdims=0),
        node("Min", ["b", "c"], ["other"]),
        node("Sub", ["other", "a"], ["darker"]),
        node("Greater", ["darker", "eight"], ["upright"]),
        node("Cast", ["upright"], ["yes"], to=real),
        node("Reshape", ["yes", "shape"], ["yes3"]),
        node("Reshape", ["yes", "shape4"], ["yes4"]),
        node("Mul", ["yes3", "shown"], ["part"]),
        node("Add", ["part", "low"], ["presence"]),
        node("Mul", ["yes3", "zero"], ["nothing"]),
        node("Mul", ["yes4", "zero"], ["nothing4"]),
        node("Add", ["nothing", "signal0"], ["signal"]),
        node("Add", ["nothing", "scale0"], ["scale"]),
        node("Add", ["nothing4", "trace0"], ["trace"]),
        node("Reshape", ["yes", "shape2"], ["yes2"]),
        node("Mul", ["yes2", "zero"], ["nothing2"]),
        node("Add", ["nothing2", "gain0"], ["gain"]),
    ]
    info = helper.make_tensor_value_info
    outputs = [info(n, real, ["batch", 12, T]) for n in ("signal", "scale", "presence")]
    made = helper.make_graph(
        nodes, "known", [info("image", TensorProto.UINT8, ["batch", 3, *SIZE])],
        [*outputs, info("trace", real, ["batch", 12, T, 2]), info("gain", real, ["batch", 3])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    card = make_reader_card(SIZE, rate=100.0, samples=T, gains=GAINS, calibration=CALIBRATION,
                            least_confidence=0.2, metrics={}, info={})  # fmt: skip
    model = graph()
    for key, value in reader_notes(card).items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString()
    (folder / MODEL).write_bytes(content)
    card["files"] = {MODEL: hashlib.sha256(content).hexdigest()}
    write_card(folder, card)
    return folder


def page(size: tuple[int, int] = (300, 400)) -> np.ndarray:
    """Dark above on the left: the reader finds its leads on it."""
    image = np.full((*size, 3), 255, np.uint8)
    image[: size[0] // 2, : size[1] // 2] = 120
    return image


def save(image: np.ndarray, file: Path) -> str:
    Image.fromarray(image).save(file)
    return str(file)


def test_confidence_against_a_loop() -> None:
    p, b = RNG.random((12, T)), RNG.random((12, T)) * 0.3 + 0.01
    p[4] = 0.4
    p[5, 60:] = 0.1
    found = lead_confidence(p, b, 100.0)
    for lead in range(12):
        seen = [i for i in range(T) if p[lead, i] > 0.5]
        wanted = np.mean([p[lead, i] * (1 - np.exp(-0.1 / b[lead, i])) for i in seen]) if (
            len(seen) >= 100
        ) else 0.0  # fmt: skip
        assert found[lead] == pytest.approx(wanted)
    assert found[4] == found[5] == 0
    assert page_confidence(found) == pytest.approx(found[found > 0].mean())
    assert page_confidence(np.zeros(12)) == 0


@pytest.mark.parametrize("name", ["record", "record.csv"])
def test_a_page_becomes_a_record(
    reader: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = save(page(), tmp_path / "scan.png"), tmp_path / name
    words = ["digitize", file, "--bundle", str(reader), "--out", str(out), "--json",
             "--figure", str(tmp_path / "over.png")]  # fmt: skip
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    ecg = read_record(out)
    shown = SHOWN.copy()
    shown[3] = False
    np.testing.assert_array_equal(ecg.observed, shown)
    np.testing.assert_allclose(ecg.signal[shown], SIGNAL[shown], atol=5.1e-4)
    assert told["leads"]["aVR"] == {"confidence": 0.0, "seconds": 0.0}
    assert told["leads"]["V1"]["from"] == 1.5
    assert told["leads"]["V1"]["to"] == 3.0
    raw = 0.96 * 0.95 * (1 - np.exp(-0.1 / 0.02))
    wanted = expit(0.8 * logit(raw) - 0.3)  # as CALIBRATION says
    assert told["leads"]["I"]["confidence"] == pytest.approx(wanted, abs=1e-3)
    assert told["gain_mm_per_mv_at_25_mm_per_s"] == 20.0
    assert told["gain_confidence"] == 0.96
    assert told["leads"]["II"]["expected_error_mv"] == pytest.approx(SCALE[1, 0], abs=1e-3)
    drawn = np.asarray(Image.open(tmp_path / "over.png"))
    assert drawn.shape == (1200, 1600, 3)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 20  # coloured lines over a paled page
    assert {Path(p).name for p in told["written"]} == (
        {"record.hea", "record.dat"} if name == "record" else {"record.csv"}
    )


def test_a_gain_that_is_given_is_taken(
    reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reader takes 20 mm/mV; a page at 5 mm/mV has waves four times as high as it says."""
    file, out = save(page(), tmp_path / "scan.png"), tmp_path / "record"
    words = ["digitize", file, "--bundle", str(reader), "--out", str(out), "--json"]
    assert main([*words, "--gain", "5"]) == 0
    told = json.loads(capsys.readouterr().out)
    shown = SHOWN.copy()
    shown[3] = False
    signal = read_record(out).signal
    np.testing.assert_allclose(signal[shown], 4 * SIGNAL[shown], atol=5.1e-4)
    assert (told["gain_mm_per_mv_at_25_mm_per_s"], told["gain_confidence"]) == (5.0, 1.0)
    assert told["leads"]["II"]["expected_error_mv"] == pytest.approx(4 * SCALE[1, 0], abs=1e-3)
    assert "5 mm/mV at 25 mm/s" in out.with_suffix(".hea").read_text()
    assert main([*words, "--gain", "40", "--speed", "50"]) == 0  # as high as what it takes
    np.testing.assert_allclose(read_record(out).signal[shown], SIGNAL[shown], atol=5.1e-4)
    for wrong in (["--speed", "50"], ["--gain", "0"], ["--gain", "nan"], ["--gain", "x"]):
        capsys.readouterr()
        with pytest.raises(SystemExit) if wrong[0] == "--gain" else nullcontext():
            assert main([*words, *wrong]) == 2
        assert wrong[0] in capsys.readouterr().err


@pytest.mark.parametrize(("turns", "said"), [
    (2, "upside down"), (1, "on its left side"), (3, "on its right side"),
])  # fmt: skip
def test_a_page_that_lies_otherwise_is_refused(
    reader: Path, tmp_path: Path, turns: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = save(np.rot90(page((300, 300)), turns), tmp_path / "scan.png")
    words = ["digitize", file, "--bundle", str(reader), "--out", str(tmp_path / "r"),
             "--figure", str(tmp_path / "o.png")]  # fmt: skip
    assert main(words) == 2
    assert said in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["scan.png"]


@pytest.mark.parametrize(("axis", "said"), [(0, "one above the other"), (1, "side by side")])
@pytest.mark.filterwarnings("error")
def test_two_ecgs_in_one_picture_are_refused(reader: Path, axis: int, said: str) -> None:
    both = np.concatenate([page(), np.maximum(page(), 200)], axis=axis)
    with pytest.raises(ImageError, match=f"two ECGs, {said}") as caught:
        digitize(ReaderBundle.open(reader), both, file="two.png")
    assert "two.png" in str(caught.value)
    assert "Cut it" in str(caught.value)


def test_one_sure_row_of_a_turned_page_does_not_outweigh_a_page() -> None:
    found = np.zeros((12, T), bool)
    found[:, :250] = True
    whole = Digitised(Ecg(SIGNAL, 100.0, "a"), (0.6,) * 12, 0.6, (0.1,) * 12, 1.0, 0.9, found,
                      TRACE)  # fmt: skip
    one = found & (np.arange(12) == 4)[:, None]
    sure = (0.0,) * 4 + (0.95,) + (0.0,) * 7
    row = Digitised(Ecg(SIGNAL, 100.0, "a"), sure, 0.95, (0.01,) * 12, 1.0, 0.9, one, TRACE)
    assert whole.amount == pytest.approx(12 * 2.5 * 0.6)
    assert row.amount == pytest.approx(2.5 * 0.95)


@pytest.mark.parametrize(("error", "leads", "passes"), [(0.02, 12, 1), (0.1, 12, 3), (0.02, 11, 3)])
def test_a_page_that_is_sure_and_whole_is_looked_at_once(
    reader: Path, monkeypatch: pytest.MonkeyPatch, error: float, leads: int, passes: int
) -> None:
    seen = []
    presence = np.zeros((1, 12, T), np.float32)
    presence[:, :leads] = 0.99
    every = Reading(SIGNAL[None], np.full((1, 12, T), error, np.float32), presence, TRACE[None],
                    GAIN[None])  # fmt: skip

    def run(batch: np.ndarray) -> Reading:
        seen.append(batch)
        return every

    bundle = ReaderBundle.open(reader)
    monkeypatch.setattr(bundle, "run", run)
    if passes == 1:
        assert digitize(bundle, page()).page > SURE
    else:  # each half looks as good as the whole
        with pytest.raises(ImageError, match="two ECGs, one above the other"):
            digitize(bundle, page())
    assert len(seen) == passes


def test_where_one_half_is_empty_the_other_is_not_read(
    reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, seen = ReaderBundle.open(reader), []
    run = bundle.run
    monkeypatch.setattr(bundle, "run", lambda batch: seen.append(batch) or run(batch))
    digitize(bundle, page((300, 300)))
    above_each_other, side_by_side, turns = 2, 1, 3  # nothing is found in the left half
    assert len(seen) == 1 + above_each_other + side_by_side + turns


def test_what_is_no_page_is_refused(reader: Path, tmp_path: Path) -> None:
    bundle = ReaderBundle.open(reader)
    with pytest.raises(ImageError, match="nothing can be read"):
        digitize(bundle, np.full((80, 90, 3), 255, np.uint8), file="blank.png")
    for wrong in (["--out", str(tmp_path / "r.edf")], ["--figure", str(tmp_path / "o.gif")],
                  ["--out", str(tmp_path)]):  # fmt: skip
        assert (
            main(["digitize", save(page(), tmp_path / "p.png"), "--bundle", str(reader), *wrong])
            == 2
        )
    assert [p.name for p in tmp_path.iterdir()] == ["p.png"]


def folder_of_scans(folder: Path) -> Path:
    """Two pages, one with a name that WFDB has not, and one that cannot be read."""
    folder.mkdir()
    save(page(), folder / "a.png")
    save(page((320, 400)), folder / "b 2.jpg")
    save(np.full((80, 90, 3), 255, np.uint8), folder / "blank.png")
    return folder


@pytest.mark.parametrize("form", ["wfdb", "csv"])
def test_a_folder_is_read_picture_by_picture(
    reader: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = folder_of_scans(tmp_path / "scans")
    words = ["digitize", str(scans), "--bundle", str(reader), "--out", str(tmp_path / "records"),
             "--figure", str(tmp_path / "figures"), "--format", form, "--json"]  # fmt: skip
    assert main(words) == 2
    out, err = capsys.readouterr()
    first, second, blank = json.loads(out)["results"]
    assert "nothing can be read" in blank["error"]
    assert "blank.png" in err
    suffixes = (".csv",) if form == "csv" else (".dat", ".hea")
    names = {f"{name}{suffix}" for name in ("a", "b_2") for suffix in suffixes}
    assert {p.name for p in (tmp_path / "records").iterdir()} == names
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {"a.jpg", "b_2.jpg"}
    assert {Path(p).name for p in first["written"] + second["written"]} == names
    shown = SHOWN & (np.arange(12) != 3)[:, None]
    record = tmp_path / "records" / ("b_2.csv" if form == "csv" else "b_2")
    np.testing.assert_array_equal(read_record(record).observed, shown)

    (scans / "blank.png").unlink()
    assert main(["digitize", str(scans / "a.png"), str(scans), "--bundle", str(reader)]) == 0
    assert capsys.readouterr().out.endswith("3 of 3 pages read\n")


def test_what_many_pictures_cannot_be_written_to(
    reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = folder_of_scans(tmp_path / "scans")
    save(page(), scans / "b_2.png")
    records = str(tmp_path / "records")
    for given, said in (
        ([str(scans), "--out", records], "written as b_2"),
        ([str(scans), "--out", str(scans / "a.png")], "are folders"),
        ([str(scans / "a.png"), "--out", records, "--format", "csv"], "--format"),
        ([str(tmp_path)], "no pictures"),
    ):  # fmt: skip
        assert main(["digitize", *given, "--bundle", str(reader)]) == 2
        assert said in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["scans"]


def test_a_figure_never_takes_a_pictures_place(
    reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans = folder_of_scans(tmp_path / "scans")
    (tmp_path / "link").symlink_to(scans)
    before = {p.name: p.read_bytes() for p in scans.iterdir()}
    one = str(scans / "a.png")
    for given in ([one, "--figure", one], [one, "--figure", str(tmp_path / "link" / "a.png")],
                  [one, str(scans / "b 2.jpg"), "--figure", str(scans)] ):  # fmt: skip
        save(page(), scans / "a.jpg")
        if len(given) == 4:
            given[0] = str(scans / "a.jpg")
        assert main(["digitize", *given, "--bundle", str(reader)]) == 2
        assert "would overwrite what is read" in capsys.readouterr().err
        assert {p.name: p.read_bytes() for p in scans.iterdir() if p.name in before} == before


def test_a_place_that_cannot_be_written_is_named_and_nothing_stays(
    reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = save(page(), tmp_path / "p.png")
    (tmp_path / "file").write_text("")
    (tmp_path / "taken.hea").mkdir()
    before = sorted(p.name for p in tmp_path.iterdir())
    good = str(tmp_path / "record")
    for given, said in (
        (["--out", str(tmp_path / "file" / "r")], "file"),
        (["--out", good, "--figure", str(tmp_path / "file" / "f.png")], "file"),
        (["--out", str(tmp_path / "taken"), "--figure", str(tmp_path / "f.png")], "taken.hea"),
        (["--out", "/proc/none/r"], "/proc"),
    ):  # fmt: skip
        assert main(["digitize", picture, "--bundle", str(reader), *given]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert "cannot write" in error or "names" in error
        assert said in error
        assert sorted(p.name for p in tmp_path.iterdir()) == before
    many = ["digitize", picture, save(page(), tmp_path / "q.png"), "--bundle", str(reader)]
    assert main([*many, "--out", "/proc/none", "--json"]) == 2
    out, error = capsys.readouterr()  # before a page is read
    assert (out, error.count("\n")) == ("", 1)
    assert "/proc/none" in error


def test_a_student_is_no_reader(
    bundle_folder: Path, reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        BundleError, match=r"not the card of an ecgvision-reader.*ecgvision predict"
    ):
        ReaderBundle.open(bundle_folder)
    picture = save(page(), tmp_path / "p.png")
    assert main(["predict", picture, "--bundle", str(reader)]) == 2
    assert "This bundle is for ecgvision digitize" in capsys.readouterr().err


def test_info_tells_what_a_reader_reads(
    reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "--bundle", str(reader)]) == 0
    told = capsys.readouterr().out
    for fact in (ReaderBundle.open(reader).id, "3 s at 100 Hz", "below 0.20", "not given"):
        assert fact in told
    assert main(["info", "--bundle", str(reader), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"] == T

    assert main(["info", "--bundle", str(SHIPPED / "bundle")]) == 0
    told = capsys.readouterr().out
    median = json.loads((SHIPPED / "metrics.json").read_text())["reading"]["test"]["all"]["snr_db"]
    assert f"{median['median']:.1f} dB" in told
    assert "12x1:cabrera" in told

    altered = shutil.copytree(reader, tmp_path / "altered")
    (altered / MODEL).write_bytes(b"no")
    assert main(["info", "--bundle", str(altered)]) == 2
    assert MODEL in capsys.readouterr().err


@pytest.mark.parametrize("picture", [(300, 400), (400, 300), (33, 200)])
def test_points_go_back_the_way_the_page_came(picture: tuple[int, int]) -> None:
    from ecgvision.reader.data.pages import network_fractions

    points = RNG.random((50, 2)) * (picture[1], picture[0])
    there = network_fractions(points, picture, SIZE)
    np.testing.assert_allclose(picture_points(there, picture, SIZE), points, atol=1e-3)


def test_digitizing_needs_no_training_stack(reader: Path, tmp_path: Path) -> None:
    file = save(page(), tmp_path / "scan.png")
    code = """
import sys
TRAINING = {"torch", "lightning", "timm", "pandas", "numba", "matplotlib", "scipy", "onnx", "PIL",
            "sklearn", "pyarrow", "wfdb", "hydra"}
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in TRAINING:
            raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)
sys.meta_path.insert(0, Block())
from ecgvision.cli import main
raise SystemExit(main(sys.argv[1:]))
"""
    words = ["digitize", file, "--bundle", str(reader), "--out", str(tmp_path / "r"),
             "--figure", str(tmp_path / "o.jpg")]  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1 + len(LEADS) + 2
    assert read_record(tmp_path / "r").observed.sum() == SHOWN.sum() - 50


def test_a_record_never_takes_a_pictures_place(
    reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, out in (("p.csv", "p.csv"), ("q.dat", "q"), ("q.hea", "q.dat")):
        folder = tmp_path / name
        folder.mkdir()
        save(page(), folder / "page.png")
        (folder / "page.png").rename(folder / name)
        before = (folder / name).read_bytes()
        words = [str(folder / name), "--out", str(folder / out), "--bundle", str(reader)]
        assert main(["digitize", *words]) == 2
        assert "overwrite what is read" in capsys.readouterr().err
        assert [p.name for p in folder.iterdir()] == [name]
        assert (folder / name).read_bytes() == before
    save(page(), tmp_path / "a.png")
    picture = str(tmp_path / "a.png")
    words = ["--out", str(tmp_path / "o.csv"), "--figure", "/dev/null"]
    assert main(["digitize", picture, *words[:2], "--figure", "/dev/null.png"]) == 2
    assert not (tmp_path / "o.csv").exists()
