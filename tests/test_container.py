"""The Dockerfile copies what there is, runs as nobody in particular, and starts a command that is.

No engine builds it here; `.ci/serve_install` does its steps in a fresh environment.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from ecgvision.cli import parser
from ecgvision.deploy.serve.settings import ServeSettings

ROOT = Path(__file__).parent.parent
LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()


def of(word: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{word} ")]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    names = [name for line in of("COPY") if "--from" not in line for name in shlex.split(line)[:-1]]
    assert {"serve.lock", "pyproject.toml", "ecgvision"} <= set(names)
    for name in names:
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored
    assert ignored[0] == "*"


def test_it_runs_without_rights_and_with_checked_packages() -> None:
    assert of("USER") == ["10001:10001"]
    assert LINES.index("USER 10001:10001") > max(
        i for i, line in enumerate(LINES) if line.startswith("RUN")
    )
    install = next(line for line in of("RUN") if "serve.lock" in line)
    assert "--require-hashes" in install


def test_it_starts_a_command_that_is_taken() -> None:
    words = json.loads(of("ENTRYPOINT")[0])[1:] + json.loads(of("CMD")[-1])
    args = parser(words).parse_args(words)
    assert args.host == "0.0.0.0"
    assert args.token_file
    (check,) = of("HEALTHCHECK")
    code = json.loads(check[check.index("[") :])[2]
    compile(code, "check", "exec")
    assert f":{ServeSettings().port}/readyz" in code
    assert of("EXPOSE") == [str(ServeSettings().port)]


def test_the_lock_holds_what_serving_needs_at_the_versions_of_the_tests() -> None:
    def pins(file: str) -> dict[str, str]:
        found = re.findall(
            r"^([a-z0-9.-]+)(?:\[.*\])?==(\S+)", (ROOT / file).read_text(), re.MULTILINE
        )
        return dict(found)

    served, tested = pins("serve.lock"), pins("requirements.lock")
    assert {"fastapi", "uvicorn", "pebble", "pypdfium2", "pydicom", "onnxruntime", "numpy"} <= set(
        served
    )
    assert not {"torch", "pandas", "ray"} & set(served)
    assert served.items() <= tested.items()
    assert "://" not in re.sub(r"#.*", "", (ROOT / "serve.lock").read_text())


@pytest.mark.parametrize("option", ["--read-only", "--cap-drop ALL", "no-new-privileges"])
def test_the_advice_on_running_it_keeps_rights_small(option: str) -> None:
    assert option in "\n".join(LINES)
