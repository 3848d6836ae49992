"""Settings that several systems share: of pages, and of what training hides of a signal."""

from __future__ import annotations

from dataclasses import dataclass

from ecgvision.core.settings import setting, without_defaults
from ecgvision.data.masks import FRACTIONS, MODES
from ecgvision.nn.losses.names import MASKED_LOSSES


@dataclass(kw_only=True)
class PageData:
    """Pages that are drawn; part of the section `data`."""

    artefacts: str | list[str] = setting(
        ["clean"],
        help="pages as scanned, faxed or photographed, e.g. [clean,scan,photo]: clean, scan, fax, "
        "photocopy, photo, crumpled, hard, or one artefact",
    )
    image_size: list[int] = setting(
        "${sized:[192,256],[288,384]}", help="[height,width] of the network's input", at_least=32
    )
    style: str = setting(
        "kit", help="a paper (kit, muse, pagewriter, …), or mixed: another for every page"
    )
    dpi: float = setting(100, help="resolution of drawn pages in evaluation", above=0)
    train_dpi: list[float] = setting(
        [50, 60, 72, 86, 100, 120], help="resolutions of drawn pages in training", above=0
    )
    speed: float | None = setting(None, help="mm/s; null: as the paper does", above=0)
    gain: float | None = setting(None, help="mm/mV; null: as the paper does", above=0)


@dataclass(kw_only=True)
class PairedData(PageData):
    """Pages beside the signals that they show; part of the section `data`."""

    images: str | list[str] | None = setting(
        None, help="pages that data_prep.render_images has drawn, one folder for each store, "
        "instead of drawing them on the fly",
    )  # fmt: skip
    signal_window: str = setting(
        "record", choices=("record", "printed"),
        help="printed: the signal stream sees what the page shows",
    )  # fmt: skip


@dataclass(kw_only=True)
class StandardPage:
    """How networks that classify pages see them; part of the section `data`."""

    standard_page: bool = setting(
        "${oc.select:start.data.standard_page,true}",
        help="each lead is put where a standard page has it, whatever the layout; false: pages as "
        "they are",
    )  # fmt: skip


@without_defaults
@dataclass(kw_only=True)
class ReaderPages(PairedData):
    """Pages of input=page: as the reader's run has them, unless given."""


@dataclass(kw_only=True)
class MaskData:
    """What training hides of a signal; part of the section `data`."""

    train_mask: str = setting(
        "none", choices=MODES,
        help="what training hides: blocks of every lead, all but a printed layout, or both",
    )  # fmt: skip
    fractions: list[float] = setting(
        [*FRACTIONS], help="shares of a lead that a block may hide", at_least=0, below=1
    )
    noise: float = setting(0.0, help="mV of noise on a block of every lead in training", at_least=0)
    normalise: str = setting("none", help="none: mV, or by record", choices=("none", "record"))


@dataclass(kw_only=True)
class MaskedLoss:
    """Loss of one stream of logits; part of the section `loss`."""

    name: str = setting("bce", help="loss of the labels", choices=MASKED_LOSSES)
    focal_alpha: float = setting(1.0, help="weight of the focal loss")
    focal_gamma: float = setting(2.0, help="exponent of the focal loss", at_least=0)
