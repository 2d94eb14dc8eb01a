"""The cycle model gives the published cycles of sequences, and the counter adds them up."""

import json
import subprocess

import pytest

from convert import boards
from convert.run import cycle_model, host_tools

FPU = {"cortex-m4": "fpv4-sp-d16", "cortex-m7": "fpv5-sp-d16", "cortex-m33": "fpv5-sp-d16"}


def assembled(path, core, code):
    """Assemble instructions, separated by semicolons; return the program."""
    text = "\n".join([".syntax unified", ".thumb", ".text", *code.split(";")])
    command = ["arm-none-eabi-gcc", f"-mcpu={core}", "-mfloat-abi=hard"]
    command += [f"-mfpu={FPU[core]}"] if core in FPU else []
    command += ["-x", "assembler", "-c", "-", "-o", path / "code.o"]
    subprocess.run(command, input=text + "\n", text=True, check=True)
    return list(cycle_model.instructions(path / "code.o"))


def costs(path, core, code):
    """Return what each instruction takes, see `cycle_model.costs`."""
    program = assembled(path, core, code)
    return [cost for _, *cost in cycle_model.costs(cycle_model.cores()[core], program)]


# The cycles are those of the sources in cycles.toml: T, J and L.
@pytest.mark.board
@pytest.mark.parametrize(
    ("core", "code", "cycles"),
    [
        ("cortex-m4", "ldr r0,[r1]; ldr r2,[r3]", 3),
        ("cortex-m4", "ldr r0,[r1,r5]; ldr r1,[r2]; ldr r2,[r3,#4]", 4),
        ("cortex-m4", "ldr r0,[r1]; ldr r2,[r0]", 4),
        ("cortex-m4", "ldr r0,[r1],#4; ldr r2,[r1],#4", 4),
        ("cortex-m4", "ldr r0,[r1],#4; ldr r2,[r3],#4", 3),
        ("cortex-m4", "ldr r0,[r1]; str r0,[r2,#4]", 2),
        ("cortex-m4", "str r0,[r1]; ldr r2,[r3]", 4),
        ("cortex-m4", "str r0,[r1,r2]; nop", 3),
        ("cortex-m4", "add r1,r2; ldr r0,[r1]", 4),
        ("cortex-m4", "bic r1,r2,r3; ldr r0,[r1]", 4),
        ("cortex-m4", "ldm r0!,{r1-r4}; ldrd r0,r1,[r2]; push {r4,lr}", 11),
        ("cortex-m4", "smlad r0,r1,r2,r0; smmla r3,r0,r1,r2; ssat r4,#8,r3; umull r0,r1,r2,r3", 4),
        ("cortex-m4", "vmul.f32 s0,s1,s2; vadd.f32 s3,s0,s1; vmla.f32 s5,s6,s7", 6),
        ("cortex-m4", "cmp r0,#1; it eq; addeq r0,#1", 2),
        ("cortex-m33", "ldr r0,[r1]; adds r2,r0,#1", 3),
        ("cortex-m33", "ldr r0,[r1]; adds r2,#1; adds r3,r0,#1", 3),
        ("cortex-m33", "ldr r0,[r1]; str r0,[r2]", 2),
        ("cortex-m33", "ldr r0,[r1]; smlad r3,r1,r2,r0", 2),
        ("cortex-m33", "ldm r0!,{r1-r4}; ldrd r0,r1,[r2]; strd r4,r5,[r6]", 8),
        ("cortex-m33", "smlad r0,r1,r2,r0; smlad r0,r3,r4,r0; adds r5,r0,#1", 4),
        ("cortex-m33", "add.w r3,r4,r5,ror #24; adds r0,r3,#1", 3),
        ("cortex-m33", "sxtab16 r0,r1,r2; smlad r3,r4,r5,r0", 2),
        ("cortex-m7", "add r0,r1; add r2,r3; add r4,r5; add r6,r7", 2),
        ("cortex-m7", "smlad r0,r1,r2,r0; smlad r3,r4,r5,r3", 2),
        ("cortex-m7", "ldr r0,[r1]; ldr r2,[r3]; ldm r4!,{r5-r8}", 3),
        ("cortex-m55", "vldrb.8 q0,[r0],#16; vldrb.8 q1,[r1],#16; vmladava.s8 r2,q0,q1", 5),
        ("cortex-m55", "vmladava.s8 r4,q2,q3; vldrb.8 q0,[r0]; vldrb.8 q1,[r1]", 5),
    ],
)
def test_sequences_take_the_published_cycles(tmp_path, core, code, cycles):
    assert sum(follows for follows, *_ in costs(tmp_path, core, code)) == cycles


@pytest.mark.board
@pytest.mark.parametrize(
    ("core", "code", "jumps", "stays"),
    [
        ("cortex-m4", "1: subs r0,#1; bne 1b", 3, 2),
        ("cortex-m4", "nop; 1: add.w r0,r1,r2; subs r3,#1; bne 1b", 6, 4),  # to 4 bytes at 2
        ("cortex-m4", "push {r4,lr}; pop {r4,pc}", 9, 6),
        ("cortex-m33", "1: subs r0,#1; bne 1b", 3, 1),
        ("cortex-m33", "subs r0,#1; 1: add r1,r2; bne 1b", 3, 2),
        ("cortex-m33", "subs r0,#1; add r1,r2; bne.w 1f; nop; 1: nop", 6, 5),
        ("cortex-m7", "1: subs r0,#1; bne 1b", 1, 1),
        ("cortex-m55", "dls lr,r0; 1: nop; le lr,1b", 2, 2),
    ],
)
def test_a_jump_adds_cycles(tmp_path, core, code, jumps, stays):
    """The sequence has one instruction that jumps."""
    found = costs(tmp_path, core, code)
    program = assembled(tmp_path, core, code)
    [taken] = [
        cost[2]
        for cost, i in zip(found, program, strict=True)
        if i.kind in ("branch", "loop_end") or "pc" in i.operands
    ]
    assert sum(follows for follows, *_ in found) == stays
    assert stays + taken == jumps


@pytest.mark.board
def test_a_jump_to_an_instruction_loses_what_its_neighbour_adds(tmp_path):
    load_then_use = costs(tmp_path, "cortex-m33", "ldr r0,[r1]; adds r2,r0,#1")
    assert load_then_use[1][:2] == [2, 1]


def test_every_core_has_a_table_and_at_most_four_caches():
    assert set(cycle_model.cores()) == set(boards.CORES)
    for core in boards.CORES:
        assert len(boards.caches(core)) <= 4


def test_the_interval_adds_the_flash_and_the_error():
    accesses = {"reads": 100, "misses": [{"cache": 8192, "line": 16, "lines": 10}]}
    plain = boards.custom("cortex-m33", 64, 1024, 256)
    assert cycle_model.interval(plain, 1000, accesses) == {"least": 1000, "most": 1180}
    for name, waits in (("nrf52840dk", 100 * 2), ("nrf5340dk", 10 * 10)):
        most = cycle_model.interval(boards.find(name), 1000, accesses)["most"]
        assert most == pytest.approx((1000 + waits) * (1 + cycle_model.ERROR), abs=1)


@pytest.mark.bazel
@pytest.mark.board
@pytest.mark.parametrize(("core", "loop"), [("cortex-m4", 3), ("cortex-m33", 3)])
def test_the_counter_adds_up_cycles(tmp_path, core, loop):
    """Span 2 of count.cc runs `subs, bne` 1, 1,000 and 1,000,000 times; span 1 has 137 NOPs."""
    label = f"//micro/boards/cortex_m/counter:count_{core.replace('-', '_')}"
    program = host_tools.build(label)
    cycle_model.write(tmp_path / "costs", f"{program}.elf", core)
    texts = []
    for name in ("first", "second"):
        options = ["--count", tmp_path / name, "--within", "TwoCalls", "--costs"]
        subprocess.run([program, *options, tmp_path / "costs"], check=True)
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    counted = json.loads(texts[0])
    spans = {span["span"]: span for span in counted["spans"]}
    assert spans[1]["cycles"]["sum"] == 137 and spans[0]["cycles"]["sum"] == 0
    assert spans[2]["cycles"]["worst"] - spans[2]["cycles"]["least"] == 999_999 * loop
    for span in spans.values():
        assert sum(span["cycles"]["functions"].values()) == span["cycles"]["sum"]
        assert 0 <= span["reads"] <= span["instructions"]
    assert set(counted["within_cycles"]) == set(counted["within"])
