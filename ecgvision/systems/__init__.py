"""The systems of the framework, by the name that `+exp=` gives.

Their modules import nothing slow, so that a configuration is checked at once; what trains and what
is trained is imported where it is built.
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
    """The named system.

    Raises:
        ConfigError: for an unknown name.
    """
    if name not in SYSTEMS:
        remedy = f"Add +exp= one of {', '.join(SYSTEMS)}"
        raise ConfigError("name a system", value=name, remedy=remedy)
    return SYSTEMS[name]
