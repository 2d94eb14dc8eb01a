"""Made-up measurements for the page of `groupcomm report`."""

from convert import boards
from convert import bundle as bundles
from convert.measure import fit
from convert.report import content
from tf_model.evaluation import evaluate

HOSTILE = "</script><script>alert('&\"1`')</script>"


def scores(offset: float) -> list[evaluate.Score]:
    """Scores of six mixtures, with a hostile name of a noise; PESQ is not defined for one."""
    found = []
    for index in range(6):
        before = {name: 0.5 + index for name in ("sisdr", "sdr", "pesq", "stoi", "estoi")}
        after = {name: value + offset + 0.1 * index for name, value in before.items()}
        if index == 3:
            before["pesq"] = after["pesq"] = float("nan")
        meta = {"snr_db": 5.0 * index - 4, "rt60": None, "dc": None, "hum": None, "sexes": "F"}
        meta |= {"categories": [HOSTILE] if index % 2 else ["rain"], "speakers": [f"s{index % 3}"]}
        found.append(evaluate.Score(index, meta, before, after))
    return found


def measured_cost(bundle: bundles.Bundle) -> dict:
    """Return a result of `content.cost` with made-up instructions."""
    operators = [
        {"name": op["name"], "output": op["output"], "instructions": 10.0, "cycles": 12.0}
        for op in content.memory(bundle)["operators"]
    ]
    part = {"mean": 1000.0, "worst": 1100}
    one = {
        "board": "cortex-m4",
        "instructions": {"hop": part, "network": part, "signal": part, "network_per_mac": 2.5},
        "cycles": {"hop": part, "signal": part, "network_per_mac": 3.0},
        "flash": {"reads": 10, "misses": []},
        "operators": operators,
        "flash_bytes": {"weights": 100, "rest": 200},
        "ram_bytes": dict.fromkeys(("state", "activations", "stream", "stack", "total"), 300),
    }
    found = dict.fromkeys(boards.CORES, one)
    judged = [b | {"clock_hz": 64_000_000} for b in fit.judge_all(bundle, found)]
    return {"cores": found, "boards": judged}


PARITY = {"passes": 2, "hops": 10, "exact": True, "runtimes": [
    {"name": "static_c", "reference": "tflm_python", "equal_bytes": 1.0, "max_steps": 0.0,
     "snr_db": None},
    {"name": "litert", "reference": "tflm_python", "equal_bytes": 0.9, "max_steps": 3.0,
     "snr_db": 20.0},
]}  # fmt: skip

DRIFT = {"bundle": "x", "minutes": 3, "split": "test", "int8_db": [4.0, 5.0, 5.1]}
DRIFT |= {"float_db": [4.1, 5.1, 5.1], "drift_db": 0.1, "settled": 2}
