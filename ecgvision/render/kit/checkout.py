"""A user's checkout of ecg-image-kit: its location, version and interpreter."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ecgvision.core.errors import ConfigError

COMMIT = "27b90f5"
GENERATOR = "codes/ecg-image-generator"
FILES = (
    "ecg_plot.py",
    "gen_ecg_image_from_data.py",
    "TemplateFiles/generate_template.py",
    "HandwrittenText/generate.py",
    "CreasesWrinkles/creases.py",
    "ImageAugmentation/augment.py",
)


def find_checkout(given: str | Path | None) -> Path:
    """Return the generator's folder of a checkout.

    Raises:
        ConfigError: if no checkout is named, or if the folder lacks files of commit 27b90f5.
    """
    named = given or os.environ.get("ECG_IMAGE_KIT_HOME")
    if not named:
        raise ConfigError(
            "no checkout of ecg-image-kit is named", remedy="Give --kit or set ECG_IMAGE_KIT_HOME"
        )
    home = Path(named).resolve()
    folder = home / GENERATOR if (home / GENERATOR).is_dir() else home
    absent = [name for name in FILES if not (folder / name).is_file()]
    if len(absent) == len(FILES):
        raise ConfigError(
            "this is no checkout of ecg-image-kit",
            file=home,
            remedy="Clone alphanumericslab/ecg-image-kit and name its folder",
        )
    if absent:
        raise ConfigError(
            f"the checkout is of another version: it lacks {', '.join(absent)}",
            file=home,
            remedy=f"Check out commit {COMMIT}",
        )
    return folder


def find_python(folder: Path, given: str | None) -> str:
    """Return the interpreter that draws; see `Kit`."""
    named = given or os.environ.get("ECG_IMAGE_KIT_PYTHON")
    if named:
        path = shutil.which(named)
        if path is None:
            raise ConfigError(
                "there is no such interpreter",
                file=named,
                remedy="Name the checkout's one with --kit-python",
            )
        return os.path.abspath(path)
    homes = [folder, folder.parents[1]] if str(folder).endswith(GENERATOR) else [folder]
    for home in homes:
        for name in (".venv", "venv"):
            if (home / name / "bin/python").exists():
                return str(home / name / "bin/python")
    return sys.executable


def commit_of(folder: Path) -> str | None:
    """Return the commit of a git checkout, or None for an exported folder."""
    try:
        # the folder must belong to the repository itself, not just be inside another one
        said = subprocess.run(
            ["git", "-C", str(folder), "log", "-1", "--format=%H", "--", "ecg_plot.py"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
        if not said.stdout.strip():
            return None
        head = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() or None


def digest_of(folder: Path) -> str:
    """Return 16 hex digits over the files that draw."""
    found = hashlib.sha256()
    for name in FILES:
        found.update(name.encode() + b"\0" + (folder / name).read_bytes())
    return found.hexdigest()[:16]
