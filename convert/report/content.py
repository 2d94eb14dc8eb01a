"""What the page says: facts, sounds and measurements of a bundle as plain data."""

import base64
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from calibration_data import clips
from convert import boards
from convert import bundle as bundles
from convert.codegen import c_source, wasm
from convert.measure import baselines as enhancers
from convert.measure import bench, demo_mixtures, fit
from convert.measure.demo_mixtures import Processed
from convert.report import sounds
from convert.tflite import runtimes
from groupcomm.console import err
from groupcomm.errors import UserError, missing_package
from tf_model import signal as sig
from tf_model.evaluation import evaluate, metrics
from tf_model.training import checkpoint

MOST_COLUMNS = 560  # of a picture of masks
HEARD_WORST = 3  # mixtures of the evaluation that can be heard
HEARD_BASELINES = ("RNNoise 0.2", "GTCRN")  # on the demo mixtures
PAIRED = ("sisdr", "pesq", "estoi")


def section(measure: Callable[[], dict]) -> dict:
    """Run a measurement that needs programs or data which this machine may lack.

    Parameters
    ----------
    measure : callable

    Returns
    -------
    dict
        Its result, or ``missing``: what is missing and how to get it.
    """
    try:
        return measure()
    except UserError as e:
        return {"missing": str(e)}
    except ModuleNotFoundError as e:
        missing = missing_package(e)
        if not isinstance(missing, UserError):
            raise
        return {"missing": str(missing)}


def facts(bundle: bundles.Bundle, trained: checkpoint.Checkpoint | None) -> list[tuple[str, str]]:
    """Say what a bundle is.

    Parameters
    ----------
    bundle : Bundle
    trained : Checkpoint or None
        The network that it was made from, where it is known.

    Returns
    -------
    list of tuple of str
        Labels and values.
    """
    d, signal = bundle.description, bundle.signal
    counted = bundle.counts
    sizes, q = d["network"], d["quantization"]
    hops = signal.sample_rate / signal.hop
    kind = "int8" if bundle.activations == 8 else "16x8 (int16 activations, int8 weights)"
    if q.get("weights", 8) != 8:
        kind += f", {q['weights']}-bit weights"
    recipe = trained.training.get("recipe", {}) if trained else {}
    return [
        ("Task", _task(bundle.sources)),
        ("Network", ", ".join(f"{key} {value}" for key, value in sizes.items())),
        (
            "Signal",
            f"{signal.sample_rate} Hz mono, window {signal.window} and hop {signal.hop} samples",
        ),
        ("Latency", f"{1000 * signal.window / signal.sample_rate:g} ms (one window)"),
        ("Parameters", f"{counted.parameters:,}"),
        (
            "Multiply-accumulates",
            f"{counted.macs:,} per hop, {counted.macs * hops / 1e6:.1f} million per second",
        ),
        ("model.tflite", f"{len(bundle.model):,} bytes"),
        ("Arena of TFLM on a host", f"{d['arena_bytes']:,} bytes"),
        ("Quantization", f"{kind}; {q['method']}, ranges: {q['ranges']}"),
        ("Training data", _training_data(recipe)),
        ("TFLM of the golden vectors", str(d["golden"].get("tflm", "not recorded"))),
        ("Made by", d.get("producer", "not recorded")),
        ("SHA-256 of model.tflite", d["model"]["sha256"]),
        ("SHA-256 of the float weights", d["checkpoint_sha256"]),
        ("Licence", "program: Apache-2.0; sounds on this page: see Credits"),
    ]


def _task(sources: int) -> str:
    return (
        "removes noise from the speech of one speaker"
        if sources == 1
        else f"separates {sources} speakers"
    )


def _training_data(recipe: dict) -> str:
    if "corpus" not in recipe:
        return "not known: the float network is not on this machine, or has no recipe"
    return f"corpus {recipe['corpus']!r} (calibration_data/sources.toml lists its parts)"


def labels(bundle: bundles.Bundle, kinds: list[str]) -> dict[str, str]:
    """Return the display names of separators: `float`, `int8`, and others, which have theirs."""
    kind = "int8" if bundle.activations == 8 else "16x8"
    others = [one for one in kinds if one not in ("float", "int8")]
    ours = f"{bundle.name}, {kind}" if others else kind
    return {"float": "float32", "int8": ours} | {other: other for other in others}


def mixtures(bundle: bundles.Bundle, processed: list[Processed]) -> dict:
    """Gather the demo mixtures.

    Parameters
    ----------
    bundle : Bundle
    processed : list of Processed

    Returns
    -------
    dict
        ``systems`` (names of the separators), ``rows`` (the mixtures: those of `player`, and
        ``credit``, ``before_db`` and ``after_db``) and ``worst`` (the rows that improved least, as
        pairs of name and improvement of ``int8``).
    """
    kinds = list(processed[0].after_db)
    names = labels(bundle, kinds)
    rows = [
        player(bundle, one, names)
        | {
            "credit": dataclasses.asdict(clips.credit(one.name)),
            "before_db": one.before_db,
            "after_db": one.after_db,
        }
        for one in processed
    ]
    worst = sorted((one.after_db["int8"] - one.before_db, one.name) for one in processed)
    return {
        "systems": [{"key": kind, "label": names[kind]} for kind in kinds],
        "rows": rows,
        "worst": [(name, improvement) for improvement, name in worst[:3]],
    }


def player(bundle: bundles.Bundle, one: Processed, names: dict[str, str]) -> dict:
    """Gather what a player of a mixture needs.

    Parameters
    ----------
    bundle : Bundle
    one : Processed
    names : dict of str to str
        The result of `labels`.

    Returns
    -------
    dict
        ``name``, ``seconds``, ``gain`` and ``versions``, each with ``label``, ``gain`` and ``pcm``,
        which `compress` replaces.
    """
    titles = {"mixture": "mixture"}
    for kind in (*one.after_db, "clean"):
        titles |= _numbered(kind, names.get(kind, kind), bundle.sources)
    common, matched = sounds.gains(one.sounds)
    return {
        "name": one.name,
        "seconds": len(one.sounds["mixture"]) / bundle.signal.sample_rate,
        "gain": round(common, 5),
        "versions": [
            {"label": titles[key], "gain": round(matched[key], 5), "pcm": pcm}
            for key, pcm in one.sounds.items()
        ],
    }


def compress(players: list[dict], rate: int) -> list[dict]:
    """Compress the sounds of all players of a page.

    Parameters
    ----------
    players : list of dict
        Results of `player`.
    rate : int
        Sample rate, Hz.

    Returns
    -------
    list of dict
        The same, with ``sound``, an MP3 in base64, in the place of ``pcm``.
    """
    every = [version["pcm"] for one in players for version in one["versions"]]
    made = iter(sounds.encode_all(every, rate))
    return [
        one
        | {
            "versions": [
                {"label": version["label"], "gain": version["gain"], "sound": next(made)}
                for version in one["versions"]
            ]
        }
        for one in players
    ]


def _numbered(kind: str, title: str, sources: int) -> dict[str, str]:
    """Return the titles of a kind by the keys of `Processed.sounds`."""
    if sources == 1:
        return {kind: title}
    return {f"{kind}_{i + 1}": f"{title}, speaker {i + 1}" for i in range(sources)}


def quality(scored: dict[str, list[evaluate.Score]], names: dict[str, str], which: dict) -> dict:
    """Summarize the scores of several separators on the same mixtures.

    Parameters
    ----------
    scored : dict of str to list of Score
        ``int8``, and others.
    names : dict of str to str
        The result of `labels`.
    which : dict
        ``split``, ``mixtures`` and ``corpus``.

    Returns
    -------
    dict
        ``which``; ``systems``: the result of `evaluate.summarize` of each, with ``label``;
        ``paired``: differences ``int8`` minus each other one, with 95 % confidence intervals;
        ``players``: none; see `worst`.
    """
    systems = {
        kind: {"label": names[kind], **evaluate.summarize(scores, split=which["split"])}
        for kind, scores in scored.items()
    }
    ours = scored["int8"]
    paired = [
        {
            "label": names[kind],
            "differences": {
                measure: evaluate.bootstrap(
                    evaluate.after(ours, measure) - evaluate.after(theirs, measure)
                )
                for measure in PAIRED
                if np.isfinite(evaluate.after(ours, measure)).all()
                and np.isfinite(evaluate.after(theirs, measure)).all()
            },
        }
        for kind, theirs in scored.items()
        if kind != "int8"
    ]
    return {"which": which, "systems": systems, "paired": paired, "players": []}


def worst(bundle: bundles.Bundle, found: dict, separate: Callable) -> list[dict]:
    """Process the mixtures of an evaluation that improved least, to be heard.

    Parameters
    ----------
    bundle : Bundle
    found : dict
        The result of `quality`.
    separate : callable
        The separator ``int8``.

    Returns
    -------
    list of dict
        Results of `player`; none where the scores are of an earlier run and the corpus is gone.
    """
    which = found["which"]
    try:
        mixture = evaluate.fixed_mixtures(which["split"], bundle.sources, which["corpus"])
    except UserError:
        return []
    return [
        player(
            bundle,
            demo_mixtures.process(
                f"mixture {one['index']}", mixture(one["index"]), {"int8": separate}
            ),
            labels(bundle, ["int8"]),
        )
        for one in found["systems"]["int8"]["worst"][:HEARD_WORST]
    ]


def score_all(
    separators: dict[str, Callable], identities: dict[str, dict], folder: Path, which: dict
) -> dict[str, list[evaluate.Score]]:
    """Score separators on the same mixtures, or read the scores of an earlier run.

    Parameters
    ----------
    separators : dict of str to callable
    identities : dict of str to dict
        The checksum of each, by its name: see `evaluate.cached_scores`.
    folder : Path
        Where the scores are kept.
    which : dict
        Arguments of `evaluate.scores`.

    Returns
    -------
    dict of str to list of Score
    """
    found = {}
    for kind, separate in separators.items():
        err.print(f"{kind}:")
        [checksum] = identities[kind].values()
        found[kind] = evaluate.cached_scores(
            folder / f"{checksum[:16]}.json",
            identities[kind],
            separate,
            **which,
            measures=tuple(metrics.MEASURES),
        )
    return found


def heard_baselines() -> tuple[dict[str, Callable], str | None]:
    """Open the baselines that can be heard, without their delay on the demo mixtures.

    Returns
    -------
    separators : dict of str to callable
        By name.
    missing : str or None
        Which are not installed, and how to get them.
    """
    found, missing = {}, []
    pairs = [(demo.mixture, demo.references[0]) for demo in clips.demo_mixtures()]
    for baseline in enhancers.BASELINES:
        if baseline.label in HEARD_BASELINES:
            try:
                run = baseline.make()
            except enhancers.BaselineUnavailable as e:
                missing.append(str(e))
            else:
                found[baseline.label] = enhancers.aligned(run, enhancers.delay_of(run, pairs))
    return found, f"{', '.join(missing)}; `{enhancers.INSTALL}`" if missing else None


def baselines(file: Path) -> dict:
    """Read the result of `groupcomm baselines`.

    Parameters
    ----------
    file : Path
        Its ``baselines.json``.

    Returns
    -------
    dict
        See `convert.measure.baselines.comparison.compare`.

    Raises
    ------
    UserError
        When it is not such a file.
    """
    needed = {"split", "mixtures", "corpus", "systems"}
    columns = {"name", "is_bundle", "params", "macs_per_second", "latency_ms", "sisdri_db"}
    try:
        found = json.loads(file.read_text())
        if needed <= found.keys() and all(columns <= one.keys() for one in found["systems"]):
            return found
        reason = "has other contents"
    except (OSError, ValueError, AttributeError, TypeError) as e:
        reason = getattr(e, "strerror", None) or str(e)
    raise UserError(f"{file}: not a baselines.json ({reason}); `groupcomm baselines` writes one")


def memory(bundle: bundles.Bundle) -> dict:
    """Describe operators and memory; this needs no board and no compiler.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    dict
        The result of `c_source.memory_plan`, and ``operators``: each with ``name``, shapes,
        ``macs``, ``weight_bytes`` and ``ram_bytes`` (states, and the activations that exist while
        it runs).
    """
    plan = c_source.memory_plan(bundle)
    graph_ops = bundle.counts.graph_ops
    operators = [
        dataclasses.asdict(op)
        | {
            "weight_bytes": weights,
            "ram_bytes": plan["state_bytes"]
            + sum(b["size"] for b in plan["buffers"] if b["first"] <= number <= b["last"]),
        }
        for number, (op, weights) in enumerate(zip(graph_ops, plan["weight_bytes"], strict=True))
    ]
    return plan | {"operators": operators}


def live(bundle: bundles.Bundle) -> dict:
    """Compile a bundle for the live sound of the page.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    dict
        ``code`` (WebAssembly in base64) and ``rate`` (Hz).
    """
    code = base64.b64encode(wasm.build(bundle)).decode()
    return {"code": code, "rate": bundle.signal.sample_rate}


def gains(bundle: bundles.Bundle) -> dict:
    """Return the masks of a bundle on its first demo mixture, by TFLM.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    dict
        Arguments of `pictures.masks`; of several sources, the masks of the first one.
    """
    signal, demo = bundle.signal, clips.demo_mixtures(bundle.sources)[0]
    spectrum = sig.stft(demo.mixture, signal)
    features = bundle.quantize_features(sig.features(spectrum, signal))
    found = bundle.dequantize_masks(runtimes.Tflm(bundle.model)(features))
    by_bin = sig.apply_masks(np.ones_like(spectrum), found, bundle.sources, signal)
    speaker = "" if bundle.sources == 1 else ", first speaker"
    every = -(-len(found) // MOST_COLUMNS)
    return {
        "name": f"{bundle.name} on {demo.name}{speaker}",
        "mixture": np.abs(spectrum)[::every],
        "gains": np.abs(by_bin[0])[::every],
        "seconds": len(demo.mixture) / signal.sample_rate,
        "top_hz": signal.sample_rate / 2,
    }


def with_cycles(systems: list[dict], counted: dict[str, tuple[float, float]]) -> list[dict]:
    """Add to systems the cycles that they need for a second of sound.

    Parameters
    ----------
    systems : list of dict
        Of the result of `groupcomm baselines`.
    counted : dict of str to tuple
        By the name of a bundle, its cycles per second, and those of its network per MAC.

    Returns
    -------
    list of dict
        With ``cycles`` (``least`` and ``most``) and ``is_counted``. Systems that were not counted
        have an estimate, by the cycles per MAC of those that were; systems whose MACs are not known
        are left out.
    """
    rates = [per_mac for _, per_mac in counted.values()]
    found = []
    for system in systems:
        is_counted = system["is_bundle"] and system["name"] in counted
        if is_counted:
            per_second, _ = counted[system["name"]]
            cycles = {"least": per_second, "most": per_second}
        elif macs := system["macs_per_second"]:
            cycles = {"least": macs * min(rates), "most": macs * max(rates)}
        else:
            continue
        found.append(system | {"cycles": cycles, "is_counted": is_counted})
    return found


def cost(bundle: bundles.Bundle, status: Callable[[str], None]) -> dict:
    """Run the firmware of a bundle on all emulated cores.

    Parameters
    ----------
    bundle : Bundle
    status : callable
        Is told what runs.

    Returns
    -------
    dict
        ``cores`` (the result of `bench.bench` by core) and ``boards`` (see `fit.fit_all`).
    """
    found = {}
    for core in boards.CORES:
        status(f"build and run the firmware for {core}")
        found[core] = bench.bench(bundle, core)
    clocks = boards.boards()
    judged = [
        one | {"clock_hz": clocks[one["board"]].clock_hz} for one in fit.judge_all(bundle, found)
    ]
    return {"cores": found, "boards": judged}
