"""Measure the tables of the docs again and write them into their pages.

    .venv/bin/python docs/figures.py            # all of them: hours
    .venv/bin/python docs/figures.py parity     # those whose name begins so

A table stands between ``<!-- figures: NAME ARGUMENT ... -->`` and ``<!-- end -->``; NAME is a function below. Each command that is named
there is run with ``--json``. What it said is kept in build/figures under the command and the bundles that it is about, so a run that was
stopped goes on, and nothing is taken of a bundle that is no more.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
KEPT = REPO / "build" / "figures"
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]
MARK = re.compile(r"(<!-- figures: ([^>]*?) -->\n).*?(<!-- end -->)", re.DOTALL)
AWARE = {"enhance-nano": ["--qat", "build/qat/enhance-nano/best", "--qat", "build/qat/enhance-nano-int4/best"]}  # docs/quantization.md
VARIANTS = {
    "ptq-min-max": "PTQ, all that was seen (min-max)",
    "ptq-percentile": "PTQ, all but 0.01 % (percentile)",
    "ptq-error": "PTQ, smallest error",
    "qat": "QAT",
    "int4": "PTQ (percentile), 4-bit weights",
    "int4-qat": "QAT, 4-bit weights",
}
BOARDS = {"cortex-m4": "M4", "cortex-m33": "M33", "cortex-m55": "M55"}
MEASURES = {"sisdr": ("SI-SDR, dB", 2), "sdr": ("SDR, dB", 2), "pesq": ("PESQ-WB", 2), "stoi": ("STOI", 3), "estoi": ("eSTOI", 3)}


def _bundle(name: str) -> bytes:
    """What a bundle says of itself, its model's checksum too; not the budget, which changes nothing that is measured."""
    described = json.loads((REPO / "convert" / "bundles" / name / "bundle.json").read_text())
    return json.dumps({key: value for key, value in described.items() if key != "budget"}).encode()


def ask(*command: str) -> dict:
    """What ``groupcomm COMMAND --json`` says, from build/figures if it said it before of the same bundles."""
    about = [_bundle(word) for word in command if (REPO / "convert" / "bundles" / word).is_dir()]
    key = hashlib.sha256(b"\0".join([" ".join(command).encode(), *about])).hexdigest()[:12]
    file = KEPT / f"{re.sub(r'[^a-z0-9.]+', '-', ' '.join(command))}-{key}.json"
    if not file.is_file():
        print("groupcomm", *command, file=sys.stderr)
        said = subprocess.run(
            [Path(sys.executable).with_name("groupcomm"), *command, "--json"], cwd=REPO, stdout=subprocess.PIPE, text=True, check=False
        )
        if said.returncode == 2:
            sys.exit(f"groupcomm {' '.join(command)}: see above")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".part").write_text(said.stdout)
        file.with_suffix(".part").replace(file)
    return json.loads(file.read_text())


def interval(found: dict, digits: int = 2, sign: str = "") -> str:
    """A mean and its 95 % interval."""
    mean, low, high = (f"{found[key]:{sign}.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def rows(header: list[str], body: list[list], *, left: int = 1) -> str:
    """A table in Markdown, numbers to the right after ``left`` columns."""
    lines = [header, ["---"] * left + ["---:"] * (len(header) - left), *body]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def _macs(hop_macs: int, name: str) -> str:
    signal = json.loads((REPO / "convert" / "bundles" / name / "bundle.json").read_text())["signal"]
    milliseconds = 1000 * signal["hop"] / signal["sample_rate"]
    return f"{hop_macs:,}" + ("" if milliseconds == 8 else f" (of {milliseconds:g} ms)")


def networks(*names: str) -> str:
    """What each bundle is, in one line."""
    body = []
    for name in names:
        inspected, bench, counted = ask("inspect", name), ask("bench", name, "--board", "cortex-m4"), ask("cost", name)
        flash, ram = sum(bench["flash_bytes"].values()), bench["ram_bytes"]["total"]
        better = ask("evaluate", name, "--split", "test")["measures"]["sisdr"]["better"]
        body.append(
            [f"`{name}`", f"{counted['latency_ms']:g} ms", f"{inspected['parameters']:,}", _macs(inspected["macs"], name),
             f"{inspected['model_bytes'] / 1000:.0f} KB", f"{flash / 1000:.0f} KB", f"{ram / 1000:.1f} KB",
             f"**{better['mean']:.2f} dB** ({better['low']:.2f} to {better['high']:.2f})"]
        )  # fmt: skip
    return rows(["", "latency", "parameters", "MACs a hop", "model.tflite", "flash, all", "RAM, all", "SI-SDR better by, 95 %"], body)


def peers(*names: str) -> str:
    """All systems on the same mixtures, the best first."""
    body = []
    for s in sorted(ask("peers", *names)["systems"], key=lambda s: -s["sisdri_db"]["mean"]):
        body.append(
            [f"**{s['name']}, int8**" if s["ours"] else s["name"], f"{s['params']:,}" if s["params"] else "-",
             f"{s['macs_per_second'] / 1e6:.1f}" if s["macs_per_second"] else "-", f"{s['latency_ms']:.0f}", interval(s["sisdri_db"]),
             interval(s["pesq"]), f"{s['stoi']['mean']:.3f}", interval(s["estoi"], 3)]
        )  # fmt: skip
    header = ["system", "parameters", "MMAC/s", "latency, ms", "SI-SDR improvement, dB", "PESQ-WB", "STOI", "eSTOI"]
    return rows(header, body)


def against(*names: str) -> str:
    """Paired differences of each bundle and each peer."""
    found = ask("peers", *names)["against"]
    compared = (("sisdr", "SI-SDR, dB", 2), ("pesq", "PESQ-WB", 2), ("estoi", "eSTOI", 3))
    header = [f"`{name}`: {title}" if measure == "sisdr" else title for name in names for measure, title, _ in compared]
    peers = {peer: [interval(found[name][peer][m], n, "+") for name in names for m, _, n in compared] for peer in found[names[0]]}
    return rows(["less that of", *header], [[peer, *cells] for peer, cells in peers.items()])


def measures(*names: str) -> str:
    """Every measure on the test split, int8 in TFLM and float in Keras."""
    header, body = ["", "in"], [[title] for title, _ in MEASURES.values()]
    for name in names:
        header += [f"`{name}`, int8", "better, 95 %", "float32", "better, 95 %"]
        found = [ask("evaluate", name, "--split", "test"), ask("evaluate", name, "--split", "test", "--runtime", "keras")]
        for line, (measure, (_, digits)) in zip(body, MEASURES.items(), strict=True):
            if len(line) == 1:
                line.append(f"{found[0]['measures'][measure]['in']:.{digits}f}")
            for one in found:
                summary = one["measures"][measure]
                line += [f"{summary['out']:.{digits}f}", interval(summary["better"], digits)]
    return rows(header, body)


def groups(*names: str) -> str:
    """SI-SDR improvement by SNR, speaker and sexes."""
    found = [ask("evaluate", name, "--split", "test")["by"] for name in names]
    body = [
        [group, one["mixtures"], *(interval(by[kind][group]) for by in found)]
        for kind in ("snr", "speaker", "sexes")
        for group, one in found[0][kind].items()
    ]
    return rows(["SI-SDR better by, dB, int8", "mixtures", *(f"`{name}`" for name in names)], body)


def noises(*names: str) -> str:
    """SI-SDR improvement by category of noise, the best first."""
    found = [ask("evaluate", name, "--split", "test")["by"]["noise"] for name in names]
    order = sorted(found[0].items(), key=lambda pair: -pair[1]["mean"])
    body = [[kind, one["mixtures"], *(f"{by[kind]['mean']:.1f}" for by in found)] for kind, one in order]
    return rows(["noise", "mixtures", *(f"`{name}`" for name in names)], body)


def robustness(*names: str) -> str:
    """Conditions that are not in the mixer's book."""
    found = [ask("robustness", name) for name in names]
    body = [
        [condition, f"{one['sisdr_in_db']:.2f}", *(interval(f["conditions"][condition]["sisdri_db"]) for f in found)]
        for condition, one in found[0]["conditions"].items()
    ]
    body.append(["without noise comes out at, dB SI-SDR", "", *(interval(f["without_noise_db"], 1) for f in found)])
    body.append(["noise alone becomes softer by, dB", "", *(interval(f["noise_alone_db"], 1) for f in found)])
    silences = ["silence" if f["silence_dbfs"] is None else f"{f['silence_dbfs']:.0f} dBFS" for f in found]
    body.append(["digital silence becomes", "", *silences])
    return rows([f"condition, {found[0]['mixtures']} mixtures", "SI-SDR in", *(f"`{name}`, improvement, dB" for name in names)], body)


def demo(name: str = "enhance") -> str:
    """The demo's mixtures."""
    keys = ("sisdr_in_db", "sisdr_float_db", "sisdr_int8_db")
    body = [[m["name"], *(f"{m[key]:.2f}" for key in keys)] for m in ask("demo", "--bundle", name)["mixtures"]]
    return rows(["mixture", "SI-SDR in", "float (Keras)", "int8 (TFLM, C++)"], body)


def parity(name: str) -> str:
    """Every runtime against another."""
    body = []
    for r in ask("parity", name)["runtimes"]:
        equal = "all" if r["equal_bytes"] == 1 else f"{100 * r['equal_bytes']:.3f} %"
        held = [r["reference"], equal, f"{r['max_steps']:.3g}"] if r["reference"] else ["-"] * 3
        body.append([r["name"], *held, "-" if r["snr_db"] is None else f"{r['snr_db']:.1f}"])
    return rows(["runtime", "held against", "equal", "steps off", "SNR, dB"], body, left=2)


def cost(*names: str) -> str:
    """Sizes of bundles."""
    body = []
    for name in names:
        counted, inspected = ask("cost", name), ask("inspect", name)
        body.append(
            [f"`{name}`", f"{counted['params']:,}", _macs(counted["macs_per_hop"], name), f"{counted['macs_per_second']:,}",
             f"{counted['state_bytes']:,} bytes", f"{inspected['model_bytes']:,} bytes",
             f"{inspected['model_bytes'] / counted['params']:.2f}", f"{inspected['arena_bytes']:,} bytes"]
        )  # fmt: skip
    header = ["", "parameters", "MACs a hop (8 ms)", "MACs a second", "state, int8", "model.tflite", "bytes a parameter"]
    return rows([*header, "arena (TFLM, 64-bit host)"], body)


def bench(*names: str) -> str:
    """Instructions and bytes on the emulated boards."""
    columns = [(name, board, ask("bench", name, "--board", board)) for name in names for board in BOARDS]
    lines = {
        "whole hop, instructions (the worst)": lambda f: f"{f['instructions']['hop']['worst']:,}",
        "network": lambda f: f"{f['instructions']['network']['mean']:,.0f}",
        "STFT, features, masks, inverse": lambda f: f"{f['instructions']['signal']['mean']:,.0f}",
        "network, for each MAC": lambda f: f"{f['instructions']['network_per_mac']:.2f}",
        "flash: weights (int8) and biases (int32), bytes": lambda f: f"{f['flash_bytes']['weights']:,}",
        "flash: the rest (code, tables, quantization), bytes": lambda f: f"{f['flash_bytes']['rest']:,}",
        "RAM: state, bytes": lambda f: f"{f['ram_bytes']['state']:,}",
        "RAM: activations, overlapped, bytes": lambda f: f"{f['ram_bytes']['activations']:,}",
        "RAM: stream, bytes": lambda f: f"{f['ram_bytes']['stream']:,}",
        "RAM: stack, at most, bytes": lambda f: f"{f['ram_bytes']['stack']:,}",
        "RAM: all, bytes": lambda f: f"{f['ram_bytes']['total']:,}",
    }
    body = [[title, *(line(found) for *_, found in columns)] for title, line in lines.items()]
    return rows(["", *(f"`{name}`, {BOARDS[board]}" for name, board, _ in columns)], body)


def loads(*names: str) -> str:
    """The estimate of `fit`: how much of its time a board is busy."""
    boards = ("nano33ble", "nrf52840dk", "nrf5340dk", "nrf5340_audio_dk")
    body = []
    for name in names:
        found = [ask("fit", name, "--board", board) for board in boards]
        body.append([f"`{name}`", *(f"{100 * f['load']:.0f} % (up to {f['most_cycles_per_instruction']:.2f})" for f in found)])
    return rows(["", *boards], body)


def operators(name: str) -> str:
    """Where the instructions go, by operator."""
    found = {board: {kind["name"]: kind for kind in ask("bench", name, "--board", board)["kinds"]} for board in BOARDS}
    body = []
    for kind in sorted(found["cortex-m4"].values(), key=lambda k: -k["instructions"]):
        if not kind["instructions"]:
            continue
        cells = []
        for kinds in found.values():
            one = kinds[kind["name"]]
            cells.append(f"{one['instructions']:,.0f}" + (f" ({one['instructions'] / one['macs']:.2f})" if one["macs"] else ""))
        body.append([kind["name"], kind["count"], f"{kind['macs']:,}" if kind["macs"] else "", *cells])
    return rows(["operator", "of", "MACs", *BOARDS], body)


def portable(name: str) -> str:
    """The fast bodies against portable C, by operator."""
    body: dict[str, list[str]] = {}
    for board in BOARDS:
        found = [ask("bench", name, "--board", board, *more) for more in (["--portable"], [])]
        slow, fast = (
            {kind["name"]: kind["instructions"] for kind in f["kinds"]} | {"network": f["instructions"]["network"]["mean"]} for f in found
        )
        for kind in filter(slow.get, slow):
            body.setdefault(kind, []).append(f"{slow[kind]:,.0f} to {fast[kind]:,.0f} ({slow[kind] / fast[kind]:.1f} x)")
    return rows(["instructions a hop", *BOARDS.values()], [[kind, *cells] for kind, cells in body.items()])


def _variants(name: str) -> list[dict]:
    found = ask("variants", name, *AWARE.get(name, []), "--mixtures", "64", "--levels", "16")["variants"]
    return [row | {"name": VARIANTS.get(row["name"], row["name"])} for row in found]


def variants(name: str) -> str:
    """Quality and cost of every way to integers."""
    body = []
    for row in _variants(name):
        line = [row["name"], f"{row['sisdri_db']['mean']:.2f}", f"{row['pesq']['mean']:.3f}", f"{row['estoi']['mean']:.3f}"]
        if row["lost"] is None:
            body.append([*line, *["-"] * 7])
            continue
        counts = [row["instructions"].get(board) for board in ("cortex-m4", "cortex-m55")]
        line += [interval(row["lost"][m], 3, "+") for m in ("sisdr", "pesq", "estoi")]
        line += [f"{row['model_bytes']:,}", f"{row['arena_bytes']:,}", *("-" if n is None else f"{n:,.0f}" for n in counts)]
        body.append(line)
    header = [f"`{name}`", "SI-SDR improvement, dB", "PESQ-WB", "eSTOI", "SI-SDR lost, dB", "PESQ lost", "eSTOI lost"]
    return rows([*header, "model, bytes", "arena, bytes", "on M4", "on M55"], body)


def levels(name: str) -> str:
    """SI-SDR lost by every variant at every level of the speech."""
    found = [row for row in _variants(name) if row["lost"]]
    at = list(found[0]["lost"]["levels"])
    body = [[row["name"], *(interval(row["lost"]["levels"][level], 3, "+") for level in at)] for row in found]
    return rows([f"`{name}`", *(f"{level} dBFS" for level in at)], body)


def drift(*names: str) -> str:
    """A stream of half an hour, minute by minute."""
    body = []
    for name in names:
        f = ask("drift", name)
        int8 = [f"{f['int8_db'][i]:.3f}" for i in (0, 1, -2, -1)]
        settled = "never" if f["settled"] is None else f"minute {f['settled']}"
        body.append([f"`{name}`", *int8, f"{f['drift_db']:+.4f}", f"{f['float_db'][1]:.3f}", f"{f['float_db'][-1]:.3f}", settled])
    header = [
        "SI-SDR improvement, dB",
        "int8, first minute",
        "second",
        "second to last",
        "last",
        "last less second",
        "float, second",
        "last",
    ]
    return rows([*header, "masks repeat from"], body)


def main(asked: list[str]) -> None:
    """Write the tables whose names begin with one of these, or all."""
    for page in PAGES:
        text = page.read_text()

        def table(found: re.Match) -> str:
            name, *arguments = found[2].split()
            if asked and not any(found[2].startswith(prefix) for prefix in asked):
                return found[0]
            return found[1] + globals()[name](*arguments) + found[3]

        written = MARK.sub(table, text)
        if written != text:
            page.write_text(written)
            print(page.relative_to(REPO))


if __name__ == "__main__":
    main(sys.argv[1:])
