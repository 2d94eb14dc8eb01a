"""Write the page."""

import math
from pathlib import Path

import jinja2
from markupsafe import Markup

from convert.codegen import wasm
from convert.report import pictures
from groupcomm.files import atomic_path, resource

TEMPLATES = resource("convert/report/templates")
PROGRAMS = ("report.js", "live.js")


def render(content: dict) -> str:
    """Return the page as HTML. The same content gives the same page.

    Parameters
    ----------
    content : dict
        ``name``, ``facts``, ``others`` (pairs of name and facts), ``demo``, ``worst`` (players),
        ``quality``, ``drift``, ``baselines``, ``memory``, ``cost``, ``parity`` and ``live``, see
        `convert.report.content`;
        ``pictures``, SVG by name, see `convert.report.pictures`.

    Returns
    -------
    str
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "code": _code,
        "number": _number,
        "interval": _interval,
        "operator": lambda name: name.removeprefix("UNIDIRECTIONAL_SEQUENCE_"),
        "shape": lambda shape: "×".join(map(str, shape)) or "-",
        "scale": _scale,
    }
    return environment.get_template("report.html.j2").render(
        **content | {"pictures": {k: Markup(v) for k, v in content["pictures"].items()}},
        style=Markup((TEMPLATES / "report.css").read_text() + pictures.STYLE),
        program=Markup("".join((TEMPLATES / file).read_text() for file in PROGRAMS)),
        live_program=Markup(wasm.program()),
        player_data=_player_data(content),
    )


def write(content: dict, file: Path) -> int:
    """Write the page; it appears whole or not at all.

    Parameters
    ----------
    content : dict
        As for `render`.
    file : Path

    Returns
    -------
    int
        Its bytes.

    Raises
    ------
    UserError
        When the file cannot be written.
    """
    html = render(content).encode()
    with atomic_path(file) as part:
        part.write_bytes(html)
    return len(html)


def _player_data(content: dict) -> list[dict]:
    """Return what the program needs to know of each mixture, the demo mixtures first."""
    demos, worst = content["demo"]["rows"], content["worst"]
    return [
        {key: row[key] for key in ("name", "seconds", "gain")}
        | {"is_demo": number < len(demos)}
        | {"versions": [{key: v[key] for key in ("label", "gain")} for v in row["versions"]]}
        for number, row in enumerate([*demos, *worst])
    ]


def _code(text: str) -> Markup:
    """Escape a text, and mark what stands between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def _number(value: float | None, digits: int = 0, sign: bool = False) -> str:
    """Format a number with separators, or a dash."""
    if value is None or not math.isfinite(value):
        return "-"
    value = round(value, digits) or 0.0  # and not -0
    return f"{value:{'+' if sign else ''},.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _interval(found: dict | None, digits: int = 2, sign: bool = False) -> str:
    """Format a mean with its 95 % confidence interval, or a dash."""
    if not found:
        return "-"
    mean, low, high = (_number(found[key], digits, sign) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _scale(groups: list[dict]) -> dict[str, float]:
    """Return the range of a plot of intervals: all of them, and 0."""
    low = min([0.0, *(group["low"] for group in groups)])
    high = max([0.0, *(group["high"] for group in groups)])
    return {"low": low, "span": (high - low) or 1.0}
