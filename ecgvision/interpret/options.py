"""Checks of the options of `ecgvision explain`, before anything slow is imported."""

from __future__ import annotations

from pathlib import Path

from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import WILDCARD_LAYOUTS, get_layout
from ecgvision.core.outputs import OutputPlan
from ecgvision.core.run_folder import read_config, read_metrics


def default_method(run: str | Path) -> str:
    """Return the first method that a run supports; gradients if it supports none.

    Raises:
        ConfigError: if the folder is not a run directory.
    """
    from ecgvision.systems import get_system

    config = read_config(run)
    return next(iter(get_system(config["exp"]).explanations(config)), "gradients")


def check_out(out: Path) -> None:
    """Refuse an output file that is not a PNG, or that cannot be written.

    Raises:
        ConfigError, OutputError: naming the file.
    """
    if out.suffix.lower() != ".png":
        raise ConfigError("the picture is written as PNG", file=out, remedy="Name it ….png")
    OutputPlan(make_folders=True).add("--out", out)


def check_options(run: str | Path, *, layout: str, method: str, out: Path) -> None:
    """Refuse invalid options of `explain`.

    Raises:
        ConfigError: for a run of another kind or one that is not finished, a method that the run
            does not support, or an output file that is not a PNG.
        LayoutError: for an unknown layout.
    """
    from ecgvision.systems import get_system

    check_out(out)
    config = read_config(run)
    exp, methods = config["exp"], get_system(config["exp"]).explanations(config)
    if not methods:
        raise ConfigError("this run cannot be explained", file=run, value=exp)
    if method not in methods:
        raise ConfigError(f"a run of {exp} is not explained by {method}", file=run, value=method,
                          remedy=f"Take {' or '.join(methods)}")  # fmt: skip
    if layout not in WILDCARD_LAYOUTS:
        get_layout(layout)
    read_metrics(run)
