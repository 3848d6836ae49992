"""All artefacts by name, in the order in which they affect a page."""

from __future__ import annotations

from ecgvision.render.artefacts import borrowed, office, phone, scanner, screen, wear, writing
from ecgvision.render.artefacts.parts import Artefact

ARTEFACTS: dict[str, Artefact] = {
    # on the paper
    "handwriting": Artefact("notes of a pen", "sheet", writing.handwriting),
    "stamp": Artefact("a rubber stamp", "sheet", writing.stamp),
    "staple": Artefact("a staple in a corner", "sheet", wear.staple),
    "punch_hole": Artefact("holes for a binder", "sheet", wear.punch_hole),
    "stain": Artefact("coffee and other spills", "tint", wear.stain),
    "fold": Artefact("folded and laid flat", "shape", wear.fold),
    "crumple": Artefact("crushed and smoothed", "shape", wear.crumple),
    "curl": Artefact("a sheet that was rolled up", "shape", wear.curl),
    # position of the page, and the device
    "skew": Artefact("askew on the scanner", "shape", scanner.skew),
    "table": Artefact("lying on a table", "shape", phone.table),
    "perspective": Artefact("a phone held aslant", "shape", phone.perspective),
    "lens": Artefact("barrel or pincushion", "shape", phone.lens),
    "screenshot": Artefact("in the window of a viewer", "shape", screen.screenshot),
    "crop": Artefact("margins cut off", "shape", screen.crop, size_changes=True),
    "cut": Artefact("a side of the page lost", "shape", screen.cut, size_changes=True),
    # light
    "shadow": Artefact("the shadow of a hand", "light", phone.shadow),
    "uneven_light": Artefact("a lamp at one side", "light", phone.uneven_light),
    "moire": Artefact("fringes of two rasters", "light", phone.moire),
    # the image itself
    "blur": Artefact("out of focus", "picture", phone.blur),
    "motion": Artefact("a hand that shook", "picture", borrowed.motion),
    "copy": Artefact("grey and hard", "picture", office.copy),
    "toner": Artefact("specks and faded bands", "picture", office.toner),
    "black_edges": Artefact("a copier's open lid", "picture", office.black_edges),
    "streaks": Artefact("lines along the feed", "picture", scanner.streaks),
    "dust": Artefact("specks and hairs on the glass", "picture", scanner.dust),
    "tone": Artefact("faded or hard", "picture", scanner.tone),
    "white_balance": Artefact("a warm lamp or the open sky", "picture", borrowed.white_balance),
    "noise": Artefact("a sensor in poor light", "picture", phone.noise),
    "fax_text": Artefact("sent as text", "picture", office.fax_text),
    "fax_photo": Artefact("sent as a photograph", "picture", office.fax_photo),
    "downscale": Artefact("stored too small", "picture", screen.downscale),
    "jpeg": Artefact("compressed", "picture", borrowed.jpeg),
}
"""All artefacts. Each takes a strength in [0, 1]; 0 leaves the image unchanged."""
