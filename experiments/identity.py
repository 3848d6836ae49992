"""The run id: a hash of what changes the result, and of nothing else."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import ecgvision

# Where things lie, what they run on and who is told: none of it changes the result.
WITHOUT_EFFECT = (
    "run_dir", "force", "logger", "wandb",
    "data.name", "data.store", "data.root", "data.cache_dir", "data.num_workers",
    "data.records", "data.cohort_seed", "data.rate",  # the stores' own hash says it all
    "trainer.accelerator", "trainer.devices",
)  # fmt: skip


def run_id(config: Mapping[str, Any], data_hash: str, label_hash: str) -> str:
    """10 hex digits over the configuration, the stores' contents and the label scheme."""
    relevant = copy.deepcopy(dict(config))
    for path in WITHOUT_EFFECT:
        *parents, key = path.split(".")
        section = relevant
        for parent in parents:
            section = section.get(parent, {})
        section.pop(key, None)
    text = json.dumps(
        [relevant, data_hash, label_hash, ecgvision.__version__], sort_keys=True, default=str
    )
    return hashlib.sha256(text.encode()).hexdigest()[:10]
