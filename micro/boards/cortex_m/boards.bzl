"""The four cores, each on a board that QEMU emulates."""

# The key is Bazel's --cpu, the suffix of every target, and the name of the linker script.
BOARDS = {
    "cortex_m4": struct(
        machine = "mps2-an386",
        flags = ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"],
    ),
    # The DSP extension, as the M4; floats in single precision, as on all cores.
    "cortex_m7": struct(
        machine = "mps2-an500",
        flags = ["-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16"],
    ),
    "cortex_m33": struct(
        machine = "mps2-an505",
        flags = ["-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"],
    ),
    # GCC derives the FPU and Helium, integer and float, from the name of the core.
    "cortex_m55": struct(
        machine = "mps3-an547",
        flags = ["-mcpu=cortex-m55"],
    ),
}
