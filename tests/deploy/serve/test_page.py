"""The web page in a real Chromium: files given, answers shown, refusals in words, by keyboard too.

Any Chromium or Chrome of the system is taken (`apt-get install chromium`), or the one that
`playwright install chromium` brings.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ecgvision.core.ecg import LEADS
from ecgvision.deploy.open_bundle import open_student
from ecgvision.deploy.serve import work
from ecgvision.deploy.serve.command import listen
from ecgvision.shipped import STUDENT
from tests.deploy.serve.conftest import blank, picture
from tests.deploy.test_occlusion import reading

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

MOST = 60_000
"""Milliseconds that a busy machine may take for what takes a tenth of a second."""
expect.set_options(timeout=MOST)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        found = next((path for name in NAMES if (path := shutil.which(name))), None)
        if found is None and not Path(play.chromium.executable_path).exists():
            pytest.skip(
                "no Chromium here: apt-get install chromium, or playwright install chromium"
            )
        opened = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def site(serve, browser: Browser) -> Iterator[SimpleNamespace]:
    """The server on a socket, and open(**options) of a page that fails on any error of its own."""
    with contextlib.ExitStack() as stack:
        problems: list[str] = []

        def start(**settings) -> str:
            listening = listen("127.0.0.1", 0)
            made = serve(**settings)
            server = uvicorn.Server(uvicorn.Config(made.app, lifespan="off", log_level="error"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(lambda: setattr(server, "should_exit", True))
            return f"http://127.0.0.1:{listening.getsockname()[1]}/"

        def open_page(address: str, **options) -> Page:
            context = browser.new_context(**options)
            stack.callback(context.close)
            context.set_default_timeout(MOST)
            page = context.new_page()
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on(
                "console",
                lambda m: problems.append(m.text) if "Content Security" in m.text else None,
            )
            page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:"))
                    else problems.append(r.url))  # fmt: skip
            page.goto(address)
            return page

        yield SimpleNamespace(start=start, open=open_page, problems=problems)
    assert problems == []


def give(page: Page, data: bytes, name: str = "scan.png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data})


def test_a_page_is_read_and_shown(site, tmp_path: Path) -> None:
    page = site.open(site.start())
    expect(page.locator("#about")).to_contain_text("Not a medical device")
    give(page, picture())
    expect(page.locator("#status")).to_have_text("1 of 1 page read")
    expect(page.locator("article")).to_contain_text(
        "1 of 12 leads found, with a confidence of 80 %"
    )
    assert page.locator(".sheet svg path").count() == 1
    assert page.evaluate("document.querySelector('.sheet img').naturalWidth") > 0
    page.get_by_label("Show what was read over the page").uncheck()
    expect(page.locator(".sheet svg")).to_be_hidden()
    assert page.get_by_label("Mark what speaks for").count() == 0  # of a student of pictures
    rows = page.locator("table").first.locator("tr")
    assert rows.count() == 6
    expect(page.locator("table").first).to_contain_text("threshold")
    assert page.locator(".chart .trace").count() == 12
    for kind, name in {"WFDB": "ecg.zip", "CSV": "ecg.csv", "PDF": "ecg.pdf"}.items():
        with page.expect_download() as waiting:
            page.get_by_text(f"Download {kind}").click()
        assert waiting.value.suggested_filename == name
        waiting.value.save_as(tmp_path / name)
    assert (tmp_path / "ecg.zip").read_bytes().startswith(b"PK")
    assert (tmp_path / "ecg.csv").read_text().startswith("time,I,II")
    assert (tmp_path / "ecg.pdf").read_bytes().startswith(b"%PDF")


def test_what_speaks_for_a_label_is_marked(site, monkeypatch) -> None:
    monkeypatch.setattr(work, "digitize", lambda *_, **__: reading(120, 160))
    page = site.open(site.start(labels=open_student(STUDENT, threads=1)))
    give(page, picture())
    bands = page.locator(".sheet svg g path")
    expect(page.locator("article")).to_contain_text("normal ECG")
    assert bands.count() == 0
    page.get_by_label("Mark what speaks for").select_option("normal ECG")
    assert bands.count() > 0
    assert bands.first.get_attribute("data-lead") in LEADS
    page.get_by_label("Mark what speaks for").select_option("nothing")
    assert bands.count() == 0


def test_callipers_measure_by_keyboard_and_by_pointer(site) -> None:
    page = site.open(site.start(labels=False))
    give(page, picture())
    page.get_by_label("First calliper").fill("1.25")
    page.get_by_label("Second calliper").fill("1.75")
    output = page.locator("output")
    expect(output).to_have_text(
        "Lead II: 500 ms, 120 per minute, -2.00 mV from the first to the second"
    )
    page.get_by_label("Second calliper").press("ArrowRight")
    expect(output).to_contain_text("502 ms")
    page.get_by_label("Lead", exact=True).select_option("V1")
    expect(output).to_contain_text("no amplitude")
    chart = page.locator(".chart svg")
    width = chart.bounding_box()["width"]
    chart.hover(position={"x": width * 0.5, "y": 40})
    page.mouse.down()
    chart.hover(position={"x": width * 0.6, "y": 40})
    page.mouse.up()
    assert float(page.get_by_label("Second calliper").input_value()) > 5


@pytest.mark.parametrize(("data", "said"), [(blank(), "No ECG could be read"),
                                            (b"hello", "This kind of file is not read"),
                                            (picture()[:-9], "damaged or incomplete")])  # fmt: skip
def test_refusals_are_said_in_words_and_take_the_focus(site, data: bytes, said: str) -> None:
    page = site.open(site.start())
    give(page, data)
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.locator("#problem")).to_be_focused()
    give(page, picture())  # and another file is read
    expect(page.locator("#status")).to_have_text("1 of 1 page read")
    expect(page.locator("#problem")).to_be_hidden()


def test_a_picture_is_dropped_and_pasted(site) -> None:
    page = site.open(site.start())
    for kind, name in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([kind, name, bytes]) => {
              const data = new DataTransfer();
              data.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
              const event = kind === "drop" ? new DragEvent(kind, { dataTransfer: data, bubbles: true })
                : new ClipboardEvent(kind, { clipboardData: data, bubbles: true });
              document.getElementById("drop").dispatchEvent(event);
            }""",
            [kind, name, list(picture())],
        )
        expect(page.locator("#status")).to_have_text("1 of 1 page read")
        page.reload()


def test_a_token_is_asked_for_and_used(site) -> None:
    page = site.open(site.start(tokens=("t" * 20,)))
    page.get_by_label("Token of this server").fill("t" * 20)
    page.get_by_text("Use this token").click()
    expect(page.locator("#about")).to_contain_text("ecgvision")
    give(page, picture())
    expect(page.locator("#status")).to_have_text("1 of 1 page read")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_either_scheme(site, scheme: str) -> None:
    options = {"viewport": {"width": 360, "height": 740}, "color_scheme": scheme}
    page = site.open(site.start(), **options)
    give(page, picture())
    expect(page.locator("#status")).to_have_text("1 of 1 page read")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert (
        page.evaluate("""(() => {
        const labels = document.querySelector(".scroll");
        return labels.scrollWidth - labels.clientWidth;
    })()""")
        <= 0
    )
    for name in ("ink", "faint", "accent"):  # contrast of WCAG 2.2, level AA
        assert page.evaluate(CONTRAST, [f"--{name}", "--paper"]) >= 4.5
    small = page.evaluate("""[...document.querySelectorAll(".button")].filter(
        (one) => one.offsetParent && one.getBoundingClientRect().height < 44).length""")
    assert small == 0


def test_everything_is_reached_by_keyboard_and_has_a_name(site) -> None:
    page = site.open(site.start())
    give(page, picture())
    expect(page.locator("#results")).to_be_focused()
    nameless = page.evaluate("""[...document.querySelectorAll("input, select, button, a, img")].filter(
        (one) => !(one.labels?.length || one.textContent.trim() || one.alt)).length""")
    assert nameless == 0
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.id || document.activeElement.textContent")
        )
    assert {"page-0-over", "page-0-lead", "page-0-end-0", "page-0-end-1", "Download WFDB",
            "Print"} <= reached  # fmt: skip
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((h) => +h.tagName[1])")
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_print_shows_the_reading_alone(site) -> None:
    page = site.open(site.start())
    give(page, picture())
    expect(page.locator("#status")).to_have_text("1 of 1 page read")
    page.emulate_media(media="print")
    for hidden in ("#give", "footer", ".callipers", ".buttons >> nth=-1"):
        expect(page.locator(hidden)).to_be_hidden()
    for shown in (".sheet img", ".chart svg", ".use"):
        expect(page.locator(shown)).to_be_visible()


CONTRAST = """([ink, paper]) => {
  const probe = document.createElement("i");
  document.body.append(probe);
  const light = (name) => {
    probe.style.color = `var(${name})`;
    const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3).map((v) => {
      v = v / 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const [a, b] = [light(ink), light(paper)];
  probe.remove();
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""
