"""The verifier finds what LiteRT's verifier finds, and no damaged file gets past `read`."""

import json
import subprocess
import sys

import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle
from convert.tflite import counts, flatbuffer, verifier
from groupcomm.errors import UserError
from tests.helpers.foreign_models import foreign_model
from tests.helpers.tflite_models import packed

# Reads models of a given length from stdin, and writes whether LiteRT's verifier accepts each.
LITERT = """
import json, os, sys
from ai_edge_litert import interpreter

def accepts(model):
    child = os.fork()
    if not child:
        try:
            interpreter.Interpreter(model_content=model)
        except ValueError as e:
            os._exit("valid Flatbuffer" in str(e))
        except BaseException:
            pass
        os._exit(0)
    return os.waitpid(child, 0)[1] != 256  # a later crash is not the verifier's

sizes = json.loads(sys.stdin.buffer.readline())
print(json.dumps([accepts(sys.stdin.buffer.read(size)) for size in sizes]))
"""


def mutants(content, random, count):
    """Yield copies with one wrong byte, several wrong bytes, or without their end."""
    for number in range(count):
        changed = bytearray(content)
        if number % 10 == 0:
            del changed[random.integers(8, len(changed)) :]
        else:
            for position in random.integers(8, len(changed), 1 + 3 * (number % 10 == 1)):
                changed[position] = random.integers(0, 256)
        yield bytes(changed)


def accepts(content):
    try:
        verifier.verify(content)
    except verifier.StructureError as e:
        assert str(e).startswith("Model")
        return False
    return True


def test_it_agrees_with_the_verifier_of_litert(random):
    contents = [
        changed
        for name in ("dscnn_int8", "gru_while", "lstm_f16")
        for changed in (foreign_model(name), *mutants(foreign_model(name), random, 40))
    ]
    request = json.dumps([len(content) for content in contents]).encode() + b"\n"
    done = subprocess.run(
        [sys.executable, "-c", LITERT],
        input=request + b"".join(contents),
        capture_output=True,
        check=True,
    )
    expected = json.loads(done.stdout)
    found = [accepts(content) for content in contents]
    assert found == expected
    assert found[0] and found[41] and found[82] and 20 < found.count(False) < 100


@pytest.mark.parametrize("name", bundle.names())
def test_committed_models_are_sound(name):
    verifier.verify(bundle.load(name).model)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c[:3], "Model: bytes 0 to 4 of 3"),
        (lambda c: b"\x02" + c[1:], "is not a multiple of 4"),
        (lambda c: b"\0\0\0\x80" + c[4:], "Model: offset"),
    ],
)
def test_the_message_names_the_part(change, words):
    with pytest.raises(verifier.StructureError, match=words):
        verifier.verify(change(foreign_model("dscnn_int8")))


def test_damaged_files_give_one_line_or_counts(random):
    """Nothing but a `UserError` of one line comes out of reading and counting."""
    outcomes = []
    for name in ("dscnn_int8", "flex_gru", "layernorm_prelu_int8", "lstm_drq"):
        for changed in mutants(foreign_model(name), random, 60):
            try:
                found = counts.count(flatbuffer.read(changed))
                assert found.parameters >= 0 and found.macs >= 0
                outcomes.append("counted")
            except UserError as e:
                assert len(str(e).splitlines()) == 1
                outcomes.append("refused")
    assert 50 < outcomes.count("counted") < 200


def test_a_name_of_several_lines_stays_in_one_line():
    """The name of a custom operator is any bytes."""
    content = foreign_model("flex_inverse").replace(b"FlexMatrixInverse", b"FlexMatrix\n\x1bnvers")
    parsed = schema.ModelT.InitFromPackedBuf(content, 0)
    parsed.subgraphs[0].operators[1].inputs = [99]
    with pytest.raises(UserError) as e:
        flatbuffer.read(packed(parsed))
    assert "input of FlexMatrix\\n\\x1bnvers: position 99" in str(e.value)
