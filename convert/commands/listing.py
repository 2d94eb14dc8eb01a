"""The command `groupcomm list`."""

from convert.commands.options import Json
from groupcomm.console import line, report


def list_names(as_json: Json = False) -> None:
    """List the corpora, training runs, networks, checkpoints and bundles that have a name."""
    from calibration_data import corpus
    from convert import bundle
    from groupcomm.errors import UserError
    from tf_model import networks
    from tf_model.training import checkpoint

    corpora = {}
    for name in corpus.names():
        try:
            hours = corpus.report(name)["hours"]
        except UserError:
            continue  # of another version; a command that uses it reports that
        corpora[name] = {
            kind: round(sum(split[kind] for split in hours.values()), 2)
            for kind in ("speech", "noise")
        }
    found = {
        "corpora": corpora,
        "runs": [str(run) for run in checkpoint.runs()],
        "networks": list(networks.STREAMING),
        "ablations": list(networks.ABLATIONS),
        "papers": [*networks.PAPER, *networks.CAUSAL, *networks.MATCHED],
        "checkpoints": checkpoint.names(),
        "bundles": [*bundle.names(), *map(str, bundle.own())],
    }

    def show() -> None:
        said = [
            f"{name} ({h['speech']:.1f} h of speech, {h['noise']:.1f} h of noise)"
            for name, h in corpora.items()
        ]
        for kind, names in (found | {"corpora": said}).items():
            _wrapped(kind, names)

    report(
        found, as_json, show, then="groupcomm train enhance-nano" if corpora else "groupcomm data"
    )


def _wrapped(kind: str, names: list[str]) -> None:
    """Print names in lines of at most 80 characters; none is broken."""
    text = f"{kind:>12} "
    for number, name in enumerate(names or ["-"]):
        word = f" {name}" + ("," if number < len(names) - 1 else "")
        if len(text) + len(word) > 80 and text.strip():
            line(text)
            text = " " * 13
        text += word
    line(text)
