"""The commands of the quick start that train a network of one's own, as they stand there."""

import json
import re
import shlex

import pytest

from groupcomm.files import REPO
from tests.helpers.cli import ok

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow, pytest.mark.train, pytest.mark.bazel]

PAGE = (REPO / "docs" / "quickstart" / "host.md").read_text()
# What makes the commands short, and their corpus that of the tests. Later options win.
SHORTER = {
    "train": "--steps 2 --batch 2 --seconds 1 --validate-every 1 --validation-mixtures 2 "
    "--corpus {corpus}",
    "evaluate": "--mixtures 2",
}


def commands() -> list[list[str]]:
    """Return the commands of the section that trains a network."""
    section = PAGE[PAGE.index("## Train a network") :]
    block = section[section.index("    groupcomm train") :].split("\n\n")[0]
    return [shlex.split(line)[1:] for line in block.splitlines()]


def test_a_network_is_trained_evaluated_converted_fitted_and_packaged(
    tiny_corpus, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    asked = commands()
    assert [words[0] for words in asked] == ["train", "evaluate", "convert", "fit", "package"]
    for words in asked:
        more = SHORTER.get(words[0], "").format(corpus=tiny_corpus).split()
        result = ok(*words, *more, "--json")
        if words[0] == "evaluate":
            assert result["corpus"] == tiny_corpus  # that of the training
    description = json.loads((tmp_path / "build/bundles/mine/bundle.json").read_text())
    assert (description["name"], description["network"]["hidden"]) == ("mine", 12)
    [arduino] = [words[-1] for words in asked if words[0] == "package"]
    properties = (tmp_path / arduino / "library.properties").read_text()
    assert re.search(r"^name=GroupComm_mine$", properties, re.MULTILINE)
