"""Initialisation of an encoder from a finished pretraining run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ecgvision.core.errors import ConfigError
from ecgvision.core.evenly_spaced import evenly_spaced
from ecgvision.core.run_folder import checkpoint_file, read_config, read_metrics
from ecgvision.data.cohort import Cohort
from ecgvision.nn.checkpoints import load_weights
from ecgvision.nn.standardise import Standardise, estimate
from ecgvision.systems.base import Config
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
        ConfigError: if there is no checkpoint; if its run is of another kind, modality, sampling
            rate, encoder or page size, has not finished, or has seen records that this run is
            evaluated on; or if keys do not fit. The message names such keys; nothing is loaded.
    """
    path = checkpoint_file(checkpoint)
    if not path.is_file():
        raise ConfigError("there is no checkpoint", file=path,
                          remedy="Give a run directory of +exp=ssl_pretrain")  # fmt: skip
    theirs = read_config(path.parent.parent)
    if theirs["exp"] == "read" and modality == "image":
        _check_reader(theirs, config, path)
        refuse_leakage(path, cohort, who="the reader", judged="this run")
        load_weights(encoder, path, prefix=READER_BACKBONE)
        return
    if theirs["exp"] != "ssl_pretrain":
        also = " or of +exp=read" if modality == "image" else ""
        raise ConfigError(f"this is no run of +exp=ssl_pretrain{also}", file=path,
                          value=theirs["exp"])  # fmt: skip
    if theirs["model"]["modality"] != modality:
        raise ConfigError(
            f"the run pretrained another encoder than that of {modality}", file=path,
            value=theirs["model"]["modality"],
        )  # fmt: skip
    rates = [c["data"]["signal_rate"] for c in (theirs, config)]
    if modality != "image" and rates[0] != rates[1]:
        raise ConfigError("the encoder was pretrained at another data.signal_rate", file=path,
                          value=rates[0], remedy=f"This run has {rates[1]}")  # fmt: skip
    refuse_leakage(path, cohort, who="the pretraining", judged="this run")
    found = read_metrics(path.parent.parent)
    if (verdict := found["pretraining"]["collapse"]["verdict"]) != "healthy":
        print(f"Warning: the pretraining of {modality} collapsed ({verdict}); little can come of "
              f"it: {path.parent.parent}", flush=True)  # fmt: skip
    load_weights(encoder, path, prefix=BACKBONE)
    if standardise is not None:
        load_weights(standardise, path, prefix=STANDARDISE)


def _check_reader(theirs: Config, config: Config, path: Path) -> None:
    """Refuse a reader with another image encoder or page size than this run.

    Raises:
        ConfigError: names the setting that differs.
    """
    encoder, size = theirs["model"]["image_encoder"], list(theirs["data"]["image_size"])
    add = f"Add model.image_encoder={encoder} 'data.image_size={size}'".replace(", ", ",")
    if encoder != config["model"]["image_encoder"]:
        raise ConfigError("the reader has another model.image_encoder than this run", file=path,
                          value=encoder, remedy=add)  # fmt: skip
    if size != list(config["data"]["image_size"]):
        raise ConfigError("the reader's encoder saw pages of another data.image_size than this "
                          "run's", file=path, value=size, remedy=add)  # fmt: skip


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
