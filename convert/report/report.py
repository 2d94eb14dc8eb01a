"""Gather the contents of the page and write it."""

from collections.abc import Callable
from pathlib import Path

from convert import bundle as bundles
from convert.measure.demo_mixtures import Processed, process_mixtures
from convert.report import content, page, pictures
from convert.run import resolve, separator
from convert.tflite import runtimes
from groupcomm.console import step
from groupcomm.errors import UserError
from groupcomm.files import atomic_path, cache_dir
from tf_model.training import checkpoint

MOST_OTHERS = 2  # so that the page stays below 3 MB
DRIFT_MINUTES = 5


def open_others(bundle: bundles.Bundle, names: list[str]) -> list[bundles.Bundle]:
    """Open the bundles that a bundle is compared with.

    Parameters
    ----------
    bundle : Bundle
    names : list of str
        Names or folders.

    Returns
    -------
    list of Bundle

    Raises
    ------
    UserError
        When they are too many, have the same name, or have another number of sources.
    """
    if len(names) > MOST_OTHERS:
        raise UserError(
            f"--against: {len(names)} bundles, but the page has room for the sounds of "
            f"{MOST_OTHERS}; name fewer"
        )
    others = [bundles.load(name) for name in names]
    taken = {bundle.name, "float", "int8", *content.HEARD_BASELINES}
    for other in others:
        if other.sources != bundle.sources:
            raise UserError(
                f"--against {other.name}: outputs {other.sources} sources, {bundle.name} outputs "
                f"{bundle.sources}; compare networks with the same task"
            )
        if other.name in taken:
            raise UserError(
                f"--against {other.path}: another network of the page has the name {other.name}; "
                f"give it a name of its own with `groupcomm convert --name`"
            )
        taken.add(other.name)
    return others


def write_report(
    bundle: bundles.Bundle,
    file: Path,
    *,
    others: list[bundles.Bundle],
    quick: bool,
    checkpoint_name: str | None,
    mixtures: int,
    split: str,
    corpus: str | None,
    baselines: Path | None,
) -> dict:
    """Measure a bundle and write its page.

    What this machine cannot measure is left out, and the page says how to get it.

    Parameters
    ----------
    bundle : Bundle
    file : Path
        The page.
    others : list of Bundle
        The result of `open_others`.
    quick : bool
        Leave out float32, baselines, evaluation, drift, emulated cores and parity.
    checkpoint_name : str or None
        The network that the bundle was made from; None: it is found by its checksum.
    mixtures : int
        Mixtures of the evaluation; 0: none.
    split, corpus
        As for `evaluate.evaluate`; a corpus of None is that of the training.
    baselines : Path or None
        The result of `groupcomm baselines`.

    Returns
    -------
    dict
        ``bundle``, ``file``, ``bytes``, and ``missing``, the reasons by section.

    Raises
    ------
    UserError
        When the file cannot be written, or ``baselines`` cannot be read.
    """
    compared = content.baselines(baselines) if baselines else None
    if file.is_dir():
        raise UserError(f"{file}: is a folder; name a file, for example {file / 'report.html'}")
    with atomic_path(file) as part:  # a path that cannot be written is found before the work
        trained, no_float = _trained(bundle, checkpoint_name, quick)
        separators, identities = _separators(bundle, others, None if no_float else trained)
        heard, no_baselines = _heard_baselines(bundle, quick)
        processed = process_mixtures(bundle.sources, separators | heard)
        quality = {"missing": _left_out(bundle, "--mixtures 300")}
        drift = {"missing": no_float or quality["missing"]}
        if mixtures and not quick:
            which = {"split": split, "sources": bundle.sources, "mixtures": mixtures}
            which["corpus"] = corpus or resolve.corpus_of_bundle(bundle)
            quality = content.section(lambda: _quality(bundle, separators, identities, which))
            if not no_float:
                drift = content.section(lambda: _drift(bundle, trained, which))
        parity = (
            {"missing": no_float} if no_float else content.section(lambda: _parity(bundle, trained))
        )
        with step("emulated cores") as shown:
            cost = content.section(lambda: _cost(bundle, quick, shown.update))
        result = write_page(
            bundle,
            part,
            processed,
            others=others,
            trained=trained,
            missing_float=no_float,
            missing_baselines=no_baselines,
            quality=quality,
            drift=drift,
            parity=parity,
            cost=cost,
            baselines=compared,
        )
    return result | {"file": str(file)}


def write_page(
    bundle: bundles.Bundle,
    file: Path,
    processed: list[Processed],
    *,
    trained: checkpoint.Checkpoint | None,
    others: list[bundles.Bundle] | None = None,
    missing_float: str | None = None,
    missing_baselines: str | None = None,
    quality: dict | None = None,
    drift: dict | None = None,
    parity: dict | None = None,
    cost: dict | None = None,
    baselines: dict | None = None,
) -> dict:
    """Write the page of a bundle that was measured.

    Parameters
    ----------
    bundle : Bundle
    file : Path
    processed : list of Processed
        The demo mixtures.
    trained : Checkpoint or None
        Where its training data are known from.
    others : list of Bundle, optional
    missing_float : str or None
        Why there is no float32.
    missing_baselines : str or None
        Which baselines cannot be heard, and why.
    quality, parity, cost, baselines : dict, optional
        See `convert.report.content`; those that were not measured are named on the page.
    drift : dict, optional
        The result of `convert.measure.drift.drift`.

    Returns
    -------
    dict
        As `write_report`.
    """
    others = others or []
    not_measured = {"missing": _left_out(bundle)}
    with step("compile to WebAssembly"):
        live = content.section(lambda: content.live(bundle))
    pages = {
        "name": bundle.name,
        "sources": bundle.sources,
        "facts": content.facts(bundle, trained),
        "others": [(other.name, content.facts(other, None)) for other in others],
        "missing_float": missing_float,
        "missing_baselines": missing_baselines,
        "quality": quality or not_measured,
        "drift": drift or not_measured,
        "parity": parity or not_measured,
        "cost": cost or not_measured,
        "memory": content.section(lambda: content.memory(bundle)),
        "live": live,
        "baselines": baselines,
    }
    pages |= _players(bundle, processed, pages["quality"])
    pages["pictures"] = _pictures(bundle, pages)
    size = page.write(pages, file)
    missing = {
        name: pages[name]["missing"]
        for name in ("quality", "drift", "parity", "cost", "memory", "live")
        if "missing" in pages[name]
    }
    if missing_float:
        missing["float32"] = missing_float
    if missing_baselines:
        missing["baselines"] = missing_baselines
    return {"bundle": bundle.name, "file": str(file), "bytes": size, "missing": missing}


def _players(bundle: bundles.Bundle, processed: list[Processed], quality: dict) -> dict:
    """Compress all sounds: those of the demo mixtures, and the worst ones of the evaluation."""
    demo = content.mixtures(bundle, processed)
    players = [*demo["rows"], *quality.get("players", [])]
    with step("compress the sounds"):
        players = content.compress(players, bundle.signal.sample_rate)
    demos = len(processed)
    return {"demo": demo | {"rows": players[:demos]}, "worst": players[demos:]}


def _pictures(bundle: bundles.Bundle, pages: dict) -> dict[str, str]:
    """Draw what was measured, as SVG by the name of the picture."""
    # A network from samples to samples has no gains by frequency.
    found = {} if bundle.signal.waveform else {"masks": pictures.masks(**content.gains(bundle))}
    if "missing" not in pages["drift"]:
        improvements = (pages["drift"][f"{kind}_db"] for kind in ("int8", "float"))
        found["drift"] = pictures.drift(bundle.name, *improvements)
    if "missing" in pages["cost"]:
        return found
    bench, signal = pages["cost"]["cores"]["cortex-m4"], bundle.signal
    found["loads"] = pictures.loads({bundle.name: pages["cost"]["boards"]})
    found["layers"] = pictures.layers(bundle.name, bench)
    if pages["baselines"]:
        per_second = bench["cycles"]["hop"]["mean"] * signal.sample_rate / signal.hop
        counted = {bundle.name: (per_second, bench["cycles"]["network_per_mac"])}
        systems = content.with_cycles(pages["baselines"]["systems"], counted)
        if systems:
            found["quality"] = pictures.quality(systems, "Cortex-M4")
    return found


def _left_out(bundle: bundles.Bundle, options: str = "") -> str:
    return f"left out; `{f'groupcomm report {bundle.name} {options}'.rstrip()}` measures it"


def _trained(
    bundle: bundles.Bundle, name: str | None, quick: bool
) -> tuple[checkpoint.Checkpoint | None, str | None]:
    """Return the float network, and why it cannot run here (None: it can)."""
    found: list[checkpoint.Checkpoint] = []

    def open_checkpoint() -> dict:
        trained = resolve.checkpoint_of(bundle, name)
        resolve.check_pair(bundle, trained)
        found.append(trained)
        if quick:
            raise UserError(_left_out(bundle))
        from tf_model import load_tensorflow

        load_tensorflow()
        return {}

    reason = content.section(open_checkpoint).get("missing")
    if name and not found:
        raise UserError(reason)
    return (found[0] if found else None), reason


def _separators(
    bundle: bundles.Bundle,
    others: list[bundles.Bundle],
    trained: checkpoint.Checkpoint | None,
) -> tuple[dict[str, Callable], dict[str, dict]]:
    """Return all separators by name, and what their scores depend on."""
    separators, identities = {}, {}
    if trained is not None:
        separators["float"] = separator.from_keras(trained)
        identities["float"] = {"checkpoint_sha256": trained.sha256()}
    for key, one in (("int8", bundle), *((other.name, other) for other in others)):
        separators[key] = separator.from_runtime(one, runtimes.Tflm(one.model))
        identities[key] = {"model_sha256": one.description["model"]["sha256"]}
    return separators, identities


def _heard_baselines(bundle: bundles.Bundle, quick: bool) -> tuple[dict[str, Callable], str | None]:
    """Return baselines by name, and why some or all cannot be heard (None: all can be, or none)."""
    if bundle.sources > 1:
        return {}, None
    if quick:
        return {}, _left_out(bundle)
    with step("open the baselines"):
        return content.heard_baselines()


def _cost(bundle: bundles.Bundle, quick: bool, status: Callable[[str], None]) -> dict:
    if quick:
        raise UserError(_left_out(bundle))
    return content.cost(bundle, status)


def _quality(
    bundle: bundles.Bundle,
    separators: dict[str, Callable],
    identities: dict[str, dict],
    which: dict,
) -> dict:
    scored = content.score_all(separators, identities, cache_dir() / "scores", which)
    found = content.quality(scored, content.labels(bundle, list(scored)), which)
    return found | {"players": content.worst(bundle, found, separators["int8"])}


def _drift(bundle: bundles.Bundle, trained: checkpoint.Checkpoint, which: dict) -> dict:
    from convert.measure import drift

    return drift.drift(
        bundle, trained, minutes=DRIFT_MINUTES, split=which["split"], corpus=which["corpus"]
    )


def _parity(bundle: bundles.Bundle, trained: checkpoint.Checkpoint) -> dict:
    from convert.verify import parity

    return parity.parity(bundle, trained, hops=1000)
