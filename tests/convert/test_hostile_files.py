"""Whatever a file holds, its reader accepts it, or refuses it in one line.

`make fuzz` runs these tests again and again with new examples: GROUPCOMM_FUZZ_EXAMPLES is how many
a test takes.
"""

import copy
import dataclasses
import json
import os
import random
import struct
from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="hypothesis is not installed; it is in the extra dev")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibration_data import corpus as corpora
from convert import bundle
from convert.codegen import model_source
from convert.tflite import counts, flatbuffer
from convert.verify import listen, serial_link
from groupcomm.errors import UserError
from groupcomm.files import is_name
from tf_model.training import checkpoint

EXAMPLES = os.environ.get("GROUPCOMM_FUZZ_EXAMPLES")
fuzz = settings(
    max_examples=int(EXAMPLES or 40),
    derandomize=EXAMPLES is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
NANO = Path(bundle.folder_of("enhance-nano"))
TRAINED = checkpoint.TRAINED / "enhance-nano"

NUMBERS = (
    st.integers() | st.floats() | st.sampled_from([0, -1, 1, 2**31, 2**63, 1e308, 1e-45, True])
)
TEXTS = st.text(max_size=20) | st.sampled_from(["", ".", "../x", "/etc/passwd", "[red]", "a\nb"])
VALUES = st.recursive(
    st.none() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


def places(value, path=()):
    """Yield the paths to all values inside of a value of JSON."""
    if not isinstance(value, (dict, list)):
        return
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        yield from places(part, (*path, key))


@st.composite
def altered_json(draw, text: str):
    """Draw the bytes of a description in which values are replaced, or bytes are."""
    value = json.loads(text)
    for _ in range(draw(st.integers(1, 2))):
        if not isinstance(value, dict) or draw(st.integers(0, 20)) == 0:
            value = draw(VALUES)
            continue
        path = draw(st.sampled_from(list(places(value)) or [()]))
        if not path:
            break
        inside = value
        for key in path[:-1]:
            inside = inside[key]
        if isinstance(inside, dict) and draw(st.integers(0, 4)) == 0:
            del inside[path[-1]]
        else:
            inside[path[-1]] = draw(VALUES)
    content = json.dumps(value).encode()
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(content)))
        content = (
            content[:at] + draw(st.binary(max_size=4)) + content[at + draw(st.integers(0, 9)) :]
        )
    return content if draw(st.integers(0, 49)) else b"[" * 100_000


def refuses_or_returns(reader, *arguments):
    """Call a reader; a refusal is one line."""
    try:
        return reader(*arguments)
    except UserError as e:
        assert str(e) and "\n" not in str(e)
        return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Hold what the tests of this module alter."""
    return tmp_path_factory.mktemp("hostile")


@fuzz
@given(data=st.data())
def test_bundle_description(folder, data):
    target = folder / "bundle"
    if not target.exists():
        target.mkdir()
        for file in NANO.iterdir():
            (target / file.name).symlink_to(file)
        (target / "bundle.json").unlink()
    content = data.draw(altered_json((NANO / "bundle.json").read_text()))
    (target / "bundle.json").write_bytes(content)
    found = refuses_or_returns(bundle.load, str(target))
    if found:
        refuses_or_returns(found.golden)


@pytest.fixture(scope="module")
def models():
    names = ("enhance-nano", "enhance-blstm")
    return [(Path(bundle.folder_of(name)) / "model.tflite").read_bytes() for name in names]


@settings(fuzz, max_examples=max(1, fuzz.max_examples // 4))  # each takes longer
@given(data=st.data())
def test_tflite(folder, models, data):
    content = bytearray(data.draw(st.sampled_from(models)))
    # Tables are at both ends; between them are weights, which may have any value.
    seed = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(data.draw(st.integers(1, 6))):
        end = seed.choice([0, len(content) - 1])
        at = abs(end - int(seed.expovariate(1 / 4000))) % len(content)
        content[at] = seed.choice([0, 1, 0x7F, 0x80, 0xFF, seed.randrange(256)])
    if data.draw(st.integers(0, 9)) == 0:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    model = refuses_or_returns(flatbuffer.read, bytes(content), "model.tflite")
    if model is None:
        return
    counts.count(model)
    (folder / "model.tflite").write_bytes(content)
    refuses_or_returns(model_source.compile_model, folder / "model.tflite", folder / "compiled")


@fuzz
@given(data=st.data())
def test_checkpoint_description(folder, data):
    target = folder / "checkpoint"
    if not target.exists():
        target.mkdir()
        (target / "weights.h5").symlink_to(TRAINED / "weights.h5")
    content = data.draw(altered_json((TRAINED / "network.json").read_text()))
    (target / "network.json").write_bytes(content)
    found = refuses_or_returns(checkpoint.load, str(target))
    assert found is None or is_name(found.name)


@pytest.mark.tensorflow
@fuzz
@given(data=st.data())
def test_recipe_of_a_run(folder, data):
    from tf_model.training import train

    net = checkpoint.load("enhance-nano").net
    request = {
        "name": "enhance-nano",
        "network": dataclasses.asdict(net),
        "recipe": dataclasses.asdict(train.Recipe()),
    }
    request = json.loads(json.dumps(request))
    file = folder / "recipe.json"
    file.write_bytes(data.draw(altered_json(json.dumps(request))))
    refuses_or_returns(train._check_same_recipe, file, copy.deepcopy(request), net)


@pytest.fixture(scope="module")
def tiny_corpus(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROUPCOMM_CACHE", str(folder / "cache"))
        made = corpora.corpus_dir("tiny")
        (made / "train").mkdir(parents=True)
        names = [field.name for field in dataclasses.fields(corpora.Clip)]
        rows, ends = [names], {"speech": 0, "noise": 0}
        for i, kind in enumerate(("speech", "noise", "speech", "noise")):
            tail = ("a", "de", "F", "core", "", "p", "a/1.wav")
            rows.append([kind, ends[kind], 5 + i, *tail])
            ends[kind] += 5 + i
        for kind, samples in ends.items():
            (made / f"train/{kind}.i16").write_bytes(bytes(2 * samples))
        hours = {"train": {"speech": 0.1, "noise": 0.1}}
        description = {"schema": 1, "name": "tiny", "key": "0", "hours": hours, "missing": {}}
        clips = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        yield made, json.dumps(description), clips


@fuzz
@given(data=st.data())
def test_corpus(tiny_corpus, data):
    made, description, clips = tiny_corpus
    content, table = description.encode(), clips
    if data.draw(st.booleans()):
        content = data.draw(altered_json(description))
    else:
        lines = [line.split("\t") for line in clips.splitlines()]
        line = data.draw(st.sampled_from(lines))
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(
            TEXTS | NUMBERS.map(str) | st.sampled_from(["1\t2", "-5", "1e3"])
        )
        table = "\n".join("\t".join(line) for line in lines) + "\n"
    (made / "corpus.json").write_bytes(content)
    (made / "train/clips.tsv").write_bytes(table.encode("utf-8", "surrogatepass"))

    def read():
        return corpora.open_corpus("train", name="tiny")

    found = refuses_or_returns(read)
    for group in (*found.speakers, *found.categories) if found else ():
        for clip in group.clips:
            sound = found.speech if clip.kind == "speech" else found.noise
            assert len(sound[clip.offset :][: clip.samples]) == clip.samples > 0


@fuzz
@given(kind=st.integers(0, 255), number=st.integers(0, 65535), payload=st.binary(max_size=600))
def test_a_frame_survives_the_line(kind, number, payload):
    encoded = serial_link.encode(kind, number, payload)
    assert encoded.count(0) == 1 and encoded[-1] == 0
    assert serial_link.decode(encoded[:-1]) == (kind, number, payload)
    # A CRC-32 finds every change of one byte of a frame.
    at = len(encoded) // 2
    damaged = bytearray(encoded[:-1])
    if at < len(damaged):
        damaged[at] ^= 0x10
        assert serial_link.decode(bytes(damaged)) is None


@fuzz
@given(st.binary(max_size=300))
def test_bytes_on_the_line(content):
    found = serial_link.decode(content.replace(b"\0", b"\1"))
    assert found is None or len(found) == 3
    hop = listen.parse(content)
    assert hop is None or len(hop.before) * (1 + len(hop.after)) * 2 + 20 == len(content)


class Port:
    """A port behind which a stranger is: its answers are given, with or without valid frames."""

    name = "port"

    def __init__(self, answers):
        self.answers, self.last = answers, b""
        self.in_waiting, self.timeout = 0, 0.0

    def write(self, content):
        self.last = content

    def read(self, _):
        if not self.answers:
            return b"\0"
        raw, kind, payload = self.answers.pop()
        if raw:
            return payload + b"\0"
        asked = serial_link.decode(self.last.strip(b"\0"))
        return serial_link.encode(kind, asked[1] if asked else 0, payload)


@fuzz
@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([kind | serial_link.ANSWER for kind in b"HZNPE"]) | st.integers(0, 255),
            st.binary(max_size=24) | st.just(struct.pack("<IIHHHHHH", 1, 2, 3, 4, 5, 6, 7, 8)),
        ),
        max_size=6,
    )
)
def test_host_with_a_hostile_board(answers):
    link = serial_link.Link(Port(answers), timeout=0.002, tries=2)
    try:
        found = refuses_or_returns(link.hello)
    except serial_link.WasReset:
        return
    assert found is None or all(isinstance(value, int) for value in found.values())
