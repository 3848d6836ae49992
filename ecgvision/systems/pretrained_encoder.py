"""Initialisation of an encoder from a finished pretraining run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ecgvision.core.evenly_spaced import evenly_spaced
from ecgvision.core.run_folder import read_config, read_metrics
from ecgvision.data.cohort import Cohort
from ecgvision.nn.checkpoints import load_weights
from ecgvision.nn.standardise import Standardise, estimate
from ecgvision.systems.base import Config
from ecgvision.systems.checkpoint_checks import check_backbone
from ecgvision.systems.leakage import refuse_leakage

BACKBONE = "model.backbone."
"""Prefix of the encoder's keys in a checkpoint of pretraining."""

STANDARDISE = "input.standardise."
"""Prefix of the moments of the encoder's input in the same checkpoint."""

READER_BACKBONE = "model.page.encoder."
"""Prefix of the image encoder's keys in a checkpoint of a page reader."""

RECORDS = 4096
"""Records for estimating moments, evenly spaced over the training split: our default.

With this number the error of a mean is below a fiftieth of the spread between records."""


def load_backbone(
    encoder: nn.Module, checkpoint: str | Path, modality: str, config: Config, cohort: Cohort,
    standardise: Standardise | None = None,
) -> None:  # fmt: skip
    """Load an encoder from a checkpoint of `+exp=ssl_pretrain`; image encoders also of `+exp=read`.

    Prints a warning if the pretraining collapsed.

    Args:
        encoder: a network of the same kind as the pretrained one.
        checkpoint: a `.ckpt` in a run directory, or the run directory.
        modality: `time`, `spectrogram` or `image`.
        config, cohort: configuration and records of the run that starts from the checkpoint.
        standardise: also loads the moments that the encoder was pretrained with.

    Raises:
        ConfigError: as `check_backbone`; if its run has seen records that this run is evaluated on;
            or if keys do not fit. The message names such keys; nothing is loaded.
    """
    path = check_backbone(f"{modality}.checkpoint" if modality != "image" else
                          "model.image_checkpoint", checkpoint, modality, config)  # fmt: skip
    if read_config(path.parent.parent)["exp"] == "read":
        refuse_leakage(path, cohort, who="the reader", judged="this run")
        load_weights(encoder, path, prefix=READER_BACKBONE)
        return
    refuse_leakage(path, cohort, who="the pretraining", judged="this run")
    found = read_metrics(path.parent.parent)
    if (verdict := found["pretraining"]["collapse"]["verdict"]) != "healthy":
        print(f"Warning: the pretraining of {modality} collapsed ({verdict}); little can come of "
              f"it: {path.parent.parent}", flush=True)  # fmt: skip
    load_weights(encoder, path, prefix=BACKBONE)
    if standardise is not None:
        load_weights(standardise, path, prefix=STANDARDISE)


def fit_moments(
    standardise: Standardise, quantity: Any, cohort: Cohort, config: Config, *, std_per_lead: bool
) -> None:
    """Estimate the moments of the training folds, labelled or not, and load them into the buffers.

    Args:
        quantity: maps crops (N, 12, L) mV to the values to standardise.
        std_per_lead: see `estimate`. Phan et al. (arXiv 2210.06297) use one deviation per lead for
            signals and one for all leads for spectrograms.

    Raises:
        DataError: for a lead that is missing from the training folds or has no spread.
    """
    moments = estimate(
        (quantity(crops) for crops in _crops(cohort, config)), std_per_lead=std_per_lead
    )
    standardise.load_state_dict(Standardise(moments).state_dict())


def _crops(cohort: Cohort, config: Config) -> Iterator[Tensor]:
    """Yield the adjacent crops of each record, (n, 12, L), NaN where nothing was recorded."""
    data = config["data"]
    size = round(data["crop_seconds"] * data["signal_rate"])
    positions = cohort.positions("train", labelled=False)
    for position in positions[evenly_spaced(RECORDS, len(positions))]:
        signal = cohort.signal(int(position), data["seconds"], data["signal_rate"])
        crops = torch.from_numpy(signal).unfold(1, size, size).transpose(0, 1)
        held = crops[~crops.isnan().all(-1).all(-1)]
        if len(held):
            yield held
