"""The results of the commands as text and tables, for a terminal of 80 columns."""

import json
from typing import TYPE_CHECKING

from rich.table import Table

from groupcomm.console import line, new_table, out, printable

if TYPE_CHECKING:  # NumPy
    from convert.run.live import Meters

MEASURES = (
    ("sisdr", "SI-SDR (dB)"),
    ("sdr", "SDR (dB)"),
    ("pesq", "PESQ-WB"),
    ("stoi", "STOI"),
    ("estoi", "eSTOI"),
)


def interval(found: dict, digits: int = 2, sign: str = "") -> str:
    """Format a mean and its 95 % confidence interval."""
    mean, low, high = (f"{found[key]:{sign}.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def count(number: float | None) -> str:
    """Format a whole number with separators, or a dash."""
    return "-" if number is None else f"{number:,.0f}"


def verdict(ok: bool) -> str:
    """Return the colour of a yes or a no."""
    return "green" if ok else "red"


def show_variants(found: dict) -> None:
    """Print the result of `groupcomm variants`."""
    first, *others = rows = found["variants"]
    title = "{network}, {split}, {mixtures} mixtures".format(**found)
    caption = "loss: float32 minus the variant, paired, 95 % CI"
    quality = new_table(
        "variant", "SI-SDRi (dB)", "PESQ", "eSTOI", "SI-SDR loss (dB)", title=title, caption=caption
    )
    for row in rows:
        means = (
            f"{row['sisdri_db']['mean']:.2f}",
            f"{row['pesq']['mean']:.3f}",
            f"{row['estoi']['mean']:.3f}",
        )
        quality.add_row(
            row["name"], *means, interval(row["loss"]["sisdr"], 3) if row["loss"] else "-"
        )
    boards = list(dict.fromkeys(board for row in others for board in row["instructions"]))
    costs = new_table("variant", "model", "arena", *boards, title="Bytes, and instructions per hop")
    for row in others:
        counts = (
            row["model_bytes"],
            row["arena_bytes"],
            *(row["instructions"].get(board) for board in boards),
        )
        costs.add_row(row["name"], *map(count, counts))
    out.print(quality, costs)
    levels = list(others[0]["loss"]["levels"]) if others else []
    if found["levels"] and levels:
        title = f"SI-SDR loss (dB), {found['levels']} mixtures at each level"
        table = new_table("variant", *(f"{level} dBFS" for level in levels), title=title)
        for row in others:
            table.add_row(
                row["name"], *(f"{row['loss']['levels'][level]['mean']:+.3f}" for level in levels)
            )
        out.print(table)


def show_sensitivity(found: dict) -> None:
    """Print the result of `groupcomm sensitivity`."""
    title = "{network}, {split}, {mixtures} mixtures; ranges over {minutes} minutes".format(**found)
    table = new_table(
        "quantized alone", "what", "SI-SDR loss (dB), 95 % CI", "range in use", title=title, left=2
    )
    for place in found["places"]:
        used = "-" if place["used"] is None else f"{100 * place['used']:.0f} %"
        table.add_row(place["operator"], place["what"], interval(place["loss_db"], 3), used)
    table.add_section()
    table.add_row("all", "", interval(found["all"], 3), "")
    out.print(table)


def show_inspection(found: dict) -> None:
    """Print the result of `groupcomm inspect`."""
    table = new_table("operator", "version", "count", "MACs", "share")
    for o in found["operators"]:
        share = f"{100 * o['macs'] / found['macs']:.1f} %" if o["macs"] else "-"
        name = printable(o["name"])
        table.add_row(name, str(o["version"]), str(o["count"]), _macs(o["macs"]), share)
    out.print(table, _graph_table(found["graph_ops"]))
    arena = (
        "more than 16 MiB" if found["arena_bytes"] is None else f"{found['arena_bytes']:,} bytes"
    )
    needed = "" if found["refusal"] is not None else f", arena of TFLM on this machine: {arena}"
    line(
        f"{found['model']}: {found['model_bytes']:,} bytes, {found['parameters']:,} parameters, "
        f"{found['macs']:,} MACs per invocation{needed}"
    )
    for key, what in (("uncounted", "MACs"), ("uncounted_parameters", "parameters")):
        if found[key]:
            names = printable(", ".join(found[key]))
            line(f"{what} without those of {names}, which are not known")
    if found["refusal"] is not None:
        line(f"TFLM refuses this model: {found['refusal']}", style="red")
    for o in found["unsupported"]:
        name = printable(o["name"])
        lacks = f"refuses {name} here ({o['reason']})" if o["reason"] else f"lacks {name}"
        line(f"TFLM {lacks}: {o['way_out']}", style="red")
    for text in found["notes"]:
        line(f"note: {printable(text)}")


_KERNELS = {"both": "TFLM, ours", "tflm": "TFLM", "groupcomm": "ours", "none": "none"}


def _graph_table(operators: list[dict]) -> Table:
    """Return the table of all operators of a model."""
    caption = (
        "kernel: who has one, TFLM or micro/kernels; *: the bytes depend on the release of TFLM"
    )
    table = new_table(
        "", "operator", "shapes", "MACs", "parameters", "kernel", left=3, caption=caption
    )
    graphs = {o["graph"] for o in operators}
    numbers: dict[int, int] = dict.fromkeys(graphs, 0)
    for o in operators:
        number = numbers[o["graph"]]
        numbers[o["graph"]] += 1
        shapes = " to ".join("x".join(map(str, o[key])) or "()" for key in ("input", "output"))
        table.add_row(
            f"{o['graph']}.{number}" if len(graphs) > 1 else str(number),
            printable(_short(o["name"])),
            shapes,
            _macs(o["macs"]),
            count(o["parameters"] or None),
            _KERNELS[o["kernel"]] + (" *" if o["depends_on_release"] else ""),
        )
    return table


def _macs(macs: int | None) -> str:
    return "not counted" if macs is None else count(macs or None)


def show_parity(result: dict) -> None:
    """Print the result of `groupcomm parity`."""
    title = "{bundle}: {passes} passes of {hops} hops of real sound, a reset between".format(
        **result
    )
    headers = ("runtime", "reference", "equal bytes", "steps off", "SNR (dB)")
    table = new_table(*headers, title=title, left=2, caption="SNR: against the float32 network")
    for r in result["runtimes"]:
        if r["reference"] is None:
            table.add_row(r["name"], "-", "-", "-", "-")
            continue
        equal = "all" if r["equal_bytes"] == 1 else f"{100 * r['equal_bytes']:.3f} %"
        snr = "-" if r["snr_db"] is None else f"{r['snr_db']:.1f}"
        table.add_row(r["name"], r["reference"], equal, f"{r['max_steps']:.3g}", snr)
    out.print(table)
    words = "equal in every byte" if result["exact"] else "NOT equal"
    line(
        f"TFLM in C++ and in Python, plain C and the simulation: {words}; "
        f"Keras streaming within {result['streaming_difference']:.1e} of sequence",
        style=verdict(result["ok"]),
    )


def show_model_parity(result: dict) -> None:
    """Print the result of `groupcomm parity` of a `.tflite`."""
    title = "{model}: {passes} passes of {invocations} invocations, inputs: {inputs}".format(
        **result
    )
    table = new_table("runtime", "equal values", "different invocations", "steps off", title=title)
    for r in result["runtimes"]:
        equal = "all" if r["equal"] == 1 else f"{100 * r['equal']:.3f} %"
        table.add_row(r["name"], equal, str(r["different_invocations"]), str(r["max_steps"]))
    out.print(table)
    words = "equal to the official TFLM in every byte" if result["ok"] else "NOT equal to TFLM"
    line(words, style=verdict(result["ok"]))


def show_claims(result: dict) -> None:
    """Print the result of `groupcomm verify`."""
    for claim in result["claims"]:
        words = f"{claim['name']}: {_shortened(claim['claimed'])}"
        if claim["ok"] is None:
            words += f"; not derived: {_shortened(claim['reason'])}"
        elif not claim["ok"]:
            by = f" ({_shortened(claim['reason'])})" if claim["reason"] else ""
            words += f"; derived: {_shortened(claim['derived'])}{by}"
        mark = {True: "ok   ", False: "WRONG", None: "-    "}[claim["ok"]]
        line(f"{mark} {words}", style=verdict(False) if claim["ok"] is False else None)
    states = [claim["ok"] for claim in result["claims"]]
    line(
        f"{result['folder']}: {states.count(True)} claims are right, {states.count(False)} are "
        f"wrong, {states.count(None)} were not derived; TFLM {result['tflm']}",
        style=verdict(result["ok"]),
    )


def _shortened(value: object) -> str:
    """Format a value of a bundle, which is anyone's text, on part of a line."""
    text = printable(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= 100 else f"{text[:97]}..."


def show_board_parity(result: dict) -> None:
    """Print the result of `groupcomm parity --port`."""
    title = "{bundle} on {port}".format(**result)
    table = new_table(
        "on the board", "hops", "equal bytes", "cycles, mean", "worst", "load", title=title
    )
    for label, found in (("network", result["network"]), ("PCM to PCM", result["sound"])):
        first = found["first_different_hop"]
        different = f"{100 * found['equal_bytes']:.3f} %, different from hop {first} on"
        equal = "all" if found["equal_bytes"] == 1 else different
        c = found["cycles"]
        cycles = (
            (f"{c['mean']:,.0f}", f"{c['worst']:,}", f"{100 * c['load']:.1f} %")
            if c
            else ("-", "-", "-")
        )
        table.add_row(label, str(found["hops"]), equal, *cycles)
    out.print(table)
    faults = (
        "{repeated} repeated requests, {damaged} damaged answers, "
        "{resets} resets of the board".format(**result["faults"])
    )
    words = (
        "the board computes the same bytes"
        if result["ok"]
        else "the board does NOT compute the same bytes"
    )
    line(f"{words}; {faults}", style=verdict(result["ok"]))


def show_drift(found: dict, stable: bool) -> None:
    """Print the result of `groupcomm drift`."""
    title = "{bundle}, {split}: SI-SDR improvement (dB)".format(**found)
    table = new_table("minute", "int8", "float32", "float32 - int8", title=title, left=0)
    for minute, (int8, exact) in enumerate(
        zip(found["int8_db"], found["float_db"], strict=True), 1
    ):
        table.add_row(str(minute), f"{int8:.3f}", f"{exact:.3f}", f"{exact - int8:+.3f}")
    out.print(table)
    settled = (
        f"from minute {found['settled']} on, the masks are equal in every byte"
        if found["settled"]
        else "the masks of the last two minutes differ"
    )
    line(
        f"last minute minus the second: {found['drift_db']:+.3f} dB; {settled}",
        style=verdict(stable),
    )


def show_evaluation(result: dict) -> None:
    """Print the result of `groupcomm evaluate`."""
    title = "{name} by {runtime}, {corpus} {split}, {mixtures} mixtures".format(**result)
    table = new_table("", "in", "out", "improvement, 95 % CI", title=title)
    for measure, label in MEASURES:
        found = result["measures"][measure]
        if found["mixtures"] == 0:
            table.add_row(label, "-", "-", "defined for no mixture")
            continue
        digits = 3 if "stoi" in measure else 2
        table.add_row(
            label,
            *(f"{found[key]:.{digits}f}" for key in ("in", "out")),
            interval(found["improvement"], digits),
        )
    headers = ("", "mixtures", "SI-SDRi (dB), 95 % CI", "worst 5 %", "harmed")
    caption = "SI-SDRi: improvement of the SI-SDR; harmed: mixtures that became worse"
    groups = new_table(
        *headers, title="By SNR, room, disturbance, noise, speaker and sex", caption=caption
    )
    everything = {"mixtures": result["mixtures"], **result["sisdri_db"]}
    everything |= {"worst_twentieth": result["worst_twentieth_db"], "harm": result["harm"]}
    for kind in ({"all": everything}, *result["by"].values()):
        for group, found in kind.items():
            spread = (f"{found['worst_twentieth']:.2f}", f"{100 * found['harm']:.0f} %")
            groups.add_row(group, str(found["mixtures"]), interval(found), *spread)
        groups.add_section()
    out.print(table, groups)
    for one in result["worst"]:
        speakers, noises = ", ".join(one["speakers"]), ", ".join(one["categories"]) or "no noise"
        snr = "" if one["snr_db"] is None else f" at {one['snr_db']:.1f} dB"
        line(
            f"worst: mixture {one['index']}, {one['sisdri_db']:+.2f} dB: {speakers} in "
            f"{noises}{snr}"
        )
    for path in result.get("files", []):
        line(path)


def show_robustness(result: dict) -> None:
    """Print the result of `groupcomm robustness`."""
    title = "{name} by {runtime}, {corpus} {split}, {mixtures} mixtures each".format(**result)
    headers = ("condition", "in", "improvement, 95 % CI", "change of output, 95 % CI")
    table = new_table(*headers, title=title, caption="SI-SDR (dB)")
    for condition, scores in result["conditions"].items():
        table.add_row(
            condition,
            f"{scores['sisdr_in_db']:.2f}",
            interval(scores["sisdri_db"]),
            interval(scores["against_db"]),
        )
    out.print(table)
    line(f"without noise: SI-SDR {interval(result['without_noise_db'])} dB")
    line(f"noise alone is attenuated by {interval(result['noise_alone_db'])} dB")
    silence = result["silence_dbfs"]
    line(
        "silence stays silence"
        if silence is None
        else f"silence: the largest sample is {silence:.1f} dBFS"
    )


def show_baselines(result: dict) -> None:
    """Print the result of `groupcomm baselines`."""
    sizes = new_table("system", "parameters", "MMAC/s", "latency (ms)", title="Size")
    title = "{corpus} {split}, {mixtures} mixtures".format(**result)
    quality = new_table("system", "SI-SDRi (dB)", "SDR (dB)", "PESQ", "STOI", "eSTOI", title=title)
    for s in result["systems"]:
        style = "bold" if s["is_bundle"] else None
        counts = (
            (f"{s['params']:,}", f"{s['macs_per_second'] / 1e6:.1f}") if s["params"] else ("-", "-")
        )
        sizes.add_row(s["name"], *counts, f"{s['latency_ms']:g}", style=style)
        means = [f"{s[m]['mean']:.2f}" for m in ("sisdri_db", "sdr", "pesq")]
        quality.add_row(
            s["name"], *means, *(f"{s[m]['mean']:.3f}" for m in ("stoi", "estoi")), style=style
        )
    out.print(sizes, quality)
    for ours, against in result["against"].items():
        table = new_table(
            "", "SI-SDR (dB)", "PESQ", "eSTOI", title=f"{ours} minus the baseline, paired, 95 % CI"
        )
        for other, found in against.items():
            table.add_row(
                other,
                interval(found["sisdr"]),
                interval(found["pesq"]),
                interval(found["estoi"], 3),
            )
        out.print(table)


def show_bench_host(found: dict) -> None:
    """Print the result of `groupcomm bench --engine tflm-host`."""
    title = "{bundle}, {hops} hops of real sound".format(**found)
    table = new_table("TFLM on this machine", "its kernels", "GroupComm's kernels", title=title)
    kernels = [found["kernels"][kind] for kind in ("tflm", "groupcomm")]
    counts = [count(k["instructions"]) for k in kernels]
    table.add_row("instructions per hop", *counts)
    table.add_row(
        "per MAC", *("-" if k["per_mac"] is None else f"{k['per_mac']:.2f}" for k in kernels)
    )
    for label, key in (
        ("time per hop (us), median", "median"),
        ("time per hop (us), worst", "worst"),
    ):
        table.add_row(label, *(count(k["microseconds"][key]) for k in kernels))
    for label, key in (("arena in use, bytes", "used"), ("smallest arena, bytes", "smallest")):
        table.add_row(label, *(count(k["arena_bytes"][key]) for k in kernels))
    out.print(table)
    if "-" in counts:
        line("valgrind counts the instructions, and it is not installed: apt-get install valgrind")


def show_bench(found: dict) -> None:
    """Print the result of `groupcomm bench` of a bundle."""
    i = found["instructions"]
    title = "{bundle} on {board}, {hops} hops of real sound".format(**found)
    headers = ("instructions, mean", "worst", "cycles (model), mean", "worst")
    table = new_table("per hop", *headers, title=title)
    for label, key in (("network", "network"), ("STFT, masks, inverse", "signal"), ("all", "hop")):
        both = (found[unit][key] for unit in ("instructions", "cycles"))
        table.add_row(label, *(count(part[which]) for part in both for which in ("mean", "worst")))
    out.print(table)
    _show_costs(found, i["hop"]["mean"], "hop")
    line(
        f"network: {i['network_per_mac']:.2f} instructions and "
        f"{found['cycles']['network_per_mac']:.2f} cycles for each of its {found['macs']:,} MACs"
    )
    for part, e in found["estimates"].items():
        line(
            f"{part} at {e['clock_hz'] / 1e6:.0f} MHz, an estimate: {percents(e['load'])} of the "
            "time of a hop"
        )
    for key, b in found["budget"].items():
        line(f"budget, {key}: {b['used']:,} of {b['limit']:,}", style=verdict(b["ok"]))


def show_model_bench(found: dict) -> None:
    """Print the result of `groupcomm bench` of a `.tflite`."""
    i = found["instructions"]
    title = "{model} on {board}, {invocations} invocations on random inputs".format(**found)
    table = new_table("per invocation", "instructions", "cycles (model)", title=title)
    for which in ("mean", "worst"):
        table.add_row(which, count(i[which]), count(found["cycles"][which]))
    out.print(table)
    _show_costs(found, i["mean"], "invocation")
    if i["per_mac"] is not None:
        line(
            f"{i['per_mac']:.2f} instructions and {found['cycles']['per_mac']:.2f} cycles for each "
            f"of its {found['macs']:,} MACs"
        )
    for part, e in found["estimates"].items():
        ends = e["milliseconds"]
        line(
            f"{part} at {e['clock_hz'] / 1e6:.0f} MHz, an estimate: {ends['least']:.2f} to "
            f"{ends['most']:.2f} ms"
        )


def percents(load: dict[str, float]) -> str:
    """Format an interval of a share."""
    ends = [f"{100 * load[end]:.0f}" for end in ("least", "most")]
    return f"{' to '.join(dict.fromkeys(ends))} %"


def _show_costs(found: dict, mean: float, run: str) -> None:
    """Print instructions and cycles by operator and function, flash and RAM.

    ``mean`` is the number of instructions of a run, ``run`` its name: hop or invocation.
    """
    costs = ("MACs", "instructions", "cycles (model)")
    caption = f"per {run}, in parentheses per MAC"
    kinds = new_table("kind of operator", "count", *costs, "share", caption=caption)
    for o in found["kinds"]:
        share = f"{100 * o['instructions'] / mean:.1f} %"
        kinds.add_row(_short(o["name"]), str(o["count"]), *_operator_cost(o), share)
    operators = new_table("operator", "shapes", *costs)
    for number, o in enumerate(found["operators"]):
        if o["instructions"]:
            shapes = " to ".join("x".join(map(str, o[key])) for key in ("input", "output"))
            operators.add_row(f"{number} {_short(o['name'])}", shapes, *_operator_cost(o))
    functions = new_table("function", "instructions", "share", "cycles (model)")
    for function, instructions in found["functions"].items():
        if instructions >= 0.001 * mean:
            share = f"{100 * instructions / mean:.1f} %"
            cycles = count(found["function_cycles"].get(function, 0))
            functions.add_row(function, count(instructions), share, cycles)
    memory = new_table("memory", "bytes")
    for kind, parts in (("flash", found["flash_bytes"]), ("RAM", found["ram_bytes"])):
        for part, size in parts.items():
            memory.add_row(f"{kind}, {part}", f"{size:,}")
        memory.add_section()
    out.print(kinds, operators, functions, memory)


def _short(operator: str) -> str:
    return operator.removeprefix("UNIDIRECTIONAL_SEQUENCE_")  # half the width of a terminal


def _operator_cost(o: dict) -> tuple[str, ...]:
    """Cells of a row: MACs, instructions and cycles, these two also per MAC."""
    if not (macs := o["macs"]):
        return "-", count(o["instructions"]), count(o["cycles"])
    instructions = f"{count(o['instructions'])} ({o['per_mac']:.2f})"
    return f"{macs:,}", instructions, f"{count(o['cycles'])} ({o['cycles_per_mac']:.2f})"


def show_recording(found: dict) -> None:
    """Print the result of `groupcomm listen`."""
    for file in found["files"]:
        line(file)
    missing = found["hops"] - found["received"]
    line(
        f"{found['seconds']:.2f} s, {found['hops']} hops; {missing} missing (silence stands for "
        f"them), {found['lost']} of these lost by the board; {found['damaged']} frames damaged"
    )


def live_meters(meters: "Meters") -> str:
    """Return the meters of `groupcomm live` as one line."""
    before, after = (
        f"{level:.0f} {'#' * round(max(0, min(60, level + 60)) / 7.5):.<8}"
        for level in (meters.before_db, meters.after_db)
    )
    return (
        f"before {before}, after {after} dBFS, gain {meters.gain_db:.0f} dB, "
        f"{meters.xruns} xruns{', BYPASS' if meters.bypass else ''}"
    )


def show_live(found: dict) -> None:
    """Print the result of `groupcomm live`."""
    for file in found["files"]:
        line(file)
    words = f"{found['seconds']:.2f} s"
    if found["device_rate"]:
        words += f" at {found['device_rate']} Hz, {found['xruns']} xruns"
    if found["latency_ms"]:
        words += f", latency {found['latency_ms']:.0f} ms"
    line(words)


def show_prediction(found: dict, title: str) -> None:
    """Print what `groupcomm cost --board` predicts."""
    line(f"{'instructions per hop':>22}  {found['instructions']:,}")
    line(f"{'of the network':>22}  {found['network_instructions']:,}")
    cycles = " to ".join(f"{found['cycles'][end]:,}" for end in ("least", "most"))
    line(f"{'cycles per hop':>22}  {cycles} (model)")
    line(f"{'load':>22}  {percents(found['load'])} of {title}, predicted for int8")


def show_search(found: dict, title: str) -> None:
    """Print the result of `groupcomm search`."""
    if found["networks"]:
        sizes = found["networks"][0]["sizes"]
        columns = ("network", *sizes, "MACs", "params", "load")
        table = new_table(*columns, title=f"Sizes for {title}, MACs of a hop")
        for row in found["networks"]:
            counted = (f"{row[key]:,}" for key in ("macs_per_hop", "params"))
            sizes = map(str, row["sizes"].values())
            table.add_row(row["network"], *sizes, *counted, percents(row["load"]))
        out.print(table)
    line(
        f"{found['fitting']:,} of {found['candidates']:,} sizes have a load of at most "
        f"{100 * found['load']:g} % at its upper end; the first ones have the most "
        "multiply-accumulates"
    )


def show_all_boards(found: dict) -> None:
    """Print the result of `groupcomm fit` without a board."""
    table = new_table(
        "board", "flash", "RAM", "load", "", title=f"{found['network']} on all boards"
    )
    for one in found["boards"]:
        flash, ram = (one["checks"][key]["used"] for key in ("flash_bytes", "ram_bytes"))
        table.add_row(
            one["board"],
            f"{flash / 1000:.0f} KB",
            f"{ram / 1000:.1f} KB",
            percents(one["load"]),
            "fits" if one["ok"] else "does not fit",
            style=verdict(one["ok"]),
        )
    out.print(table)
    line("The load is an estimate: the core alone, to its flash and the error of the model added.")


def show_fit(found: dict) -> None:
    """Print the result of `groupcomm fit`."""
    table = new_table(
        "", "used", "available", "share", title="{network} on {title} ({core})".format(**found)
    )
    for key, label in (
        ("flash_bytes", "flash, bytes"),
        ("ram_bytes", "RAM, bytes"),
        ("cycles", f"cycles per {found['run']}"),
    ):
        c = found["checks"][key]
        share = f"{100 * c['used'] / c['limit']:.1f} %"
        table.add_row(label, f"{c['used']:,}", f"{c['limit']:,}", share, style=verdict(c["ok"]))
    out.print(table)
    latency = f"; latency {found['latency_ms']:g} ms" if found["latency_ms"] else ""
    line(f"stack, part of the RAM: {found['stack_bytes']:,} bytes{latency}")
    assumed = found["cycles_per_instruction"]
    cycles = (
        f"with an assumed {assumed:g} cycles each"
        if assumed
        else f"{found['cycles']['least']:,} to {found['cycles']['most']:,} cycles by the model"
    )
    line(
        f"{found['instructions']:,} instructions per {found['run']}, {cycles}: a load of "
        f"{percents(found['load'])}; real time up to {found['most_cycles_per_instruction']:.2f} "
        "cycles per instruction"
    )
    if found["source"]:
        line(f"clock and memories of the board: {found['source']}")
    for key, what in (
        ("flash_bytes", "bytes of flash"),
        ("ram_bytes", "bytes of RAM"),
        ("cycles", f"cycles per {found['run']}"),
    ):
        c = found["checks"][key]
        if not c["ok"]:
            missing = f"{c['used'] - c['limit']:,} {what} too many"
            line(f"does not fit: {missing}; use a smaller network or a larger board", style="red")


def show_demo(result: dict) -> None:
    """Print the result of `groupcomm demo`."""
    table = new_table(
        "mixture", "input", "float32 (Keras)", "int8 (TFLM, C++)", title="SI-SDR (dB)"
    )
    for m in result["mixtures"]:
        table.add_row(
            m["name"],
            *(f"{m[key]:.2f}" for key in ("sisdr_in_db", "sisdr_float_db", "sisdr_int8_db")),
        )
    out.print(table)
    show_parity(result["parity"])
    for path in result["files"]:
        line(path)
