"""Measure the tables of the documents again and write them into their pages.

    .venv/bin/python docs/figures.py            # all tables and pictures: this takes hours
    .venv/bin/python docs/figures.py parity     # the tables whose name begins with "parity"
    .venv/bin/python docs/figures.py charts     # the SVG pictures in docs/pictures
    .venv/bin/python docs/figures.py pictures   # the other pictures and the sound of the pages

A table stands between ``<!-- figures: NAME ARGUMENT ... -->`` and ``<!-- end CHECKSUM -->``. NAME
is a function in this file. The function runs commands of ``groupcomm`` with ``--json``. Each result
is cached in build/figures, under a key of the command and the bundles that it names. A run that was
stopped therefore continues, and no result of a bundle that has changed is used. CHECKSUM is that of
the bundles that the table names; a test compares it, so no table of an older bundle remains
unnoticed. A table of an earlier release has the mark ``<!-- figures(RELEASE): ... -->``: this
script leaves it alone until ``(RELEASE)`` is removed.
"""

import csv
import gzip
import hashlib
import itertools
import json
import re
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
KEPT = REPO / "build" / "figures"
PAGES = [REPO / "README.md", REPO / "micro" / "README.md", *sorted((REPO / "docs").rglob("*.md"))]
MARK = re.compile(r"(<!-- figures: ([^>]*?) -->\n).*?<!-- end ?(\w*) -->", re.DOTALL)
# The runs of `groupcomm qat` in docs/design/quantization.md.
AWARE = {
    "enhance-nano": [
        "--qat",
        "build/qat/enhance-nano/best",
        "--qat",
        "build/qat/enhance-nano-int4/best",
    ]
}
VARIANTS = {
    "ptq-min-max": "PTQ, min-max ranges",
    "ptq-percentile": "PTQ, percentile ranges",
    "ptq-error": "PTQ, minimum-error ranges",
    "qat": "QAT",
    "int4": "PTQ, percentile ranges, 4-bit weights",
    "int4-qat": "QAT, 4-bit weights",
}
BOARDS = {"cortex-m4": "M4", "cortex-m33": "M33", "cortex-m55": "M55"}
CORES = {"cortex-m4": "M4", "cortex-m7": "M7", "cortex-m33": "M33", "cortex-m55": "M55"}
# The share of its board's time that a network should take at most.
GOALS = {
    "enhance-nano": ("nrf52840dk", 0.7),
    "enhance": ("nrf5340dk", 0.7),
    "separate": ("nrf5340dk", 0.7),
    "enhance-fast": ("nrf5340dk", 0.8),
}
# What the functions of the network do on a core with the DSP extension.
PURPOSES = {
    "products: `SMLAD`, loads, and unpacking int8 to pairs of int16": (
        "gc_dot_dsp_4x2",
        "gc_dot_any_rows",
        "gc_interleave_dsp_2",
        "gc_interleave_dsp_4",
    ),
    "rows of a batch of one: products, and scaling the outputs": ("gc_row_dsp_s8", "gc_one_row"),
    "activations of the gates: rounding both sums, a table, interpolation": (
        "gc_activate_dsp_logistic_0",
        "gc_activate_dsp_logistic_1",
        "gc_activate_dsp_tanh_0",
        "gc_activate_dsp_tanh_1",
    ),
    "the cell, its tanh, the hidden state": ("gc_update_cells_dsp", "gc_update_outputs"),
    "scaling the outputs of dense layers, blocks of their rows": (
        "gc_several_rows",
        "gc_scale_pairs",
    ),
    "residual connections": ("gc_add_fours", "gc_add_dsp_s8"),
    "calls and loops of the LSTM, checks of its parameters": (
        "gc_lstm_step",
        "gc_lstm_dsp_s8",
        "gc_lstm_dsp_s8_supports",
    ),
}
# Shapes for the counter of kernels (micro/kernels/test/count.cc).
SHAPES = {
    "fully connected, 16 rows, 32 to 8": ("fully_connected", 16, 32, 8),
    "fully connected, one row, 128 to 32": ("fully_connected", 1, 128, 32),
    "LSTM, batch 16, 8 to 32": ("lstm", 16, 8, 32),
}
LSTMS = ((16, 24), (16, 32), (16, 40), (12, 20), (10, 36), (24, 28), (16, 48), (32, 64))
CONDITIONS = {"as they are": "unmodified", "by way of 44.1 kHz": "resampled to 44.1 kHz and back"}
# The split and the number of mixtures of the released results, and those of release 0.1.0.
TEST = ("--split", "test", "--mixtures", "300")
OLD_TEST = ("--split", "test-2026-11", "--mixtures", "200")
# SI-SDR improvement of GTCRN on the old test split minus that on the new one, with release 0.2.0.
GTCRN_DROP_DB = 6.04 - 3.59
# The SVG pictures in docs/pictures, and the bundles that they show.
CHARTS = {
    "loads": ("enhance-nano", "enhance", "enhance-fast"),
    "quality": ("enhance", "enhance-max", "enhance-nano", "enhance-fast"),
    "masks": ("enhance",),
    "layers": ("enhance",),
    "drift": ("enhance-nano",),
}
ROBUST = ("enhance", "enhance-nano", "separate")  # whose robustness was measured
MEASURES = {
    "sisdr": ("SI-SDR (dB)", 2),
    "sdr": ("SDR (dB)", 2),
    "pesq": ("PESQ-WB", 2),
    "stoi": ("STOI", 3),
    "estoi": ("eSTOI", 3),
}


def _bundle(name: str) -> bytes:
    """Return what determines the measurements of a bundle: its model and its signal path."""
    described = json.loads((REPO / "convert" / "bundles" / name / "bundle.json").read_text())
    return json.dumps([described.get(key) for key in ("model", "signal")]).encode()


def checksum(names: list[str]) -> str:
    """Return the checksum of the bundles that a table names."""
    described = [_bundle(name) for name in names if (REPO / "convert" / "bundles" / name).is_dir()]
    return hashlib.sha256(b"\0".join(described)).hexdigest()[:12]


def ask(*command: str) -> dict:
    """Return the output of ``groupcomm COMMAND --json``.

    It comes from the cache if the bundles have not changed.
    """
    about = [_bundle(word) for word in command if (REPO / "convert" / "bundles" / word).is_dir()]
    if command[0] == "fit":
        about.append((REPO / "micro" / "contract" / "boards.toml").read_bytes())
    key = hashlib.sha256(b"\0".join([" ".join(command).encode(), *about])).hexdigest()[:12]
    file = KEPT / f"{re.sub(r'[^a-z0-9.]+', '-', ' '.join(command))}-{key}.json"
    if not file.is_file():
        print("groupcomm", *command, file=sys.stderr)
        said = subprocess.run(
            [Path(sys.executable).with_name("groupcomm"), *command, "--json"],
            cwd=REPO,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if said.returncode == 2:
            sys.exit(f"groupcomm {' '.join(command)}: see above")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".part").write_text(said.stdout)
        file.with_suffix(".part").replace(file)
    return json.loads(file.read_text())


def interval(found: dict, digits: int = 2, sign: str = "") -> str:
    """Format a mean and its 95 % confidence interval."""
    mean, low, high = (f"{found[key]:{sign}.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def percents(load: dict[str, float]) -> str:
    """Format the load of ``groupcomm fit``."""
    ends = dict.fromkeys(f"{100 * load[end]:.0f}" for end in ("least", "most"))
    return f"{' to '.join(ends)} %"


def rows(header: list[str], body: list[list], *, left: int = 1) -> str:
    """Format a Markdown table; all columns after the first ``left`` are aligned to the right."""
    lines = [header, ["---"] * left + ["---:"] * (len(header) - left), *body]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def _signal(name: str) -> dict:
    return json.loads((REPO / "convert" / "bundles" / name / "bundle.json").read_text())["signal"]


def _macs(hop_macs: int, name: str) -> str:
    signal = _signal(name)
    milliseconds = 1000 * signal["hop"] / signal["sample_rate"]
    return f"{hop_macs:,}" + ("" if milliseconds == 8 else f" (of {milliseconds:g} ms)")


def networks(*names: str) -> str:
    """List the sizes, the load on two chips and the quality of each bundle."""
    body = []
    for name in names:
        inspected, bench, counted = (
            ask("inspect", name),
            ask("bench", name, "--board", "cortex-m4"),
            ask("cost", name),
        )
        flash, ram = sum(bench["flash_bytes"].values()), bench["ram_bytes"]["total"]
        loads = [percents(_fits(name)[board]["load"]) for board in ("nano33ble", "nrf5340dk")]
        better = ask("evaluate", name, *TEST)["measures"]["sisdr"]["improvement"]
        body.append(
            [
                f"`{name}`",
                f"{counted['latency_ms']:g} ms",
                f"{inspected['parameters']:,}",
                _macs(inspected["macs"], name),
                f"{inspected['model_bytes'] / 1000:.0f} KB",
                f"{flash / 1000:.0f} KB",
                f"{ram / 1000:.1f} KB",
                *loads,
                f"**{better['mean']:.2f}** ({better['low']:.2f} to {better['high']:.2f})",
            ]
        )
    header = [
        "network",
        "latency",
        "parameters",
        "MACs per hop",
        "model.tflite",
        "flash",
        "RAM",
        "load, nRF52840",
        "load, nRF5340",
    ]
    return rows([*header, "SI-SDR improvement (dB), 95 % CI"], body)


def baselines(*names: str) -> str:
    """Score all systems on the same mixtures, the best first."""
    body = []
    for s in sorted(
        ask("baselines", *names, *TEST)["systems"], key=lambda s: -s["sisdri_db"]["mean"]
    ):
        body.append(
            [
                f"**{s['name']}, int8**" if s["is_bundle"] else s["name"],
                f"{s['params']:,}" if s["params"] else "-",
                f"{s['macs_per_second'] / 1e6:.1f}" if s["macs_per_second"] else "-",
                f"{s['latency_ms']:.0f}",
                interval(s["sisdri_db"]),
                interval(s["pesq"]),
                f"{s['stoi']['mean']:.3f}",
                interval(s["estoi"], 3),
            ]
        )
    header = [
        "system",
        "parameters",
        "MMAC/s",
        "latency (ms)",
        "SI-SDR improvement (dB)",
        "PESQ-WB",
        "STOI",
        "eSTOI",
    ]
    return rows(header, body)


def against(*names: str) -> str:
    """Paired differences between each bundle and each baseline."""
    found = ask("baselines", *names, *TEST)["against"]
    compared = (("sisdr", "SI-SDR (dB)", 2), ("pesq", "PESQ-WB", 2), ("estoi", "eSTOI", 3))
    header = [
        f"`{name}`: {title}" if measure == "sisdr" else title
        for name in names
        for measure, title, _ in compared
    ]
    body = [
        [
            other,
            *(interval(found[name][other][m], n, "+") for name in names for m, _, n in compared),
        ]
        for other in found[names[0]]
    ]
    return rows(["minus the baseline", *header], body)


def measures(*names: str) -> str:
    """Every metric on the test split: int8 in TFLM and float32 in Keras."""
    header, body = ["metric", "input"], [[title] for title, _ in MEASURES.values()]
    for name in names:
        header += [f"`{name}`, int8", "improvement, 95 % CI", "float32", "improvement, 95 % CI"]
        found = [ask("evaluate", name, *TEST), ask("evaluate", name, *TEST, "--runtime", "keras")]
        for line, (measure, (_, digits)) in zip(body, MEASURES.items(), strict=True):
            if len(line) == 1:
                line.append(f"{found[0]['measures'][measure]['in']:.{digits}f}")
            for one in found:
                summary = one["measures"][measure]
                line += [f"{summary['out']:.{digits}f}", interval(summary["improvement"], digits)]
    return rows(header, body)


def sources() -> str:
    """List the packages and repositories of the corpus "open", with their splits and licences."""
    folder = REPO / "calibration_data"
    listed = tomllib.loads((folder / "sources.toml").read_text())
    used: dict[tuple[str, str], set[str]] = {}
    for kind in ("speech", "noise", "recordings"):
        with gzip.open(folder / f"{kind}.tsv.gz", "rt") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                what = kind if kind != "recordings" else "speech" if row["speaker"] else "noise"
                origin = row.get("package") or row["repository"]
                used.setdefault((origin, what), set()).update(row["split"].split(","))
    order = ("train", "validation", "test", "test-2026-11")
    body = []
    for name, source in (listed["packages"] | listed["repositories"]).items():
        cells = [
            ", ".join(split for split in order if split in used.get((name, what), ())) or "-"
            for what in ("speech", "noise")
        ]
        body.append([f"`{name}`", source["what"], source["licence"], *cells])
    header = ["package or repository", "content", "licence", "speech", "noise"]
    return rows(header, body, left=5)


def splits(*names: str) -> str:
    """Compare the test split with that of release 0.1.0; show harm and the worst mixtures."""
    body = []
    for name in names:
        new, old = ask("evaluate", name, *TEST), ask("evaluate", name, *OLD_TEST)
        body.append(
            [
                f"`{name}`",
                interval(new["sisdri_db"]),
                f"{new['worst_twentieth_db']:.1f}",
                f"{100 * new['harm']:.0f} %",
                interval(old["sisdri_db"]),
                f"{old['worst_twentieth_db']:.1f}",
                f"{100 * old['harm']:.0f} %",
            ]
        )
    columns = ["SI-SDR improvement (dB)", "worst twentieth (dB)", "worse than the input"]
    header = [f"`{split[1]}`: {column}" for split in (TEST, OLD_TEST) for column in columns]
    return rows(["network, int8", *header], body)


def weaknesses(name: str) -> str:
    """List rooms, noises or pairs of speakers, and good input, as points of a model card."""
    found = ask("evaluate", name, *TEST)
    by = found["by"]

    def mean(group: dict) -> str:
        return f"{group['mean']:.2f} dB ({group['low']:.2f} to {group['high']:.2f})"

    rooms = f"in a room {mean(by['room']['in a room'])}, without one {mean(by['room']['no room'])}"
    points = [f"**Rooms.** SI-SDR improvement {rooms}."]
    harm = f"{100 * found['harm']:.0f} % of the mixtures come out worse than they went in."
    if "a woman and a man" in by["sexes"]:
        pairs = "; ".join(f"{pair}: {mean(group)}" for pair, group in by["sexes"].items())
        points.insert(0, f"**Pairs of speakers.** {pairs}.")
        stoi, pesq = (found["measures"][m]["improvement"]["mean"] for m in ("stoi", "pesq"))
        points.append(
            f"**Intelligibility.** STOI changes by {stoi:+.3f}, PESQ by {pesq:+.2f}. {harm}"
        )
    else:
        common = [(n, g["mean"]) for n, g in by["noise"].items() if g["mixtures"] >= 5]
        least = sorted(common, key=lambda one: one[1])[:3]
        noises = ", ".join(f"`{noise}` ({gain:.1f} dB)" for noise, gain in least)
        points.append(
            f"**Noises.** Of the categories with 5 mixtures or more, these improve least: {noises}."
        )
        good = by["snr"]["20 to 25 dB"]
        points.append(
            f"**Good input.** {harm} At an SNR of 20 to 25 dB the mean improvement is "
            f"{good['mean']:.2f} dB, that of the worst twentieth {good['worst_twentieth']:.1f} dB."
        )
    if name in ROBUST:
        found = ask("robustness", name, *TEST[:2])
        gain = {key: one["sisdri_db"]["mean"] for key, one in found["conditions"].items()}
        usual, offset = gain["as they are"], gain["DC of 0.1 of full scale"]
        clean, noise = (found[f"{key}_db"]["mean"] for key in ("without_noise", "noise_alone"))
        points.append(
            "**Conditions** (40 mixtures each). The improvement changes by "
            f"{offset - usual:+.2f} dB with a DC offset of 0.1 of full scale, and is "
            f"{gain['clipped by 15 dB']:.2f} instead of {usual:.2f} dB when the input is clipped "
            f"by 15 dB. It is {gain['SNR of 20 to 40 dB']:+.2f} dB at an SNR of 20 to 40 dB. Clean "
            f"speech leaves with an SI-SDR of {clean:.1f} dB. Noise alone is attenuated by "
            f"{noise:.1f} dB."
        )
    return "".join(textwrap.fill(f"- {p}", 100, subsequent_indent="  ") + "\n" for p in points)


def limits(*names: str) -> str:
    """List what the first network does not do well, and how it compares with GTCRN."""
    found = ask("evaluate", names[0], *TEST)
    rooms, by_noise = found["by"]["room"], found["by"]["noise"]
    gtcrn = ask("baselines", *names, *TEST)["against"][names[0]]["GTCRN"]
    points = [
        f"Rooms: in reverberant rooms `{names[0]}` improves SI-SDR by "
        f"{rooms['in a room']['mean']:.2f} dB instead of {rooms['no room']['mean']:.2f} dB. Babble "
        f"is hardly removed ({by_noise['babble']['mean']:.1f} dB). {100 * found['harm']:.0f} % of "
        "the test mixtures come out worse than they went in.",
        f"`{names[0]}` minus GTCRN, on the same mixtures: SI-SDR {interval(gtcrn['sisdr'], 2, '+')}"
        f" dB, PESQ {interval(gtcrn['pesq'], 3, '+')}, eSTOI {interval(gtcrn['estoi'], 3, '+')}.",
    ]
    return "".join(textwrap.fill(f"- {p}", 100, subsequent_indent="  ") + "\n" for p in points)


def release_targets(*names: str) -> str:
    """Compare the released networks with the targets of quality."""
    enhancers = names[:-1]
    scores = {name: ask("evaluate", name, *TEST) for name in names}
    old = ask("evaluate", "enhance", *OLD_TEST)["sisdri_db"]["mean"]
    against = ask("baselines", *enhancers, *TEST)["against"]
    body: list[list[str]] = []

    def target(what: str, values: list[tuple[dict, float]], digits: int = 2, unit: str = " dB"):
        met = all(value["mean"] >= least for value, least in values)
        text = " and ".join(interval(value, digits, "+") for value, _ in values)
        body.append([what, f"{'reached' if met else 'missed'}: {text}{unit}"])

    enhance, nano, largest = (against[n] for n in ("enhance", "enhance-nano", "enhance-max"))
    target("`enhance`: SI-SDR improvement of GTCRN", [(enhance["GTCRN"]["sisdr"], 0)])
    target("`enhance`: PESQ of GTCRN minus 0.03", [(enhance["GTCRN"]["pesq"], -0.03)], 3, "")
    target("`enhance`: eSTOI of GTCRN", [(enhance["GTCRN"]["estoi"], 0)], 3, "")
    target(
        "`enhance-nano`: SI-SDR improvement of NSNet2 and of RNNoise 0.2",
        [(nano[other]["sisdr"], 0) for other in ("NSNet2", "RNNoise 0.2")],
    )
    target("`enhance-nano`: PESQ of NSNet2 minus 0.05", [(nano["NSNet2"]["pesq"], -0.05)], 3, "")
    target(
        "`enhance-max`: SI-SDR improvement of DTLN minus 0.3 dB, and of GTCRN plus 0.3 dB",
        [(largest["DTLN"]["sisdr"], -0.3), (largest["GTCRN"]["sisdr"], 0.3)],
    )
    by = scores["enhance"]["by"]
    middle = [by["snr"][key] for key in ("10 to 15 dB", "15 to 20 dB")]
    target("`enhance`, SNR of 10 to 15 and 15 to 20 dB: 2 dB", [(g, 2) for g in middle])
    worst = min(g["worst_twentieth"] for g in middle)
    word = "reached" if worst > -1 else "missed"
    body.append(
        [
            "`enhance`, the same: the worst twentieth loses less than 1 dB",
            f"{word}: {worst:+.1f} dB",
        ]
    )
    robust = ask("robustness", "enhance", *TEST[:2])
    at = {key: one["sisdri_db"] for key, one in robust["conditions"].items()}
    target("`enhance`, SNR of 20 to 40 dB: loss below 2 dB", [(at["SNR of 20 to 40 dB"], -2)])
    target("`enhance`: clean speech leaves with 30 dB", [(robust["without_noise_db"], 30)], 1)
    cost = at["as they are"]["mean"] - at["DC of 0.1 of full scale"]["mean"]
    word = "reached" if cost < 0.2 else "missed"
    body.append(["`enhance`: a DC offset of 0.1 costs less than 0.2 dB", f"{word}: {cost:.2f} dB"])
    drop = old - scores["enhance"]["sisdri_db"]["mean"]
    word = "reached" if drop <= GTCRN_DROP_DB + 1 else "missed"
    body.append(
        [
            "`enhance`: drop from the old test split within 1 dB of GTCRN's",
            f"{word}: {drop:.2f} dB; GTCRN {GTCRN_DROP_DB:.2f} dB",
        ]
    )
    target("`enhance` in rooms: 4.5 dB", [(by["room"]["in a room"], 4.5)])
    two = scores["separate"]
    target("`separate`: 5 dB over all pairs", [(two["sisdri_db"], 5)])
    target("`separate`: 6 dB for a woman and a man", [(two["by"]["sexes"]["a woman and a man"], 6)])
    target("`separate`: PESQ +0.25", [(two["measures"]["pesq"]["improvement"], 0.25)], 3, "")
    losses = {
        name: ask("evaluate", name, *TEST, "--runtime", "keras")["sisdri_db"]["mean"]
        - scores[name]["sisdri_db"]["mean"]
        for name in names
    }
    word = "reached" if max(losses.values()) <= 0.03 else "missed"
    each = ", ".join(f"`{name}` {loss:+.3f}" for name, loss in losses.items())
    body.append(["loss of int8 against float32 at most 0.03 dB", f"{word}: {each} dB"])
    return rows(["target", "result"], body, left=2)


def groups(*names: str) -> str:
    """SI-SDR improvement by input SNR, room, disturbance, speaker and sex of the speakers."""
    found = [ask("evaluate", name, *TEST)["by"] for name in names]
    body = [
        [group, one["mixtures"], *(interval(by[kind][group]) for by in found)]
        for kind in ("snr", "room", "disturbance", "speaker", "sexes")
        for group, one in found[0][kind].items()
    ]
    return rows(
        ["SI-SDR improvement (dB), int8", "mixtures", *(f"`{name}`" for name in names)], body
    )


def noises(*names: str) -> str:
    """SI-SDR improvement (dB) by noise category, the largest first."""
    found = [ask("evaluate", name, *TEST)["by"]["noise"] for name in names]
    order = sorted(found[0].items(), key=lambda pair: -pair[1]["mean"])
    body = [
        [kind, one["mixtures"], *(f"{by[kind]['mean']:.1f}" for by in found)] for kind, one in order
    ]
    return rows(["noise category", "mixtures", *(f"`{name}`" for name in names)], body)


def robustness(*names: str) -> str:
    """Robustness to conditions that differ from those of training."""
    found = [ask("robustness", name, *TEST[:2]) for name in names]
    body = [
        [
            CONDITIONS.get(condition, condition),
            f"{one['sisdr_in_db']:.2f}",
            *(interval(f["conditions"][condition]["sisdri_db"]) for f in found),
        ]
        for condition, one in found[0]["conditions"].items()
    ]
    body.append(
        [
            "clean speech: SI-SDR of the output (dB)",
            "",
            *(interval(f["without_noise_db"], 1) for f in found),
        ]
    )
    body.append(
        ["noise alone: attenuation (dB)", "", *(interval(f["noise_alone_db"], 1) for f in found)]
    )
    silences = [
        "silence" if f["silence_dbfs"] is None else f"{f['silence_dbfs']:.0f} dBFS" for f in found
    ]
    body.append(["digital silence: output", "", *silences])
    return rows(
        [
            f"condition, {found[0]['mixtures']} mixtures",
            "input SI-SDR (dB)",
            *(f"`{name}`, improvement (dB)" for name in names),
        ],
        body,
    )


def demo(name: str) -> str:
    """Scores of the demo mixtures."""
    keys = ("sisdr_in_db", "sisdr_float_db", "sisdr_int8_db")
    body = [
        [m["name"], *(f"{m[key]:.2f}" for key in keys)]
        for m in ask("demo", "--bundle", name)["mixtures"]
    ]
    return rows(["mixture", "input SI-SDR (dB)", "float32 (Keras)", "int8 (TFLM, C++)"], body)


def parity(name: str) -> str:
    """Compare each runtime with its reference."""
    body = []
    for r in ask("parity", name)["runtimes"]:
        equal = "all" if r["equal_bytes"] == 1 else f"{100 * r['equal_bytes']:.3f} %"
        held = [r["reference"], equal, f"{r['max_steps']:.3g}"] if r["reference"] else ["-"] * 3
        body.append([r["name"], *held, "-" if r["snr_db"] is None else f"{r['snr_db']:.1f}"])
    return rows(
        ["runtime", "reference", "equal values", "largest difference", "SNR (dB)"], body, left=2
    )


def cost(*names: str) -> str:
    """Sizes of the bundles."""
    body = []
    for name in names:
        counted, inspected = ask("cost", name), ask("inspect", name)
        body.append(
            [
                f"`{name}`",
                f"{counted['params']:,}",
                _macs(counted["macs_per_hop"], name),
                f"{counted['macs_per_second']:,}",
                f"{counted['state_bytes']:,} bytes",
                f"{inspected['model_bytes']:,} bytes",
                f"{inspected['model_bytes'] / counted['params']:.2f}",
                f"{inspected['arena_bytes']:,} bytes",
            ]
        )
    header = [
        "network",
        "parameters",
        "MACs per hop (8 ms)",
        "MACs per second",
        "state, int8",
        "model.tflite",
        "bytes per parameter",
    ]
    return rows([*header, "arena (TFLM, 64-bit host)"], body)


def bench(*names: str) -> str:
    """Instructions and bytes on the emulated cores."""
    columns = [
        (name, board, ask("bench", name, "--board", board)) for name in names for board in BOARDS
    ]
    lines = {
        "whole hop, worst case (instructions)": lambda f: f"{f['instructions']['hop']['worst']:,}",
        "network, mean (instructions)": lambda f: f"{f['instructions']['network']['mean']:,.0f}",
        "STFT, features, masks, inverse STFT (instructions)": lambda f: (
            f"{f['instructions']['signal']['mean']:,.0f}"
        ),
        "whole hop, worst case (model cycles)": lambda f: f"{f['cycles']['hop']['worst']:,}",
        "network, mean (model cycles)": lambda f: f"{f['cycles']['network']['mean']:,.0f}",
        "network, instructions per MAC": lambda f: f"{f['instructions']['network_per_mac']:.2f}",
        "network, model cycles per MAC": lambda f: f"{f['cycles']['network_per_mac']:.2f}",
        "flash: weights (int8) and biases (int32) (bytes)": lambda f: (
            f"{f['flash_bytes']['weights']:,}"
        ),
        "flash: code, tables, quantization parameters (bytes)": lambda f: (
            f"{f['flash_bytes']['rest']:,}"
        ),
        "RAM: state (bytes)": lambda f: f"{f['ram_bytes']['state']:,}",
        "RAM: activations, overlapped (bytes)": lambda f: f"{f['ram_bytes']['activations']:,}",
        "RAM: stream (bytes)": lambda f: f"{f['ram_bytes']['stream']:,}",
        "RAM: deepest stack (bytes)": lambda f: f"{f['ram_bytes']['stack']:,}",
        "RAM: total (bytes)": lambda f: f"{f['ram_bytes']['total']:,}",
    }
    body = [[title, *(line(found) for *_, found in columns)] for title, line in lines.items()]
    return rows(["quantity", *(f"`{name}`, {BOARDS[board]}" for name, board, _ in columns)], body)


def _fits(name: str) -> dict[str, dict]:
    """Return the result of ``groupcomm fit NAME`` by board."""
    return {one["board"]: one for one in ask("fit", name)["boards"]}


def loads(*names: str) -> str:
    """Estimated load of each board by ``groupcomm fit``."""
    boards = ("nano33ble", "nrf52840dk", "nrf5340dk", "nrf5340_audio_dk")
    body = []
    for name in names:
        found = _fits(name)
        body.append(
            [
                f"`{name}`",
                *(
                    f"{percents(found[board]['load'])} "
                    f"({found[board]['most_cycles_per_instruction']:.2f})"
                    for board in boards
                ),
            ]
        )
    return rows(["network", *boards], body)


def boards(*names: str) -> str:
    """Flash, RAM, load and verdict of each network on each board."""
    found = {name: _fits(name) for name in names}

    def needs(one: dict) -> str:
        flash, ram = (one["checks"][key]["used"] for key in ("flash_bytes", "ram_bytes"))
        verdict = "fits" if one["ok"] else "**no**"
        return f"{verdict}: {flash / 1000:.0f} KB, {ram / 1000:.1f} KB, {percents(one['load'])}"

    body = [
        [
            f"`{board}`",
            one["core"].removeprefix("cortex-").upper(),
            *(
                f"{one['checks'][key]['limit'] / 1000:,.0f} KB"
                for key in ("flash_bytes", "ram_bytes")
            ),
            *(needs(found[name][board]) for name in names),
        ]
        for board, one in found[names[0]].items()
    ]
    header = ["board", "core", "its flash", "its RAM"]
    return rows([*header, *(f"`{name}`: flash, RAM, load" for name in names)], body, left=2)


def hops(*names: str) -> str:
    """Instructions of the worst hop on each core; flash and RAM on an M4."""
    body = []
    for name in names:
        found = {core: ask("bench", name, "--board", core) for core in CORES}
        small = found["cortex-m4"]
        body.append(
            [
                f"`{name}`",
                _macs(small["macs"], name),
                *(
                    f"{one['instructions']['hop']['worst']:,} "
                    f"({one['instructions']['network_per_mac']:.2f})"
                    for one in found.values()
                ),
                f"{sum(small['flash_bytes'].values()):,}",
                f"{small['ram_bytes']['total']:,}",
            ]
        )
    header = ["network", "MACs per hop", *CORES.values(), "flash, M4 (bytes)", "RAM, M4 (bytes)"]
    return rows(header, body)


def families(*names: str) -> str:
    """Compare the cost of networks of different kinds on an M4 and an M55."""
    cores = ("cortex-m4", "cortex-m55")
    body: dict[str, list[str]] = {}
    for name in names:
        counted, signal = ask("cost", name), _signal(name)
        found = {CORES[core]: ask("bench", name, "--board", core) for core in cores}
        ram, flash = found["M4"]["ram_bytes"], found["M4"]["flash_bytes"]
        lines = {
            "latency (ms)": f"{counted['latency_ms']:g}",
            "parameters": f"{counted['params']:,}",
            "MACs per second of sound (million)": f"{counted['macs_per_second'] / 1e6:.1f}",
        }
        for core, one in found.items():
            each = one["instructions"]["hop"]["mean"] * signal["sample_rate"] / signal["hop"]
            lines[f"{core}, instructions per second of sound (million)"] = f"{each / 1e6:.1f}"
        for unit in ("instructions", "cycles"):
            for core, one in found.items():
                per_mac = one[unit]["network_per_mac"]
                lines[f"{core}, network, {unit} per MAC"] = f"{per_mac:.2f}"
        lines |= {
            "state (bytes)": f"{ram['state']:,}",
            "activations, overlapped (bytes)": f"{ram['activations']:,}",
            "RAM, M4 (bytes)": f"{ram['total']:,}",
            "flash, M4 (bytes)": f"{sum(flash.values()):,}",
        }
        for title, value in lines.items():
            body.setdefault(title, []).append(value)
    header = ["", *(f"`{name}`" for name in names)]
    return rows(header, [[title, *cells] for title, cells in body.items()])


def goals(*names: str) -> str:
    """Compare the cycles of the worst hop, by the upper end, with the goal of each network."""
    body = []
    for name in names:
        board, share = GOALS[name]
        estimate = _fits(name)[board]
        counted = ask("bench", name, "--board", estimate["core"])
        goal = share * estimate["checks"]["cycles"]["limit"]
        least, most = (estimate["cycles"][end] for end in ("least", "most"))
        body.append(
            [
                f"`{name}`",
                board,
                f"{100 * share:.0f} %",
                f"{goal:,.0f}",
                f"{least:,} to {most:,}",
                "yes" if most <= goal else "no",
                f"{counted['cycles']['network_per_mac']:.2f}",
                f"{most / goal:.2f}",
            ]
        )
    header = ["network", "board", "share", "goal (cycles)", "cycles by the model", "met"]
    return rows([*header, "cycles per MAC", "upper end / goal"], body, left=2)


def _ten_layers() -> Path:
    """Write the network of MLPerf Tiny's anomaly detection, with random weights."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    sys.path.insert(0, str(REPO))
    from tests.helpers.tflite_models import INT32, Tensor, network_of

    random, sizes, operators = np.random.default_rng(1), (640, *4 * (128,), 8, *4 * (128,), 640), []
    x = Tensor((1, sizes[0]), np.float32(0.05))
    for inputs, outputs in itertools.pairwise(sizes):
        data = random.integers(-127, 128, (outputs, inputs))
        scale = np.float32(0.5 / inputs)
        weights = Tensor((outputs, inputs), scale, data=data)
        bias = Tensor((outputs,), x.scale * scale, type=INT32, data=np.zeros(outputs))
        y = Tensor((1, outputs), np.float32(0.05))
        options = schema.FullyConnectedOptionsT()
        operators.append(("FULLY_CONNECTED", [x, weights, bias], [y], options))
        x = y
    path = KEPT / "ten_layers.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(network_of(operators))
    return path


def calibration() -> str:
    """Count the network of the published figures with the kernels of this project."""
    path, body = _ten_layers(), []
    for core, label in CORES.items():
        found = ask("bench", str(path), "--board", core)
        body.append(
            [
                label,
                *(f"{found[unit]['mean']:,.0f}" for unit in ("instructions", "cycles")),
                *(f"{found[unit]['per_mac']:.2f}" for unit in ("instructions", "cycles")),
                f"{found['flash']['reads']:,.0f}",
            ]
        )
    header = ["ten layers", "instructions", "cycles (model)", "instructions per MAC"]
    return rows([*header, "cycles per MAC", "reads of data in the flash"], body)


def foreign() -> str:
    """Instructions and cycles of models of other kinds on an M4 and an M55, by operator."""
    sys.path.insert(0, str(REPO))
    from tests.helpers import foreign_models

    models = {
        "two LSTMs, as in DTLN": foreign_models.dtln_like_int8(),
        "keyword spotter, SVDF": foreign_models.svdf_classifier(),
        "DS-CNN": foreign_models.foreign_model("dscnn_int8"),
        "layer normalization, PReLU": foreign_models.foreign_model("layernorm_prelu_int8"),
    }
    cores, body = ("cortex-m4", "cortex-m55"), []
    for model, content in models.items():
        path = KEPT / f"{re.sub('[^a-z]+', '_', model.lower())}.tflite"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        found = [ask("bench", str(path), "--board", core)["kinds"] for core in cores]
        body += [[model, name, *cells] for name, _, *cells in _by_operator(found)]
    units = [f"{CORES[core]}, {unit}" for core in cores for unit in ("instructions", "cycles")]
    return rows(["model", "operator", "MACs", *units], body, left=2)


def functions(name: str) -> str:
    """Instructions and cycles per hop of the network on an M4, by function."""
    found = ask("bench", name, "--board", "cortex-m4")
    cells: dict[str, list[str]] = {}
    for unit, by_function in (("instructions", "functions"), ("cycles", "function_cycles")):
        counted, network = found[by_function], found[unit]["network"]["mean"]
        groups = {purpose: sum(counted.get(f, 0) for f in fs) for purpose, fs in PURPOSES.items()}
        groups["all others: calls, loops, remainders"] = network - sum(groups.values())
        for purpose, count in groups.items():
            cells.setdefault(purpose, []).extend([f"{count:,.0f}", f"{count / found['macs']:.2f}"])
    body = [
        [", ".join(f"`{function}`" for function in PURPOSES.get(purpose, ())), purpose, *counts]
        for purpose, counts in cells.items()
    ]
    header = ["function", "purpose", "instructions per hop", "per MAC", "cycles", "per MAC"]
    return rows(header, body, left=2)


def targets(name: str) -> str:
    """Compare a network with the targets of the kernels and of the signal path."""
    m4, m55 = (ask("bench", name, "--board", board) for board in ("cortex-m4", "cortex-m55"))
    plain = ask("bench", name, "--board", "cortex-m4", "--portable")
    gain = plain["instructions"]["network"]["mean"] / m4["instructions"]["network"]["mean"]
    signal = m4["instructions"]["signal"]["mean"]
    ram = m4["ram_bytes"]["total"] / 1024
    per_mac = [one["instructions"]["network_per_mac"] for one in (m4, m55)]
    rest = [one["flash_bytes"]["rest"] / 1024 for one in (m4, m55)]
    body = [
        ["M4, network, instructions per MAC", "2.0", f"{per_mac[0]:.2f}", per_mac[0] <= 2],
        ["M4, STFT and masks, instructions", "60,000", f"{signal:,.0f}", signal <= 60_000],
        ["M4, DSP compared with portable C", "2.5 x", f"{gain:.1f} x", gain >= 2.5],
        ["M55, network, instructions per MAC", "0.5", f"{per_mac[1]:.2f}", per_mac[1] <= 0.5],
        ["RAM, total", "32 KB", f"{ram:.1f} KB", ram <= 32],
        [
            "flash beyond weights and biases",
            "40 KB",
            f"{rest[0]:.1f} KB (M55: {rest[1]:.1f})",
            max(rest) <= 40,
        ],
    ]
    body = [[*cells, "yes" if met else "no"] for *cells, met in body]
    return rows([f"`{name}`", "target", "result", "met"], body)


def communication(grouped: str, paper: str) -> str:
    """Cost of one exchange between groups: bottleneck and TAC, and the paper's BLSTM."""
    body = []
    for title, name, first, last in (
        ("TAC", grouped, 8, 14),
        ("bottleneck", grouped, 4, 7),
        ("BLSTM across the groups", paper, 2, 15),
    ):
        operators = ask("bench", name, "--board", "cortex-m4")["operators"][first : last + 1]
        macs, instructions = (
            sum(one[key] for one in operators) for key in ("macs", "instructions")
        )
        cells = [f"{macs:,}", f"{instructions:,.0f}", f"{instructions / macs:.2f}"]
        body.append([f"{title} of `{name}`", f"{first} to {last}", *cells])
    header = ["one exchange, Cortex-M4", "operators", "MACs", "instructions", "per MAC"]
    return rows(header, body, left=2)


def host(name: str) -> str:
    """Cost in TFLM's interpreter on this machine, with both sets of kernels."""
    found = ask("bench", name, "--engine", "tflm-host")["kernels"]
    lines = {
        "instructions per hop (within the engine's `Run`)": lambda f: f"{f['instructions']:,.0f}",
        "per MAC": lambda f: f"{f['per_mac']:.2f}",
        "microseconds per hop, median": lambda f: f"{f['microseconds']['median']:.0f}",
        "arena in use (bytes)": lambda f: f"{f['arena_bytes']['used']:,}",
        "smallest arena that can be allocated (bytes)": (
            lambda f: f"{f['arena_bytes']['smallest']:,}"
        ),
    }
    body = [
        [title, *(line(found[kernels]) for kernels in ("tflm", "groupcomm"))]
        for title, line in lines.items()
    ]
    return rows([f"`{name}`", "TFLM's kernels", "this project's kernels"], body)


def _counted(target: str, *arguments: object) -> tuple[list[dict], str]:
    """Count a program on an emulated core; return its spans and what it printed. Not cached."""
    from convert.run import host_tools

    program = host_tools.build(target)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        command = [program, "--count", scratch / "count", *map(str, arguments)]
        printed = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=True)
        return json.loads((scratch / "count").read_text())["spans"], printed.stdout


def _per_mac(core: str, kind: str, *sizes: int) -> list[float]:
    """Return the instructions per MAC of a kernel in int8 and in int16."""
    rows, inputs, outputs = sizes
    macs = rows * inputs * outputs
    if kind == "lstm":
        macs = 4 * rows * (inputs + outputs) * outputs
    spans, _ = _counted(f"//micro/kernels:count_{core.replace('-', '_')}", kind, *sizes)
    return [span["instructions"] / macs for span in spans]


def lstms() -> str:
    """Instructions per MAC of int8 LSTMs of other shapes than those of the released networks."""
    body = [
        [CORES[core], *(f"{_per_mac(core, 'lstm', 12, *shape)[0]:.2f}" for shape in LSTMS)]
        for core in ("cortex-m4", "cortex-m55")
    ]
    header = "instructions per MAC of an int8 LSTM, batch 12"
    return rows([header, *(f"{inputs} to {units}" for inputs, units in LSTMS)], body)


def kernels() -> str:
    """Instructions per MAC of kernels in int8 and int16."""
    cores = ("cortex-m4", "cortex-m55")
    body = [
        [title, *(f"{value:.2f}" for core in cores for value in _per_mac(core, *shape))]
        for title, shape in SHAPES.items()
    ]
    header = [f"{CORES[core]} {kind}" for core in cores for kind in ("int8", "int16")]
    return rows(["instructions per MAC", *header], body)


def stream(name: str) -> str:
    """Cost of the stream without a network on the emulated cores; `name` gives the sound."""
    sound = REPO / "convert" / "bundles" / name / "golden_pcm.i16"
    lines: dict[str, list[str]] = {}
    for core in BOARDS:
        target = f"//micro/boards/cortex_m:stream_firmware_{core.replace('-', '_')}"
        (hop, start), printed = _counted(target, sound, "out", "features")
        described, runs = json.loads(printed), hop["runs"]
        parts = {key: 0 for key in ("arm_", "Analyse", "Synthesize")}
        for function, instructions in hop["functions"].items():
            for part in parts:
                parts[part] += instructions / runs if part in function else 0
        for title, value in (
            ("instructions per hop, worst case", hop["worst"]),
            ("of these FFT and inverse FFT (CMSIS-DSP)", parts["arm_"]),
            ("window, level, features", parts["Analyse"]),
            ("masks, overlap-add, PCM", parts["Synthesize"]),
            ("at start, once, without tables in flash", start["instructions"]),
            ("memory of the stream (bytes)", described["stream_bytes"]),
            ("deepest stack (bytes)", described["stack_used"]),
        ):
            lines.setdefault(title, []).append(f"{value:,.0f}")
    return rows(["", *BOARDS.values()], [[title, *cells] for title, cells in lines.items()])


def _by_operator(found: list[list[dict]]) -> Iterator[list]:
    """Yield name, count, MACs, and the costs on each core, of every kind of operator."""
    by_name = [{kind["name"]: kind for kind in kinds} for kinds in found]
    for kind in sorted(found[0], key=lambda k: -k["instructions"]):
        if not kind["instructions"]:
            continue
        cells = []
        for one in (kinds[kind["name"]] for kinds in by_name):
            for unit, each in (("instructions", "per_mac"), ("cycles", "cycles_per_mac")):
                per_mac = f" ({one[each]:.2f})" if one["macs"] else ""
                cells.append(f"{one[unit]:,.0f}{per_mac}")
        yield [kind["name"], kind["count"], f"{kind['macs']:,}" if kind["macs"] else "", *cells]


def operators(name: str) -> str:
    """Instructions and cycles per hop by kind of operator."""
    body = list(_by_operator([ask("bench", name, "--board", board)["kinds"] for board in BOARDS]))
    units = [f"{board}, {unit}" for board in BOARDS.values() for unit in ("instructions", "cycles")]
    return rows(["operator", "count", "MACs", *units], body)


def portable(name: str) -> str:
    """Optimized kernels compared with portable C, by kind of operator."""
    body: dict[str, list[str]] = {}
    for board in BOARDS:
        found = [ask("bench", name, "--board", board, *more) for more in (["--portable"], [])]
        slow, fast = (
            {kind["name"]: kind["instructions"] for kind in f["kinds"]}
            | {"network": f["instructions"]["network"]["mean"]}
            for f in found
        )
        for kind in filter(slow.get, slow):
            body.setdefault(kind, []).append(
                f"{slow[kind]:,.0f} to {fast[kind]:,.0f} ({slow[kind] / fast[kind]:.1f} x)"
            )
    return rows(
        ["instructions per hop", *BOARDS.values()], [[kind, *cells] for kind, cells in body.items()]
    )


def _variants(name: str) -> list[dict]:
    found = ask("variants", name, *AWARE.get(name, []), "--mixtures", "64", "--levels", "16")[
        "variants"
    ]
    return [row | {"name": VARIANTS.get(row["name"], row["name"])} for row in found]


def variants(name: str) -> str:
    """Quality and cost of each quantization variant."""
    body = []
    for row in _variants(name):
        line = [
            row["name"],
            f"{row['sisdri_db']['mean']:.2f}",
            f"{row['pesq']['mean']:.3f}",
            f"{row['estoi']['mean']:.3f}",
        ]
        if row["loss"] is None:
            body.append([*line, *["-"] * 7])
            continue
        counts = [row["instructions"].get(board) for board in ("cortex-m4", "cortex-m55")]
        line += [interval(row["loss"][m], 3, "+") for m in ("sisdr", "pesq", "estoi")]
        line += [
            f"{row['model_bytes']:,}",
            f"{row['arena_bytes']:,}",
            *("-" if n is None else f"{n:,.0f}" for n in counts),
        ]
        body.append(line)
    header = [
        f"`{name}`",
        "SI-SDR improvement (dB)",
        "PESQ-WB",
        "eSTOI",
        "SI-SDR loss (dB)",
        "PESQ loss",
        "eSTOI loss",
    ]
    return rows(
        [*header, "model (bytes)", "arena (bytes)", "instructions, M4", "instructions, M55"], body
    )


def levels(name: str) -> str:
    """SI-SDR loss of each variant at each speech level."""
    found = [row for row in _variants(name) if row["loss"]]
    at = list(found[0]["loss"]["levels"])
    body = [
        [row["name"], *(interval(row["loss"]["levels"][level], 3, "+") for level in at)]
        for row in found
    ]
    return rows([f"`{name}`", *(f"{level} dBFS" for level in at)], body)


def drift(*names: str) -> str:
    """SI-SDR improvement in the first and last minutes of a stream of half an hour."""
    body = []
    for name in names:
        f = ask("drift", name)
        int8 = [f"{f['int8_db'][i]:.3f}" for i in (0, 1, -2, -1)]
        settled = "never" if f["settled"] is None else f"minute {f['settled']}"
        body.append(
            [
                f"`{name}`",
                *int8,
                f"{f['drift_db']:+.4f}",
                f"{f['float_db'][1]:.3f}",
                f"{f['float_db'][-1]:.3f}",
                settled,
            ]
        )
    header = [
        "SI-SDR improvement (dB)",
        "int8, minute 1",
        "minute 2",
        "second to last",
        "last",
        "last minus minute 2",
    ]
    return rows([*header, "float32, minute 2", "last", "masks repeat from"], body)


def pictures(name: str = "enhance") -> None:
    """Write the sound and the spectrograms of the first demo mixture."""
    import numpy as np
    import soundfile

    import groupcomm
    from calibration_data import clips
    from convert.run import audio_file
    from tf_model.signal import Signal

    network, first = groupcomm.load(name), clips.demo_mixtures()[0]
    enhanced = network.process(first.mixture)[0]
    sounds = {"noisy": first.mixture, "output": enhanced, "clean speech": first.references[0]}
    pcm = {title: np.rint(32767 * x.clip(-1, 1)).astype(np.int16) for title, x in sounds.items()}
    soundfile.write(REPO / "docs" / f"{first.name}_enhanced.flac", pcm["output"], 16000)
    audio_file.plot_spectrograms(REPO / "docs" / "before-after.png", pcm, Signal())


def _chart(name: str, bundles: tuple[str, ...]) -> str:
    """Draw a picture of `CHARTS` as SVG."""
    from convert import bundle
    from convert.report import content, pictures

    if name == "loads":
        return pictures.loads({one: list(_fits(one).values()) for one in bundles})
    if name == "masks":
        return pictures.masks(**content.gains(bundle.load(bundles[0])))
    if name == "drift":
        found = ask("drift", *bundles)
        return pictures.drift(bundles[0], found["int8_db"], found["float_db"])
    benches = {one: ask("bench", one, "--board", "cortex-m4") for one in bundles}
    if name == "layers":
        return pictures.layers(bundles[0], benches[bundles[0]])
    counted = {}
    for one, found in benches.items():
        signal, cycles = bundle.load(one).signal, found["cycles"]
        per_second = cycles["hop"]["mean"] * signal.sample_rate / signal.hop
        counted[one] = (per_second, cycles["network_per_mac"])
    systems = ask("baselines", *bundles, *TEST)["systems"]
    return pictures.quality(content.with_cycles(systems, counted), "Cortex-M4")


def charts() -> None:
    """Write the SVG pictures, each with the checksum of the bundles that it shows."""
    from convert.report import pictures

    for name, bundles in CHARTS.items():
        file = REPO / "docs" / "pictures" / f"{name}.svg"
        file.parent.mkdir(exist_ok=True)
        drawn = pictures.standalone(_chart(name, bundles))
        file.write_text(f"{drawn}<!-- end {checksum(list(bundles))} -->\n")


def _replace(page: Path, mark: str, table: str) -> bool:
    """Write a table behind its mark; return whether it differs from the one that was there.

    The page is read only now, because it may have been edited while the table was measured.
    """
    text = page.read_text()
    written = MARK.sub(lambda found: found[1] + table if found[2] == mark else found[0], text)
    if written != text:
        page.write_text(written)
    return written != text


def main(asked: list[str]) -> None:
    """Write the tables whose marks begin with one of the given words, or all tables."""
    for page in PAGES:
        for mark in [found[2] for found in MARK.finditer(page.read_text())]:
            if asked and not any(mark.startswith(prefix) for prefix in asked):
                continue
            name, *arguments = mark.split()
            table = f"{globals()[name](*arguments)}<!-- end {checksum(arguments)} -->"
            if _replace(page, mark, table):
                print(f"{page.relative_to(REPO)}: {mark}")
    if not asked or "charts" in asked:
        charts()
    if not asked or "pictures" in asked:
        pictures()


if __name__ == "__main__":
    main(sys.argv[1:])
