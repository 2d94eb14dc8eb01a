"""A model of the cycles of a core: what each instruction takes, given the one before.

The numbers are in cycles.toml, with their sources. `write` makes the file from which the counter's
plugin (micro/boards/cortex_m/counter) adds up cycles beside instructions.
"""

import dataclasses
import math
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from convert import boards

FILE = Path(__file__).with_name("cycles.toml")
ERROR = 0.18  # the largest underestimate of a published figure, see docs/design/performance.md

_CONDITION = "(eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)?"
# Kinds of instructions, by their mnemonic without .n and .w. The first that matches counts.
_KINDS = {
    "mark": "dbg",
    "it": "it[te]*",
    "branch": f"(b|bl|bx|blx){_CONDITION}|cbn?z|tb[bh]|wls",
    "loop_end": "le|letp",
    "multiple": rf"(push|pop|ldm|stm|vldm|vstm|vpush|vpop)(ia|db|fd|ea)?{_CONDITION}",
    "double": f"(ldrd|strd){_CONDITION}",
    "load": f"ldr(b|h|sb|sh)?{_CONDITION}|vldr[bhwd]?{_CONDITION}",
    "store": f"str(b|h)?{_CONDITION}|vstr[bhwd]?{_CONDITION}",
    "divide": "[su]div.*",
    "multiply": "(mul|mla|mls|smu|sml|smm|uml|umu|uma).*",
    "dsp": "([su]xt|[su]bfx|bf[ic]|pkh|[su]add|[su]sub|q|[su]sat|clz|rev|rbit).*",
    "float_divide": "vdiv.*|vsqrt.*",
    "float_accumulate": "v(n?ml[as]|fn?m[as])[^vl].*|v(n?ml[as]|fn?m[as])",
    "float": "v.*",
    "simple": ".*",
}
_ONE_UNIT = ("multiply", "dsp", "store", "float", "float_accumulate", "float_divide")
_NEVER_PAIRED = ("multiple", "double", "divide", "it", "mark", "loop_end")
# Instructions of two operands that do not read the first one.
_MOVES = re.compile(r"(mov|mvn|neg|rsb|[su]xt[bh]|clz|rev|rbit|ldr|vmov|vcvt|vabs|vneg|vdup).*")
_COMPARES = re.compile(r"(cmp|cmn|tst|teq|vcmp|push|vpush|vmsr|vpt).*")
_LONG = re.compile(r"([su]mlal|[su]mull|umaal|smlsld|ldrd|vmlaldav|vrmlaldav).*")
_REGISTER = re.compile(r"\b(r\d+|sp|lr|pc|[sdq]\d+)\b")
_LINE = re.compile(r"\s*([0-9a-f]+):\t((?:[0-9a-f]{4} ?)+)\s*\t(\S+)(?:\t([^;@<]*)(<.*)?)?")


@dataclasses.dataclass(frozen=True)
class Core:
    """Cycles of a core.

    Attributes
    ----------
    simple, multiply, divide, load, store, store_indexed, double, branch : float
        Cycles of an instruction. ``store_indexed`` has its offset in a register, ``double`` is LDRD
        or STRD.
    multiple, multiple_each : float
        Cycles of LDM, STM, PUSH and POP, and those of each register.
    jump, jump_unaligned, jump_indirect : int
        What a branch takes in addition when it jumps: to an address in the instruction; more when a
        32-bit instruction is there which is not aligned; to an address in a register.
    float, float_accumulate, float_divide : float
        Cycles of floating point.
    chained_load, load_after_store, address_wait, load_wait, multiply_wait, shift_wait, float_wait
        Added to an instruction because of the one before: both access memory and the first loads;
        the first stores and the second loads; the first computes the address of the second; the
        second needs what the first loaded, multiplied, shifted or computed in floating point.
    pairs : {"it", "branch", "any"}
        What can be executed together with the instruction before.
    vector, vector_overlap : float
        Cycles of Helium, and what is added after a vector instruction of another unit.
    """

    simple: float
    multiply: float
    divide: float
    load: float
    store: float
    store_indexed: float
    double: float
    multiple: float
    multiple_each: float
    branch: float
    jump: int
    jump_unaligned: int
    jump_indirect: int
    float: float
    float_accumulate: float
    float_divide: float
    chained_load: int
    load_after_store: int
    address_wait: int
    load_wait: int
    multiply_wait: int
    shift_wait: int
    float_wait: int
    pairs: str
    vector: float = 0
    vector_overlap: int = 0


def cores() -> dict[str, Core]:
    """Return the cores by name."""
    return {name: Core(**fields) for name, fields in tomllib.loads(FILE.read_text()).items()}


@dataclasses.dataclass(frozen=True)
class Instruction:
    """An instruction of a program.

    Attributes
    ----------
    address, size : int
    kind : str
        A key of `_KINDS`.
    mnemonic, operands : str
    target : int or None
        Where it jumps to, if that is in the instruction.
    written, read, accumulated, addressed, loaded : frozenset of str
        Registers: results; all operands; those of them that are only added to the result, or
        stored; those of an address; the one that is loaded last.
    """

    address: int
    size: int
    kind: str
    mnemonic: str
    operands: str
    target: int | None = None
    written: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    accumulated: frozenset[str] = frozenset()
    addressed: frozenset[str] = frozenset()
    loaded: frozenset[str] = frozenset()

    @property
    def loads(self) -> bool:
        """Whether it reads memory."""
        return self.kind == "load" or re.match("ldrd|v?ldm|v?pop", self.mnemonic) is not None

    @property
    def vector(self) -> str:
        """Unit of a vector instruction, or an empty string."""
        if not re.search(r"\bq\d", self.operands) or self.kind == "multiple":
            return ""
        if re.match("vldr|vstr|vld[24]|vst[24]", self.mnemonic):
            return "memory"
        return "product" if re.match("v(rn?|q(rd)?)?(mul|ml|dmul|dml)", self.mnemonic) else "rest"


def instructions(elf: Path) -> Iterator[Instruction]:
    """Disassemble a program.

    Parameters
    ----------
    elf : Path

    Yields
    ------
    Instruction
        In the order of their addresses.
    """
    listing = subprocess.run(
        # The architecture with Helium, which the program need not use.
        ["arm-none-eabi-objdump", "-d", "-m", "armv8.1-m.main", "-M", "reg-names-std", elf],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in listing.splitlines():
        found = _LINE.match(line)
        if found and not found[3].startswith("."):
            yield parse(int(found[1], 16), len(found[2].replace(" ", "")) // 2, *found.group(3, 4))


def parse(address: int, size: int, mnemonic: str, operands: str | None) -> Instruction:
    """Classify an instruction.

    Parameters
    ----------
    address, size : int
    mnemonic, operands : str
        As objdump writes them.

    Returns
    -------
    Instruction
    """
    name = re.sub(r"\.[nw]$", "", mnemonic)
    kind = next(k for k, known in _KINDS.items() if re.fullmatch(known, name.split(".")[0]))
    text = (operands or "").strip()
    target = None
    if kind in ("branch", "loop_end") and (at := re.search(r"\b([0-9a-f]+)$", text)):
        target = None if _REGISTER.fullmatch(at[1]) else int(at[1], 16)
    parts = [part.strip() for part in re.split(r",(?![^\[{]*[\]}])", text)]
    first = 2 if _LONG.match(name) else 1
    inside = "".join(re.findall(r"\[.*", text)) if kind in ("load", "store", "double") else ""
    addressed = frozenset(_REGISTER.findall(inside))
    if kind == "multiple" and not re.match("v?push|v?pop", name):
        addressed = frozenset(_REGISTER.findall(parts[0]))
    every = _REGISTER.findall(text)
    results = _REGISTER.findall(",".join(parts[:first]))
    read, accumulated = every[len(results) :], []
    written = [] if _COMPARES.match(name) or kind in ("branch", "store") else results
    if kind == "multiple":
        written = _REGISTER.findall("".join(re.findall(r"{.*}", text))) if "st" not in name else []
        written = [] if "push" in name else written
        read = every
    elif kind == "store" or name.startswith("strd"):
        accumulated, read = results, every
        written = list(addressed) if "!" in text or re.search(r"\],", text) else []
    elif not written or (len(parts) == 2 and not _MOVES.match(name)):
        read = every
    elif kind == "multiply" and (_LONG.match(name) or len(parts) == 4):
        accumulated = results if _LONG.match(name) else _REGISTER.findall(parts[3])
        read = [*read, *accumulated]
    elif kind == "dsp" and re.match("[su]xta", name):
        accumulated = _REGISTER.findall(parts[1])
    loaded = frozenset(written[-1:] if re.match("ldr|v?ldm|v?pop|vldr", name) else [])
    if kind == "load" and ("!" in text or re.search(r"\],", text)):
        written = [*written, *_REGISTER.findall(inside)[:1]]
    return Instruction(
        address,
        size,
        kind,
        name,
        text,
        target,
        frozenset(written),
        frozenset(read),
        frozenset(accumulated),
        addressed,
        loaded,
    )


def _own_cycles(core: Core, this: Instruction) -> float:
    if this.vector:
        return core.vector
    if this.kind in ("mark", "loop_end"):
        return 0
    if this.kind == "multiple":
        registers = len(_registers(this.operands))
        return core.multiple + math.ceil(core.multiple_each * registers)
    if this.kind == "store" and re.search(r"\[\w+, [rl]", this.operands):
        return core.store_indexed
    if this.kind in ("dsp", "it"):
        return core.simple
    return getattr(core, this.kind)


def _registers(operands: str) -> list[str]:
    """Return the registers of a list, where objdump may write a range: {r4-r7} or {s16-s31}."""
    listed = re.search("{(.*)}", operands)
    found = []
    for part in listed[1].split(",") if listed else []:
        ends = re.findall(r"\d+", part)
        kind = part.strip()[0]
        span = range(int(ends[0]), int(ends[-1]) + 1) if ends else [part.strip()]
        found += [f"{kind}{n}" for n in span] * (2 if kind == "d" else 1)
    return found


def _waits(core: Core, before: Instruction, this: Instruction) -> int:
    """Return what is added because of the instruction before."""
    if this.vector and before.vector:
        return core.vector_overlap if this.vector != before.vector else 0
    single = before.kind == "load"
    memory = this.kind in ("load", "store")
    base = [frozenset(_REGISTER.findall(i.operands.partition("[")[2])[:1]) for i in (before, this)]
    added = 0
    if single and memory and not before.loaded & this.addressed:
        both_write = all("!" in i.operands or "]," in i.operands for i in (before, this))
        if not (both_write and base[0] == base[1]):
            added += core.chained_load
    if before.kind == "store" and this.loads:
        added += core.load_after_store
    if this.addressed & before.written and before.kind not in ("load", "store", "multiple"):
        added += core.address_wait
    needed = this.read - this.accumulated
    if before.loaded & (needed | this.addressed):
        added += core.load_wait
    if before.kind == "multiply" and before.written & needed:
        added += core.multiply_wait
    if before.kind in ("simple", "dsp") and before.written & needed and _shifts(before):
        added += core.shift_wait
    if before.kind.startswith("float") and not before.vector and before.written & this.read:
        added += core.float_wait
    return added


def _shifts(this: Instruction) -> bool:
    """Whether its last operand is shifted, or a part of a register."""
    shifted = re.search(r"(lsl|lsr|asr|ror) #", this.operands)
    return shifted is not None or re.match("[su]xta", this.mnemonic) is not None


def _sets_condition(this: Instruction) -> bool:
    compares = re.match("cmp|cmn|tst|teq", this.mnemonic)
    return compares is not None or re.fullmatch(r"\w*s", this.mnemonic) is not None


def _pairs(core: Core, before: Instruction, this: Instruction) -> bool:
    """Whether both are executed together."""
    if this.kind == "it":
        return core.pairs != "any" and before.size == 2 or core.pairs == "branch"
    if core.pairs == "it":
        return False
    if core.pairs == "branch":
        return this.kind == "branch" and this.size == before.size == 2 and this.target is not None
    if this.kind == before.kind and this.kind in _ONE_UNIT:
        return False
    if {this.kind, before.kind} == {"multiply", "store"} or before.kind == "branch":
        return False
    if this.kind in _NEVER_PAIRED or before.kind in _NEVER_PAIRED:
        return False
    return not before.written & (this.read | this.written | this.addressed)


def costs(core: Core, program: list[Instruction]) -> Iterator[tuple[int, int, int, int]]:
    """Compute what each instruction takes.

    Parameters
    ----------
    core : Core
    program : list of Instruction
        In the order of their addresses.

    Yields
    ------
    tuple of int
        Address, cycles after the instruction before it in memory, cycles after a jump to it, and
        cycles that a jump from it adds.
    """
    sizes = {i.address: i.size for i in program}
    targets = {i.target for i in program}
    before, paired = None, False
    for this in program:
        entered = math.ceil(_own_cycles(core, this))
        if before is None or before.address + before.size != this.address:
            before, paired = None, False
        follows = entered
        if before is not None and before.kind != "mark":
            # Pairs are counted from the start of a block.
            free = this.address not in targets or core.pairs != "any"
            if free and not paired and _pairs(core, before, this):
                follows, paired = 0, True
            else:
                follows, paired = max(entered + _waits(core, before, this), 0), False
        yield this.address, follows, entered, _jump(core, this, before, sizes)
        before = this


def _jump(core: Core, this: Instruction, before: Instruction | None, sizes: dict) -> int:
    """Return what a jump from an instruction adds."""
    if this.kind == "loop_end":
        return 0
    if this.target is None or this.mnemonic.startswith("tb"):
        return core.jump_indirect
    added = core.jump
    if sizes.get(this.target) == 4 and this.target % 4:
        added += core.jump_unaligned
    if before is not None and core.pairs == "branch" and _pairs(core, before, this):
        # Together with an instruction that sets the condition, only a branch not taken is free.
        added += _sets_condition(before)
    return added


def write(path: Path, elf: Path, core: str) -> None:
    """Write the costs of a program for the counter's plugin.

    Parameters
    ----------
    path : Path
    elf : Path
        The program.
    core : str
        One of `cores`. The caches of its boards are simulated.
    """
    program = list(instructions(elf))
    sections = subprocess.run(
        ["arm-none-eabi-size", "-A", elf], capture_output=True, text=True, check=True
    ).stdout
    flash = re.search(r"^\.text\s+(\d+)\s+(\d+)", sections, re.MULTILINE)
    assert flash is not None
    size, first = int(flash[1]), int(flash[2])
    lines = [f"flash {first:x} {first + size:x}"]
    lines += [f"cache {total} {line}" for total, line in boards.caches(core)]
    for address, *cycles in costs(cores()[core], program):
        lines.append(f"{address:x} {' '.join(map(str, cycles))}")
    path.write_text("\n".join(lines) + "\n")


def interval(board: boards.Board, cycles: int, accesses: dict) -> dict[str, int]:
    """Estimate the cycles on a board.

    Parameters
    ----------
    board : Board
    cycles : int
        Those of the core alone.
    accesses : dict
        The result of `attribution.flash_accesses`.

    Returns
    -------
    dict
        ``least``, the core alone, and ``most``, with the flash and the error of the model.
    """
    reads = accesses["reads"]
    for miss in accesses["misses"]:
        if (miss["cache"], miss["line"]) == (board.cache_bytes, board.line_bytes):
            reads = miss["lines"]
    most = (cycles + reads * board.wait_cycles) * (1 + ERROR)
    return {"least": cycles, "most": math.ceil(most)}
