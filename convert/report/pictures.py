"""Pictures of measurements as SVG, for the documents and for the report.

Each function takes plain data and returns the text of one ``<svg>`` element for a page that has
`STYLE`; `standalone` makes a file of it. A picture has a title and a description with the values
for those who do not see it, is readable on light and dark ground, and loads nothing. The same data
give the same text.
"""

import base64
import math
import re
import struct
import zlib
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import numpy as np

WIDTH = 720
# Colours are those of the page of the report (templates/report.css).
STYLE = """
.gc-figure { --ink: #1b1f24; --soft: #57606a; --ground: #ffffff; --rule: #d0d7de; --blue: #0b5cad;
  --red: #b3261e; --violet: #7a4fb5; --green: #1a7f4b; --orange: #a85400; --on: #ffffff;
  font-family: system-ui, sans-serif; max-width: 100%; height: auto }
@media (prefers-color-scheme: dark) { .gc-figure { --ink: #e6e9ec; --soft: #a3adb8;
  --ground: #14171a; --rule: #3a4149; --blue: #7cb7f5; --red: #ff8a80; --violet: #c4a3f0;
  --green: #6fcf97; --orange: #f0b45c; --on: #0c1117 } }
"""
COLOURS = ("blue", "green", "violet", "orange", "red")


class _Figure:
    """Collects the elements of an SVG picture.

    Parameters
    ----------
    title, description : str
    height : float
    """

    def __init__(self, title: str, description: str, height: float):
        self._id = "gc-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        self._height = height
        self._lines = [
            f'<title id="{self._id}-title">{escape(title)}</title>',
            f'<desc id="{self._id}-text">{escape(description)}</desc>',
        ]
        self.rect(0, 0, WIDTH, height, "ground")

    def _add(self, tag: str, content: str = "", **attributes: object) -> None:
        names = {key.replace("_", "-"): value for key, value in attributes.items()}
        words = "".join(f" {key}={quoteattr(_plain(value))}" for key, value in names.items())
        self._lines.append(f"<{tag}{words}>{content}</{tag}>" if content else f"<{tag}{words}/>")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "start",
        colour: str = "ink",
        size: int = 12,
        turn: int = 0,
        is_above: bool = False,
    ) -> None:
        """Write a text whose base line is at y; it can be read above lines."""
        above = ";paint-order:stroke;stroke:var(--ground);stroke-width:3" if is_above else ""
        turned = {"transform": f"rotate({turn} {_plain(x)} {_plain(y)})"} if turn else {}
        self._add(
            "text",
            escape(text),
            x=x,
            y=y,
            text_anchor=anchor,
            font_size=size,
            style=f"fill:var(--{colour}){above}",
            **turned,
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, colour: str = "rule", width: float = 1
    ) -> None:
        style = f"stroke:var(--{colour})"
        self._add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke_width=width, style=style)

    def path(self, points: Sequence[tuple[float, float]], colour: str, dashes: str = "") -> None:
        words = " ".join(f"{_plain(x)},{_plain(y)}" for x, y in points)
        style = f"stroke:var(--{colour});stroke-dasharray:{dashes or 'none'}"
        self._add("polyline", points=words, fill="none", stroke_width=2, style=style)

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: str,
        *,
        says: str = "",
        edge: str = "none",
    ) -> None:
        """Draw a rectangle; what it says appears under the pointer."""
        style = f"fill:var(--{colour})" + (f";stroke:var(--{edge})" if edge != "none" else "")
        content = f"<title>{escape(says)}</title>" if says else ""
        self._add("rect", content, x=x, y=y, width=width, height=height, style=style)

    def circle(self, x: float, y: float, colour: str, *, is_full: bool = True) -> None:
        style = f"fill:var(--{colour if is_full else 'ground'});stroke:var(--{colour})"
        self._add("circle", cx=x, cy=y, r=4, stroke_width=1.5, style=style)

    def image(
        self, x: float, y: float, width: float, height: float, content: bytes, says: str
    ) -> None:
        data = "data:image/png;base64," + base64.b64encode(content).decode()
        self._add(
            "image",
            f"<title>{escape(says)}</title>",
            x=x,
            y=y,
            width=width,
            height=height,
            preserveAspectRatio="none",
            href=data,
        )

    def svg(self) -> str:
        """Return the text of the picture."""
        head = (
            f'<svg class="gc-figure" '
            f'viewBox="0 0 {WIDTH} {_plain(self._height)}" width="{WIDTH}" '
            f'height="{_plain(self._height)}" role="img" '
            f'aria-labelledby="{self._id}-title {self._id}-text">'
        )
        return "\n".join([head, *self._lines, "</svg>\n"])


def standalone(picture: str) -> str:
    """Return the content of an SVG file.

    Parameters
    ----------
    picture : str
        The result of another function.

    Returns
    -------
    str
    """
    head, _, rest = picture.partition("\n")
    head = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f"{head}\n<style>{STYLE}</style>\n{rest}"


def _plain(value: object) -> str:
    """Write a number with at most two decimals, and anything else as it is."""
    return f"{round(value, 2):g}" if isinstance(value, float) else str(value)


def _ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers in a range: 1, 2 or 5 times a power of ten apart."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * k for k in (1, 2, 5, 10) if span / (power * k) <= most)
    return [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Return 1 and 3 times the powers of ten in a range, or also 2 and 5 times in a short one."""
    digits = (1, 3) if high / low > 30 else (1, 2, 5)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [k * 10.0**p for p in powers for k in digits if low <= k * 10.0**p <= high]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.0095 else f"{100 * share:.1f}"


def loads(networks: dict[str, list[dict]]) -> str:
    """Draw the load of each board as an interval, one panel for each network.

    Parameters
    ----------
    networks : dict of str to list of dict
        By network, the boards of `groupcomm fit`: ``board``, ``load`` (``least``, ``most``) and
        ``ok``, whether it fits. All have the same boards.

    Returns
    -------
    str
    """
    boards = [one["board"] for one in next(iter(networks.values()))]
    every = [
        one["load"][end] for found in networks.values() for one in found for end in one["load"]
    ]
    low, high = 0.8 * min(every), 1.25 * max(1.0, *every)
    said = [
        f"{name} on {one['board']}: {_percent(one['load']['least'])} to "
        f"{_percent(one['load']['most'])} %, {'fits' if one['ok'] else 'does not fit'}."
        for name, found in networks.items()
        for one in found
    ]
    row, top, left, gap = 20, 44, 120, 24
    height = top + row * len(boards) + 40
    title = f"Load of the boards by {', '.join(networks)}"
    figure = _Figure(title, " ".join(said), height)
    width = (WIDTH - left - gap * len(networks)) / len(networks)
    for number, board in enumerate(boards):
        figure.text(left - 8, top + row * (number + 0.5) + 4, board, anchor="end")
    for panel, (name, found) in enumerate(networks.items()):
        start = left + panel * (width + gap)

        def at(share: float, start: float = start) -> float:
            return start + width * math.log(share / low) / math.log(high / low)

        bottom = top + row * len(boards)
        figure.text(start, top - 26, name, size=14)
        for tick in _log_ticks(low, high):
            figure.line(at(tick), top - 4, at(tick), bottom)
            label = f"{100 * tick:g}" + (" %" if tick == 1 else "")
            figure.text(at(tick), bottom + 15, label, anchor="middle", colour="soft", size=11)
        figure.line(at(1), top - 4, at(1), bottom, "red")
        for number, one in enumerate(found):
            x, end = at(one["load"]["least"]), at(one["load"]["most"])
            says = said[panel * len(boards) + number]
            colour = "blue" if one["ok"] else "red"
            y = top + row * number
            figure.rect(x, y + 5, max(end - x, 2.0), row - 10, colour, says=says)
    words = (
        "share of the time of a hop: the core alone, to its flash and the error of the model added"
    )
    figure.text(left, height - 6, words, colour="soft", size=11)
    return figure.svg()


def quality(systems: list[dict], core: str) -> str:
    """Draw the SI-SDR improvement of systems over the cycles that they need per second.

    Parameters
    ----------
    systems : list of dict
        ``name``; ``is_bundle``; ``sisdri_db`` (``mean``, ``low``, ``high``); ``cycles``, per
        second, an interval (``least``, ``most``); ``is_counted``, whether these are not an
        estimate. See `content.with_cycles`.
    core : str
        The core of the cycles.

    Returns
    -------
    str
    """
    systems = sorted(systems, key=lambda s: s["sisdri_db"]["mean"])
    left, top, right, bottom = 60, 20, WIDTH - 130, 340
    least = 0.7 * min(s["cycles"]["least"] for s in systems)
    most = 1.4 * max(s["cycles"]["most"] for s in systems)
    low = min(0.0, *(s["sisdri_db"]["low"] for s in systems))
    high = max(s["sisdri_db"]["high"] for s in systems) + 0.2
    said = [
        f"{s['name']}: {s['sisdri_db']['mean']:.2f} dB "
        f"({s['sisdri_db']['low']:.2f} to {s['sisdri_db']['high']:.2f}), "
        + (
            f"{s['cycles']['most'] / 1e6:.0f} million cycles per second."
            if s["is_counted"]
            else f"an estimated {s['cycles']['least'] / 1e6:.0f} to "
            f"{s['cycles']['most'] / 1e6:.0f} million cycles per second."
        )
        for s in systems
    ]
    figure = _Figure(f"Quality against cycles on a {core}", " ".join(said), 404)

    def across(cycles: float) -> float:
        return left + (right - left) * math.log(cycles / least) / math.log(most / least)

    def up(db: float) -> float:
        return bottom - (bottom - top) * (db - low) / (high - low)

    for tick in _log_ticks(least, most):
        figure.line(across(tick), top, across(tick), bottom)
        figure.text(
            across(tick), bottom + 16, f"{tick / 1e6:,g}", anchor="middle", colour="soft", size=11
        )
    for tick in _ticks(low, high):
        figure.line(left, up(tick), right, up(tick))
        figure.text(left - 8, up(tick) + 4, f"{tick:g}", anchor="end", colour="soft", size=11)
    figure.text(16, (top + bottom) / 2, "SI-SDR improvement (dB)", anchor="middle", turn=-90)
    words = f"million cycles per second of sound, {core} (logarithmic)"
    figure.text((left + right) / 2, bottom + 34, words, anchor="middle")
    taken: list[tuple[float, float, float]] = []  # x of both ends and y of names and points
    for s in systems:
        x = sum(across(s["cycles"][end]) for end in ("least", "most")) / 2
        taken.append((x - 6, x + 6, up(s["sisdri_db"]["mean"]) + 4))
    for s in systems:
        colour = "blue" if s["is_bundle"] else "soft"
        ends, y = (
            [across(s["cycles"][end]) for end in ("least", "most")],
            up(s["sisdri_db"]["mean"]),
        )
        x = sum(ends) / 2
        figure.line(ends[0], y, ends[1], y, colour, 2)
        figure.line(x, up(s["sisdri_db"]["low"]), x, up(s["sisdri_db"]["high"]), colour, 1.5)
        figure.circle(x, y, colour, is_full=s["is_counted"])
        start, end, above = ends[1] + 8, ends[1] + 8 + 6.8 * len(s["name"]), y + 4
        while any(start < b and end > a and abs(above - other) < 12 for a, b, other in taken):
            above -= 1
        taken.append((start, end, above))
        name_colour = colour if s["is_bundle"] else "ink"
        figure.text(start, above, s["name"], colour=name_colour, is_above=True)
    figure.circle(left + 4, 392, "blue")
    figure.text(left + 14, 396, "cycle model", size=11)
    figure.circle(left + 104, 392, "soft", is_full=False)
    words = "estimate: MACs at the cycles per MAC of the networks with a full circle, without STFT"
    figure.text(left + 114, 396, words, size=11)
    return figure.svg()


def masks(name: str, mixture: np.ndarray, gains: np.ndarray, seconds: float, top_hz: float) -> str:
    """Draw the gains of a network over time and frequency, under its input.

    Parameters
    ----------
    name : str
        What is shown, for the title.
    mixture : np.ndarray [shape=(hops, bins)]
        Magnitudes of the spectrum of the input.
    gains : np.ndarray [shape=(hops, bins)]
        Masks, 0..1.
    seconds : float
        Length of the sound.
    top_hz : float
        Frequency of the last bin.

    Returns
    -------
    str
    """
    level = 20 * np.log10(np.maximum(np.abs(mixture), 1e-9))
    level = np.clip((level - level.max() + 70) / 70, 0, 1)
    left, width, height, top = 60, WIDTH - 150, 130, 26
    mean = float(gains.mean())
    said = (
        f"{seconds:.1f} s of sound. The mean gain is {mean:.2f}; "
        f"{100 * float((gains < 0.1).mean()):.0f} % of the gains are below 0.1, and "
        f"{100 * float((gains > 0.9).mean()):.0f} % above 0.9."
    )
    figure = _Figure(f"Gain masks over time: {name}", said, 2 * (height + 40) + 24)
    panels = (
        ("input, level (dB)", level, ("-70", "0")),
        ("gain of the network", np.clip(gains, 0, 1), ("0", "1")),
    )
    for number, (title, values, ends) in enumerate(panels):
        y = top + number * (height + 40)
        figure.text(left, y - 7, title)
        figure.image(left, y, width, height, _png(values.T[::-1]), title)
        for hz in _ticks(0, top_hz, 4):
            at = y + height * (1 - hz / top_hz)
            figure.line(left - 4, at, left, at, "soft")
            label = f"{hz / 1000:g}" + (" kHz" if hz == 0 else "")
            figure.text(left - 7, at + 4, label, anchor="end", colour="soft", size=11)
        scale = np.linspace(1, 0, 64)[:, None]
        figure.image(
            left + width + 20, y, 12, height, _png(scale), f"scale: {ends[0]} to {ends[1]}"
        )
        for value, at in zip(ends, (y + height, y + 8), strict=True):
            figure.text(left + width + 38, at, value, colour="soft", size=11)
        for second in _ticks(0, seconds, 10):
            x = left + width * second / seconds
            figure.line(x, y + height, x, y + height + 4, "soft")
            figure.text(x, y + height + 16, f"{second:g}", anchor="middle", colour="soft", size=11)
    figure.text(left + width, top + 2 * height + 40 + 32, "seconds", anchor="end", colour="soft")
    return figure.svg()


def _png(values: np.ndarray) -> bytes:
    """Write an image [shape=(rows, columns), 0..1] as PNG with 32 colours, from dark to yellow."""
    t = np.linspace(0, 1, 32)
    red, green = np.clip(2.0 * t - 0.1, 0, 1), np.clip(1.5 * t - 0.5, 0, 1)
    blue = np.clip(0.15 + 1.6 * t * (1 - t) - 0.1 * t, 0, 1)
    palette = np.rint(255 * np.stack([red, green, blue], 1)).astype(np.uint8)
    index = np.rint(31 * values).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in index)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", index.shape[1], index.shape[0], 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            chunk(b"IHDR", head),
            chunk(b"PLTE", palette.tobytes()),
            chunk(b"IDAT", zlib.compress(rows, 9)),
            chunk(b"IEND", b""),
        ]
    )


def layers(name: str, bench: dict) -> str:
    """Draw the cycles of a hop as an icicle: the hop, kinds of operators, operators.

    Parameters
    ----------
    name : str
        The network.
    bench : dict
        The result of `groupcomm bench`: ``board``, ``cycles`` and ``operators``.

    Returns
    -------
    str
    """
    cycles, signal = bench["cycles"]["hop"]["mean"], bench["cycles"]["signal"]["mean"]
    kinds: dict[str, list[tuple[str, float]]] = {}
    for number, op in enumerate(bench["operators"]):
        if op["cycles"]:
            short = op["name"].removeprefix("UNIDIRECTIONAL_SEQUENCE_").lower().replace("_", " ")
            shape = "x".join(map(str, op["output"]))
            kinds.setdefault(short, []).append((f"{number} {short} {shape}", op["cycles"]))
    parts = {kind: sum(c for _, c in ops) for kind, ops in kinds.items()}
    rest = cycles - signal - sum(parts.values())
    parts |= {"signal path": signal} | ({"rest of the network": rest} if rest > 0.5 else {})
    parts = dict(sorted(parts.items(), key=lambda part: -part[1]))
    said = [f"A hop takes {cycles:,.0f} cycles."]
    said += [f"{kind}: {c:,.0f} cycles, {100 * c / cycles:.1f} %." for kind, c in parts.items()]
    board = bench["board"].replace("cortex-m", "Cortex-M")
    figure = _Figure(f"Cycles of a hop of {name} on a {board}", " ".join(said), 164)
    scale, height = WIDTH / cycles, 44

    def box(x: float, row: int, label: str, size: float, colour: str) -> None:
        width, y = size * scale, 4 + row * (height + 2)
        says = f"{label}: {size:,.0f} cycles, {100 * size / cycles:.1f} %"
        figure.rect(x, y, width, height, colour, says=says, edge="ground")
        if max(6.6 * len(label), 44) + 6 < width:
            figure.text(x + 5, y + 18, label, colour="on")
            figure.text(x + 5, y + 34, f"{100 * size / cycles:.1f} %", colour="on")

    box(0, 0, f"{name}: {cycles:,.0f} cycles per hop", cycles, "soft")
    x = 0.0
    for number, (kind, size) in enumerate(parts.items()):
        colour = "soft" if kind.startswith(("signal", "rest")) else COLOURS[number % 4]
        box(x, 1, kind, size, colour)
        inner = x
        for label, own in kinds.get(kind, ()):
            box(inner, 2, label, own, colour)
            inner += own * scale
        x += size * scale
    shares = (f"{kind} {100 * size / cycles:.1f} %" for kind, size in parts.items())
    figure.text(0, 159, ", ".join(shares), colour="soft", size=11)
    return figure.svg()


def drift(name: str, int8_db: Sequence[float], float_db: Sequence[float]) -> str:
    """Draw the SI-SDR improvement of int8 and float32 minute by minute in one long stream.

    The first minute differs, because it begins from silence: it is only in the description.

    Parameters
    ----------
    name : str
        The network.
    int8_db, float_db : sequence of float
        Improvement in each minute, as of `groupcomm drift`.

    Returns
    -------
    str
    """
    values = {"int8": ("blue", "", int8_db), "float32": ("orange", "6 4", float_db)}
    shown = [*int8_db[1:], *float_db[1:]]
    low, high = min(shown), max(shown)
    margin = max(0.02, 0.15 * (high - low))
    low, high = low - margin, high + margin
    minutes = len(int8_db)
    said = [
        f"{label}: {db[0]:.3f} dB in minute 1, {db[1]:.3f} in minute 2, {db[-1]:.3f} in minute "
        f"{minutes}."
        for label, (_, _, db) in values.items()
    ]
    left, top, right, bottom = 66, 16, WIDTH - 76, 216
    figure = _Figure(f"Drift of {name} over {minutes} minutes", " ".join(said), 256)

    def across(minute: float) -> float:
        return left + (right - left) * (minute - 2) / (minutes - 2)

    def up(db: float) -> float:
        return bottom - (bottom - top) * (db - low) / (high - low)

    for tick in _ticks(low, high):
        figure.line(left, up(tick), right, up(tick))
        figure.text(left - 8, up(tick) + 4, f"{tick:.2f}", anchor="end", colour="soft", size=11)
    for tick in _ticks(2, minutes, min(10, minutes - 2)):  # whole minutes
        figure.line(across(tick), bottom, across(tick), bottom + 4, "soft")
        figure.text(across(tick), bottom + 17, f"{tick:g}", anchor="middle", colour="soft", size=11)
    ends = sorted((up(db[-1]), label, colour) for label, (colour, _, db) in values.items())
    for number, (y, label, colour) in enumerate(ends):
        apart = (-4 if number == 0 else 12) if ends[1][0] - ends[0][0] < 14 else 4
        figure.text(right + 8, y + apart, label, colour=colour)
    for colour, dashes, db in values.values():
        figure.path([(across(m), up(x)) for m, x in enumerate(db[1:], 2)], colour, dashes)
    figure.text(16, (top + bottom) / 2, "SI-SDR improvement (dB)", anchor="middle", turn=-90)
    figure.text((left + right) / 2, bottom + 34, "minute, from the second one", anchor="middle")
    return figure.svg()
