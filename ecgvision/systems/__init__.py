"""The systems of the framework, by their name in `+exp=`.

Their modules import nothing slow, so that checking a configuration is fast. Networks, data modules
and tasks are imported where they are built.
"""

from __future__ import annotations

from ecgvision.core.errors import ConfigError
from ecgvision.systems.base import System
from ecgvision.systems.mvkt.system import Mvkt
from ecgvision.systems.patchecg.system import PatchECGSystem
from ecgvision.systems.read.system import Read
from ecgvision.systems.signal.system import SignalSystem
from ecgvision.systems.ssl.finetune import SslFinetune
from ecgvision.systems.ssl.pretrain import SslPretrain
from ecgvision.systems.vizecg.system import VizECG

SYSTEMS: dict[str, System] = {
    "vizecg": VizECG(),
    "patchecg": PatchECGSystem(),
    "signal": SignalSystem(),
    "mvkt": Mvkt(),
    "read": Read(),
    "ssl_pretrain": SslPretrain(),
    "ssl_finetune": SslFinetune(),
}


def get_system(name: str) -> System:
    """Return the system of this name.

    Raises:
        ConfigError: for an unknown name.
    """
    if name not in SYSTEMS:
        remedy = f"Add +exp= one of {', '.join(SYSTEMS)}"
        raise ConfigError("name a system", value=name, remedy=remedy)
    return SYSTEMS[name]
