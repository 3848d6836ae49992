"""A bundle of the reader in paper coordinates with small networks that have learned nothing."""

from __future__ import annotations

from pathlib import Path

import torch

from ecgvision.reader.layout.maps import MARKS
from ecgvision.reader.networks.mark_net import MarkNet
from ecgvision.reader.networks.trace_net import TraceNet

WIDTHS = (8, 8, 8)


def small_networks() -> tuple[MarkNet, TraceNet]:
    """Networks of a few channels; the first sees hardly a mark, where others see one anywhere."""
    torch.manual_seed(0)
    marks, trace = MarkNet(WIDTHS).eval(), TraceNet(WIDTHS).eval()
    with torch.no_grad():
        marks.head[-1].bias[: len(MARKS) + 1] = torch.tensor([-5.0] * len(MARKS) + [5.0])
    return marks, trace


def write_flat_bundle(folder: Path) -> Path:
    from ecgvision.deploy.export_flat import export_flat

    marks, trace = small_networks()
    export_flat(marks, trace, folder, calibration=(0.9, 0.1), least_confidence=0.2,
                metrics={"all": {"snr_db": 20.5}}, info={"note": "test"})  # fmt: skip
    return folder
