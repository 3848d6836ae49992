"""`ecgvision rectify`: the paper of a picture, flat and upright. Base install only."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from ecgvision.core.errors import ImageError
from ecgvision.core.outputs import OutputPlan
from ecgvision.deploy.flat_bundle import FlatReaderBundle
from ecgvision.deploy.ingest import read_page
from ecgvision.reader.flat_reader import look

PX_PER_MM = 8.0
SUFFIXES = (".png", ".jpg", ".jpeg")


def run(
    bundle: FlatReaderBundle, file: str, out: str, *, px_per_mm: float = PX_PER_MM,
    as_json: bool = False,
) -> int:  # fmt: skip
    """Write the flat paper of a picture and print what was found; return the exit code.

    Args:
        bundle: the reader, by whose names of leads the page is turned upright.
        px_per_mm: resolution of the result.

    Raises:
        ImageError: if no grid can be seen, or the picture cannot be read.
        OutputError: if the result cannot be written.
    """
    if Path(out).suffix.lower() not in SUFFIXES:
        raise ImageError("a flat page is a .png or .jpg", file=out)
    plan = OutputPlan([file], make_folders=True)
    plan.add("--out", out)
    picture = read_page(file)
    view = look(picture, bundle.see, 25.0)
    if not view.grid:
        raise ImageError("no grid of the paper can be seen, so it cannot be made flat", file=file,
                         remedy="digitize reads such pictures as they are")  # fmt: skip
    flat = view.mesh.flatten(picture, px_per_mm)
    done, data = cv2.imencode(Path(out).suffix, np.ascontiguousarray(flat[:, :, ::-1]))
    if not done:
        raise ImageError("the flat page cannot be encoded", file=out)
    plan.write({Path(out): data.tobytes()})
    about = {
        "file": file, "written": out, "px_per_mm": px_per_mm,
        "size_mm": [round(mm, 1) for mm in view.mesh.size_mm],
        "picture_px_per_mm": round(view.mesh.px_per_mm, 2), "turned": view.quarters,
    }  # fmt: skip
    if as_json:
        print(json.dumps(about, indent=2))
    else:
        height, width = view.mesh.size_mm
        print(f"{file}  {width:.0f} x {height:.0f} mm of paper, seen at "
              f"{view.mesh.px_per_mm:.1f} pixels a millimetre, turned by "
              f"{90 * view.quarters} degrees\nwritten: {out}")  # fmt: skip
    return 0
