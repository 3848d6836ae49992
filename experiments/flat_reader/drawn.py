"""Drawn pages as pictures, read through rectification as a real one is, with their truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ecgvision.core.ecg import LEADS
from ecgvision.core.layouts import get_layout
from ecgvision.data.resample import fit_length, resample
from ecgvision.reader.confidence import RIGHT_MV, found_samples
from ecgvision.reader.flat_reader import RATE, SECONDS, Tracer, Viewer, read_picture
from ecgvision.reader.judge.snr import align, lead_snr
from ecgvision.render import artefacts
from ecgvision.render.draw import draw
from ecgvision.render.papers.named import random_paper
from ecgvision.store.packed import Store

LAYOUTS = ("3x4", "3x4+II", "3x4+II+V1", "6x2", "6x2+II", "12x1")
ARTEFACTS = ("clean", "scan", "photo")
DPI = (100.0, 150.0, 200.0)


def read_drawn(
    store: Store, rows: Sequence[int], viewer: Viewer, tracer: Tracer, *, seed: int = 0,
    layouts: Sequence[str] = LAYOUTS, kinds: Sequence[str] = ARTEFACTS,
) -> pd.DataFrame:  # fmt: skip
    """Read one drawn page of every record.

    Layouts and artefacts take turns; papers and resolutions are random.

    Returns:
        A row for each page and lead that is printed or was found: `record_id`, `layout`,
        `artefact`, `lead`, `printed`, `snr_db`, `raw_confidence`, `right` (share of the samples
        found that are within `RIGHT_MV`, after alignment; NaN if not found), `found_layout`,
        `seconds`.
    """
    out: list[dict[str, Any]] = []
    for number, row in enumerate(tqdm(rows, desc="pages", disable=None)):
        rng = np.random.default_rng([seed, int(row)])
        layout = layouts[number % len(layouts)]
        kind = kinds[number // len(layouts) % len(kinds)]
        length = round(SECONDS * store.rate)
        signal = fit_length(store.read(int(row), 0, length), length)
        paper = random_paper(rng, layout)
        page = paper.page(get_layout(layout), dpi=float(rng.choice(DPI)), speed=25.0, gain=10.0)
        drawn = draw(signal, store.rate, page, paper.style, seed=int(rng.integers(2**31)))
        picture = artefacts.apply(kind, drawn.image, seed=int(rng.integers(2**31)), dpi=page.dpi)
        began = time.perf_counter()
        reading = read_picture(picture.image, viewer, tracer)
        seconds = time.perf_counter() - began
        samples = round(SECONDS * RATE)
        shown = page.observed(samples, RATE)
        whole = fit_length(resample(signal, store.rate, RATE), samples).astype(np.float64)
        truth = np.where(shown, whole, np.nan)
        found = found_samples(np.isfinite(reading.signal), RATE)
        read = np.where(found, reading.signal, np.nan).astype(np.float64)
        moved = align(truth[None], read[None], RATE).moved.astype(np.float64)
        snr, raw = lead_snr(truth[None], moved)[0], reading.raw_confidence()
        arrangement = reading.view.arrangement
        for lead, name in enumerate(LEADS):
            printed = bool(np.isfinite(truth[lead]).any())
            if not printed and not found[lead].any():
                continue
            right = np.abs(moved[0, lead] - truth[lead]) < RIGHT_MV
            count = max(1, int(np.isfinite(moved[0, lead]).sum()))
            out.append({
                "record_id": str(store.records["record_id"].iloc[int(row)]), "layout": layout,
                "artefact": kind, "lead": name, "printed": printed, "snr_db": float(snr[lead]),
                "raw_confidence": float(raw[lead]) if found[lead].any() else 0.0,
                "right": float(right.sum()) / count if found[lead].any() else np.nan,
                "found_layout": None if arrangement is None else arrangement.name,
                "seconds": seconds,
            })  # fmt: skip
    return pd.DataFrame(out)


def figures(table: pd.DataFrame) -> dict[str, Any]:
    """Return, of all pages and by artefact and layout: pages, mean SNR and layouts found."""

    def of(part: pd.DataFrame) -> dict[str, Any]:
        first = part.drop_duplicates(["record_id", "layout", "artefact"])
        printed = part[part["printed"]]
        return {
            "pages": len(first),
            "snr_db": float(printed["snr_db"].mean()),
            "snr_db_median": float(printed["snr_db"].median()),
            "layout_found": float((first["found_layout"] == first["layout"]).mean()),
            "seconds": float(first["seconds"].median()),
        }  # fmt: skip

    return {"all": of(table)} | {
        column: {str(name): of(part) for name, part in table.groupby(column, sort=False)}
        for column in ("artefact", "layout")
    }
