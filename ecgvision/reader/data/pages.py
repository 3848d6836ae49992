"""Training pages for readers: any signal on any page, with the visible samples as targets.

No labels are needed, so the number of pages is unlimited: each epoch draws every record anew, with
more variation than a diagnosis would tolerate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ecgvision.core.errors import DataError
from ecgvision.core.evenly_spaced import evenly_spaced
from ecgvision.core.layouts import pick_layout
from ecgvision.core.page import Page
from ecgvision.data.network_input import to_network
from ecgvision.data.pages import PageSettings
from ecgvision.data.resample import fit_length, resample
from ecgvision.reader.data.marks import page_marks
from ecgvision.reader.data.page_variation import PageVariation
from ecgvision.reader.data.places import network_fractions, sample_places
from ecgvision.reader.data.signal_variation import SignalVariation
from ecgvision.reader.data.trace_mask import trace_mask
from ecgvision.reader.data.unreadable import spoil
from ecgvision.render import artefacts
from ecgvision.render.artefacts import Warp
from ecgvision.render.draw import draw
from ecgvision.render.papers.named import Style, paper_name, paper_of
from ecgvision.store.packed import Store


class ReadingDataset(Dataset[dict[str, Any]]):
    """Pages of the records of some stores, in the layouts of a mix.

    In training, a page is a pure function of (seed, epoch, record): window, signal variation,
    layout, paper, resolution and artefact are drawn at random. In evaluation, a record has one
    page, of its first seconds without variation. Its layout and artefact follow from its position
    in the dataset, the same in every run.

    Args:
        stores: in order; labels are ignored.
        settings: which pages; `style="mixed"` draws another paper for each.
        rows: of the records over all stores, as in `Cohort.index`; None takes all.
        train: see above.
        seed: of training.
        limit: maximum number of records, spaced evenly; None takes all.
        variation: of signals in training; None shows records as they are.
        beyond: variation of pages in training beyond the mix; None for none.

    Item:
        image: uint8 (3, H, W).
        signal: float32 (12, T) mV at `settings.signal_rate`, 0 where not printed.
        printed: bool (12, T), the samples on the page, at their true time.
        place: float32 (12, T, 2), each sample's 0 mV point, x and y as fractions of the image, NaN
            where not printed.
        voltage_scale: float32 (12, T, 2), the displacement from 1 mV to 0 mV, NaN where not
            printed; its y is below 0 where a lead is printed inverted.
        trace: uint8 (1, H, W); see `trace_mask`.
        below: float16 (1, H / 2, W / 2); see `trace_mask`.
        index: the record's row over all stores.
        layout: index into `settings.layouts`.
        artefact: index into `settings.artefacts`.
        paper: its name.
        gain, speed: mm/mV and mm/s.
        mark: int64 (MOST,), classes of the printed marks; see `page_marks`.
        mark_place: float32 (MOST, 2), their positions as fractions of the image.

    Raises:
        DataError: if no record is left.
    """

    def __init__(
        self, stores: Sequence[Store], settings: PageSettings, *,
        rows: NDArray[np.int64] | None = None, train: bool = True, seed: int = 0,
        limit: int | None = None, variation: SignalVariation | None = SignalVariation(),  # noqa: B008
        beyond: PageVariation | None = None,
    ) -> None:  # fmt: skip
        self.stores, self.settings = list(stores), settings
        self.train, self.seed = train, seed
        self.variation = variation if train else None
        self.beyond = beyond if train else None
        starts = np.cumsum([0, *(len(store) for store in self.stores)])
        index = np.arange(starts[-1]) if rows is None else np.asarray(rows, np.int64)
        if limit is not None and len(index) > limit > 0:
            index = index[evenly_spaced(limit, len(index))]
        if len(index) == 0 or (limit is not None and limit < 1):
            raise DataError("no record to draw pages of", value={"limit": limit},
                            remedy="Name stores that hold records")  # fmt: skip
        number = np.searchsorted(starts, index, side="right") - 1
        found = np.stack([number, index - starts[number], index], axis=1)
        self.places: NDArray[np.int64] = found

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        """Return the page of (epoch, item); the epoch matters in training only."""
        epoch, item = key
        number, row, index = (int(v) for v in self.places[item])
        views = self.settings.views
        if self.train:
            rng = np.random.default_rng([self.seed, epoch, index, 2])  # PairedDataset uses 1
            layout, artefact = views[int(rng.integers(len(views)))]
            dpi = float(rng.choice(self.settings.train_dpi))
        else:
            rng = np.random.default_rng([index, 2])
            layout, artefact = views[item % len(views)]
            dpi = self.settings.dpi
        window, rate = self._window(self.stores[number], row, rng)
        page, paper, style = self._page(self.settings.layouts[layout], dpi, rng)
        drawing, artefact_seed = (int(v) for v in rng.integers(2**31, size=2))
        image = draw(window, rate, page, style, seed=drawing, points=False).image
        kind = self.settings.artefacts[artefact]
        worn = artefacts.apply(kind, image, seed=artefact_seed, dpi=page.dpi)
        image, warp = worn.image, worn.warp
        if self.beyond is not None and self.beyond.cuts(rng):
            part = artefacts.apply("cut", image, seed=artefact_seed, dpi=page.dpi)
            image, warp = part.image, warp.then(part.warp)
        if self.beyond is not None and self.beyond.spoils(rng):
            image = spoil(image, rng)
            window = np.full_like(window, np.nan)
            style = replace(style, lead_names=False, pulse=False)
        spots, mark = page_marks(page, style, warp)
        return {
            **self._truth(window, rate, page, warp),
            "mark": torch.from_numpy(mark),
            "mark_place": torch.from_numpy(
                network_fractions(spots, warp.size, self.settings.image_size)
            ),
            "image": torch.from_numpy(to_network(image, self.settings.image_size)).permute(2, 0, 1),
            "index": index, "layout": layout, "artefact": artefact, "paper": paper,
            "gain": torch.tensor(page.gain), "speed": torch.tensor(page.speed),
        }  # fmt: skip

    def _page(self, layout: str, dpi: float, rng: np.random.Generator) -> tuple[Page, str, Style]:
        pick = pick_layout if self.beyond is None else self.beyond.layout
        name = pick(layout, rng)
        paper = paper_of(self.settings.style, name, rng)
        make = partial(self.settings.page, paper, name, dpi)
        page = make() if self.beyond is None else self.beyond.page(make, rng)
        return page, paper_name(paper), paper.style

    def _window(
        self, store: Store, row: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], float]:
        length = round(self.settings.seconds * store.rate)
        if self.variation is not None:
            read, whole = partial(store.read, row), store.length(row)
            return self.variation.of(read, whole, length, rng), store.rate
        spare = store.length(row) - length
        start = int(rng.integers(spare + 1)) if self.train and spare > 0 else 0
        return fit_length(store.read(row, start, length), length), store.rate

    def _truth(
        self, window: NDArray[np.float32], own: float, page: Page, warp: Warp,
    ) -> dict[str, torch.Tensor]:  # fmt: skip
        rate, length = self.settings.signal_rate, self.settings.signal_length
        signal = fit_length(resample(window, own, rate), length)
        places, above = sample_places(page, length, rate, warp)
        printed = np.isfinite(places).all(-1) & ~np.isnan(signal)
        places[~printed] = np.nan
        place = network_fractions(places, warp.size, self.settings.image_size)
        voltage_scale = place - network_fractions(above, warp.size, self.settings.image_size)
        trace, below = trace_mask(page, window, own, warp, self.settings.image_size)
        return {
            "signal": torch.from_numpy(np.where(printed, signal, np.float32(0))),
            "printed": torch.from_numpy(printed),
            "place": torch.from_numpy(place),
            "voltage_scale": torch.from_numpy(voltage_scale),
            "trace": torch.from_numpy(trace)[None],
            "below": torch.from_numpy(below)[None],
        }
