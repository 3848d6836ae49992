"""Pages that were drawn beforehand, for a reader to be judged on."""

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
    """Every record of a split in every layout that its folder holds; no label is looked at.

    Args:
        folders: of `data_prep.render_images`, one for each store of the cohort.
        pages: at most so many of a split, of records spread over it; None takes all.
        Others: see `PairedDataModule`.

    Raises:
        ConfigError: for fewer pages than a record has.
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
