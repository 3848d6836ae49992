"""Handwriting and stamps, in Amatic SC (SIL Open Font License 1.1, package `font-amatic-sc`).

The texts carry no diagnostic information: a network must not learn labels from them.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from ecgvision.render.artefacts.parts import Draw, Image, clouds, lay

NOTES = (
    "Dr. Weber", "ward 3, bed 12", "10:45", "supine", "for the file", "copy", "seen", "M. Rossi",
    "see back", "room 214", "12.03.", "repeat in the morning", "no. 2 of 3", "ok", "K. Lindqvist",
    "before breakfast", "pt. restless", "file", "clinic B", "07:20 h",
)  # fmt: skip
WORDS = ("COPY", "RECEIVED", "ARCHIVE", "SCANNED", "DUPLICATE", "FILE COPY", "CARDIOLOGY DEPT")
PENS = ((20, 40, 140), (15, 15, 25), (150, 20, 30), (40, 70, 180))
HEIGHTS_MM = (
    9.0,
    11.0,
    13.0,
    16.0,
)  # line heights; all lengths in this module are our defaults, chosen by eye
PADS = ((150, 20, 40), (30, 50, 150), (70, 40, 120), (20, 90, 60))


@cache
def _font_file(bold: bool) -> str:
    name = "AmaticSC-Bold.ttf" if bold else "AmaticSC-Regular.ttf"
    return str(files("font_amatic_sc") / "files" / name)


@lru_cache(maxsize=1024)
def written(text: str, pixels: int, bold: bool) -> NDArray[np.uint8]:
    """Return the (h, w) coverage of one line of text, `pixels` high from line to line."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    font = ImageFont.truetype(_font_file(bold), pixels, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = (round(v) for v in font.getbbox(text))
    canvas = Pillow.new("L", (max(1, right - left + 2), max(1, bottom - top + 2)))
    ImageDraw.Draw(canvas).text((1 - left, 1 - top), text, font=font, fill=255)
    found = np.asarray(canvas)
    found.setflags(write=False)
    return found


def turned(cover: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Rotate a coverage map about its centre, on a canvas that holds it."""
    h, w = cover.shape
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1.0)
    wide = int(np.ceil(h * abs(matrix[0, 1]) + w * abs(matrix[0, 0]))) + 2
    high = int(np.ceil(h * abs(matrix[0, 0]) + w * abs(matrix[0, 1]))) + 2
    matrix[:, 2] += (wide - w) / 2, (high - h) / 2
    return np.asarray(cv2.warpAffine(cover, matrix, (wide, high)), np.uint8)


def handwriting(image: Image, draw: Draw) -> None:
    """Draw one to four pen notes, some underlined or circled."""
    height, width = image.shape[:2]
    pen = PENS[int(draw.rng.integers(len(PENS)))]
    for _ in range(1 + round(3 * draw.strength * draw.rng.random())):
        text = NOTES[int(draw.rng.integers(len(NOTES)))]
        high = HEIGHTS_MM[int(draw.rng.integers(len(HEIGHTS_MM)))]  # few heights: text is cached
        pixels = max(4, round(draw.mm(high)))
        cover = written(text, pixels, bool(draw.rng.random() < 0.6))
        cover = _flourish(cover, draw)
        cover = turned(cover, draw.between(-8, 8))
        cover = np.asarray(cv2.convertScaleAbs(cover, alpha=_press(draw)), np.uint8)
        lay(image, cover, *_place((height, width), cover.shape, draw), pen)


def _press(draw: Draw) -> float:
    """Return how dark the ink is, in (0, 1]."""
    return min(1.0, 0.35 + draw.strength) * min(1.0, 4 * draw.strength)


def _place(size: tuple[int, int], part: tuple[int, ...], draw: Draw) -> tuple[int, int]:
    """Return the top left of a part; two of three in the upper or lower margin, as most notes."""
    height, width = size
    x = draw.rng.random() * max(0, width - part[1])
    where = draw.rng.random()
    band = 0.12 * where / 0.4 if where < 0.4 else 0.9 + (where - 0.4) if where < 0.65 else None
    y = (draw.rng.random() if band is None else band) * max(0, height - part[0])
    return min(round(y), max(0, height - part[0])), round(x)


def _flourish(cover: NDArray[np.uint8], draw: Draw) -> NDArray[np.uint8]:
    """Underline or circle a note, or leave it unchanged."""
    h, w = cover.shape
    room = max(3, round(0.3 * h), round(0.15 * w))
    canvas = np.zeros((h + 2 * room, w + 2 * room), np.uint8)
    canvas[room : room + h, room : room + w] = cover
    thick = max(1, round(draw.mm(0.5)))
    kind = draw.rng.random()
    if kind < 0.3:
        t = np.linspace(0, 1, 24)
        y = room + 1.15 * h + (draw.rng.normal(0, 0.03) + 0.04 * np.sin(5 * t)) * h
        line = np.stack([room / 2 + t * (w + room), y], axis=-1)
    elif kind < 0.5:
        t = np.linspace(0, 2 * np.pi * 1.06, 48)
        grow = 1 + 0.03 * t
        x = room + w / 2 + (w / 2 + 0.9 * room) * np.cos(t) / grow
        y = room + h / 2 + (h / 2 + 0.9 * room) * np.sin(t) / grow
        line = np.stack([x, y], axis=-1)
    else:
        return canvas
    cv2.polylines(canvas, [np.round(line * 8).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 3)
    return canvas


def stamp(image: Image, draw: Draw) -> None:
    """Draw a rubber stamp, framed or round, with uneven ink."""
    height, width = image.shape[:2]
    word = WORDS[int(draw.rng.integers(len(WORDS)))]
    number, year, month, day = (
        int(v) for v in draw.rng.integers((100, 1995, 1, 1), (10_000, 2026, 13, 29))
    )
    first = written(word, max(5, round(draw.mm(11.0))), True)
    second = written(f"{day:02d}.{month:02d}.{year} / {number}", max(4, round(draw.mm(7.0))), True)
    cover = _round(first, second, draw) if draw.rng.random() < 0.4 else _framed(first, second, draw)
    pad = 0.75 + 0.35 * clouds(draw.rng, cover.shape, (6, 9))
    pad -= 0.25 * (draw.rng.random(cover.shape, dtype=np.float32) < 0.15)
    share = np.clip(pad, 0.05, 1) * np.float32(min(1.0, 1.5 * draw.strength))
    cover = (cover * share).astype(np.uint8)
    cover = turned(cover, draw.between(-25, 25))
    lay(
        image,
        cover,
        round(draw.rng.random() * max(0, height - cover.shape[0])),
        round(draw.rng.random() * max(0, width - cover.shape[1])),
        PADS[int(draw.rng.integers(len(PADS)))],
    )


def _framed(first: NDArray[np.uint8], second: NDArray[np.uint8], draw: Draw) -> NDArray[np.uint8]:
    room, thick = max(2, round(draw.mm(2.5))), max(1, round(draw.mm(0.8)))
    cover = _stack(first, second, room)
    h, w = cover.shape
    cv2.rectangle(cover, (thick, thick), (w - 1 - thick, h - 1 - thick), 255, thick, cv2.LINE_AA)
    return cover


def _round(first: NDArray[np.uint8], second: NDArray[np.uint8], draw: Draw) -> NDArray[np.uint8]:
    room, thick = max(2, round(draw.mm(2.5))), max(1, round(draw.mm(0.8)))
    text = _stack(first, second, room)
    side = max(text.shape) + 2 * room
    cover = np.zeros((side, side), np.uint8)
    top, left = (side - text.shape[0]) // 2, (side - text.shape[1]) // 2
    cover[top : top + text.shape[0], left : left + text.shape[1]] = text
    middle, radius = (side // 2, side // 2), side // 2 - 1 - thick
    for r in (radius, radius - 2 * thick):
        if r > 0:
            cv2.circle(cover, middle, r, 255, thick, cv2.LINE_AA)
    return cover


def _stack(first: NDArray[np.uint8], second: NDArray[np.uint8], room: int) -> NDArray[np.uint8]:
    wide = max(first.shape[1], second.shape[1]) + 2 * room
    cover = np.zeros((first.shape[0] + second.shape[0] + 3 * room, wide), np.uint8)
    top = room
    for line in (first, second):
        left = (wide - line.shape[1]) // 2
        cover[top : top + line.shape[0], left : left + line.shape[1]] = line
        top += line.shape[0] + room
    return cover
