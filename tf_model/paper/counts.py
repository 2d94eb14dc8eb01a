"""Comparison of parameter and MAC counts with the tables of the papers.

Sources: [1] Luo, Han and Mesgarani, "Ultra-Lightweight Speech Separation via Group Communication",
arXiv 2011.08397. [2] Luo, Han and Mesgarani, "Group Communication with Context Codec for
Lightweight Source Separation", arXiv 2012.07291, table V, and the program of its authors
(github.com/yluo42/GC3), which gives sizes that the paper does not specify. ``required`` counts
follow from the sizes in the papers by arithmetic. Where only a rounded figure was published, our
count must round to it.

Our counts are computed, never entered by hand: parameters are those of the built Keras model,
multiply-accumulates are those that its layers report.
"""

import dataclasses
import re

from tf_model import networks
from tf_model.cost import cost

ONE, TWO = "arXiv 2011.08397", "arXiv 2012.07291, table V"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


@dataclasses.dataclass(frozen=True)
class Row:
    """A system of the papers.

    Parameters
    ----------
    name : str
        Name of the network in the registry.
    source : str
        Paper that the figures are from.
    params, macs : str or None
        Published figures ("123.8K"; "3.9G" for 4 s at 16 kHz). None: no published figure is known.
    required_params : int or None
        Exact number of parameters by PyTorch's convention.
    required_macs_thop, required_macs : str or None
        Multiply-accumulates for 4 s, as thop counts and exactly, rounded to the published
        precision.
    note : str
        Remark for the reader of the table.
    """

    name: str
    source: str
    params: str | None = None
    macs: str | None = None
    required_params: int | None = None
    required_macs_thop: str | None = None
    required_macs: str | None = None
    note: str = ""


ROWS = (
    Row("dprnn", ONE, "2.6M", None, 2_620_224, "22.034G", "21.140G"),
    Row("gc-dprnn-k2", ONE, None, None, 3_895_104, "64.758G"),
    Row("gc-dprnn-k4", ONE, None, None, 990_240, "33.254G"),
    Row("gc-dprnn-k8", ONE, None, None, 258_960, "17.502G"),
    Row("gc-dprnn", ONE, "73.6K", "9.6G", 73_608, "9.626G", "7.925G"),
    Row("gc-dprnn-k32", ONE, None, None, 26_004, "5.688G"),
    Row("flstm-dprnn", ONE, note="described without a figure; sub-bands of 4 features, 8 units"),
    Row("tac-dprnn", TWO, note="no published figure known; gc-dprnn with TAC instead of the BLSTM"),
    Row(
        "dprnn",
        TWO,
        "2.6M",
        "22.1G",
        note="chunk 100 as in arXiv 2011.08397; chunk 84 or 98 would give 22.1G",
    ),
    Row("gc3-dprnn", TWO, "123.8K", "3.9G", 123_772),
    Row("tcn", TWO, "2.5M", "10.3G"),
    Row("gc3-tcn", TWO, "191.2K", "3.4G", 191_168),
    Row("dptnet", TWO, "2.8M", "21.8G", note="chunk 100 as for dprnn; chunk 50 would give 21.8G"),
    Row("gc3-dptnet", TWO, "128.6K", "3.9G", 128_636),
    Row(
        "sudo",
        TWO,
        note="no published figure known; the sizes are the defaults of its authors' program",
    ),
    Row(
        "gc3-sudo",
        TWO,
        "60.0K",
        None,
        note="number of blocks not published; 7 blocks come closest (6: 56.5K, 8: 62.9K)",
    ),
)

# Ratios dprnn : gc-dprnn; the abstract of [1] has 35.6 and 2.3.
RATIOS = (
    ("params", "35.60", "params_paper"),
    ("macs", "2.29", "macs_4s_thop"),
)


def value(printed: str) -> float:
    """Parse a published figure.

    Parameters
    ----------
    printed : str
        For example ``"123.8K"``.

    Returns
    -------
    float
        For example 123800.0.
    """
    number, unit = re.fullmatch(r"([\d.]+)([KMG]?)", printed).groups()
    return float(number) * _UNITS[unit]


def prints_as(ours: float, printed: str) -> bool:
    """Return whether a number equals a published figure when it is rounded like it.

    Parameters
    ----------
    ours : float
    printed : str
        For example ``"123.8K"``.

    Returns
    -------
    bool
    """
    number, unit = re.fullmatch(r"([\d.]+)([KMG]?)", printed).groups()
    return f"{ours / _UNITS[unit]:.{len(number.partition('.')[2])}f}" == number


def _difference(ours: float, printed: str) -> float:
    return round(100 * (ours / value(printed) - 1), 2)


def judge(row: Row, figures: dict) -> dict:
    """Compare our counts of a system with the published ones.

    Parameters
    ----------
    row : Row
        The published figures.
    figures : dict
        Our counts, from `tf_model.cost.cost`.

    Returns
    -------
    dict
        The fields of the row, and ``params``, ``params_paper``, ``macs_4s``, ``macs_4s_thop`` and
        ``macs_per_second``; ``params_difference_percent`` and ``macs_difference_percent``, the
        difference of our count by the convention of the paper from the published figure, None
        without one; ``must_be_exact``; ``exact``, None where the counts need not be exact; and
        ``verdict``: "exact", "as the formulas" (of a paper that publishes no figure), "as printed",
        "differs: ..." or "no published figure known".
    """
    checks, differing = [], []
    if row.required_params is not None:
        checks.append(("params", figures["params_paper"] == row.required_params))
    for key, ours in ((row.required_macs_thop, "macs_4s_thop"), (row.required_macs, "macs_4s")):
        if key:
            checks.append((ours, prints_as(figures[ours], key)))
    compared = [
        ("params", row.params, figures["params_paper"]),
        ("MACs", row.macs, figures["macs_4s_thop"]),
    ]
    for what, printed, ours in compared:
        if printed and not prints_as(ours, printed):
            differing.append(f"{what} {_difference(ours, printed):+.2f} %")
    failed = [name for name, ok in checks if not ok]
    if failed or differing:
        verdict = "differs: " + ", ".join([f"{name} not exact" for name in failed] + differing)
    else:
        verdict = (
            ("exact" if row.params else "as the formulas")
            if checks
            else "as printed"
            if row.params
            else "no published figure known"
        )
    return {
        "network": row.name,
        "source": row.source,
        "published_params": row.params,
        "published_macs_4s": row.macs,
        "required_params": row.required_params,
        "required_macs_4s_thop": row.required_macs_thop,
        "required_macs_4s": row.required_macs,
        **{
            key: figures[key]
            for key in ("params", "params_paper", "macs_4s", "macs_4s_thop", "macs_per_second")
        },
        "params_difference_percent": _difference(figures["params_paper"], row.params)
        if row.params
        else None,
        "macs_difference_percent": _difference(figures["macs_4s_thop"], row.macs)
        if row.macs
        else None,
        "must_be_exact": bool(checks),
        "exact": not failed if checks else None,
        "verdict": verdict,
        "note": row.note,
    }


def table(report=lambda name: None) -> dict:
    """Compare all systems, and the ratios in the abstract of [1].

    Parameters
    ----------
    report : callable
        Called with the name of a network when it has been counted.

    Returns
    -------
    dict
        ``rows`` (see `judge`); ``ratios`` of dprnn to gc-dprnn, each with ``quantity``,
        ``published``, ``ours`` and ``exact``; and ``ok``, whether everything that must be exact is
        exact.
    """
    figures = {}
    for name in dict.fromkeys(row.name for row in ROWS):
        figures[name] = cost(networks.find(name))
        report(name)
    rows = [judge(row, figures[row.name]) for row in ROWS]
    ratios = []
    for quantity, published, key in RATIOS:
        ours = figures["dprnn"][key] / figures["gc-dprnn"][key]
        ratios.append(
            {
                "quantity": quantity,
                "published": published,
                "ours": round(ours, 4),
                "exact": prints_as(ours, published),
            }
        )
    return {
        "ok": all(r["exact"] is not False for r in rows + ratios),
        "ratios": ratios,
        "rows": rows,
    }
