"""Synchronized pairs: a page drawn on the fly, and the signal it was drawn from."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ecgvision.data.augment import ImageAugment, SignalAugment
from ecgvision.data.cohort import Cohort
from ecgvision.data.module import EcgDataModule
from ecgvision.data.resample import fit_length, resample
from ecgvision.data.views import to_network
from ecgvision.ecg import ConfigError
from ecgvision.layouts import RANDOM_LAYOUTS, get_layout
from ecgvision.page import Page
from ecgvision.render.paper import draw
from ecgvision.render.styles import Style, get_style, random_style

CLEAN = "clean"
"""The artefact that is none."""


@dataclass(frozen=True)
class PageSettings:
    """How pages are drawn.

    Attributes:
        layouts: names from the registry, or `random` for any of its first six.
        artefacts: presets or single artefacts that pages pass through; `clean` is none.
        image_size: (H, W) of the network.
        style: a style's name, or `mixed` for varied colours and inks in training.
        dpi: resolution of pages in evaluation.
        train_dpi: pages in training have one of these resolutions; a handful, so that their
            grids and letters are drawn once and kept.
        speed, gain: mm/s and mm/mV.
        seconds: window of the record that page and signal share.
        signal_rate: Hz of the signal stream.
        signal_window: `record`, or `printed` to hide from the signal stream what the page hides.
        images: False leaves out the pages, for a signal stream alone.
    """

    layouts: tuple[str, ...]
    image_size: tuple[int, int]
    style: str = "kit"
    dpi: float = 100.0
    train_dpi: tuple[float, ...] = (50.0, 60.0, 72.0, 86.0, 100.0, 120.0)
    speed: float = 25.0
    gain: float = 10.0
    seconds: float = 10.0
    signal_rate: float = 100.0
    signal_window: str = "record"
    images: bool = True
    artefacts: tuple[str, ...] = (CLEAN,)

    def __post_init__(self) -> None:
        if not self.layouts:
            raise ConfigError("data.layouts is empty", remedy="Name at least one layout")
        for name in self.layouts:
            if name != "random":
                get_layout(name)
        if not self.artefacts:
            raise ConfigError("data.artefacts is empty", remedy="Name at least one, e.g. clean")
        if set(self.artefacts) != {CLEAN}:
            from ecgvision.render.artefacts import check_name

            for name in self.artefacts:
                check_name(name)
        if self.style != "mixed":
            get_style(self.style)
        if not self.train_dpi:
            raise ConfigError("data.train_dpi is empty", remedy="Name at least one resolution")
        if self.signal_window not in ("record", "printed"):
            raise ConfigError("data.signal_window must be record or printed",
                              value=self.signal_window)  # fmt: skip
        if len(self.image_size) != 2 or min(self.image_size) < 32:
            raise ConfigError("data.image_size must be [height, width], each at least 32",
                              value=list(self.image_size))  # fmt: skip
        if not self.signal_rate > 0 or not self.seconds > 0:
            raise ConfigError("data.signal_rate and data.seconds must be positive",
                              value=(self.signal_rate, self.seconds))  # fmt: skip

    @property
    def views(self) -> tuple[tuple[int, int], ...]:
        """Every (layout, artefact) of the mix, by their numbers."""
        return tuple(itertools.product(range(len(self.layouts)), range(len(self.artefacts))))

    @property
    def signal_length(self) -> int:
        return round(self.seconds * self.signal_rate)


class Scene(NamedTuple):
    """What one item is made from: record, layout, artefact, and the window both streams share."""

    position: int
    layout: int
    artefact: int
    window: NDArray[np.float32]
    rate: float
    page: Page
    rng: np.random.Generator


class PairedDataset(Dataset[dict[str, Any]]):
    """Pairs of one split.

    In training a record appears once an epoch, in a layout and with an artefact drawn anew; in
    evaluation every record appears in every layout with every artefact of the mix, the same in
    every run. An item is a pure function of (seed, epoch, position).

    Item:
        image: uint8 (3, H, W) · signal: float32 (12, T) mV, 0 where unobserved ·
        observed: bool (12, T) · target: float32 (C,) · index: the record's row over all stores ·
        layout: which of `settings.layouts` was asked for · artefact: which of
        `settings.artefacts`.
    """

    def __init__(
        self, cohort: Cohort, positions: NDArray[np.int64], settings: PageSettings, *,
        train: bool, seed: int, signal_augment: SignalAugment | None = None,
        image_augment: ImageAugment | None = None,
    ) -> None:  # fmt: skip
        self.cohort, self.positions, self.settings = cohort, positions, settings
        self.train, self.seed = train, seed
        self.signal_augment = signal_augment if train else None
        self.image_augment = image_augment if train else None

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
            image = to_network(self._draw(scene), self.settings.image_size)
            if self.image_augment is not None:
                image = self.image_augment(image, scene.rng)
            out["image"] = torch.from_numpy(image).permute(2, 0, 1)
        return out

    def whole_page(self, item: int) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 page of an item before it is brought to the network's size."""
        return self._draw(self._scene(0, item))

    def _scene(self, epoch: int, item: int) -> Scene:
        views = self.settings.views
        view, number = (0, item) if self.train else divmod(item, len(self.positions))
        position = int(self.positions[number])
        index = int(self.cohort.index[position])
        if self.train:
            rng = np.random.default_rng([self.seed, epoch, index, 1])
            view = int(rng.integers(len(views)))
        else:  # without the seed: every run is judged on the same pictures
            rng = np.random.default_rng([index, view])
        layout, artefact = views[view]
        window, rate = self._window(position, rng)
        return Scene(position, layout, artefact, window, rate, self._page(layout, rng), rng)

    def _window(self, position: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], float]:
        """The stretch that page and signal share: drawn by lot in training, else the first."""
        signal, rate = self.cohort.read(position)
        length = round(self.settings.seconds * rate)
        spare = signal.shape[1] - length
        start = int(rng.integers(spare + 1)) if self.train and spare > 0 else 0
        window = fit_length(signal, length, start)
        if self.signal_augment is not None:
            window = self.signal_augment(window, rate, rng)
        return window, rate

    def _page(self, asked: int, rng: np.random.Generator) -> Page:
        name = self.settings.layouts[asked]
        if name == "random":
            name = RANDOM_LAYOUTS[int(rng.integers(len(RANDOM_LAYOUTS)))]
        dpi = float(rng.choice(self.settings.train_dpi)) if self.train else self.settings.dpi
        return Page(get_layout(name), dpi=dpi, speed=self.settings.speed, gain=self.settings.gain)

    def _signal(self, scene: Scene) -> dict[str, torch.Tensor]:
        wanted = self.settings.signal_rate
        signal = resample(scene.window, scene.rate, wanted)
        signal = fit_length(signal, self.settings.signal_length)
        observed = ~np.isnan(signal)
        if self.settings.signal_window == "printed":
            observed &= scene.page.observed(signal.shape[1], wanted)
        signal = np.where(observed, signal, np.float32(0))
        return {"signal": torch.from_numpy(signal), "observed": torch.from_numpy(observed)}

    def _draw(self, scene: Scene) -> NDArray[np.uint8]:
        style = self._style(scene.rng)
        seed = int(scene.rng.integers(2**31)) if self.train else 0
        page = scene.page
        image = draw(scene.window, scene.rate, page, style, seed=seed, points=False).image
        artefact = self.settings.artefacts[scene.artefact]
        if artefact == CLEAN:
            return image
        from ecgvision.render import artefacts

        seed = int(scene.rng.integers(2**31))
        return artefacts.apply(artefact, image, seed=seed, dpi=page.dpi).image

    def _style(self, rng: np.random.Generator) -> Style:
        if self.settings.style == "mixed":
            return random_style(rng) if self.train else get_style("kit")
        return get_style(self.settings.style)


class PairedDataModule(EcgDataModule):
    """Train, validation and test loaders of (image, signal) pairs.

    Args:
        cohort: records, targets and splits.
        settings: how pages are drawn.
        augment: False turns both augmentations off.
        Others: see `EcgDataModule`.
    """

    def __init__(
        self, cohort: Cohort, settings: PageSettings, *, augment: bool = True, **loader: Any
    ) -> None:
        super().__init__(cohort, **loader)
        self.settings = settings
        self.augment = augment

    @property
    def layouts(self) -> Sequence[str]:
        return self.settings.layouts

    @property
    def artefacts(self) -> Sequence[str]:
        return self.settings.artefacts

    def dataset(self, split: str) -> PairedDataset:
        return PairedDataset(
            self.cohort, self.cohort.positions(split), self.settings,
            train=split == "train", seed=self.seed,
            signal_augment=SignalAugment() if self.augment else None,
            image_augment=ImageAugment() if self.augment else None,
        )  # fmt: skip
