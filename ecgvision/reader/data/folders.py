"""Evaluation pages of a reader from folders of images that were drawn beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgvision.core.errors import ConfigError
from ecgvision.core.evenly_spaced import evenly_spaced
from ecgvision.data.cohort import Cohort
from ecgvision.data.pages import PageSettings
from ecgvision.data.paired import PairedDataModule


class FolderPages(PairedDataModule):
    """Every record of a split, in every layout of its folder; labels are ignored.

    Args:
        folders: of `data_prep.render_images`, one for each store of the cohort.
        pages: maximum number of pages of a split, of records spaced evenly over it; None takes all.
        Others: see `PairedDataModule`.

    Raises:
        ConfigError: if `pages` is less than the number of pages per record.
    """

    needs_labels = False

    def __init__(
        self, cohort: Cohort, settings: PageSettings, *, folders: Sequence[str],
        pages: int | None = None, **loader: Any,
    ) -> None:  # fmt: skip
        super().__init__(cohort, settings, folders=folders, augment=False, **loader)
        views = len(settings.views)
        if pages is not None and pages < views:
            raise ConfigError("fewer pages than a record has layouts and artefacts", value=pages,
                              remedy=f"Take at least {views}")  # fmt: skip
        self.records = None if pages is None else pages // views

    def positions(self, split: str) -> NDArray[np.int64]:
        chosen = super().positions(split)
        return chosen if self.records is None else chosen[evenly_spaced(self.records, len(chosen))]
