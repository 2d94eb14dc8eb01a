"""The page in a browser, where Playwright and Chromium are installed.

pip install playwright; apt-get install chromium
"""

import shutil
import time

import pytest

from convert import bundle as bundles
from convert.measure.demo_mixtures import process_mixtures
from convert.report import report

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium")
# Keeps the volumes of all versions, because a test cannot hear.
KEEP_VOLUMES = """
  const original = GainNode;
  window.volumes = [];
  window.GainNode = function (...given) {
    const node = new original(...given);
    window.volumes.push(node.gain);
    return node;
  };
"""


def until(page, condition, seconds=20):
    """Wait for a condition; Playwright's own function needs eval, which the page forbids."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this did not happen"
        page.wait_for_timeout(20)


def position(page, mixture):
    return float(page.input_value(f"#m{mixture} .position"))


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    written = tmp_path_factory.mktemp("report") / "report.html"
    processed = process_mixtures(1, {"int8": lambda x: 0.5 * x[None]})
    report.write_page(bundles.load("enhance-nano"), written, processed, trained=None)
    return written


@pytest.fixture
def page(browser, file):
    """Open the page; at the end, it has asked for itself only and reported no error."""
    opened = browser.new_page(viewport={"width": 380, "height": 800})
    opened.add_init_script(KEEP_VOLUMES)
    requests, faults = [], []
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("console", lambda message: faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(file.as_uri())
    opened.wait_for_selector("html[data-painted]")
    yield opened
    assert requests == [file.as_uri()] and faults == []
    assert opened.locator(".status").all_text_contents() == [""] * opened.locator(".status").count()
    opened.close()


def test_the_page_fits_a_phone_and_shows_its_spectrograms(page):
    assert page.evaluate("document.documentElement.scrollWidth") == 380
    first_paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    assert page.evaluate(first_paint) < 3000
    levels = page.evaluate(
        """() => [...document.querySelectorAll('canvas')].map((canvas) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
          return data.reduce((sum, value) => sum + value, 0) / data.length;
        })"""
    )
    assert len(levels) == 24 and all(70 < level < 200 for level in levels)


def test_a_change_of_the_version_keeps_the_position(page):
    page.click("#m0 .play")
    until(page, lambda: position(page, 0) > 0.5)
    before = position(page, 0)
    page.check("#m0 input[value='1']")
    assert before <= position(page, 0) < before + 1.0
    assert page.get_attribute("#m0 .play", "aria-label") == "Stop fountain"
    matched = page.evaluate("JSON.parse(document.getElementById('data').textContent)[0]")
    expected = [0, matched["versions"][1]["gain"], 0]
    until(
        page,
        lambda: page.evaluate("volumes.map((v) => v.value)") == pytest.approx(expected, abs=1e-3),
    )
    page.click("#m1 .play")  # one mixture plays at a time
    until(page, lambda: position(page, 1) > 0.1)
    assert page.get_attribute("#m0 .play", "data-playing") == "false"
    assert position(page, 0) >= before


def test_keys_play_choose_and_seek(page):
    page.focus("#m2 .position")
    page.keyboard.press("3")
    assert page.is_checked("#m2 input[value='2']")
    page.keyboard.press("l")
    page.keyboard.press("l")
    page.keyboard.press("j")
    assert page.input_value("#m2 .position") == "0.5"
    page.keyboard.press(" ")
    page.wait_for_selector("#m2 .play[data-playing='true']")
    page.keyboard.press(" ")
    page.wait_for_selector("#m2 .play[data-playing='false']")
    page.click("#m2 canvas >> nth=1", position={"x": 150, "y": 20})
    assert page.is_checked("#m2 input[value='1']")
    assert 1.0 < position(page, 2) < 3.5


def test_a_blind_comparison_tells_what_was_preferred(page):
    page.select_option("#blind-first", label="mixture")
    page.select_option("#blind-second", label="mixture")
    page.click("#blind-form button")
    assert "two different" in page.text_content("#blind-result")
    page.select_option("#blind-second", label="int8")
    page.click("#blind-form button")
    for number in range(1, 9):
        assert page.text_content("#blind-progress") == f"Mixture {number} of 8"
        if number == 1:
            page.keyboard.press("b")
            assert page.is_checked("input[name=blind-version][value='1']")
            page.click("#blind-play")
            page.wait_for_selector("#blind-play[data-playing='true']")
        page.click("[data-answer='-1']" if number == 8 else "[data-answer='0']")
    told = page.text_content("#blind-result")
    assert "1 times there was no difference" in told and "sign test" in told
    assert "fountain: " in told and page.is_hidden("#blind-trial")
