"""Contracts of every artefact and preset, and of what a cardiologist must still see."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgvision.core.errors import ConfigError
from ecgvision.core.layouts import get_layout
from ecgvision.core.page import Page
from ecgvision.render.artefacts import ARTEFACTS, PRESETS, apply
from ecgvision.render.artefacts.parts import Draw, coarse
from ecgvision.render.draw import draw
from experiments.bench.beats import beats

NAMES = [*PRESETS, *ARTEFACTS]
DPI = 60.0


@pytest.fixture(scope="module")
def page():
    return draw(beats(250, 3), 250.0, Page(get_layout("3x4+II"), dpi=DPI), mask=True)


def test_names_are_unique_and_presets_know_their_artefacts() -> None:
    assert set(PRESETS) >= {"clean", "scan", "fax", "photocopy", "photo", "crumpled", "hard"}
    assert not set(PRESETS) & set(ARTEFACTS)
    for preset in PRESETS.values():
        for uses in preset.passes:
            for use in uses:
                names = (use.names,) if isinstance(use.names, str) else use.names
                assert set(names) <= set(ARTEFACTS)
                assert 0 < use.chance <= 1
                assert 0 <= use.low <= use.high <= 1
    assert not any("flip" in name or "mirror" in name for name in ARTEFACTS)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_arguments_give_the_same_bytes(name, page) -> None:
    before = page.image.copy(), page.mask.copy()
    first = apply(name, page.image, seed=11, strength=0.8, mask=page.mask, dpi=DPI)
    apply("hard", page.image, seed=5, dpi=DPI)  # whatever ran in between
    state = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    second = apply(name, page.image, seed=11, strength=0.8, mask=page.mask, dpi=DPI)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)
    assert first.applied == second.applied
    assert np.array_equal(np.random.get_state()[1], state[0])  # noqa: NPY002
    assert random.getstate() == state[1]
    assert np.array_equal(page.image, before[0])
    assert np.array_equal(page.mask, before[1])
    assert first.image.dtype == np.uint8
    assert first.image.shape == (*first.warp.size, 3)
    assert first.mask.shape == first.warp.size
    assert pickle.loads(pickle.dumps(first.warp)).size == first.warp.size  # for worker processes
    if name in ARTEFACTS:
        assert first.applied == ((name, 0.8),)
        assert not np.array_equal(first.image, page.image)
        assert first.warp.size == page.image.shape[:2] or ARTEFACTS[name].size_changes


@pytest.mark.parametrize("name", NAMES)
def test_no_strength_no_change(name, page) -> None:
    picture = apply(name, page.image, seed=2, strength=0.0, mask=page.mask, dpi=DPI)
    assert np.array_equal(picture.image, page.image)
    assert np.array_equal(picture.mask, page.mask)
    assert not np.shares_memory(picture.image, page.image)
    assert not np.shares_memory(picture.mask, page.mask)
    assert picture.warp.still
    assert picture.applied == ()


@pytest.mark.parametrize("name", ARTEFACTS)
def test_more_strength_more_change(name, page) -> None:
    def change(strength: float) -> float:
        found = []
        for seed in range(4):
            out = apply(name, page.image, seed=seed, strength=strength, dpi=150)
            image = cv2.resize(out.image, page.image.shape[1::-1])
            found.append(np.abs(image.astype(float) - page.image).mean())
        return float(np.mean(found))

    weak, strong = change(0.15), change(1.0)
    assert 0 < weak < strong


def test_an_artefact_draws_the_same_whatever_the_strength(page) -> None:
    names = [
        [n for n, _ in apply("hard", page.image, seed=8, strength=s, dpi=DPI).applied]
        for s in (0.2, 1.0)
    ]
    assert names[0] == names[1]
    full = dict(apply("photo", page.image, seed=8, dpi=DPI).applied)
    half = dict(apply("photo", page.image, seed=8, strength=0.5, dpi=DPI).applied)
    assert half == pytest.approx({name: own / 2 for name, own in full.items()})


def test_seeds_differ_and_presets_draw_by_their_chances(page) -> None:
    small = cv2.resize(page.image, (64, 48))
    counts: dict[str, int] = {}
    pictures = set()
    for seed in range(200):
        picture = apply("scan", small, seed=seed, dpi=6)
        pictures.add(picture.image.tobytes())
        for name, _ in picture.applied:
            counts[name] = counts.get(name, 0) + 1
    assert len(pictures) > 180
    for use in PRESETS["scan"].passes[0]:
        # four standard deviations of a binomial
        slack = 4 * np.sqrt(200 * use.chance * (1 - use.chance)) + 1e-9
        assert abs(counts.get(use.names, 0) - 200 * use.chance) <= slack
    assert apply("clean", small, seed=1).applied == ()


def contrast(image, mask, least: float) -> np.ndarray:
    """By how much the pixels of a trace are darker than the paper next to them, as a share."""
    grey = image.mean(axis=2)
    trace = mask > least
    paper = (cv2.dilate(mask, np.ones((9, 9), np.uint8)) > 0) & (mask == 0)
    level = cv2.boxFilter(np.where(paper, grey, 0.0), -1, (15, 15))
    level /= np.maximum(cv2.boxFilter(paper.astype(float), -1, (15, 15)), 1e-6)
    return 1 - grey[trace] / np.maximum(level[trace], 1)


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "clean"])
@pytest.mark.parametrize("dpi", [23.0, 60.0, 93.0])
def test_the_trace_stays_darker_than_the_paper_around_it(name, dpi) -> None:
    """Also at the network's sizes, where a trace is a faint grey."""
    page = draw(beats(250, 3), 250.0, Page(get_layout("3x4+II"), dpi=dpi), mask=True)
    least = float(np.quantile(page.mask[page.mask > 0], 0.7))
    before = float(np.median(contrast(page.image, page.mask, least)))
    for seed in range(6):
        picture = apply(name, page.image, seed=seed, mask=page.mask, dpi=dpi)
        after = contrast(picture.image, picture.mask, least)
        assert len(after) > 60
        assert np.median(after) > 0.45 * before
        assert np.mean(after > 0.05) > 0.8


def test_a_crop_cuts_margins_only(page) -> None:
    height, width = page.image.shape[:2]
    for seed in range(20):
        picture = apply("crop", page.image, seed=seed, mask=page.mask, dpi=DPI)
        h, w = picture.image.shape[:2]
        assert 0.87 * height <= h <= height
        assert 0.87 * width <= w <= width
        left, top = np.round(picture.warp.back(np.zeros(2))).astype(int)
        assert np.array_equal(picture.image, page.image[top : top + h, left : left + w])


def test_a_cut_loses_one_side(page) -> None:
    height, width = page.image.shape[:2]
    sides = set()
    for seed in range(30):
        picture = apply("cut", page.image, seed=seed, mask=page.mask, dpi=DPI)
        h, w = picture.image.shape[:2]
        assert (h == height) != (w == width)
        assert 0.39 < h * w / (height * width) < 0.81
        left, top = np.round(picture.warp.back(np.zeros(2))).astype(int)
        assert np.array_equal(picture.image, page.image[top : top + h, left : left + w])
        assert np.array_equal(picture.mask, page.mask[top : top + h, left : left + w])
        sides.add((int(left > 0), int(top > 0), int(left + w < width), int(top + h < height)))
    assert len(sides) == 4


def test_fax_is_black_and_white_at_its_own_resolution() -> None:
    image = draw(beats(250, 3), 250.0, Page(get_layout("3x4+II"), dpi=204)).image
    picture = apply("fax_text", image, seed=1, dpi=204.0, strength=0.3)  # fine mode
    assert np.ptp(picture.image, axis=2).max() == 0
    values = picture.image[..., 0]
    assert np.mean((values < 30) | (values > 225)) > 0.9


@pytest.mark.parametrize("name", ["jpeg", "motion", "white_balance", "blur", "noise", "tone"])
def test_faults_of_the_picture_keep_flat_paper_about_as_it_is(name) -> None:
    image = np.full((90, 120, 3), 180, np.uint8)
    out = apply(name, image, seed=4, strength=0.3, dpi=DPI).image.astype(float)
    assert abs(out.mean() - 180) < 30


@given(
    name=st.sampled_from(NAMES),
    seed=st.integers(0, 2**63),
    strength=st.floats(0, 1),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    dpi=st.floats(4, 400),
)
def test_any_size_and_resolution(name, seed, strength, size, dpi) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    mask = np.full(size, 255, np.uint8)
    picture = apply(name, image, seed=seed, strength=strength, mask=mask, dpi=dpi)
    assert picture.image.shape[:2] == picture.mask.shape == picture.warp.size


def test_pictures_that_are_views_or_locked(page) -> None:
    view = page.image[::2, 10:-10]
    view.setflags(write=False)
    for name in NAMES:
        out = apply(name, view, seed=3, strength=0.5, dpi=DPI / 2).image
        again = apply(name, np.ascontiguousarray(view), seed=3, strength=0.5, dpi=DPI / 2).image
        assert np.array_equal(out, again), name


def test_what_cannot_be_is_refused(page) -> None:
    image = page.image
    for wrong, words in (
        ({"preset": "fog", "seed": 1}, "crumpled, hard; artefacts: handwriting"),
        ({"preset": "scan", "seed": -1}, "seed"),
        ({"preset": "scan", "seed": 1.5}, "seed"),
        ({"preset": "scan", "seed": 1, "strength": 1.01}, "0, 1"),
        ({"preset": "scan", "seed": 1, "strength": -0.1}, "0, 1"),
        ({"preset": "scan", "seed": 1, "strength": float("nan")}, "0, 1"),
        ({"preset": "scan", "seed": 1, "dpi": 0.0}, "dpi"),
        ({"preset": "scan", "seed": 1, "mask": page.mask[1:]}, "mask"),
    ):
        with pytest.raises(ConfigError, match=words):
            apply(image=image, **wrong)
    for bad in (image[..., 0], image.astype(float), np.zeros((0, 5, 3), np.uint8), image[..., :2]):
        with pytest.raises(ConfigError, match="H, W, 3"):
            apply("scan", bad, seed=1)


def test_fields_of_light_leave_neutral_light_alone() -> None:
    """A tint or light of next to no strength is a gain of next to one."""
    for name, artefact in ARTEFACTS.items():
        if artefact.stage in ("tint", "light"):
            drawn = Draw(np.random.default_rng(0), 1e-6, 100.0)
            gains = artefact.make((121, 163), drawn)
            assert gains.shape == (*coarse((121, 163)), 3), name
            np.testing.assert_allclose(gains, 1, atol=1e-4)


def test_albumentations_waits_until_it_is_needed() -> None:
    code = (
        "import sys, numpy as np\n"
        "from ecgvision.render.artefacts import apply\n"
        "apply('perspective', np.zeros((20, 30, 3), np.uint8), seed=1)\n"
        "heavy = {'albumentations', 'torch', 'numba', 'matplotlib', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
