"""Attribute the counts of a firmware run: instructions to operators, bytes to weights and code."""

import dataclasses
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from convert.tflite import counts


def operators(
    graph_ops: Sequence[counts.GraphOp],
    elf: Path,
    source: str,
    operator_lines: list[tuple[int, int] | None],
    within: dict[str, int],
    runs: int,
) -> list[dict]:
    """Attribute instructions to operators.

    By the line numbers in the ELF file, an address belongs to a line of the generated C file, and a
    line to an operator.

    Parameters
    ----------
    graph_ops : sequence of GraphOp
    elf : Path
        The firmware.
    source : str
        Name of the generated C file.
    operator_lines : list of tuple of int or None
        First and last line of each operator in it.
    within : dict of str to int
        Instructions by address in the function that calls all kernels, see counter.c.
    runs : int
        Invocations that were counted.

    Returns
    -------
    list of dict
        The fields of each operator, its mean ``instructions``, and ``per_mac`` (None without
        products).
    """
    owners = {
        f"{source}:{line}": owner
        for owner, lines in enumerate(operator_lines)
        if lines
        for line in range(lines[0], lines[1] + 1)
    }
    listed = "\n".join(within)
    done = subprocess.run(
        ["arm-none-eabi-addr2line", "-s", "-e", elf],
        input=listed,
        capture_output=True,
        text=True,
        check=True,
    )
    totals = [0] * len(graph_ops)
    for place, count in zip(done.stdout.splitlines(), within.values(), strict=True):
        if (owner := owners.get(place.split(" ")[0])) is not None:
            totals[owner] += count
    return [
        dataclasses.asdict(op) | _cost(count / runs, op.macs)
        for op, count in zip(graph_ops, totals, strict=True)
    ]


def kinds(operators: list[dict]) -> list[dict]:
    """Sum by the name of the operator, in descending order of instructions."""
    found = []
    for name in {o["name"] for o in operators}:
        same = [o for o in operators if o["name"] == name]
        macs = sum(o["macs"] or 0 for o in same)
        instructions = sum(o["instructions"] for o in same)
        found.append({"name": name, "count": len(same), "macs": macs} | _cost(instructions, macs))
    return sorted(found, key=lambda kind: (-kind["instructions"], kind["name"]))


def _cost(instructions: float, macs: int) -> dict:
    return {"instructions": instructions, "per_mac": instructions / macs if macs else None}


def readable(functions: dict[str, int], runs: int) -> dict[str, float]:
    """Return the mean instructions of a run by function, in descending order.

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
