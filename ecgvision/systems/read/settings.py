"""Settings of `+exp=read`."""

from __future__ import annotations

from dataclasses import dataclass

from ecgvision.core.settings import setting
from ecgvision.systems.settings import PageData


@dataclass(kw_only=True)
class Data(PageData):
    arrangement: float = setting(
        0.3, help="share of training pages whose leads stand in any order: names must be read",
        at_least=0, below=1,
    )  # fmt: skip
    scale: float = setting(0.3, help="share of them at another gain and speed than their paper's",
                           at_least=0, below=1)  # fmt: skip
    cut: float = setting(0.0, help="share of them that have lost a side", at_least=0, below=1)
    unreadable: float = setting(
        0.07, help="share of them turned over or no pages at all, where nothing is to be read",
        at_least=0, below=1,
    )  # fmt: skip
    pages_per_epoch: int = setting(
        "${sized:1000,5000}", help="pages are drawn without end; after so many comes validation",
        at_least=1,
    )  # fmt: skip
    val_pages: int = setting("${sized:44,220}", help="at most so many, one of a record", at_least=1)
    test_pages: int = setting("${sized:110,550}", help="the same of test", at_least=1)


@dataclass(kw_only=True)
class Model:
    image_encoder: str = setting(
        "readnet", help="readnet, or a timm network with features at strides 4, 8 and 16"
    )
    pretrained: bool = setting(False, help="start it from the hub's weights")
    weights: str | None = setting(None, help="RUN of +exp=read, or shipped, to go on from")
    frozen: list[str] = setting(
        [], help="modules that stay as they start, e.g. [page.print,page.encoder.first]"
    )
    dropout: float = setting(0.0, help="of the attention among cells", at_least=0, below=1)


@dataclass(kw_only=True)
class Loss:
    lead: float = setting(
        1.0, help="what each cell of 16 pixels answers, and where it points", at_least=0
    )
    place: float = setting(1.0, help="where it points to", at_least=0)
    time: float = setting(1.0, help="when it was printed", at_least=0)
    gain: float = setting(1.0, help="its mm/mV", at_least=0)
    mark: float = setting(
        1.0, help="names of leads and calibration pulses, known where they stand", at_least=0
    )
    trace: float = setting(1.0, help="the map of ink", at_least=0)
    below: float = setting(0.2, help="what lies below a trace", at_least=0)
    waveform: float = setting(1.0, help="the columns along a row", at_least=0)
    snr: float = setting(1.0, help="the same, every lead alike, in bels", at_least=0)
    einthoven: float = setting(0.1, help="limb leads that fit one another", at_least=0)
    share: float = setting(
        1.0, help="of a batch that teaches ink and columns; the rest, to find rows alone",
        above=0, at_most=1,
    )  # fmt: skip


@dataclass(kw_only=True)
class ReadSettings:
    data: Data
    model: Model
    loss: Loss
