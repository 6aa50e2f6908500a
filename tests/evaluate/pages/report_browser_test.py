"""The report in a real browser; skipped where there is none."""

import pytest

from evaluate.pages.report_config import ReportConfig
from evaluate.pages.report_page import gather, render
from tests.evaluate.pages.headless_browser import NEEDS_BROWSER, HeadlessBrowser
from tests.evaluate.pages.toy_report import NUM_CLIPS, write_toy_report_inputs

pytestmark = NEEDS_BROWSER

# A mark's center in the window, after it was scrolled into view.
_MARK_PLACE = """(() => {
  const mark = document.querySelectorAll(".mark")[%d];
  mark.scrollIntoView({block: "center", behavior: "instant"});
  const box = mark.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""

_PLAYS = """new Promise((resolve) => {
  const audio = %s;
  audio.addEventListener("timeupdate", () => {
    if (audio.currentTime > 0) resolve(audio.duration);
  });
  setTimeout(() => resolve(`readyState ${audio.readyState}`), 15000);
  %s;
})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    flags = write_toy_report_inputs(folder)
    flags["encoder"] = flags["encoder"][:1]
    page = folder / "report.html"
    page.write_text(render(gather(ReportConfig(**flags))), encoding="utf-8")
    with HeadlessBrowser() as browser:
        browser.open(page)
        yield browser
        # Whatever the tests did, nothing went wrong or left the page; a player
        # without its sound is an error already when the page is loaded.
        assert browser.errors == []
        assert browser.requests == [page.resolve().as_uri()]


def test_a_player_plays_and_stops_the_one_before(browser):
    first = "document.querySelectorAll('.sound audio')[0]"
    second = "document.querySelectorAll('.sound audio')[1]"
    click = "document.querySelectorAll('.play')[%d].click()"
    duration = browser.evaluate(_PLAYS % (first, click % 0))
    assert duration == pytest.approx(1.0, abs=0.01)
    duration = browser.evaluate(_PLAYS % (second, click % 1))
    assert duration == pytest.approx(1.0, abs=0.01)
    assert browser.evaluate(f"{first}.paused") is True


def test_a_mark_shows_its_clip_and_plays_it(browser):
    x, y = browser.evaluate(_MARK_PLACE % 4)
    browser.move_mouse(x, y)
    tip = browser.evaluate("document.querySelector('.tip').textContent")
    assert "<script>alert(1)</script>" in tip and "click to listen" in tip
    browser.click(x, y)
    audio = "document.querySelector('[data-map] > audio')"
    duration = browser.evaluate(_PLAYS % (audio, ""))
    assert duration == pytest.approx(1.0, abs=0.01)
    browser.move_mouse(2, 2)
    assert browser.evaluate("document.querySelector('.tip').hidden") is True


def test_legend_picks_out_a_class(browser):
    button = "document.querySelector('[data-map] [data-class=\"tick\"]')"
    count = (
        "document.querySelectorAll('[data-map]')[0]"
        ".querySelectorAll('.mark.faint').length"
    )
    assert browser.evaluate(count) == 0
    browser.evaluate(f"{button}.click()")
    clips = browser.evaluate(f"+{button}.querySelector('.muted').textContent")
    assert browser.evaluate(count) == NUM_CLIPS - clips
    browser.evaluate(f"{button}.click()")
    assert browser.evaluate(count) == 0


def test_page_is_painted_and_no_wider_than_the_window(browser):
    widths = browser.evaluate(
        "[...document.images].map((image) => image.naturalWidth)"
    )
    assert len(widths) > 0 and min(widths) > 0
    for width in (360, 768, 1280):
        browser.resize(width, 900)
        wide = browser.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
    png = browser.screenshot({"x": 0, "y": 0, "width": 1280, "height": 900})
    # An empty page of this size has some 5 kB.
    assert png.startswith(b"\x89PNG") and len(png) > 20_000
