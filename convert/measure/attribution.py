"""Attribute the counts of a firmware run to operators, functions, weights and code."""

import dataclasses
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from convert import boards
from convert.tflite import counts


def attribute(
    graph_ops: Sequence[counts.GraphOp],
    elf: Path,
    written: dict,
    counted: dict,
    core: str,
    runs: int,
) -> dict:
    """Attribute what span 0 counted.

    Parameters
    ----------
    graph_ops : sequence of GraphOp
    elf : Path
        The firmware.
    written : dict
        The result of `c_source.compile_bundle` or `model_source.compile_model`.
    counted : dict
        What the counter wrote, see counter.c.
    core : str
        For the caches that were simulated.
    runs : int
        Runs of span 0.

    Returns
    -------
    dict
        Means of a run: ``operators``, ``kinds``, ``functions``, ``function_cycles`` and ``flash``
        (see `flash_accesses`).
    """
    span = counted["spans"][0]
    found = operators(graph_ops, elf, written, counted, runs)
    return {
        "flash": flash_accesses(span, boards.caches(core), runs),
        "operators": found,
        "kinds": kinds(found),
        "functions": readable(span["functions"], runs),
        "function_cycles": readable(span["cycles"]["functions"], runs),
    }


def operators(
    graph_ops: Sequence[counts.GraphOp], elf: Path, written: dict, counted: dict, runs: int
) -> list[dict]:
    """Attribute instructions and cycles to operators.

    By the line numbers in the ELF file, an address belongs to a line of the generated C file, and a
    line to an operator.

    Parameters
    ----------
    graph_ops, elf, written, counted, runs
        As for `attribute`.

    Returns
    -------
    list of dict
        The fields of each operator, its mean ``instructions`` and ``cycles`` (of the model), and
        ``per_mac`` and ``cycles_per_mac`` (None without products).
    """
    owners = {
        f"{written['name']}.c:{line}": owner
        for owner, lines in enumerate(written["operator_lines"])
        if lines
        for line in range(lines[0], lines[1] + 1)
    }
    listed = "\n".join(counted["within"])
    done = subprocess.run(
        ["arm-none-eabi-addr2line", "-s", "-e", elf],
        input=listed,
        capture_output=True,
        text=True,
        check=True,
    )
    totals = [[0, 0] for _ in graph_ops]
    both = zip(counted["within"].values(), counted["within_cycles"].values(), strict=True)
    for place, counts_there in zip(done.stdout.splitlines(), both, strict=True):
        if (owner := owners.get(place.split(" ")[0])) is not None:
            totals[owner] = [a + b for a, b in zip(totals[owner], counts_there, strict=True)]
    return [
        dataclasses.asdict(op) | _cost(instructions / runs, cycles / runs, op.macs)
        for op, (instructions, cycles) in zip(graph_ops, totals, strict=True)
    ]


def kinds(operators: list[dict]) -> list[dict]:
    """Sum by the name of the operator, in descending order of instructions."""
    found = []
    for name in {o["name"] for o in operators}:
        same = [o for o in operators if o["name"] == name]
        macs = sum(o["macs"] or 0 for o in same)
        totals = (sum(o[key] for o in same) for key in ("instructions", "cycles"))
        found.append({"name": name, "count": len(same), "macs": macs} | _cost(*totals, macs))
    return sorted(found, key=lambda kind: (-kind["instructions"], kind["name"]))


def _cost(instructions: float, cycles: float, macs: int) -> dict:
    return {
        "instructions": instructions,
        "per_mac": instructions / macs if macs else None,
        "cycles": cycles,
        "cycles_per_mac": cycles / macs if macs else None,
    }


def readable(functions: dict[str, int], runs: int) -> dict[str, float]:
    """Return the mean count of a run by function, in descending order.

    C++ names are demangled, without namespaces and parameters.
    """
    listed = "\n".join(functions)
    done = subprocess.run(
        ["arm-none-eabi-c++filt", "-p"], input=listed, capture_output=True, text=True, check=True
    )
    names = [
        re.sub(r"groupcomm::|\(anonymous namespace\)::", "", name)
        for name in done.stdout.splitlines()
    ]
    return {
        name: count / runs
        for name, count in sorted(
            zip(names, functions.values(), strict=True), key=lambda pair: -pair[1]
        )
    }


def flash_accesses(span: dict, caches: list[tuple[int, int]], runs: int) -> dict:
    """Return what a run reads from the flash.

    Parameters
    ----------
    span : dict
        A span of the counter, see counter.c.
    caches : list of tuple of int
        The caches that were simulated.
    runs : int

    Returns
    -------
    dict
        Means of ``reads`` (accesses to data) and ``misses`` (lines loaded, each with the bytes of
        the ``cache`` and of its ``line``).
    """
    return {
        "reads": span["reads"] / runs,
        "misses": [
            {"cache": total, "line": line, "lines": lines / runs}
            for (total, line), lines in zip(caches, span["misses"], strict=True)
        ],
    }


def flash_bytes(elf: Path, weights: int) -> dict:
    """Return the firmware's bytes in flash: weights with biases, and the rest."""
    done = subprocess.run(
        ["arm-none-eabi-size", "-A", elf], capture_output=True, text=True, check=True
    )
    sections = {
        line.split()[0]: int(line.split()[1])
        for line in done.stdout.splitlines()
        if line.startswith((".text", ".data"))
    }
    return {"weights": weights, "rest": sum(sections.values()) - weights}
