"""The page of `groupcomm report` with everything in it, by the real networks."""

import re

import pytest

from convert import bundle as bundles
from convert.measure import baselines, drift
from convert.report import content, report
from tests.helpers.reports import PARITY, measured_cost

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

LARGEST = 3_000_000  # bytes, of a page


@pytest.fixture(scope="module")
def live():
    """Compile before the cache of `tiny_corpus` is in use, which lacks CMSIS-DSP."""
    return content.live(bundles.load("enhance-nano"))


@pytest.fixture(scope="module")
def written(live, tiny_corpus, tmp_path_factory):
    """Return the largest page that the command writes, and its result.

    Sounds, scores, drift and WebAssembly are real. The instructions of the emulated cores and the
    parity are made up, because they take minutes and only a few kilobytes of the page.
    """
    bundle = bundles.load("enhance-nano")
    table = {"split": "test", "mixtures": 3, "corpus": tiny_corpus, "systems": []}
    file = tmp_path_factory.mktemp("report") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "_cost", lambda bundle, quick, status: measured_cost(bundle))
        patch.setattr(report, "_parity", lambda bundle, trained: PARITY)
        patch.setattr(report, "DRIFT_MINUTES", 3)
        patch.setattr(drift, "MINUTE", 8)
        patch.setattr(content, "baselines", lambda file: table)
        result = report.write_report(
            bundle,
            file,
            others=report.open_others(bundle, ["enhance", "enhance-fast"]),
            quick=False,
            checkpoint_name=None,
            mixtures=4,
            split="test",
            corpus=tiny_corpus,
            baselines=file,
        )
    return file.read_text(), result


def installed():
    """Return the baselines of the page that this machine has."""
    found = []
    for one in baselines.BASELINES:
        if one.label in content.HEARD_BASELINES:
            try:
                one.make()
            except baselines.BaselineUnavailable:
                continue
            found.append(one.label)
    return found


def test_the_largest_page_is_below_3_mb(written, live):
    text, result = written
    assert result["bytes"] == len(text.encode()) < LARGEST
    code = re.search(r'id="live-code"[^>]*>([^<]*)<', text)[1]
    assert code == live["code"] and len(code) > 50_000  # and not a stub
    assert set(result["missing"]) <= {"baselines"}


def test_baselines_are_heard_without_their_delay(written):
    text, result = written
    heard = installed()
    assert ("baselines" in result["missing"]) == (len(heard) < len(content.HEARD_BASELINES))
    if not heard:
        pytest.skip("no baseline is installed; pip install --no-deps -r convert/baselines.txt")
    head = re.search(r"<caption>SI-SDR of the demo.*?</thead>", text, re.DOTALL)[0]
    columns = re.findall(r'<th scope="col">(.*?)</th>', head)
    expected = ["float32", "enhance-nano, int8", "enhance", "enhance-fast", *heard]
    assert columns[2:-1] == expected
    rows = re.findall(r'<th scope="row"><a href="#m\d">.*?</a></th>(.*?)</tr>', text)
    cells = [re.findall("<td>(.*?)</td>", row.replace("\N{MINUS SIGN}", "-")) for row in rows]
    assert len(cells) == 8
    for number, name in enumerate(expected, 1):
        gains = [float(row[number]) - float(row[0]) for row in cells]
        # A delay of a millisecond would make the SI-SDR of every output negative.
        assert min(gains) > 1, name


def test_the_worst_mixtures_of_the_evaluation_can_be_played(written):
    text, _ = written
    listed = re.findall(r"<li>(mixture \d+), ", text)
    assert len(listed) == 4
    titles = re.findall(r'<h3 id="m(\d+)-title">(.*?)</h3>', text)
    assert titles[8:] == [(str(8 + i), name) for i, name in enumerate(listed[:3])]
    versions = [
        re.findall(rf'name="m{8 + i}-version".*?<span>(.*?)</span>', text) for i in range(3)
    ]
    assert versions == [["mixture", "int8", "clean"]] * 3
    assert len(re.findall(r'id="sound-(?:8|9|10)-[012]"', text)) == 9


def test_the_drift_is_drawn(written):
    text, _ = written
    assert "Drift of enhance-nano over 3 minutes" in text
    assert "One stream of 3 minutes" in text


def test_worst_mixtures_need_the_corpus(live):
    which = {"split": "test", "mixtures": 2, "corpus": "gone"}
    found = {"which": which, "systems": {"int8": {"worst": [{"index": 0}]}}}
    assert content.worst(bundles.load("enhance-nano"), found, lambda x: x[None]) == []
