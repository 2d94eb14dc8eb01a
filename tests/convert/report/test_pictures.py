"""The pictures as SVG: they show the values, name them, and are the same every time."""

import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from convert import bundle as bundles
from convert.report import content, pictures, report

SVG = "{http://www.w3.org/2000/svg}"
NAME = "<b>&\"'"
LOADS = [
    {"board": "fast", "load": {"least": 0.1, "most": 0.2}, "ok": True},
    {"board": "slow", "load": {"least": 1.0, "most": 4.0}, "ok": False},
]
OPERATORS = [
    {"name": "FULLY_CONNECTED", "output": [1, 8], "cycles": 300.0},
    {"name": "RESHAPE", "output": [8], "cycles": 0.0},
    {"name": "UNIDIRECTIONAL_SEQUENCE_LSTM", "output": [4, 1, 8], "cycles": 500.0},
    {"name": "FULLY_CONNECTED", "output": [1, 4], "cycles": 100.0},
]
BENCH = {
    "board": "cortex-m4",
    "cycles": {"hop": {"mean": 1000.0}, "signal": {"mean": 60.0}},
    "operators": OPERATORS,
}


def system(name, mean, macs, *, is_bundle=False):
    interval = {"mean": mean, "low": mean - 0.5, "high": mean + 0.5}
    return {"name": name, "sisdri_db": interval, "macs_per_second": macs, "is_bundle": is_bundle}


SYSTEMS = content.with_cycles(
    [
        system("ours", 4.0, 1e6, is_bundle=True),
        system("other", 4.0, 2e6),
        system(NAME, -1.0, 1e8),
        system("unknown", 3.0, None),
    ],
    {"ours": (4e6, 2.0), "ours too": (9e6, 3.0)},
)
GAINS = np.linspace(0, 1, 40 * 9).reshape(40, 9)
DRAWN = {
    "loads": lambda: pictures.loads({NAME: LOADS, "b": LOADS}),
    "quality": lambda: pictures.quality(SYSTEMS, "Cortex-M4"),
    "masks": lambda: pictures.masks(NAME, GAINS, GAINS, 2.0, 8000),
    "layers": lambda: pictures.layers(NAME, BENCH),
    "drift": lambda: pictures.drift(NAME, [4.0, 5.0, 5.0], [4.0, 5.1, 5.1]),
    "flat drift": lambda: pictures.drift("x", [5.0] * 3, [5.0] * 3),
}


def parse(name):
    return ET.fromstring(pictures.standalone(DRAWN[name]()))


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_a_named_svg_that_stays_within_its_frame(name):
    root = parse(name)
    ids = {one.get("id"): one.text for one in root.iter() if one.get("id")}
    assert all(ids[part] for part in root.get("aria-labelledby").split())
    assert root.get("role") == "img" and DRAWN[name]() == DRAWN[name]()
    *_, width, height = map(float, root.get("viewBox").split())
    for one in root.iter():
        sizes = {key: float(one.get(key, 0)) for key in ("x", "y", "cx", "cy", "width", "height")}
        assert all(np.isfinite(value) for value in sizes.values())
        if one.tag in (f"{SVG}rect", f"{SVG}image", f"{SVG}circle", f"{SVG}text"):
            assert 0 <= sizes["x"] + sizes["width"] <= width + 0.01
            assert 0 <= sizes["y"] + sizes["height"] <= height
            assert 0 <= sizes["cx"] <= width and 0 <= sizes["cy"] <= height
        used = [value for key, value in one.items() if key.endswith("href")]
        assert all(value.startswith("data:image/png;base64,") for value in used)
    style = root.find(f"{SVG}style").text
    assert "prefers-color-scheme: dark" in style and "url(" not in style


def says(name):
    return parse(name).find(f"{SVG}desc").text


def test_descriptions_have_the_values():
    assert f"{NAME} on slow: 100 to 400 %, does not fit." in says("loads")
    assert "ours: 4.00 dB (3.50 to 4.50), 4 million cycles per second." in says("quality")
    assert f"{NAME}: -1.00 dB (-1.50 to -0.50), an estimated 200 to 300 million" in says("quality")
    assert "10 % of the gains are below 0.1, and 10 % above 0.9." in says("masks")
    assert says("layers") == (
        "A hop takes 1,000 cycles. lstm: 500 cycles, 50.0 %. fully connected: 400 cycles, 40.0 %. "
        "signal path: 60 cycles, 6.0 %. rest of the network: 40 cycles, 4.0 %."
    )
    assert "int8: 4.000 dB in minute 1, 5.000 in minute 2, 5.000 in minute 3." in says("drift")


def test_systems_without_known_macs_have_no_cycles():
    assert [s["name"] for s in SYSTEMS] == ["ours", "other", NAME]
    assert [s["is_counted"] for s in SYSTEMS] == [True, False, False]


def test_operators_lie_under_their_kind():
    boxes = [r for r in parse("layers").iter(f"{SVG}rect") if r.find(f"{SVG}title") is not None]
    at = {r.find(f"{SVG}title").text.split(":")[0]: r for r in boxes}
    kind = at["fully connected"]
    start, end = float(kind.get("x")), float(kind.get("x")) + float(kind.get("width"))
    for name in ("0 fully connected 1x8", "3 fully connected 1x4"):
        box = at[name]
        assert start - 0.02 <= float(box.get("x")) <= end - float(box.get("width")) + 0.02
        assert float(box.get("y")) > float(kind.get("y"))
    assert not any("reshape" in name for name in at)


def test_a_png_has_the_values_from_dark_to_light():
    content = pictures._png(np.array([[0.0, 0.5, 1.0]]))
    assert content[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", content[16:24]) == (3, 1)
    data = content.split(b"IDAT")[1]
    assert zlib.decompressobj().decompress(data) == bytes([0, 0, 16, 31])


def test_a_network_of_samples_has_no_picture_of_masks():
    pages = {"cost": {"missing": "left out"}, "drift": {"missing": "left out"}}
    assert report._pictures(bundles.load("enhance-tasnet"), pages) == {}
    assert list(report._pictures(bundles.load("enhance-nano"), pages)) == ["masks"]


def test_the_masks_of_a_bundle_are_gains_over_the_whole_clip():
    found = content.gains(bundles.load("enhance-nano"))
    hops, bins = found["gains"].shape
    assert found["mixture"].shape == (hops, bins) and bins == 129
    assert 280 <= hops <= content.MOST_COLUMNS and found["seconds"] == 4.5
    assert found["gains"].min() >= 0 and found["gains"].max() <= 1 and found["gains"].std() > 0.1


def test_ticks_of_the_drift_are_whole_minutes():
    words = [one.text for one in parse("drift").iter(f"{SVG}text")]
    minutes = [word for word in words if word and word.startswith(("2", "3"))]
    assert minutes == ["2", "3"]
