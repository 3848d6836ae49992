"""What of a study can be seen to be wrong before any of its runs is trained."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ecgvision.core.errors import ConfigError
from experiments.study.plan import ArmPlan, Plan


def check_plan(plan: Plan, configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Say now, not after hours of training, what cannot be judged at the end.

    Args:
        configs: of every arm, with any of the seeds.

    Raises:
        ConfigError: if an arm lacks its stream or cannot be filled, or answers for other labels or
            other views of the records than the reference.
        LayoutError: for an unknown layout.
    """
    from ecgvision.core.layouts import WILDCARD_LAYOUTS, get_layout
    from ecgvision.systems import get_system  # imports nothing slow until `check`

    for layout in plan.layouts:
        if layout not in WILDCARD_LAYOUTS:
            get_layout(layout)
    for arm in plan.arms:
        config = configs[arm.name]
        system = get_system(config["exp"])
        system.check_settings(config)
        if arm.stream not in system.streams(config):
            raise ConfigError(f"arm {arm.name} has no such stream", value=arm.stream,
                              remedy=f"It has {', '.join(system.streams(config))}")  # fmt: skip
        if arm.fill is not None:
            _check_fill(plan, arm, config)
    _check_alike(plan, configs)
    for config in configs.values():
        get_system(config["exp"]).check(config)


def _check_fill(plan: Plan, arm: ArmPlan, config: Mapping[str, Any]) -> None:
    from ecgvision.evaluate.fills.fills import FILLS
    from ecgvision.systems import get_system

    if (
        arm.fill not in FILLS
        or not get_system(config["exp"]).can_be_filled(config)
        or not plan.layouts
    ):
        raise ConfigError(f"arm {arm.name} cannot be filled so", value=arm.fill,
                          remedy=f"Fills are {', '.join(FILLS)}, before a network that reads "
                          "signals, in a study with layouts")  # fmt: skip
    if arm.fill == "saits":
        from ecgvision.evaluate.fills.saits import load_pypots

        load_pypots()


def _check_alike(plan: Plan, configs: Mapping[str, Mapping[str, Any]]) -> None:
    reference = configs[plan.reference]
    labels, views = reference["data"]["labels"], judged_in(plan, reference)
    for arm in plan.arms:
        config = configs[arm.name]
        if (theirs := config["data"]["labels"]) != labels:
            raise ConfigError(f"arm {arm.name} learns other labels than {plan.reference}",
                              value=theirs, remedy=f"Set data.labels={labels}")  # fmt: skip
        if set(found := judged_in(plan, config)) != set(views):
            raise ConfigError(
                f"arm {arm.name} is judged in other views of the records than {plan.reference}",
                value=[f"{layout}@{artefact}" for layout, artefact in found],
                remedy="Set data.layouts and data.artefacts so that it is "
                + ", ".join(f"{layout}@{artefact}" for layout, artefact in views),
            )


def judged_in(plan: Plan, config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every layout and artefact that a run of the study is judged in.

    Raises:
        ConfigError: if the study names artefacts and the run reads no pages; or as `adopt_reader`.
    """
    from ecgvision.render.artefacts import CLEAN
    from ecgvision.systems.base import names

    artefacts = _artefacts(config)
    if plan.artefacts and not artefacts:
        raise ConfigError("a network that reads signals alone meets no artefact",
                          value=list(plan.artefacts),
                          remedy="Leave artefacts out of the study, or the arm")  # fmt: skip
    layouts = plan.layouts or names(config["data"]["layouts"])
    artefacts = plan.artefacts or artefacts or (CLEAN,)
    return [(layout, artefact) for layout in layouts for artefact in artefacts]


def _artefacts(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Of the pages that a run reads in evaluation; none where it reads no pages."""
    from ecgvision.systems.base import names, reads_pages
    from ecgvision.systems.page_input.adopt import adopt_reader
    from experiments.stages import stage_config

    data, model = config["data"], config["model"]
    if "artefacts" in data or not reads_pages(config):
        return names(data.get("artefacts")) if model.get("streams") != "signal" else ()
    reader = model["reader"] or config.get("reading", {}).get("checkpoint")
    if reader is None and "reading" in config:
        return names(stage_config(config, "reading")["data"]["artefacts"])
    whole = copy.deepcopy(dict(config))
    whole["model"]["reader"] = reader
    adopt_reader(whole)
    return names(whole["data"]["artefacts"])
