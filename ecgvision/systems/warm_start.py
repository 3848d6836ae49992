"""`model.weights`: initialisation from another run of the same system."""

from __future__ import annotations

from torch import nn

from ecgvision.core.errors import ConfigError
from ecgvision.core.run_folder import checkpoint_file, read_config
from ecgvision.data.cohort import Cohort
from ecgvision.nn.checkpoints import load_weights
from ecgvision.systems.base import Config, reads_pages
from ecgvision.systems.leakage import refuse_leakage


def start_from_weights(network: nn.Module, config: Config, cohort: Cohort) -> None:
    """Load the weights of the run `model.weights` into a network, if the setting is given.

    From a run that reads pages through a reader, the network behind the reader is loaded.

    Raises:
        ConfigError: if there is no checkpoint, or if its run is of another system, has not
            finished, has seen records that this run is evaluated on, or does not fit.
    """
    given = config["model"].get("weights")
    if given is None:
        return
    path = checkpoint_file(given)
    if not path.is_file():
        raise ConfigError("model.weights is no file", file=path,
                          remedy="Give a checkpoint or a run directory")  # fmt: skip
    theirs = read_config(path.parent.parent)
    if theirs["exp"] != config["exp"]:
        raise ConfigError("model.weights are of another system", file=path, value=theirs["exp"],
                          remedy=f"This run is {config['exp']}")  # fmt: skip
    refuse_leakage(path, cohort, who="the run of model.weights", judged="this run")
    load_weights(network, path, prefix="model.network." if reads_pages(theirs) else "model.")
