"""The command line: exit codes, one-line errors, help, and what it imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ecgvision import __version__, cli
from ecgvision.cli import main


@pytest.fixture
def page(tmp_path: Path) -> str:
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "page.png")
    return str(tmp_path / "page.png")


def test_predict_answers(
    bundle_folder: Path, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "--bundle", str(bundle_folder), page, "--json", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["results"][0]["file"] == page
    assert err == ""


def test_wrong_input_is_one_line_and_exit_code_2(
    bundle_folder: Path, page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.png"
    cut.write_bytes(Path(page).read_bytes()[:500])
    for words, said in (
        (["--bundle", str(tmp_path / "no"), page], "no such bundle"),
        (["--bundle", str(bundle_folder), str(cut)], "cut short"),
        (["--bundle", str(bundle_folder), "--expect-labels", "beef", page], "another label scheme"),
    ):
        assert main(["predict", *words]) == 2
        out, err = capsys.readouterr()
        assert said in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert out == ""


def test_info_verifies_and_describes_a_bundle(
    bundle_folder: Path, by_hand: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", "--bundle", str(bundle_folder)]) == 0
    out = capsys.readouterr().out
    assert by_hand.scheme.hash in out
    assert "learned from layouts 3x4+II, 6x2; artefacts clean" in out
    assert "0.900 [0.850, 0.940]" in out
    assert all(name in out for name in by_hand.scheme.names)
    assert main(["info", "--bundle", str(bundle_folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["info"] == by_hand.info
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ecgvision"] == __version__


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--help"], "predict"), (["predict", "--help"], "--bundle"), (["--version"], __version__)],
)
def test_help_and_version(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [[], ["foo"], ["predict"], ["predict", "--bundle", "b", "--threads", "-1", "x"]],
)
def test_misuse_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: ecgvision" in capsys.readouterr().err


def fail(error: BaseException) -> object:
    def run(_: object) -> int:
        raise error

    return run


def test_an_absent_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = ModuleNotFoundError("No module named 'numba'", name="numba.core")
    monkeypatch.setattr(cli, "_info", fail(missing))
    assert main(["info"]) == 2
    assert "pip install '.[train]'" in capsys.readouterr().err
    monkeypatch.setattr(cli, "_info", fail(ModuleNotFoundError("no", name="ecgvision.oops")))
    with pytest.raises(ModuleNotFoundError):  # a fault of ours is not blamed on the user
        main(["info"])


def test_an_interrupt_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_info", fail(KeyboardInterrupt()))
    assert main(["info"]) == 130


def test_a_reader_who_leaves_is_no_error(bundle_folder: Path, page: str) -> None:
    call = f"from ecgvision.cli import main; raise SystemExit(main(['predict', '--bundle', {str(bundle_folder)!r}, *[{page!r}] * 400]))"
    process = subprocess.Popen(
        [sys.executable, "-c", call], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


def test_help_imports_nothing_heavy() -> None:
    call = """
import sys
from ecgvision.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print("HEAVY", sorted({"cv2", "onnxruntime", "torch", "numba", "pandas"} & set(sys.modules)))
"""
    out = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    assert "HEAVY []" in out.stdout
