"""The page in a browser, where Playwright and Chromium are installed.

pip install playwright; apt-get install chromium
"""

import base64
import contextlib
import time

import numpy as np
import pytest
import soundfile
import soxr

from calibration_data import clips
from convert import bundle as bundles
from convert.measure.demo_mixtures import process_mixtures
from convert.report import report
from convert.run import host_tools
from tests.helpers.browser import chromium

pytestmark = pytest.mark.slow

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
def spoken(tmp_path_factory):
    """Return the WAV file that the microphone of the browser hears, again and again."""
    file = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    [demo] = [demo for demo in clips.demo_mixtures(1) if demo.name == "fountain"]
    loud = soxr.resample(0.5 * demo.mixture / np.abs(demo.mixture).max(), 16000, 48000)
    soundfile.write(file, loud, 48000, subtype="PCM_16")
    return file


@pytest.fixture(scope="module")
def browser(spoken):
    playwright = pytest.importorskip("playwright.sync_api")
    options = ["--no-sandbox", "--use-fake-ui-for-media-stream"]
    options += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={spoken}"]
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium(), args=options)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    written = tmp_path_factory.mktemp("report") / "report.html"
    processed = process_mixtures(1, {"int8": lambda x: 0.5 * x[None]})
    report.write_page(bundles.load("enhance-nano"), written, processed, trained=None)
    return written


@contextlib.contextmanager
def watched(browser, file):
    """Open a page; at the end, it has asked for itself only and reported no error."""
    opened = browser.new_page(viewport={"width": 380, "height": 800})
    opened.add_init_script(KEEP_VOLUMES)
    requests, faults = [], []
    opened.on("request", lambda request: requests.append(request.url))
    opened.on("console", lambda message: faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(file.as_uri())
    opened.wait_for_selector("html[data-painted]")
    yield opened
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert faults == []
    assert opened.locator(".status").all_text_contents() == [""] * opened.locator(".status").count()
    opened.close()


@pytest.fixture
def page(browser, file):
    with watched(browser, file) as opened:
        yield opened


def test_the_page_is_seen_within_a_second(browser, file):
    """The least of three, because the first page also waits for the browser, and others work."""
    paint = "(performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime || 0"
    times = []
    for _ in range(3):
        opened = browser.new_page()
        opened.goto(file.as_uri(), wait_until="commit")
        until(opened, lambda opened=opened: opened.evaluate(paint))
        times.append(opened.evaluate(paint))
        opened.close()
    assert min(times) < 1000, times


def test_the_page_fits_a_phone_and_shows_its_spectrograms(page):
    assert page.evaluate("document.documentElement.scrollWidth") == 380
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


# ---- Listen live ---------------------------------------------------------------------------------

# Renders a sound through the worklet of the page, at any sample rate.
RENDER = """async ([sound, rate, settings]) => {
  const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const text = (id) => document.getElementById(id).textContent;
  const samples = new Float32Array(decode(sound));
  const context = new OfflineAudioContext(1, samples.length + rate / 4, rate);
  const program = encodeURIComponent(text("live-program"));
  await context.audioWorklet.addModule(`data:text/javascript;charset=utf-8,${program}`);
  const node = new AudioWorkletNode(context, "groupcomm", { outputChannelCount: [1] });
  const messages = [];
  const ready = new Promise((resolve) => {
    node.port.onmessage = ({ data }) => (data.ready ? resolve(data.ready) : messages.push(data));
  });
  node.port.postMessage({ bytes: decode(text("live-code")), ...settings });
  const { delay } = await ready;
  const source = context.createBufferSource();
  source.buffer = context.createBuffer(1, samples.length, rate);
  source.buffer.copyToChannel(samples, 0);
  source.connect(node).connect(context.destination);
  source.start();
  const rendered = (await context.startRendering()).getChannelData(0);
  const heard = [...new Uint8Array(rendered.buffer)];
  const blocks = Array.from({ length: Math.ceil(heard.length / 9999) }, (_, i) =>
    String.fromCharCode(...heard.slice(9999 * i, 9999 * (i + 1))));
  return { heard: btoa(blocks.join("")), delay, messages };
}"""


def rendered(live, sound, rate, **settings):
    """Return what the worklet makes of a sound, its delay in samples and its last meters."""
    given = base64.b64encode(sound.astype("<f4").tobytes()).decode()
    found = live.evaluate(RENDER, [given, rate, settings])
    meters = [message["meters"] for message in found["messages"]]  # and no error
    return np.frombuffer(base64.b64decode(found["heard"]), "<f4"), found["delay"], meters[-1]


@pytest.fixture(scope="module")
def live(browser, tmp_path_factory):
    """Open a page with one mixture, once for all of these tests."""
    file = tmp_path_factory.mktemp("live") / "live.html"
    processed = process_mixtures(1, {"int8": lambda x: x[None]})[:1]
    report.write_page(bundles.load("enhance-nano"), file, processed, trained=None)
    with watched(browser, file) as opened:
        yield opened


@pytest.fixture(scope="module")
def golden():
    """Return the golden sound of the bundle, and its output in TFLM and the C++ stream."""
    bundle = bundles.load("enhance-nano")
    pcm = np.fromfile(bundle.path / "golden_pcm.i16", "<i2")
    return pcm, host_tools.separate_pcm(bundle, pcm)[2][0]


def snr(signal, other):
    return 10 * np.log10(np.sum(signal**2) / np.sum((signal - other) ** 2))


@pytest.mark.bazel
def test_the_worklet_gives_the_golden_bytes(live, golden):
    pcm, expected = golden
    heard, delay, meters = rendered(live, pcm / 32768, 16000)
    assert delay == 128 and meters["underruns"] == 0
    np.testing.assert_array_equal(heard[128 : 128 + len(pcm)] * 32768, expected)
    heard, *_ = rendered(live, pcm / 32768, 16000, bypass=True)
    np.testing.assert_array_equal(heard[128 : 128 + len(pcm)] * 32768, pcm)


@pytest.mark.bazel
@pytest.mark.parametrize("rate", [44100, 48000])
def test_the_worklet_takes_other_sample_rates(live, golden, rate):
    pcm, expected = (sound[:32000] for sound in golden)
    resampled = soxr.resample(pcm / 32768, 16000, rate)

    def at_16_khz(heard, delay):
        late = delay * 16000 / rate
        back = soxr.resample(heard, rate, 16000 * 10, quality="VHQ")  # for parts of a sample
        return back[round(10 * late) :: 10][: len(pcm)]

    heard, delay, meters = rendered(live, resampled, rate, bypass=True)
    assert 1000 * delay / rate < 20 and meters["underruns"] == 0
    assert snr(pcm / 32768, at_16_khz(heard, delay)) > 20  # what is above 7 kHz is filtered
    heard, delay, _ = rendered(live, resampled, rate)
    assert snr(expected / 32768, at_16_khz(heard, delay)) > 15
    heard, *_ = rendered(live, resampled, rate, strength=0)
    assert snr(pcm / 32768, at_16_khz(heard, delay)) > 20


@pytest.mark.bazel
def test_the_download_of_a_file_has_the_golden_bytes(live, golden, tmp_path):
    pcm, expected = golden
    soundfile.write(tmp_path / "noisy.wav", pcm, 16000, subtype="PCM_16")
    live.set_input_files("#live-file", tmp_path / "noisy.wav")
    until(live, lambda: "%" in live.text_content("#live-load"))
    assert live.text_content("#live-source") == "noisy.wav"
    with live.expect_download() as download:
        live.click("#live-download")
    assert download.value.suggested_filename == "noisy_enhance-nano.wav"
    found, rate = soundfile.read(download.value.path(), dtype="int16")
    assert rate == 16000
    np.testing.assert_array_equal(found, expected)
    live.click("#live-stop")
    assert live.is_disabled("#live-stop")


def test_a_microphone_is_heard(live, spoken):
    live.check("#live-bypass")
    live.click("#live-microphone")
    until(live, lambda: "ms" in live.text_content("#live-latency"))
    live.wait_for_timeout(2500)
    with live.expect_download() as download:
        live.click("#live-download")
    for level in ("before", "after"):
        assert -60 < float(live.text_content(f"#live-{level}").split()[0]) < 0
    rate = int(live.text_content("#live-rate").split()[0])
    live.click("#live-stop")
    assert download.value.suggested_filename == "microphone_enhance-nano.wav"
    heard, found_rate = soundfile.read(download.value.path())
    assert found_rate == rate and 1.5 < len(heard) / rate < 20
    given, _ = soundfile.read(spoken)
    part = soxr.resample(heard, rate, 48000)[24000:48000]  # half a second
    given = np.concatenate([given, given])
    size = 1 << 20
    match = np.fft.irfft(np.fft.rfft(given, size) * np.fft.rfft(part, size).conj())[: len(given)]
    at = int(np.argmax(match[: len(given) - len(part)]))
    like = given[at : at + len(part)]
    assert np.dot(like, part) > 0.9 * np.linalg.norm(like) * np.linalg.norm(part)


def test_strength_is_a_limit_in_decibels(live):
    live.fill("#live-strength", "50")
    assert live.text_content("#live-limit") == "50 %: attenuates by at most 6.0 dB"
    live.fill("#live-strength", "100")
    assert live.text_content("#live-limit") == "100 %: no limit"


def test_a_lost_message_and_a_thread_that_stops_are_told(live, tmp_path):
    soundfile.write(tmp_path / "noise.wav", np.zeros(16000), 16000)
    live.evaluate("""() => {
      window.AudioWorkletNode = class extends AudioWorkletNode {
        constructor(...given) {
          super(...given);
          window.node = this;
        }
      };
    }""")
    later = (
        "() => { node.port.onmessage = null; const now = Date.now; Date.now = () => now() + 6e4; }"
    )
    for harm, told in (
        ("() => node.port.dispatchEvent(new MessageEvent('messageerror'))", "cannot be read"),
        (later, "the audio thread has stopped"),
    ):
        live.set_input_files("#live-file", tmp_path / "noise.wav")
        until(live, lambda: live.is_enabled("#live-stop"))
        live.evaluate(harm)
        until(live, lambda told=told: told in live.text_content("#live-status"))
        assert live.is_disabled("#live-stop")
    live.evaluate("document.getElementById('live-status').textContent = ''")


def test_no_failure_is_silent(live, tmp_path):
    (tmp_path / "no.wav").write_bytes(b"no sound")
    live.set_input_files("#live-file", tmp_path / "no.wav")
    until(live, lambda: live.text_content("#live-status"))
    assert "cannot decode no.wav" in live.text_content("#live-status")
    soundfile.write(tmp_path / "yes.wav", np.zeros(16000), 16000)
    live.evaluate("document.getElementById('live-code').textContent = btoa('no code')")
    live.set_input_files("#live-file", tmp_path / "yes.wav")
    until(live, lambda: "WebAssembly" in live.text_content("#live-status"))
    assert live.is_disabled("#live-stop")
    live.evaluate("document.getElementById('live-status').textContent = ''")
