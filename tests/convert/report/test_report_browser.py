"""The page in a browser, where Playwright and Chromium are installed.

pip install playwright; apt-get install chromium
"""

import base64
import contextlib
import dataclasses
import time

import numpy as np
import pytest
import soundfile
import soxr

from calibration_data import clips
from convert import bundle as bundles
from convert.measure.demo_mixtures import process_mixtures
from convert.report import content, report
from convert.run import host_tools
from tests.helpers.browser import chromium
from tests.helpers.reports import DRIFT, scores

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
    bundle, names = bundles.load("enhance-nano"), {"int8": "int8"}
    processed = process_mixtures(1, {"int8": lambda x: 0.5 * x[None]})
    which = {"split": "test", "mixtures": 6, "corpus": "open"}
    quality = content.quality({"int8": scores(1.0)}, names, which)
    worst = dataclasses.replace(processed[0], name="mixture 0")
    quality["players"] = [content.player(bundle, worst, names)]
    report.write_page(bundle, written, processed, trained=None, quality=quality, drift=DRIFT)
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
    assert len(levels) == 27 and all(70 < level < 200 for level in levels)


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


def test_a_worst_mixture_plays(page):
    assert page.text_content("#quality #m8-title") == "mixture 0"
    page.check("#m8 input[value='1']")
    page.click("#m8 .play")
    until(page, lambda: position(page, 8) > 0.1)
    page.keyboard.press(" ")
    page.wait_for_selector("#m8 .play[data-playing='false']")


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
    """Return what the worklet makes of a sound, and its delay in samples.

    The underruns are not looked at: they count the stalls of a busy machine.
    """
    given = base64.b64encode(sound.astype("<f4").tobytes()).decode()
    found = live.evaluate(RENDER, [given, rate, settings])
    assert all(set(message) == {"meters"} for message in found["messages"])  # and no error
    return np.frombuffer(base64.b64decode(found["heard"]), "<f4"), found["delay"]


@pytest.fixture(scope="module")
def live_file(tmp_path_factory):
    """Write a page with one mixture."""
    file = tmp_path_factory.mktemp("live") / "live.html"
    processed = process_mixtures(1, {"int8": lambda x: x[None]})[:1]
    report.write_page(bundles.load("enhance-nano"), file, processed, trained=None)
    return file


@pytest.fixture(scope="module")
def live(browser, live_file):
    """Open that page, once for most of these tests."""
    with watched(browser, live_file) as opened:
        yield opened


@pytest.fixture(scope="module")
def golden():
    """Return the golden sound of the bundle, and its output in TFLM and the C++ stream."""
    bundle = bundles.load("enhance-nano")
    pcm = np.fromfile(bundle.path / "golden_pcm.i16", "<i2")
    return pcm, host_tools.separate_pcm(bundle, pcm)[2][0]


def at_16_khz(heard, delay, rate):
    """Return a sound at 16 kHz, without its delay in samples."""
    back = soxr.resample(heard, rate, 16000 * 10, quality="VHQ")  # for parts of a sample
    return back[round(10 * delay * 16000 / rate) :: 10]


def snr(signal, other):
    return 10 * np.log10(np.sum(signal**2) / np.sum((signal - other) ** 2))


@pytest.mark.bazel
def test_the_worklet_gives_the_golden_bytes(live, golden):
    pcm, expected = golden
    heard, delay = rendered(live, pcm / 32768, 16000)
    assert delay == 128
    np.testing.assert_array_equal(heard[128 : 128 + len(pcm)] * 32768, expected)
    heard, _ = rendered(live, pcm / 32768, 16000, bypass=True)
    np.testing.assert_array_equal(heard[128 : 128 + len(pcm)] * 32768, pcm)


@pytest.mark.bazel
@pytest.mark.parametrize("rate", [44100, 48000])
def test_the_worklet_takes_other_sample_rates(live, golden, rate):
    pcm, expected = (sound[:32000] for sound in golden)
    resampled = soxr.resample(pcm / 32768, 16000, rate)

    heard, delay = rendered(live, resampled, rate, bypass=True)
    assert 1000 * delay / rate < 20
    # What is above 7 kHz is filtered.
    assert snr(pcm / 32768, at_16_khz(heard, delay, rate)[: len(pcm)]) > 20
    heard, delay = rendered(live, resampled, rate)
    assert snr(expected / 32768, at_16_khz(heard, delay, rate)[: len(pcm)]) > 15
    heard, _ = rendered(live, resampled, rate, strength=0)
    assert snr(pcm / 32768, at_16_khz(heard, delay, rate)[: len(pcm)]) > 20


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


def likeness(heard, rate, spoken):
    """Return the highest correlation of a quarter of a second with what the microphone hears.

    A fake microphone loses sound on a busy machine, so not every quarter of a second is whole.
    """
    given, _ = soundfile.read(spoken)
    given = np.concatenate([given, given])
    heard, size, length = soxr.resample(heard, rate, 48000), 1 << 20, 12000
    spectrum, found = np.fft.rfft(given, size), []
    for start in range(length, len(heard) - length, length):
        part = heard[start : start + length]
        match = np.fft.irfft(spectrum * np.fft.rfft(part, size).conj())[: len(given) - length]
        like = given[int(np.argmax(match)) :][:length]
        found.append(np.dot(like, part) / (np.linalg.norm(like) * np.linalg.norm(part) + 1e-9))
    return max(found)


def test_a_microphone_is_heard_with_the_bypass(live, spoken):
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
    assert likeness(heard, rate, spoken) > 0.9


# TAP lets the worklet send all that goes into its stream and out of it, from the first block on.
# KEEP keeps it in the page, and sets the rate of the AudioContext, null for that of the device.
TAP = """
  const register = registerProcessor;
  globalThis.registerProcessor = (name, Processor) => register(name, class extends Processor {
    receive(message) {
      super.receive(message);
      if (!message.bytes) return;
      const { stream, port } = this;
      const process = stream.process.bind(stream);
      stream.process = (samples, [output]) => {
        const complete = process(samples, [output]);
        port.postMessage({ kept: [samples.slice(), output.slice()] });
        return complete;
      };
    }
  });
"""
KEEP = """([tap, rate]) => {
  window.kept = [];
  document.getElementById("live-program").textContent =
    tap + document.getElementById("live-program").textContent;
  window.AudioWorkletNode = class extends AudioWorkletNode {
    constructor(...given) {
      super(...given);
      this.port.addEventListener("message", ({ data }) => data.kept && kept.push(data.kept));
    }
  };
  if (rate) {
    window.AudioContext = class extends AudioContext {
      constructor(options) {
        super({ ...options, sampleRate: rate });
      }
    };
  }
}"""
KEPT = """(side) => {
  const bytes = kept.flatMap((block) => [...new Uint8Array(block[side].buffer)]);
  const parts = Array.from({ length: Math.ceil(bytes.length / 9999) }, (_, i) =>
    String.fromCharCode(...bytes.slice(9999 * i, 9999 * (i + 1))));
  return btoa(parts.join(""));
}"""


def pcm_of(sound):
    """Convert floats to PCM as the page does: JavaScript rounds halves up."""
    return np.clip(np.floor(32768 * sound.astype(np.float64) + 0.5), -32768, 32767).astype(np.int16)


@pytest.mark.bazel
@pytest.mark.parametrize("forced", [16000, None])
def test_a_microphone_goes_through_the_network(browser, live_file, live, spoken, forced):
    """The sound of the microphone is that of the network, and not only quieter or the input.

    The test keeps every sample that Chromium's fake microphone gives to the worklet, and every one
    that the worklet gives. It proves that

    1. the worklet hears the file of the fake microphone;
    2. its output is, float for float, that of the same worklet on the same samples offline, so a
       live microphone loses, repeats or changes nothing;
    3. with an AudioContext at 16 kHz, its output is, byte for byte, that of the C++ stream; at the
       rate of the device, it is that of the C++ stream up to the resampling;
    4. the download is, byte for byte, a part of that output.
    """
    with watched(browser, live_file) as page:
        page.evaluate(KEEP, [TAP, forced])
        page.click("#live-microphone")
        until(page, lambda: "ms" in page.text_content("#live-latency"))
        page.wait_for_timeout(2500)
        with page.expect_download() as download:
            page.click("#live-download")
        rate = int(page.text_content("#live-rate").split()[0])
        page.click("#live-stop")
        given, made = (
            np.frombuffer(base64.b64decode(page.evaluate(KEPT, side)), "<f4") for side in (0, 1)
        )
        downloaded, found_rate = soundfile.read(download.value.path(), dtype="int16")
    assert rate == found_rate == (forced or rate) and len(given) == len(made) > 2 * rate
    first = int(np.flatnonzero(given)[0])  # zeros precede the microphone
    assert likeness(given[first:], rate, spoken) > 0.9
    offline, delay = rendered(live, given, rate)
    np.testing.assert_array_equal(made, offline[: len(made)])
    pcm = pcm_of(given if rate == 16000 else soxr.resample(given, rate, 16000))
    expected = host_tools.separate_pcm(bundles.load("enhance-nano"), pcm)[2][0]
    if rate == 16000:
        np.testing.assert_array_equal(pcm_of(made)[delay:], expected[: len(made) - delay])
    else:
        heard = at_16_khz(made, delay, rate)
        assert snr(expected[: len(heard)] / 32768, heard[: len(expected)]) > 15
    late = round(delay)
    assert snr(given[: len(made) - late], made[late:]) < 10  # and far from the bypass
    assert len(downloaded) > 1.5 * rate
    windows = range(0, len(made) - len(downloaded) + 1, 128)
    all_made = pcm_of(made)
    assert any(np.array_equal(all_made[at : at + len(downloaded)], downloaded) for at in windows)


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
