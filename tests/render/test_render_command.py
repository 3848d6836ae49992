from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ecgvision.core.errors import ConfigError, LayoutError
from ecgvision.render import command
from experiments.bench.beats import beats


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "r.npy"
    np.save(path, beats(250, 1))
    return path


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(w) for w in words]))


def test_a_page_its_geometry_and_its_mask(record, tmp_path, capsys) -> None:
    out, geometry, mask = tmp_path / "p.png", tmp_path / "p.json", tmp_path / "m.png"
    code = run(
        record, "--rate", 250, "--out", out, "--json", geometry, "--mask", mask, "--dpi", 100
    )
    assert code == 0
    assert "1100 x 850 px, 3x4+II, 0 to 10 s" in capsys.readouterr().out
    assert cv2.imread(str(out)).shape == (850, 1100, 3)
    assert cv2.imread(str(mask), cv2.IMREAD_UNCHANGED).shape == (850, 1100)
    found = json.loads(geometry.read_text())
    assert found["size"] == [850, 1100]
    assert len(found["leads"]) == 13
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.png", "p.json", "p.png", "r.npy"]


def test_the_file_states_its_resolution(record, tmp_path) -> None:
    from PIL import Image

    out = tmp_path / "p.png"
    run(record, "--rate", 250, "--out", out, "--dpi", 150)
    with Image.open(out) as image:
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)


def test_options_change_the_page(record, tmp_path, capsys) -> None:
    base = [record, "--rate", 250, "--dpi", 60]
    pictures = []
    for extra in (
        [],
        ["--grid-color", "none"],
        ["--grid-color", "3"],
        ["--ink-color", "#0000ff"],
        ["--no-pulse"],
        ["--no-names"],
        ["--header", "ID: 5"],
        ["--gain", "20"],
        ["--speed", "50"],
        ["--start", "3"],
        ["--trace-pt", "2"],
        ["--style", "mixed", "--seed", "3"],
    ):
        out = tmp_path / "p.png"
        run(*base, "--out", out, *extra)
        pictures.append(cv2.imread(str(out)))
    for i, picture in enumerate(pictures):
        assert all((picture != other).any() for other in pictures[:i])
    assert "0 to 5 s" in capsys.readouterr().out


def test_a_page_of_some_size(record, tmp_path) -> None:
    out = tmp_path / "p.png"
    run(record, "--rate", 250, "--out", out, "--size", "400x1000", "--paper", "210x297")
    assert cv2.imread(str(out)).shape == (400, 566, 3)


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (["--layout", "5x5"], LayoutError, "5x5"),
        (["--speed", "50", "--seconds", "10"], LayoutError, "fits"),
        (["--size", "100x100", "--dpi", "50"], ConfigError, "exclude"),
        (["--start", "10"], ConfigError, "outside"),
        (["--grid-color", "pink"], ConfigError, "pink"),
        (["--style", "x"], ConfigError, "kit"),
        (["--artefact", "fog"], ConfigError, "crumpled"),
        (["--strength", "0.5"], ConfigError, "--artefact"),
    ],
)
def test_wrong_options_are_named(record, tmp_path, words, error, says) -> None:
    with pytest.raises(error, match=says):
        run(record, "--rate", 250, "--out", tmp_path / "p.png", *words)
    assert not (tmp_path / "p.png").exists()


NO_NUMBERS = ("nan", "inf", "-1", "0", "1e-9", "1e9", "nanxnan", "big", "5x")


@pytest.mark.parametrize("option", ["--rate", "--dpi", "--speed", "--gain", "--trace-pt", "--size", "--paper"])  # fmt: skip
@pytest.mark.parametrize("text", NO_NUMBERS)
def test_numbers_that_are_none_are_refused(record, tmp_path, capsys, option, text) -> None:
    with pytest.raises(SystemExit) as caught:
        run(record, "--out", tmp_path / "p.png", f"{option}={text}")
    assert caught.value.code == 2
    assert option in capsys.readouterr().err


@pytest.mark.parametrize(("option", "text"), [("--seed", "-1"), ("--strength", "2"), ("--strength", "nan"), ("--start", "nan"), ("--start", "-1"), ("--start", "inf"), ("--seconds", "nan")])  # fmt: skip
def test_numbers_outside_their_range_are_refused(record, tmp_path, capsys, option, text) -> None:
    with pytest.raises(SystemExit):
        run(record, "--out", tmp_path / "p.png", f"{option}={text}")
    assert option in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(record, tmp_path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        run(record, "--rate", 250, "--out", tmp_path / "nowhere" / "p.png", "--dpi", 50)


def test_an_artefact_with_its_geometry_and_mask(record, tmp_path, capsys) -> None:
    out, geometry, mask = tmp_path / "p.png", tmp_path / "p.json", tmp_path / "m.png"
    words = [record, "--rate", 250, "--out", out, "--json", geometry, "--mask", mask, "--dpi", 80]
    pipeline = ["--artefact", "perspective", "--strength", 0.7, "--seed", 3]
    assert run(*words, *pipeline) == 0
    found = json.loads(geometry.read_text())
    assert found["artefact"] == {
        "preset": "perspective",
        "strength": 0.7,
        "seed": 3,
        "applied": [{"name": "perspective", "strength": 0.7}],
    }
    image, cover = cv2.imread(str(out)), cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    assert found["size"] == list(image.shape[:2]) == list(cover.shape)
    assert "880 x 680 px" in capsys.readouterr().out
    # the files agree with each other: the mask has ink where the geometry says the traces run,
    # and has none there on the page that was not moved
    at = [p for lead in found["leads"] for p in lead["points"] if None not in p]
    x, y = np.floor(np.array(at)).astype(int).T
    assert np.mean(cover[y, x] > 40) > 0.98
    run(*words)
    plain = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    assert "artefact" not in json.loads(geometry.read_text())
    assert np.mean(plain[y, x] > 40) < 0.5


def test_the_file_of_a_picture_states_the_picture_s_resolution(record, tmp_path) -> None:
    from PIL import Image

    out, geometry = tmp_path / "p.png", tmp_path / "p.json"
    run(
        record, "--rate", 250, "--out", out, "--json", geometry, "--dpi", 100,
        "--artefact", "screenshot",
    )  # fmt: skip
    wanted = json.loads(geometry.read_text())["dpi"]
    assert wanted < 95
    with Image.open(out) as image:
        assert image.info["dpi"] == pytest.approx((wanted, wanted), abs=0.1)


def test_the_same_seed_gives_the_same_file_and_clean_is_the_page(record, tmp_path) -> None:
    base = [record, "--rate", 250, "--dpi", 50, "--seed", 5]
    files = {}
    for name, extra in (
        ("page", []),
        ("clean", ["--artefact", "clean"]),
        ("none", ["--artefact", "photo", "--strength", 0]),
        ("photo", ["--artefact", "photo"]),
        ("again", ["--artefact", "photo"]),
    ):
        run(*base, "--out", tmp_path / f"{name}.png", *extra)
        files[name] = (tmp_path / f"{name}.png").read_bytes()
    assert files["page"] == files["clean"] == files["none"]
    assert files["photo"] == files["again"] != files["page"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "r.npy"], "overwrite"),
        (["--out", "p.png", "--json", "r.npy"], "overwrite"),
        (["--out", "p.png", "--json", "p.png"], "same file"),
        (["--out", "p.png", "--mask", "./p.png"], "same file"),
        (["--out", "p.png", "--json", "m", "--mask", "m"], "same file"),
        (["--out", "p.png", "--json", "/proc/x"], "/proc/x"),
        (["--out", "/dev/null"], "regular"),
        (["--out", "p.png", "--mask", "/dev/full"], "regular"),
        (["--out", "r.npy/p.png"], "r.npy"),
    ],
)
def test_outputs_that_destroy_are_refused(record, tmp_path, monkeypatch, words, says) -> None:
    monkeypatch.chdir(tmp_path)
    before = record.read_bytes()
    with pytest.raises(ConfigError, match=says):
        run("r.npy", "--rate", 250, "--dpi", 50, *words)
    assert record.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.npy"]
