"""`model.weights`: initialisation from another run of the same system."""

from __future__ import annotations

from torch import nn

from ecgvision.core.run_folder import read_config
from ecgvision.data.cohort import Cohort
from ecgvision.nn.checkpoints import load_weights
from ecgvision.systems.base import Config, reads_pages
from ecgvision.systems.checkpoint_checks import check_weights
from ecgvision.systems.leakage import refuse_leakage


def start_from_weights(network: nn.Module, config: Config, cohort: Cohort) -> None:
    """Load the weights of the run `model.weights` into a network, if the setting is given.

    From a run that reads pages through a reader, the network behind the reader is loaded.

    Raises:
        ConfigError: as `check_weights`, or if its run has seen records that this run is evaluated
            on, or does not fit.
    """
    if config["model"].get("weights") is None:
        return
    path = check_weights(config)
    theirs = read_config(path.parent.parent)
    refuse_leakage(path, cohort, who="the run of model.weights", judged="this run")
    load_weights(network, path, prefix="model.network." if reads_pages(theirs) else "model.")
