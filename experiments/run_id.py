"""The run id: a hash of what changes the result, and of the code that makes it."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ecgvision.core.run_folder import METRICS
from ecgvision.core.source_digest import source_digest
from ecgvision.systems import get_system
from experiments.stages import WEIGHTS, stage_names

# Paths, hardware and loggers: none of them changes the result.
WITHOUT_EFFECT = (
    "run_dir", "force", "any_code", "logger", "wandb",
    "data.name", "data.small", "data.store", "data.images", "data.root", "data.cache_dir",
    "data.num_workers",
    # the data's own hashes say it all
    "data.records", "data.cohort_seed", "data.ptbxl", "data.rate", "data.unstated_rate",
    "data.unit",
    "trainer.accelerator", "trainer.devices", "trainer.save_every_steps",
    "trainer.save_every_minutes",
)  # fmt: skip


def code() -> str:
    """The digest of the code that makes a run's results."""
    return source_digest("experiments.run")


def run_id(config: Mapping[str, Any], data: Sequence[str], label_hash: str) -> str:
    """`<configuration_id>-<code>`: runs of one configuration by different code stand apart."""
    return f"{configuration_id(config, data, label_hash)}-{code()}"


def by_other_code(folder: Path) -> list[Path]:
    """Finished runs of the same configuration that other code has made, the newest first.

    Args:
        folder: of the run, named by its `run_id`.
    """
    configuration, _, _ = folder.name.partition("-")
    done = [file for file in folder.parent.glob(f"{configuration}-*/{METRICS}")
            if file.parent.name != folder.name]  # fmt: skip
    done.sort(key=lambda file: file.stat().st_mtime, reverse=True)
    return [file.parent for file in done]


def configuration_id(config: Mapping[str, Any], data: Sequence[str], label_hash: str) -> str:
    """10 hex digits over the configuration, the label scheme and the data.

    Args:
        config: the whole configuration.
        data: hashes of the stores, of folders of drawn pages where there are any, and of the
            weights that the run starts from.
        label_hash: of the label scheme.
    """
    apart = stage_names(config)  # the hashes of their weights say it all
    relevant = {key: copy.deepcopy(value) for key, value in config.items() if key not in apart}
    of_the_system = get_system(config["exp"]).keys_without_effect(config)
    for path in (*WITHOUT_EFFECT, *WEIGHTS, *of_the_system):
        *parents, key = path.split(".")
        section = relevant
        for parent in parents:
            section = section.get(parent, {})
        section.pop(key, None)
    text = json.dumps([relevant, list(data), label_hash], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
