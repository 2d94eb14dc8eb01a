"""The page of `groupcomm report`: whole, accessible, loads nothing, and the same every time."""

import base64
import dataclasses
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from calibration_data import clips
from convert import bundle as bundles
from convert.commands.report import report as command
from convert.measure.demo_mixtures import process_mixtures
from convert.report import content, report, sounds
from groupcomm.errors import UserError
from groupcomm.files import REPO
from tests.helpers.cli import ok
from tests.helpers.reports import DRIFT, HOSTILE, PARITY, measured_cost, scores

LARGEST = 3_000_000  # bytes, of a page
VOID = {"meta", "link", "input", "br", "hr", "img"}
SVG = {"line", "circle", "rect", "polyline"}  # written as <rect/>


class Page(HTMLParser):
    """The elements of a page, with attributes, ancestors and text. All tags must be closed."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        one = {"tag": tag, "attrs": dict(attrs), "text": "", "inside": list(self._open)}
        self.elements.append(one)
        if tag not in VOID:
            self._open.append(one)

    def handle_startendtag(self, tag, attrs):
        assert tag in SVG, tag
        self.elements.append({"tag": tag, "attrs": dict(attrs), "text": "", "inside": self._open})

    def handle_endtag(self, tag):
        assert self._open and self._open[-1]["tag"] == tag, (tag, self.getpos())
        self._open.pop()

    def handle_data(self, data):
        for one in self._open:
            one["text"] += data

    def all(self, *tags):
        return [one for one in self.elements if one["tag"] in tags]


@pytest.fixture(scope="module", autouse=True)
def _no_compiler():
    """Put a few bytes in the place of WebAssembly, which test_report_browser.py runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content.wasm, "build", lambda bundle: b"\0asm")
        yield


@pytest.fixture(scope="module")
def bundle():
    return bundles.load("enhance-nano")


@pytest.fixture(scope="module")
def processed():
    """Process the demo mixtures by separators that cost no time."""
    random = np.random.default_rng(1)
    return process_mixtures(
        1,
        {
            "float": lambda x: 0.5 * x[None],
            "int8": lambda x: 0.5 * x[None] + random.normal(0, 1e-3, (1, len(x))),
            "enhance": lambda x: 0.25 * x[None],
        },
    )


@pytest.fixture(scope="module")
def whole(bundle, processed):
    """Return the arguments of `write_page` with all sections."""
    names = content.labels(bundle, ["float", "int8", "enhance"])
    which = {"split": "test", "mixtures": 6, "corpus": HOSTILE}
    scored = {"int8": scores(1.0), "float": scores(1.01), "enhance": scores(2.0)}
    interval = {"mean": 1.0, "low": 0.5, "high": 1.5}
    system = {"name": HOSTILE, "is_bundle": False, "params": None, "macs_per_second": 1e6}
    system |= {"latency_ms": 10, "sisdri_db": interval}
    worst = [
        content.player(bundle, dataclasses.replace(one, name=f"{HOSTILE} {i}"), names)
        for i, one in enumerate(processed[:3])
    ]
    return {
        "processed": processed,
        "trained": None,
        "others": [bundles.load("enhance")],
        "quality": content.quality(scored, names, which) | {"players": worst},
        "drift": DRIFT,
        "parity": PARITY,
        "cost": measured_cost(bundle),
        "baselines": which | {"systems": [system]},
    }


@pytest.fixture(scope="module")
def written(bundle, whole, tmp_path_factory):
    file = tmp_path_factory.mktemp("report") / "report.html"
    result = report.write_page(bundle, file, **whole)
    assert result == {
        "bundle": "enhance-nano",
        "file": str(file),
        "bytes": len(file.read_bytes()),
        "missing": {},
    }
    return file


@pytest.fixture(scope="module")
def parsed(written):
    return Page(written.read_text())


def test_the_page_is_well_formed_and_small(written, parsed):
    assert written.stat().st_size < LARGEST
    assert len(parsed.all("article")) == len(clips.demo_mixtures()) + 3
    headings = [one["text"] for one in parsed.all("h2")]
    assert headings[:3] == ["Listen", "Compare blindly", "Listen live"] and len(headings) == 9
    assert "undefined" not in "".join(one["text"] for one in parsed.all("main")).lower()


def test_the_same_input_gives_the_same_bytes(bundle, whole, tmp_path):
    for name in ("one", "two"):
        fewer = whole | {"processed": whole["processed"][:1]}
        report.write_page(bundle, tmp_path / name, **fewer)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_page_loads_nothing(parsed):
    for one in parsed.elements:
        for name, value in one["attrs"].items():
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                local = value.startswith(("#", "data:image/png;base64,")) or value == "data:,"
                assert local, (one["tag"], name, value)
            assert "://" not in (value or "") and "url(" not in (value or ""), (one["tag"], name)
    [style] = parsed.all("style")
    assert "url(" not in style["text"] and "@import" not in style["text"]
    program = parsed.all("script")[-1]["text"]
    for word in ("fetch(", "XMLHttpRequest", "WebSocket", "import(", "sendBeacon", "http", "eval("):
        assert word not in program
    [policy] = [one for one in parsed.all("meta") if "http-equiv" in one["attrs"]]
    assert policy["attrs"]["content"].startswith("default-src 'none'")


def test_every_control_and_picture_has_a_name(parsed):
    ids = {one["attrs"]["id"]: one for one in parsed.elements if "id" in one["attrs"]}
    assert len(ids) == len([one for one in parsed.elements if "id" in one["attrs"]])
    controls = parsed.all("button", "input", "select", "canvas", "article", "section", "nav")
    assert len(controls) > 100
    for one in controls:
        attrs = one["attrs"]
        by = ids[attrs["aria-labelledby"]]["text"] if "aria-labelledby" in attrs else ""
        around = [parent["text"] for parent in one["inside"] if parent["tag"] == "label"]
        own = one["text"] if one["tag"] == "button" else ""
        name = attrs.get("aria-label") or by or own or "".join(around)
        assert name.strip(), (one["tag"], attrs)
    for one in parsed.all("a"):
        assert one["attrs"]["href"][1:] in ids and one["text"].strip()
    for one in parsed.all("table"):
        assert any(e["tag"] == "caption" and one in e["inside"] for e in parsed.elements)
    drawn = [one for one in parsed.all("svg") if one["attrs"].get("aria-hidden") != "true"]
    assert len(drawn) == 6  # the map of the memory, and `convert.report.pictures`
    for one in drawn:
        named = one["attrs"].get("aria-labelledby", "").split()
        assert one["attrs"].get("aria-label") or all(ids[name]["text"] for name in named)


def test_names_are_escaped(parsed, written):
    scripts = [one["attrs"].get("type") for one in parsed.all("script")]
    assert [kind for kind in scripts if kind != "text/plain"] == ["application/json", None]
    assert HOSTILE not in written.read_text()
    assert any(one["text"] == HOSTILE for one in parsed.all("th"))


def test_data_are_finite_and_sounds_decode(bundle, processed, parsed):
    def refuse(constant):
        raise AssertionError(constant)

    [data] = [one for one in parsed.all("script") if one["attrs"].get("id") == "data"]
    rows = json.loads(data["text"], parse_constant=refuse)
    stored = {one["attrs"]["id"]: one["text"] for one in parsed.all("script") if one["attrs"]}
    cells = [one["text"] for one in parsed.all("td")]
    assert len(cells) > 300 and not any(re.match(r"\W*(nan|inf)\b", cell) for cell in cells)
    assert [row["is_demo"] for row in rows] == [True] * len(processed) + [False] * 3
    for i, (row, one) in enumerate(zip(rows, [*processed, *processed[:3]], strict=True)):
        labels = ["mixture", "float32", "enhance-nano, int8", "enhance", "clean"]
        assert [version["label"] for version in row["versions"]] == labels
        assert row["name"] == (one.name if row["is_demo"] else f"{HOSTILE} {i - len(processed)}")
        assert row["seconds"] == pytest.approx(4.5)
        for j, pcm in enumerate(one.sounds.values()):
            mp3 = base64.b64decode(stored[f"sound-{i}-{j}"], validate=True)
            heard, rate = soundfile.read(io.BytesIO(mp3))
            assert rate == 16000 and len(heard) == len(pcm)
            error = heard - pcm / 32768
            assert np.sum(error**2) < 0.03 * np.sum((pcm / 32768) ** 2)  # 15 dB


def test_matched_versions_have_one_level_and_do_not_clip(random):
    given = {
        "quiet": random.normal(0, 100, 8000).astype(np.int16),
        "loud": random.normal(0, 5000, 8000).astype(np.int16),
        "silent": np.zeros(8000, np.int16),
    }
    common, matched = sounds.gains(given)
    scaled = {name: matched[name] * pcm / 32768 for name, pcm in given.items()}
    levels = {name: np.sqrt(np.mean(x**2)) for name, x in scaled.items()}
    assert levels["quiet"] == pytest.approx(levels["loud"])
    assert max(np.abs(x).max() for x in scaled.values()) == pytest.approx(sounds.PEAK)
    assert common * np.abs(given["loud"] / 32768).max() == pytest.approx(sounds.PEAK)
    assert sounds.gains({"silent": given["silent"]})[1] == {"silent": 1.0}


def test_the_memory_plan_is_that_of_the_compiled_network(bundle, tmp_path):
    from convert.codegen import c_source

    written = c_source.compile_bundle(bundle, tmp_path / "c")
    plan = content.memory(bundle)
    assert sum(plan["weight_bytes"]) == written["weight_bytes"]
    assert plan["arena_bytes"] == max(b["offset"] + -(-b["size"] // 8) * 8 for b in plan["buffers"])
    assert max(op["ram_bytes"] for op in plan["operators"]) <= (
        plan["state_bytes"] + plan["arena_bytes"]
    )
    for i, one in enumerate(plan["buffers"]):
        for other in plan["buffers"][:i]:
            alive = one["first"] <= other["last"] and other["first"] <= one["last"]
            apart = (
                one["offset"] + one["size"] <= other["offset"]
                or other["offset"] + other["size"] <= one["offset"]
            )
            assert apart or not alive, (one, other)


def test_two_speakers_are_told_apart(tmp_path):
    bundle = bundles.load("separate")
    processed = process_mixtures(2, {"int8": lambda x: np.stack([x, 0.5 * x])})
    report.write_page(bundle, tmp_path / "two.html", processed, trained=None)
    text = (tmp_path / "two.html").read_text()
    assert all(f"int8, speaker {i}" in text and f"clean, speaker {i}" in text for i in (1, 2))
    Page(text)


def test_estimates_are_put_in_the_order_of_the_clean_speech():
    demos = {demo.name: demo for demo in clips.demo_mixtures(2)}
    answers = {demo.mixture.tobytes(): demo.references[::-1] for demo in demos.values()}
    for one in process_mixtures(2, {"int8": lambda x: answers[x.tobytes()]}):
        for i in (1, 2):
            np.testing.assert_array_equal(one.sounds[f"int8_{i}"], one.sounds[f"clean_{i}"])


def test_what_was_not_measured_is_named(bundle, processed, tmp_path):
    def lacks_bazel():
        raise UserError("bazel is not installed; run `make setup`")

    def lacks_package():
        raise ModuleNotFoundError("no", name="pesq")

    def fails():
        raise ModuleNotFoundError("no", name="a_defect")

    no_bazel, no_package = content.section(lacks_bazel), content.section(lacks_package)
    assert no_package["missing"].endswith("pip install 'groupcomm-micro[measure]'")
    with pytest.raises(ModuleNotFoundError):
        content.section(fails)
    result = report.write_page(
        bundle,
        tmp_path / "report.html",
        processed[:1],
        others=[bundles.load("enhance")],
        trained=None,
        cost=no_bazel,
    )
    assert set(result["missing"]) == {"quality", "drift", "parity", "cost"}
    text = (tmp_path / "report.html").read_text()
    assert "bazel is not installed; run <code>make setup</code>" in text
    Page(text)


def test_the_facts_name_the_release_of_tflm_where_it_is_recorded(bundle):
    assert dict(content.facts(bundle, None))["TFLM of the golden vectors"]
    golden = bundle.description["golden"] | {"tflm": "release 7"}
    recorded = dataclasses.replace(bundle, description=bundle.description | {"golden": golden})
    found = dict(content.facts(recorded, None))
    assert found["TFLM of the golden vectors"] == "release 7"
    assert found["SHA-256 of model.tflite"] == bundle.description["model"]["sha256"]


def test_the_page_is_served_on_loopback_until_ctrl_c(tmp_path):
    (tmp_path / "page.html").write_text("<p>page</p>")
    program = """
import pathlib, signal, sys
from convert.report.serve import serve
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
serve(pathlib.Path(sys.argv[1]), lambda url: print(url, flush=True))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "page.html")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPO) as server:
        try:
            url = server.stdout.readline().strip()
            assert re.fullmatch(r"http://localhost:\d+/", url)
            with urllib.request.urlopen(url) as answer:
                assert answer.read() == b"<p>page</p>"
                assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{url}page.html")
            began = time.monotonic()
            server.send_signal(signal.SIGINT)
            assert server.wait(timeout=10) == 0 and time.monotonic() - began < 1
        finally:
            server.kill()


def test_a_page_without_a_compiler_says_how_to_get_live_sound(bundle, processed, tmp_path):
    def lacks_clang(bundle):
        raise UserError("the package ziglang is not installed; pip install 'groupcomm-micro[wasm]'")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content.wasm, "build", lacks_clang)
        others = [bundles.load("enhance")]
        found = report.write_page(
            bundle, tmp_path / "p.html", processed[:1], others=others, trained=None
        )
    assert "ziglang" in found["missing"]["live"]
    text = (tmp_path / "p.html").read_text()
    assert "live-code" not in text.split("<script>")[0] and "wasm-unsafe-eval" not in text
    Page(text)


def test_quick_report(tmp_path):
    found = ok("report", "enhance-nano", "--quick", "--out", tmp_path / "a" / "n.html", "--json")
    assert found["bytes"] == (tmp_path / "a" / "n.html").stat().st_size < LARGEST
    left_out = {"quality", "drift", "parity", "cost", "float32", "baselines"}
    assert set(found["missing"]) == left_out


def test_bad_input_is_refused(tmp_path, bundle_copy):
    with pytest.raises(UserError, match="--mixtures 1"):
        command("enhance", mixtures=1)
    with pytest.raises(UserError, match="is a folder"):
        command("enhance", file=tmp_path)
    with pytest.raises(UserError, match="is a file, and a folder is to be made there"):
        command("enhance", file=bundle_copy / "model.tflite" / "page.html")
    nano = bundles.load("enhance-nano")
    for names, says in (
        (["separate"], "outputs 2 sources"),
        ([str(bundle_copy), "enhance"], "has the name enhance"),
        (["enhance-nano"], "has the name enhance-nano"),
        (["enhance"] * 4, "name fewer"),
        (["enhanc"], "did you mean"),
    ):
        with pytest.raises(UserError, match=says):
            report.open_others(nano, names)
    for text in ("[1]", "{", '{"systems": 1}', '{"systems": [{}]}'):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(UserError, match="not a baselines.json"):
            content.baselines(tmp_path / "b.json")
    with pytest.raises(UserError, match="No such file"):
        content.baselines(tmp_path / "none.json")


@pytest.mark.slow
def test_the_page_is_the_same_in_another_process_folder_and_time_zone(tmp_path):
    pages = []
    for seed, zone in (("1", "Pacific/Kiritimati"), ("2", "America/Adak")):
        out = tmp_path / seed / "page.html"
        command = [sys.executable, "-m", "groupcomm.cli", "report", "enhance-nano", "--quick"]
        environment = {"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(REPO)}
        done = subprocess.run(
            [*command, "--out", out],
            env=os.environ | environment | {"SOURCE_DATE_EPOCH": seed},
            capture_output=True,
            text=True,
            umask=0o22 * int(seed),
        )
        assert done.returncode == 0, done.stderr
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]
