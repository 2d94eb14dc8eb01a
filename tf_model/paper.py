"""The papers' tables against this program: published figure, ours, difference, verdict.

Sources. [1] Luo, Han, Mesgarani, "Ultra-Lightweight Speech Separation via Group Communication", arXiv 2011.08397. [2] the same, "Group
Communication with Context Codec for Lightweight Source Separation", arXiv 2012.07291, table V, and its authors' program
(github.com/yluo42/GC3), which gives sizes that the paper leaves open. ``required`` counts follow from the papers' sizes by arithmetic;
where only a rounded figure was printed, ours must round to it.

What is ours is never typed in: parameters are those of the built Keras model, multiply-accumulates those that its layers report.
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
    name : network in the registry.
    source : where the figures are from.
    params, macs : as printed ("123.8K", "3.9G" for 4 s at 16 kHz), or None where no figure of this program's knowledge was printed.
    required_params : exact parameters by PyTorch's convention.
    required_macs_thop, required_macs : for 4 s, as thop counts and true, to the printed precision.
    note : what a reader must know.
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
    Row("flstm-dprnn", ONE, note="described, no figure printed; sub-bands of 4 features, 8 units"),
    Row("tac-dprnn", TWO, note="no figure known; as gc-dprnn with TAC for the BLSTM"),
    Row(
        "dprnn",
        TWO,
        "2.6M",
        "22.1G",
        note="chunk 100 as in arXiv 2011.08397; 84 or 98 would print 22.1G",
    ),
    Row("gc3-dprnn", TWO, "123.8K", "3.9G", 123_772),
    Row("tcn", TWO, "2.5M", "10.3G"),
    Row("gc3-tcn", TWO, "191.2K", "3.4G", 191_168),
    Row("dptnet", TWO, "2.8M", "21.8G", note="chunk 100 as for dprnn; 50 would print 21.8G"),
    Row("gc3-dptnet", TWO, "128.6K", "3.9G", 128_636),
    Row("sudo", TWO, note="no figure known; sizes are the defaults of its authors' program"),
    Row(
        "gc3-sudo",
        TWO,
        "60.0K",
        None,
        note="blocks not printed; 7 of the authors' blocks come closest (6: 56.5K, 8: 62.9K)",
    ),
)

RATIOS = (
    ("params", "35.60", "params_paper"),
    ("macs", "2.29", "macs_4s_thop"),
)  # dprnn : gc-dprnn, [1], abstract: 35.6 and 2.3


def value(printed: str) -> float:
    """``"123.8K"`` as a number."""
    number, unit = re.fullmatch(r"([\d.]+)([KMG]?)", printed).groups()
    return float(number) * _UNITS[unit]


def prints_as(ours: float, printed: str) -> bool:
    """Whether a number, rounded as the printed one is, is the printed one."""
    number, unit = re.fullmatch(r"([\d.]+)([KMG]?)", printed).groups()
    return f"{ours / _UNITS[unit]:.{len(number.partition('.')[2])}f}" == number


def _difference(ours: float, printed: str) -> float:
    return round(100 * (ours / value(printed) - 1), 2)


def judge(row: Row, figures: dict) -> dict:
    """A row as the command prints it.

    Parameters
    ----------
    row : what was published.
    figures : ours, as `tf_model.cost.cost` gives them.

    Returns
    -------
    dict of the row's fields and ``params``, ``params_paper``, ``macs_4s``, ``macs_4s_thop``, ``macs_per_second``,
    ``params_difference_percent`` and ``macs_difference_percent`` (ours by the paper's conventions against the printed figure; None
    without one), ``must_be_exact``, ``exact`` (None where nothing must be) and ``verdict``: "exact", "as the formulas" (of the paper, which
    prints no figure), "as printed", "differs: ..." or "no published figure known".
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
    """All rows, and the ratios of the first paper's abstract.

    Parameters
    ----------
    report : called with a network's name when it is done.

    Returns
    -------
    dict with ``rows`` (see `judge`), ``ratios`` (of dprnn to gc-dprnn: ``quantity``, ``published``, ``ours``, ``exact``) and ``ok``: all
    that must be exact is.
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
