"""The report and the viewer of the study in miniature: read, and seen where there is a Chromium."""

import os
import re
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest
from chromium import CHROMIUM, Browser

from otosynth.provenance.places import Places
from otosynth.provenance.tree import read_root
from otosynth.reporting.page import MOST_BYTES
from otosynth.viewing.server import StudyServer
from otosynth.viewing.study import read_viewed_study

in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")
APP = "document.querySelector('#viewer-app')"
CURSORS = (
    "[...document.querySelectorAll('.panels figure:not([hidden])')]"
    ".map((f) => f.dataset.mm.split(' ').map(Number))"
)
SHOWN = "[...document.querySelectorAll('.panels figure:not([hidden])')].map((f) => f.dataset.shown)"


class Links(HTMLParser):
    """The places of a page, and where its links and other parts lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.places += [found["id"]] if "id" in found else []
        if tag == "a":
            self.links.append(found["href"])
        self.sources += [found[key] for key in ("src", "data", "poster") if found.get(key)]


@pytest.fixture(scope="module")
def text(finished) -> str:
    return (finished.results / "report.html").read_text(encoding="utf-8")


def test_every_link_leads_somewhere_in_the_page_and_nothing_is_loaded(text):
    page = Links(text)
    assert len(page.places) == len(set(page.places))
    assert {link for link in page.links if link.removeprefix("#") not in page.places} == set()
    assert {source[:5] for source in page.sources} == {"data:"}
    assert "default-src 'none'" in text
    assert len(text.encode()) < MOST_BYTES


def test_every_part_of_the_story_is_there(text, finished):
    page = Links(text)
    for section in (
        "data", "registration", "classmaps", "methods", "training", "epochs", "scores",
        "comparison", "viewer", "field", "provenance", "runs", "traces",
    ):  # fmt: skip
        assert section in page.places
    root = read_root(Places(finished.results))
    assert root["root"] in text
    assert {f"job:{job}" for job in root["jobs"]} <= set(page.places)
    assert "Data: phantom in miniature" in text
    numbers = [name for name in root["results"] if re.fullmatch(r"figures/fig\d+\.png", name)]
    for number in numbers:
        assert f"<strong>Figure {number[11:-4]}.</strong>" in text
    assert 'class="published">0.95<' in text
    assert "Every training: a step is one batch of patches" in text


def test_numbers_lead_to_the_jobs_that_made_them(text):
    for job in ("score_prediction/E1-multi_task-1", "measure_registration/E2",
                "train/A-multi_task-1", "select_epoch/A-single_task-1",
                "score_class_map/E3"):  # fmt: skip
        assert f'<a class="n" href="#job:{job}">' in text


def test_only_the_section_on_the_run_differs_when_it_is_written_again(finished, text):
    finished.output_of("--forcerun", "write_report")
    again = (finished.results / "report.html").read_text(encoding="utf-8")
    run = re.compile(r'<section id="runs">.*?</section>', re.DOTALL)
    assert run.sub("", again) == run.sub("", text)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Where screenshots are kept."""
    return Path(os.environ.get("OTOSYNTH_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


@pytest.fixture
def address(finished):
    """The address of the page that `otosynth view` shows."""
    with StudyServer(read_viewed_study(Places(finished.results)), 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


def report_address(finished) -> str:
    return (finished.results / "report.html").resolve().as_uri()


@in_a_browser
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_report_reads_well(finished, browser, pictures, width, dark):
    browser.open(report_address(finished), width=width, height=2000, dark=dark)
    browser.screenshots(pictures / f"report-{width}-{'dark' if dark else 'light'}")
    assert browser.value("document.documentElement.scrollWidth") <= width
    ground = browser.value("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 25, 29)" if dark else "rgb(255, 255, 255)")
    assert browser.problems() == []
    assert browser.requests() == [report_address(finished)]


@in_a_browser
def test_the_report_is_used_by_keyboard(finished, browser):
    browser.open(report_address(finished))
    browser.press("Tab")
    assert browser.value("document.activeElement.className") == "skip"
    browser.press("Enter")
    assert browser.value("location.hash") == "#main"
    # The theme goes round: the system's, light, dark.
    browser.value("document.querySelector('#theme').focus()")
    browser.press("Enter")
    browser.press("Enter")
    assert browser.value("document.documentElement.dataset.theme") == "dark"
    # A number's link opens its trace, and the keyboard goes on there.
    browser.value("document.querySelector('#registration a.n').focus()")
    browser.press("Enter")
    browser.wait_for("document.activeElement.tagName === 'SUMMARY'")
    assert browser.value("document.activeElement.parentElement.id").startswith("job:")
    assert browser.value("document.activeElement.parentElement.open")
    assert browser.problems() == []


@in_a_browser
def test_the_viewer_in_the_report_links_its_cursors(finished, browser, pictures):
    browser.open(f"{report_address(finished)}#viewer")
    browser.wait_for(f"{APP}.dataset.allDrawn")
    check_that_cursors_are_linked(browser)
    browser.screenshot(pictures / "report-viewer.png")
    assert browser.problems() == []
    assert browser.requests() == [f"{report_address(finished)}"]


@in_a_browser
def test_the_viewer_on_its_own_page(browser, address, pictures):
    browser.open(address)
    browser.wait_for(f"{APP}.dataset.allDrawn")
    assert browser.value(SHOWN) == [
        "CT", "micro-CT", "class map of the micro-CT", "Multi-task: synthetic micro-CT",
        "Multi-task: class map", "Multi-task: errors",
    ]  # fmt: skip
    check_that_cursors_are_linked(browser)
    # Another method beside it, another ear, all planes, other windows and opacity.
    browser.value("document.querySelector('[data-viewer=methods] input').click()")
    browser.wait_for(f"{SHOWN}.includes('Otsu on CT: errors')")
    choose = (
        "(() => {{ const chosen = document.querySelector('[data-viewer={}]');"
        " chosen.value = '{}'; chosen.dispatchEvent(new Event('{}')); }})()"
    )
    browser.value(choose.format("ear", "E2", "change"))
    browser.wait_for("document.querySelector('[data-viewer=status]').textContent === ''")
    for name, value, event in [
        ("plane", "all three", "change"), ("opacity", "1", "input"), ("ct-high", "800", "change"),
        ("slice-z", "3", "input"),
    ]:  # fmt: skip
        browser.value(choose.format(name, value, event))
    cursor_of_all(browser)
    browser.screenshot(pictures / "view-two-methods.png", whole=True)
    browser.open(address, width=390, height=800, dark=True)
    browser.wait_for(f"{APP}.dataset.allDrawn")
    browser.screenshot(pictures / "view-390-dark.png", whole=True)
    assert browser.value("document.documentElement.scrollWidth") <= 390
    assert browser.problems() == []
    assert {url.startswith(address) for url in browser.requests()} == {True}


def cursor_of_all(browser: Browser) -> list[float]:
    """Return where the cursors of all panels are (x, y, z in mm): at one place."""
    first, *others = browser.value(CURSORS)
    assert len(others) >= 5
    for other in others:
        assert other == pytest.approx(first, abs=0.02)
    return first


def check_that_cursors_are_linked(browser: Browser) -> None:
    """Move the cursor of one panel, by mouse and keyboard: all others are where it is."""
    before = cursor_of_all(browser)
    x, y = browser.value(
        "(() => { const c = document.querySelectorAll('.panels canvas')[1]; c.scrollIntoView();"
        "const r = c.getBoundingClientRect();"
        "return [r.x + 0.3 * r.width, r.y + 0.4 * r.height]; })()"
    )
    browser.click(x, y)
    clicked = cursor_of_all(browser)
    assert clicked[0] < before[0] - 1
    assert clicked[1] > before[1] + 0.5
    browser.press("ArrowRight")
    browser.press("PageUp")
    moved = cursor_of_all(browser)
    assert moved[0] > clicked[0]
    assert moved[1] == pytest.approx(clicked[1], abs=0.3)
    assert moved[2] > clicked[2]
