"""Plots of quality against the sizes of the networks."""

from pathlib import Path

from groupcomm.files import atomic_path


def _write_names(axis, systems: list[dict], size: str, measure: str) -> None:
    """Write names to the right of the points of a panel.

    A name that would cover a lower one moves up.
    """
    taken = []
    for system in sorted(systems, key=lambda s: s[measure]["mean"]):
        point, colour = (
            (system[size], system[measure]["mean"]),
            "tab:red" if system["is_bundle"] else "dimgray",
        )
        text = axis.annotate(
            system["name"],
            point,
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )
        while any(text.get_window_extent().overlaps(other) for other in taken):
            text.set_position((6, text.get_position()[1] + 2))
        taken.append(text.get_window_extent())


def plot(systems: list[dict], path: Path) -> None:
    """Plot every measure against parameters and MACs.

    Parameters
    ----------
    systems : list of dict
        From the result of `comparison.compare`.
    path : Path
        The PNG file.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import EngFormatter

    across = {"params": "parameters", "macs_per_second": "multiply-accumulates a second"}
    up = {"sisdri_db": "SI-SDR improvement (dB)", "pesq": "PESQ-WB", "estoi": "eSTOI"}
    figure, axes = plt.subplots(
        len(up), len(across), figsize=(11, 12), sharex="col", sharey="row", layout="constrained"
    )
    for axis, below in zip(axes[-1], across.values(), strict=True):
        axis.set_xlabel(below)
    for line, (measure, above) in zip(axes, up.items(), strict=True):
        for axis, size in zip(line, across, strict=True):
            for system in (s for s in systems if s[size]):
                score = system[measure]
                error = [[score["mean"] - score["low"]], [score["high"] - score["mean"]]]
                marker, colour = ("D", "tab:red") if system["is_bundle"] else ("o", "tab:gray")
                axis.errorbar(
                    system[size],
                    score["mean"],
                    error,
                    marker=marker,
                    color=colour,
                    capsize=3,
                    linestyle="none",
                )
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(EngFormatter())
            axis.margins(x=0.15)
            axis.set_xlim(right=8 * max((s[size] for s in systems if s[size]), default=1))
            axis.grid(alpha=0.3, which="both")
        line[0].set_ylabel(above)
    figure.draw_without_rendering()  # lays the panels out
    for line, measure in zip(axes, up, strict=True):
        for axis, size in zip(line, across, strict=True):
            _write_names(axis, [s for s in systems if s[size]], size, measure)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=110, format="png")
    plt.close(figure)
