"""The networks by name, and the families that they belong to.

A family is a module: ``build(net, view)``, ``separate(model, mixtures, net)`` (sound in, sound out;
what training and evaluation call) and, for the papers' family, ``cost(net, model)``. Its sizes are
a frozen dataclass in `tf_model.networks.sizes`. Importing this module does not import TensorFlow;
`family` does.
"""

import dataclasses
import importlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from groupcomm.errors import UserError
from groupcomm.suggest import suggest
from tf_model.networks.sizes import Streaming, TasNet
from tf_model.signal import Signal

Network = Streaming | TasNet

# Bands of eight values: bins of 62.5 Hz below 4 kHz, above it two or four of them together.
_TWELVE = Signal(level=1.0, dc=1.0, bands=12, pool=2, neighbours=4)
_TEN = Signal(level=1.0, dc=1.0, bands=10, pool=4, neighbours=4)
_SIX = Signal(  # bins of 125 Hz
    level=1.0, dc=1.0, window=128, hop=64, bands=6, pool=2, neighbours=4
)

_SAMPLES = Signal(level=0.064, dc=1.0, window=64, hop=32, exponent=1.0, waveform=True)

# The sizes follow from budgets of instructions per hop: docs/design/performance.md#budgets.
STREAMING = {
    "enhance": Streaming(
        signal=_TWELVE, features=192, groups=12, blocks=3, tac=24, hidden=32, bottleneck=16
    ),
    "enhance-max": Streaming(
        signal=_TWELVE, features=192, groups=12, blocks=3, tac=24, hidden=40, bottleneck=16
    ),
    "enhance-nano": Streaming(
        signal=_TEN, features=160, groups=10, blocks=2, hidden=16, bottleneck=16
    ),
    "enhance-fast": Streaming(
        signal=_SIX, features=96, groups=6, blocks=3, tac=24, hidden=32, bottleneck=12
    ),
    "enhance-tcn": Streaming(
        signal=_TEN,
        features=160,
        groups=10,
        blocks=5,
        tac=12,
        over_time="tcn",
        hidden=40,
        bottleneck=8,
    ),
    "enhance-blstm": Streaming(group_comm="blstm"),
    "enhance-tasnet": Streaming(
        signal=_SAMPLES,
        features=64,
        groups=8,
        blocks=2,
        group_comm="blstm",
        blstm=8,
        hidden=24,
    ),
    "separate": Streaming(
        signal=_TWELVE,
        sources=2,
        features=192,
        groups=12,
        blocks=3,
        tac=24,
        hidden=32,
        bottleneck=8,
    ),
}

# Ablations: the same network with TAC alone, without communication between groups, and without
# groups, on all bins at once, with as many multiply-accumulates per hop or as many parameters.
# docs/lab-notebook.md has results of 0.1.0, whose `enhance` and `separate` had 40 hidden units, and
# `enhance-nano` 24.
_DENSE = {"signal": Signal(level=1.0, dc=1.0), "groups": 1, "group_comm": "none"}
_DENSE_SIZES = {  # as many multiply-accumulates, as many parameters
    "enhance": ({"features": 76, "hidden": 111}, {"features": 28, "hidden": 41}),
    "enhance-nano": ({"features": 40, "hidden": 66}, {"features": 20, "hidden": 29}),
    "separate": ({"features": 74, "hidden": 107}, {"features": 34, "hidden": 27}),
}
ABLATIONS = {}
for _name, (_macs, _params) in _DENSE_SIZES.items():
    _net = STREAMING[_name]
    _dense = _DENSE | {"blocks": _net.blocks, "sources": _net.sources}
    ABLATIONS |= {
        f"{_name}-tac": dataclasses.replace(_net, bottleneck=0),
        f"{_name}-no-groupcomm": dataclasses.replace(_net, bottleneck=0, group_comm="none"),
        f"{_name}-dense-macs": Streaming(**_dense, **_macs),
        f"{_name}-dense-params": Streaming(**_dense, **_params),
    }

_TAC = {"group_comm": "tac", "groups": 16, "tac": 48}
_GC3 = _TAC | {"blocks": 8, "chunk": 24, "context": 32}

# The papers' systems. Where a size was not printed, `tf_model.paper` says where it comes from.
PAPER = {
    "dprnn": TasNet(bottleneck=64),
    "flstm-dprnn": TasNet(group_comm="flstm", groups=16, bottleneck=64),
    "gc-dprnn-k2": TasNet(group_comm="blstm", groups=2, hidden=128),
    "gc-dprnn-k4": TasNet(group_comm="blstm", groups=4, hidden=64),
    "gc-dprnn-k8": TasNet(group_comm="blstm", groups=8, hidden=32),
    "gc-dprnn": TasNet(group_comm="blstm", groups=16, hidden=16),
    "gc-dprnn-k32": TasNet(group_comm="blstm", groups=32, hidden=8),
    "tac-dprnn": TasNet(hidden=16, **_TAC),
    "gc3-dprnn": TasNet(hidden=16, **_GC3),
    "tcn": TasNet("tcn", blocks=12, hidden=512, bottleneck=128),
    "gc3-tcn": TasNet("tcn", hidden=32, **_GC3 | {"blocks": 12, "tac": 96}),
    "dptnet": TasNet("dptnet", bottleneck=64),
    "gc3-dptnet": TasNet("dptnet", **_GC3),
    "sudo": TasNet("sudo", blocks=16, hidden=512, depth=4, bottleneck=128),
    "gc3-sudo": TasNet("sudo", hidden=32, **_GC3 | {"blocks": 7, "tac": 24}),
}

# Their causal forms, board-sized: one hop of 128 samples at a time.
CAUSAL = {
    "gc-dprnn-causal": TasNet(
        group_comm="blstm",
        groups=8,
        hidden=16,
        blocks=2,
        chunk=2,
        features=64,
        window=128,
        causal=True,
    ),
    "gc3-dprnn-causal": TasNet(
        **{"group_comm": "tac", "groups": 8, "tac": 16, "hidden": 32, "blocks": 4, "chunk": 1},
        **{
            "context": 4,
            "codec_hidden": 4,
            "codec_tac": 8,
            "features": 64,
            "window": 64,
            "causal": True,
        },
    ),
}

# The paper's comparison at a size that two cores train (docs/design/paper.md): 3 of the 6 blocks,
# half the hidden units (h = 2 H / K, as there), a window four times as long. "narrow" is the
# baseline with as few parameters as the network with Group Communication.
_MATCHED = {"blocks": 3, "chunk": 32, "window": 128}
_MATCHED_SIZES = {
    "dprnn": _MATCHED | {"bottleneck": 64, "hidden": 64},
    "gc": _MATCHED | {"group_comm": "blstm", "groups": 16, "hidden": 8},
    "narrow": _MATCHED | {"features": 64, "bottleneck": 16, "hidden": 16},
}
MATCHED = {
    f"matched-{kind}-{task}": TasNet(sources=n, **sizes)
    for kind, sizes in _MATCHED_SIZES.items()
    for task, n in (("separate", 2), ("enhance", 1))
}

_RENAMED = {"talk": "group_comm"}  # fields in the files that release 0.1.0 wrote

NETWORKS = {**STREAMING, **ABLATIONS, **PAPER, **CAUSAL, **MATCHED}


def find(name: str) -> Network:
    """Return the sizes of a network by name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Network

    Raises
    ------
    UserError
        When there is no network of this name. A near name is suggested.
    """
    if name not in NETWORKS:
        raise UserError(f"{name}: no such network; {suggest(name, NETWORKS)}")
    return NETWORKS[name]


def changed(net: Network, sizes: Mapping[str, object]) -> Network:
    """Change sizes of a network.

    Parameters
    ----------
    net : Network
    sizes : mapping of str to value
        By a field of the network's dataclass, or ``signal.FIELD`` of its signal path. A text is
        read as a value of the type of the field.

    Returns
    -------
    Network

    Raises
    ------
    UserError
        When there is no such field, the value is not of its type, or the sizes do not fit together.
        A near field is suggested.
    """
    fields = _fields(net)
    values = {
        key: _parse(value, type(fields[key])) if key in fields and isinstance(value, str) else value
        for key, value in sizes.items()
    }
    return _with_values(net, values, "--set ")


def _parse(text: str, kind: type):
    """Read a value of this type from a text; the text itself when it is none."""
    try:
        return {"true": True, "false": False}[text] if kind is bool else kind(text)
    except (ValueError, KeyError):
        return text


def _fields(net: Network) -> dict:
    """All sizes of a network by name, those of its signal path as ``signal.FIELD``."""
    known = dataclasses.asdict(net)
    fields = {key: value for key, value in known.items() if key != "signal"}
    return fields | {f"signal.{key}": value for key, value in known.get("signal", {}).items()}


def _with_values(net: Network, values: dict, where: str) -> Network:
    """Change sizes of a network; ``where`` says in an error message where they were given."""
    fields = _fields(net)
    known = dataclasses.asdict(net)
    for key, value in values.items():
        said = f"{where}{key}={str(value).lower() if isinstance(value, bool) else value}"
        if key not in fields:
            raise UserError(f"{said}: there is no such field; {suggest(key, fields)}")
        kind = type(fields[key])
        value = float(value) if kind is float and type(value) is int else value
        if type(value) is not kind:
            raise UserError(
                f"{said}: {value!r} is not a value of {key}, "
                f"which has the type {kind.__name__} ({fields[key]} now)"
            )
        part, _, field = key.rpartition(".")
        (known["signal"] if part else known)[field] = value
    return from_dict(family_name(net), known)


def from_config(
    net: Network, file: Path, recipe_fields: dict | None = None
) -> tuple[Network, dict]:
    """Read sizes of a network, and parts of a recipe, from a TOML file.

    Parameters
    ----------
    net : Network
        Has the value of every field that the file does not set.
    file : Path
        Fields of the network's dataclass at the top level, those of its signal path in the table
        ``[signal]``, and fields of the recipe in the table ``[recipe]``.
    recipe_fields : dict or None
        Fields that the table ``[recipe]`` may have, with values of their types.

    Returns
    -------
    (Network, dict)
        The network, and the table ``[recipe]``.

    Raises
    ------
    UserError
        When the file cannot be read, has an unknown field or a value of another type, or the sizes
        do not fit together. A near field is suggested.
    """
    try:
        content = tomllib.loads(Path(file).read_text())
    except OSError as e:
        raise UserError(f"{file}: cannot be read ({e.strerror}); name a TOML file") from e
    except ValueError as e:
        raise UserError(f"{file}: is not TOML ({e}); correct it") from e
    recipe = content.pop("recipe", {})
    signal = content.pop("signal", {})
    for name, table in (("recipe", recipe), ("signal", signal)):
        if not isinstance(table, dict):
            raise UserError(f"{file}: {name} is not a table; write [{name}] and its fields below")
    for key, value in recipe.items():
        known = recipe_fields or {}
        if key not in known:
            raise UserError(
                f"{file}: [recipe] {key}: there is no such field; {suggest(key, known)}"
            )
        kind = type(known[key])
        recipe[key] = value = float(value) if kind is float and type(value) is int else value
        if type(value) is not kind:
            raise UserError(
                f"{file}: [recipe] {key}: {value!r} does not have the type {kind.__name__}; "
                f"correct it"
            )
    values = content | {f"signal.{key}": value for key, value in signal.items()}
    return _with_values(net, values, f"{file}: "), recipe


def family(net: Network) -> ModuleType:
    """Import the module of a network's family; this imports TensorFlow."""
    return importlib.import_module(f"tf_model.networks.{family_name(net)}")


def family_name(net: Network) -> str:
    """Name of its family, as `from_dict` takes it."""
    return "tasnet" if isinstance(net, TasNet) else "streaming"


def from_dict(name: str, sizes: dict) -> Network:
    """Return the sizes of a family's network: the inverse of ``dataclasses.asdict``.

    Raises
    ------
    KeyError, TypeError, ValueError
        When these are not the sizes of a network of this family.
    """
    sizes = {_RENAMED.get(field, field): value for field, value in sizes.items()}
    if name == "streaming":
        return Streaming(**{**sizes, "signal": Signal(**sizes["signal"])})
    if name == "tasnet":
        return TasNet(**sizes)
    raise ValueError(f"family {name!r} is not known")
