"""Synchronised pairs of a page and the signal it was drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from ecgvision.core.errors import DataError
from ecgvision.core.layouts import pick_layout
from ecgvision.core.page import Page
from ecgvision.data.augment import ImageAugment, SignalAugment
from ecgvision.data.cohort import Cohort
from ecgvision.data.drawn_pages import DrawnPages
from ecgvision.data.module import EcgDataModule
from ecgvision.data.network_input import to_network
from ecgvision.data.pages import FromFolders, OnTheFly, PageSettings, PageSource, Sheet
from ecgvision.data.resample import fit_length, resample, resample_shown
from ecgvision.data.standard_page import ReadingErrors, standard_layout, standard_page
from ecgvision.render import artefacts
from ecgvision.render.artefacts import Warp


class Scene(NamedTuple):
    """Components of one item: record, layout, artefact, and the window that both streams share."""

    position: int
    layout: int
    artefact: int
    window: NDArray[np.float32]
    rate: float
    sheet: Sheet
    rng: np.random.Generator


class PairedDataset(Dataset[dict[str, Any]]):
    """(image, signal) pairs of one split.

    In training, a record occurs once per epoch, in a random layout and with a random artefact. In
    evaluation, every record occurs in every layout with every artefact, the same in every run. An
    item is a pure function of (seed, epoch, position).

    Item:
        image: uint8 (3, H, W).
        signal: float32 (12, T) mV, 0 where unobserved.
        observed: bool (12, T).
        printed: bool (12, T), observed and on the page.
        target: float32 (C,).
        index: the record's row over all stores.
        layout: index into `settings.layouts`.
        artefact: index into `settings.artefacts`.
    """

    def __init__(
        self, cohort: Cohort, positions: NDArray[np.int64], settings: PageSettings,
        source: PageSource, *, train: bool, seed: int, signal_augment: SignalAugment | None = None,
        image_augment: ImageAugment | None = None,
    ) -> None:  # fmt: skip
        self.cohort, self.positions, self.settings = cohort, positions, settings
        self.source, self.train, self.seed = source, train, seed
        self.signal_augment = signal_augment if train and not source.fixed else None
        self.image_augment = image_augment if train else None
        self.reading_errors = ReadingErrors() if settings.standard else None

    def __len__(self) -> int:
        return len(self.positions) * (1 if self.train else len(self.settings.views))

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        scene = self._scene(*key)
        out = {
            **self._signal(scene),
            "target": torch.from_numpy(self.cohort.targets[scene.position].astype(np.float32)),
            "index": int(self.cohort.index[scene.position]),
            "layout": scene.layout,
            "artefact": scene.artefact,
        }
        if self.settings.images:
            image = self._for_network(scene)
            if self.image_augment is not None:
                image = self.image_augment(image, scene.rng)
            out["image"] = torch.from_numpy(image).permute(2, 0, 1)
        return out

    def whole_page(self, item: int) -> NDArray[np.uint8]:
        """Return the (h, w, 3) uint8 page of an item, before it is resized for the network."""
        return self._draw(self._scene(0, item)).image

    def drawn_page(self, item: int) -> tuple[NDArray[np.uint8], Page]:
        """Return the (h, w, 3) uint8 page of an item as the network is shown it, and its geometry.

        Raises:
            DataError: for a page from a folder, whose geometry is stored beside it.
        """
        scene = self._scene(0, item)
        if self.settings.standard:
            size = self.settings.image_size
            return self._for_network(scene), standard_layout((size[0], size[1]))
        page = getattr(scene.sheet, "page", None)
        if page is None:
            raise DataError("pages from a folder have their geometry beside them",
                            remedy="Leave data.images out")  # fmt: skip
        return self._draw(scene).image, page

    def _scene(self, epoch: int, item: int) -> Scene:
        views = self.settings.views
        view, number = (0, item) if self.train else divmod(item, len(self.positions))
        position = int(self.positions[number])
        index = int(self.cohort.index[position])
        if self.train:
            rng = np.random.default_rng([self.seed, epoch, index, 1])
            view = int(rng.integers(len(views)))
        else:  # independent of the seed: every run is evaluated on the same images
            rng = np.random.default_rng([index, view])
        layout, artefact = views[view]
        window, rate = self._window(position, rng)
        dpi = float(rng.choice(self.settings.train_dpi)) if self.train else self.settings.dpi
        place, name = self.cohort.place(position), self.settings.layouts[layout]
        if not self.train and not self.source.fixed:
            # `random` depends only on the record, as in every dataset of the project
            name = pick_layout(name, np.random.default_rng([index]))
        sheet = self.source.sheet(place, name, dpi=dpi, rng=rng)
        return Scene(position, layout, artefact, window, rate, sheet, rng)

    def _window(self, position: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], float]:
        """Return the window that page and signal share, and its rate in Hz.

        In training it starts at random, unless the source is fixed. Otherwise it is the first
        window.
        """
        random = rng if self.train and not self.source.fixed else None
        window, rate = self.cohort.window(position, self.settings.seconds, random)
        if self.signal_augment is not None:
            window = self.signal_augment(window, rate, rng)
        return window, rate

    def _signal(self, scene: Scene) -> dict[str, torch.Tensor]:
        wanted, length = self.settings.signal_rate, self.settings.signal_length
        if self.settings.signal_window == "printed":
            signal, observed = resample_shown(
                scene.window, scene.rate, wanted, length, scene.sheet.observed
            )
            printed = observed
        else:
            signal = fit_length(resample(scene.window, scene.rate, wanted), length)
            observed = ~np.isnan(signal)
            printed = observed & scene.sheet.observed(length, wanted)
        return {
            "signal": torch.from_numpy(np.where(observed, signal, np.float32(0))),
            "observed": torch.from_numpy(observed), "printed": torch.from_numpy(printed),
        }  # fmt: skip

    def _for_network(self, scene: Scene) -> NDArray[np.uint8]:
        picture = self._draw(scene)
        if not self.settings.standard:
            return to_network(picture.image, self.settings.image_size)
        leads = [lead.moved(picture.warp) if picture.warp else lead for lead in scene.sheet.leads()]
        errors = self.reading_errors(scene.rng) if self.reading_errors is not None else None
        return standard_page(picture.image, leads, self.settings.image_size, errors=errors)

    def _draw(self, scene: Scene) -> _Picture:
        drawing, artefact_seed = (int(v) for v in scene.rng.integers(2**31, size=2))
        image = scene.sheet.image(scene.window, scene.rate, drawing)
        artefact = self.settings.artefacts[scene.artefact]
        if artefact == artefacts.CLEAN:
            return _Picture(image, None)
        found = artefacts.apply(artefact, image, seed=artefact_seed, dpi=scene.sheet.dpi)
        return _Picture(found.image, None if found.warp.still else found.warp)


class _Picture(NamedTuple):
    """A page with its artefact, and the map from the drawn page to it; None if nothing moved."""

    image: NDArray[np.uint8]
    warp: Warp | None


class OneView(Dataset[dict[str, Any]]):
    """Every record of an evaluation split in one of its views, taken in turn.

    Checkpoints are chosen with it, because evaluating all views after each epoch would multiply the
    time by their number. The final evaluation uses all views.
    """

    def __init__(self, whole: PairedDataset) -> None:
        self.whole = whole

    def __len__(self) -> int:
        return len(self.whole.positions)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, number = key
        view = number % len(self.whole.settings.views)
        return self.whole[epoch, view * len(self) + number]


class PairedDataModule(EcgDataModule):
    """Train, validation and test loaders of (image, signal) pairs.

    Args:
        cohort: records, targets and splits.
        settings: which pages the network sees.
        folders: folders of pages drawn beforehand, one per store; without folders, pages are drawn
            on the fly. With folders, the signal is as recorded, and records that have not been
            drawn are left out.
        augment: False turns both augmentations off.
        Others: see `EcgDataModule`.
    """

    def __init__(
        self, cohort: Cohort, settings: PageSettings, *, folders: Sequence[str] = (),
        augment: bool = True, **loader: Any,
    ) -> None:  # fmt: skip
        super().__init__(cohort, **loader)
        self.settings = settings
        self.augment = augment
        self.draws_pages = bool(settings.images)
        self.source: OnTheFly | FromFolders = OnTheFly(settings)
        if folders:
            hashes = [store.hash for store in cohort.stores]
            self.source = FromFolders([DrawnPages(f) for f in folders], hashes, settings.layouts)

    @property
    def layouts(self) -> Sequence[str]:
        return self.settings.layouts

    @property
    def artefacts(self) -> Sequence[str]:
        return self.settings.artefacts

    def positions(self, split: str) -> NDArray[np.int64]:
        """Return the positions in the cohort of a split's records that have pages.

        Raises:
            DataError: if there are none.
        """
        chosen = super().positions(split)
        if isinstance(self.source, FromFolders):
            drawn = [self.source.has(self.cohort.place(int(p))) for p in chosen]
            chosen = chosen[drawn]
            if len(chosen) == 0:
                raise DataError(
                    f"no record of the {split} split has been drawn",
                    remedy="Draw the pages again; see `skipped` in images.json",
                )
        return chosen

    @property
    def _image_augment(self) -> ImageAugment:
        """Return how pages vary; the places of a standard page vary by the errors of reading."""
        still = {"rotation": 0, "scale": 0, "move": 0} if self.settings.standard else {}
        return ImageAugment(**still)

    def val_dataloader(self) -> DataLoader[dict[str, Any]]:
        return self.loader("val", dataset=OneView(self.dataset("val")))

    def dataset(self, split: str) -> PairedDataset:
        return PairedDataset(
            self.cohort, self.positions(split), self.settings, self.source,
            train=split == "train", seed=self.seed,
            signal_augment=SignalAugment() if self.augment else None,
            image_augment=self._image_augment if self.augment else None,
        )  # fmt: skip
