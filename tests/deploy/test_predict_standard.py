"""Students that see standard pages, behind a reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ecgvision.cli import main
from ecgvision.core.ecg import LEADS, Ecg
from ecgvision.core.errors import ConfigError, ImageError
from ecgvision.core.page import Page
from ecgvision.data.standard_page import PrintedLead, printed_leads, standard_page
from ecgvision.deploy.bundle import Bundle
from ecgvision.deploy.digitize import Digitised, digitize
from ecgvision.deploy.info import describe
from ecgvision.deploy.open_bundle import open_reader
from ecgvision.deploy.predict import predict_file
from ecgvision.deploy.predict_signal import predict_digitised, reader_for
from ecgvision.render.draw import draw
from ecgvision.render.papers.named import get_paper
from ecgvision.shipped import PAGE_READER


def waves() -> NDArray[np.float32]:
    t = np.arange(5000) / 500
    beat = np.exp(-(((t % 0.8) - 0.4) ** 2) / 0.0004) + 0.2 * np.exp(
        -(((t % 0.8) - 0.65) ** 2) / 0.004
    )
    return (np.linspace(-0.8, 1.0, 12)[:, None] * beat).astype(np.float32)


@pytest.fixture(scope="module")
def drawn() -> tuple[NDArray[np.uint8], Page]:
    paper = get_paper("kit")
    page = paper.page("6x2", dpi=150)
    return draw(waves(), 500.0, page, paper.style, seed=0, points=False).image, page


@pytest.fixture
def bundle(by_hand, tmp_path: Path) -> Bundle:
    return Bundle.open(by_hand.write(tmp_path / "standard", standard=True), threads=1)


def read_of(leads: list[PrintedLead], confidence: tuple[float, ...]) -> Digitised:
    found = np.zeros((12, 5000), bool)
    found[:, :2500] = True
    return Digitised(Ecg(waves(), 500.0, "page"), confidence, 0.9, (0.01,) * 12, 1.0, 1.0, found,
                     np.zeros((12, 5000, 2)), leads=tuple(leads))  # fmt: skip


def test_the_answer_is_that_to_the_standard_page(bundle, by_hand, drawn) -> None:
    image, page = drawn
    leads = printed_leads(page)
    (_, probabilities, _), seen = predict_digitised(bundle, read_of(leads, (0.9,) * 12), image, "p")
    shown = standard_page(image, leads, by_hand.size)
    wanted = by_hand.expected(shown.transpose(2, 0, 1)[None])[1][0]
    np.testing.assert_allclose(probabilities, wanted, atol=1e-5)
    assert seen.seconds == (5.0,) * 12
    assert bundle.needs_reader


def test_leads_without_confidence_are_not_shown(bundle, by_hand, drawn) -> None:
    image, page = drawn
    read = read_of(printed_leads(page), (0.9,) * 8 + (0.1,) * 4)
    (_, probabilities, _), seen = predict_digitised(bundle, read, image, "p")
    leads = [lead for lead in printed_leads(page) if LEADS.index(lead.lead) < 8]
    shown = standard_page(image, leads, by_hand.size)
    wanted = by_hand.expected(shown.transpose(2, 0, 1)[None])[1][0]
    np.testing.assert_allclose(probabilities, wanted, atol=1e-5)
    assert seen.seconds[8:] == (0.0,) * 4
    with pytest.raises(ImageError, match=r"page\.png.*asks for 6"):
        predict_digitised(bundle, read_of(leads, (0.9,) * 5 + (0.1,) * 7), image, "page.png")


def test_a_reader_is_needed_that_says_where_leads_are(bundle, drawn, tmp_path) -> None:
    image, _ = drawn
    with pytest.raises(ConfigError, match="says where leads are printed"):
        predict_digitised(bundle, read_of([], (0.9,) * 12), image, "p")
    Image.fromarray(image).save(tmp_path / "page.png")
    with pytest.raises(ConfigError, match="needs a page reader"):
        predict_file(bundle, tmp_path / "page.png")
    assert reader_for(bundle, [tmp_path / "page.png"]) is not None
    assert "standard page" in describe(bundle)


def test_the_packages_reader_makes_the_page_that_the_geometry_makes(drawn) -> None:
    """Places differ by less than a pixel of the network, 0.98 mm, so their ink correlates."""
    image, page = drawn
    read = digitize(open_reader(PAGE_READER, threads=1), image)
    assert len(read.leads) == 12
    found = {lead.lead: lead for lead in read.leads}
    for lead in printed_leads(page):
        middle = np.array([(lead.start + lead.stop) / 2])
        apart = np.abs(found[lead.lead].at(middle)[0] - lead.at(middle)[0])
        assert apart.max() < 0.98 * page.px_per_mm, lead.lead
    size = (192, 256)
    one, other = (255.0 - standard_page(image, leads, size).max(-1)
                  for leads in (printed_leads(page), read.leads))  # fmt: skip
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.65


def test_the_command_reads_first(bundle, drawn, tmp_path, capsys) -> None:
    image, _ = drawn
    Image.fromarray(image).save(tmp_path / "page.png")
    assert main(["predict", "--bundle", str(bundle.folder), str(tmp_path / "page.png")]) == 0
    assert "read: 12 leads" in capsys.readouterr().out
    Image.fromarray(np.full((300, 400, 3), 255, np.uint8)).save(tmp_path / "blank.png")
    assert main(["predict", "--bundle", str(bundle.folder), str(tmp_path / "blank.png")]) == 2
    assert "nothing can be read" in capsys.readouterr().err
