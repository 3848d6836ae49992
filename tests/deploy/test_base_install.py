"""A machine with the base install alone can predict: the training stack is made unimportable."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

from ecgvision.data.network_input import to_network

BLOCKER = """
import sys
TRAINING = {"torch", "torchvision", "lightning", "timm", "pandas", "numba", "matplotlib", "scipy",
            "sklearn", "onnx", "onnxscript", "PIL", "pyarrow", "wfdb", "hydra", "tqdm", "psutil"}
asked = set()

class Block:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in TRAINING:
            asked.add(top)
            raise ModuleNotFoundError(f"No module named {name!r} (blocked)", name=name)

sys.meta_path.insert(0, Block())
"""


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKER + code, *words], capture_output=True, text=True, check=False
    )


def test_predict_needs_no_training_stack(
    bundle_folder: Path, by_hand: SimpleNamespace, tmp_path: Path
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 200, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "page.png")
    code = "from ecgvision.cli import main; raise SystemExit(main(sys.argv[1:]))"
    words = ["predict", "--bundle", str(bundle_folder), "--json", str(tmp_path / "page.png")]
    result = run(code, *words)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)["results"][0]["probabilities"]
    wanted = by_hand.expected(np.moveaxis(to_network(image, by_hand.size), 2, 0)[None])[1][0]
    np.testing.assert_allclose(list(found.values()), wanted, atol=1e-6)


def test_the_base_modules_do_not_even_try() -> None:
    code = """
import ecgvision.core.ecg, ecgvision.cli, ecgvision.data.network_input, ecgvision.labels.schemes
import ecgvision.deploy.bundle, ecgvision.deploy.ingest, ecgvision.deploy.predict, ecgvision.deploy.info
ours = {name for name, module in sys.modules.items() if name.startswith("ecgvision")}
print(sorted(ours))
print(sorted(asked & {"torch", "lightning", "timm", "pandas", "numba", "matplotlib", "scipy"}))
"""
    result = run(code)
    assert result.returncode == 0, result.stderr
    modules, tried = result.stdout.splitlines()
    assert "ecgvision.deploy.predict" in modules
    assert tried == "[]"


def test_what_needs_more_says_so(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((12, 1000), np.float32))
    code = "from ecgvision.cli import main; raise SystemExit(main(sys.argv[1:]))"
    record, out = str(tmp_path / "x.npy"), str(tmp_path / "y.png")
    result = run(code, "render", record, "--rate", "100", "--out", out)
    assert result.returncode == 2
    assert "'.[train]'" in result.stderr
    assert result.stderr.count("\n") == 1
