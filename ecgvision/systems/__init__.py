"""The systems of the framework, by the name that `+exp=` gives.

Their modules import nothing slow, so that a configuration is checked at once; what trains and what
is trained is imported where it is built.
"""

from __future__ import annotations

from importlib import import_module

from ecgvision.errors import ConfigError
from ecgvision.systems.base import System

SYSTEMS = {
    "vizecg": "vizecg:VizECG",
    "patchecg": "patches:PatchECGSystem",
    "signal": "patches:SignalSystem",
    "mvkt": "mvkt:Mvkt",
    "read": "read:Read",
    "ssl_pretrain": "ssl_pretrain:SslPretrain",
    "ssl_finetune": "ssl_finetune:SslFinetune",
}
"""Module of this package and class of each."""


def get_system(name: str) -> System:
    """The named system.

    Raises:
        ConfigError: for an unknown name.
    """
    if name not in SYSTEMS:
        remedy = f"Add +exp= one of {', '.join(SYSTEMS)}"
        raise ConfigError("name a system", value=name, remedy=remedy)
    module, _, kind = SYSTEMS[name].partition(":")
    found: System = getattr(import_module(f"{__name__}.{module}"), kind)()
    return found
