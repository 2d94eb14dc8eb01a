"""Write the C headers of micro/contract from contract.toml: `python tools/contract.py`."""

import re
import textwrap

from convert import contract

_MADE = "Written by `python tools/contract.py` from micro/contract/contract.toml; do not edit."


def headers() -> dict[str, str]:
    """Return the text of every header by its name."""
    bodies = {
        "static_model.h": _structs(),
        "bundle_fields.h": _bundle_fields(),
        "operators.h": _operators(),
        "lstm_inputs.h": _lstm_inputs(),
        "tanh_table.h": _tanh_table(),
    }
    made = {}
    for name, (about, body) in bodies.items():
        guard = f"GROUPCOMM_MICRO_CONTRACT_{name.upper().replace('.', '_')}_"
        comment = textwrap.fill(
            f"{about} {_MADE}", 96, initial_indent="/* ", subsequent_indent="   "
        )
        made[name] = (
            f"{comment} */\n#ifndef {guard}\n#define {guard}\n/* clang-format off */\n\n"
            f"{body.strip()}\n\n/* clang-format on */\n#endif /* {guard} */\n"
        )
    return made


def _structs() -> tuple[str, str]:
    return (
        "A network as plain C: what a file written by `groupcomm compile` exports.",
        f"""
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

/* between the 256 values of a feature */
#define GC_FEATURE_THRESHOLDS {contract.FEATURE_THRESHOLDS}

typedef struct {{ /* real value = (q - zero_point) * scale */
  float scale;
  int32_t zero_point;
}} gc_quantization;

/* The signal path around a network. tf_model/signal.py defines it. */
typedef struct {{
{_members(contract.SIGNAL_PATH)}
}} gc_signal_path;

typedef struct gc_model {{
{_members(contract.MODEL)}
}} gc_model;

#ifdef __cplusplus
}}
#endif
""",
    )


def _members(fields: list[contract.Field]) -> str:
    lines = []
    for field in fields:
        if field.meaning:
            lines.append(f"  /* {field.meaning} */")
        pointer = field.type.replace("(*)", f"(*{field.name})")
        lines.append(f"  {pointer if pointer != field.type else f'{field.type} {field.name}'};")
    return "\n".join(lines)


def _bundle_fields() -> tuple[str, str]:
    names = "|".join(field.name for field in contract.SIGNAL_PATH)

    def expression(text: str) -> str:
        text = re.sub(rf"\b({names})\b", r"(s)->\1", text)
        return re.sub(r"\bvalues\b", "StreamValues(*(s))", text)

    optional = {path for path, _, *optional in contract.BUNDLE_FIELDS if optional}
    rows, divisors = [], []
    for field in contract.SIGNAL_PATH:
        if field.rule == "table":
            continue
        parent, _, key = field.bundle.rpartition(".")
        low, high = map(expression, field.range or ("0", "0"))
        where = f'{parent or "top"}, "{key}"'
        rule = f"optional_{field.rule}" if field.bundle in optional else field.rule
        rows.append(f"  X({field.name}, {rule}, {where}, {low}, {high})")
        if field.divides:
            of = expression(field.divides)
            divisors.insert(0, f'  X({field.name}, {where}, {of}, "{field.divides}")')
    return (
        "bundle.json as the C++ code reads it, with StreamValues of micro/stream/stream.h.",
        f"""
#include "micro/contract/static_model.h"

#define GC_BUNDLE_SCHEMA {contract.SCHEMA}
#define GC_BUNDLE_MAX_ARENA_BYTES {contract.MAX_ARENA_BYTES}

/* X(field, rule, object and key in bundle.json, lowest, highest) for the gc_signal_path* s. A field
   is checked before it appears in the limits of another one. */
#define GC_SIGNAL_FIELDS(X, s) \\
{_continued(rows)}

/* X(field, object and key in bundle.json, what it divides where it is not 0, the same in words) */
#define GC_SIGNAL_DIVISORS(X, s) \\
{_continued(divisors)}
""",
    )


def _continued(rows: list[str]) -> str:
    return " \\\n".join(rows)


def _operators() -> tuple[str, str]:
    rows = [f"  X({schema}, {method})" for schema, method in contract.OPERATORS.items()]
    return (
        "X(name in the schema and in bundle.json, name in MicroMutableOpResolver). In a build of "
        "TFLM from source, each of them is linked into the program. Define a shorter list before "
        "the build where flash is limited.",
        "#ifndef GROUPCOMM_OPERATORS\n"
        f"#define GROUPCOMM_OPERATORS(X) \\\n{_continued(rows)}\n#endif",
    )


def _lstm_inputs() -> tuple[str, str]:
    rows = [
        f"  GC_LSTM_{name.upper()} = {first}," + (f" /* ({count}) */" if count > 1 else "")
        for name, (first, count) in contract.LSTM_INPUTS.items()
    ]
    return (
        "First position of each kind among the inputs of UNIDIRECTIONAL_SEQUENCE_LSTM. Those of "
        "four are of the input, forget, cell and output gate.",
        "enum gc_lstm_inputs {\n" + "\n".join(rows) + "\n};",
    )


def _tanh_table() -> tuple[str, str]:
    table, half = contract.tanh_table(), contract.tanh_curve()
    # Up to 3 * 32767 / 256, the last point that a gate can reach.
    values = [*half, *[half[-1]] * (384 - len(half))]
    steps = [b - a for a, b in zip(values, [*values[1:], values[-1]], strict=True)]
    return (
        "The table of TFLM's int16 activations: tanh(k / 48) * 2^15 for k in -256..255, and the "
        "difference to the next value. convert/contract.py gives the formula. The values equal "
        "those of TFLM exactly: tests/micro/test_kernels.py compares all 65,536 arguments of both "
        "activations.",
        f"""
/* Pairs of value and step, for k in -256..255. */
#define GC_TANH_POINTS{_macro(f"{{{value}, {step}}}" for value, step in table)}

/* The positive half, for k in 0..383: values, and steps. It extends to 3 * 32767 / 256, the last
   point that a gate can reach, so that no index exceeds it. */
#define GC_TANH_VALUES{_macro(values)}
#define GC_TANH_STEPS{_macro(steps)}

/* value + 2^15, for k in 0..191, up to the last point that logistic can reach. */
#define GC_LOGISTIC_VALUES{_macro(2**15 + value for value in values[:192])}
""",
    )


def _macro(values) -> str:
    """Return the body of a macro: values with commas, on lines that continue."""
    lines = textwrap.wrap(", ".join(map(str, values)), 96)
    return "".join(f" \\\n  {line}" for line in lines)


if __name__ == "__main__":
    for name, text in headers().items():
        (contract.FOLDER / name).write_text(text)
