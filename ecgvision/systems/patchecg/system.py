"""`+exp=patchecg`: settings and network of PatchECG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ecgvision.data.patch_settings import PatchSettings
from ecgvision.nn.encoder_names import PATCH_ENCODERS, unknown_patch_encoder
from ecgvision.systems.base import Config, network_arguments, reads_pages
from ecgvision.systems.patchecg.settings import PatchECGSettings
from ecgvision.systems.signal.system import MaskedSystem

if TYPE_CHECKING:
    from ecgvision.systems.patchecg.network import PatchECG


class PatchECGSystem(MaskedSystem):
    """`+exp=patchecg`: a transformer over the printed patches of a record."""

    stream = "patches"
    settings = PatchECGSettings

    def cut(self, config: Config) -> PatchSettings:
        length, stride = (config["data"][key] for key in ("patch_length", "patch_stride"))
        return replace(super().cut(config), patch_length=length,
                       stride=length if stride is None else stride)  # fmt: skip

    def network(self, config: Config, labels: int) -> PatchECG:
        from ecgvision.systems.patchecg.network import PatchECG

        cut = self.cut(config)
        return PatchECG(labels, patches=cut.patches, patch_length=cut.patch_length,
                        **network_arguments(config))  # fmt: skip

    def explanations(self, config: Config) -> tuple[str, ...]:
        return () if reads_pages(config) else ("gradients", "occlusion", "rollout")

    def check_settings(self, config: Config) -> None:
        super().check_settings(config)
        given = config["model"]["patch_encoder"]
        if given not in PATCH_ENCODERS and not Path(given).is_file():
            raise unknown_patch_encoder(given)
