"""WebAssembly gives the bytes of TFLM and of the C++ stream, in Node."""

import json
import subprocess

import numpy as np
import pytest

from convert import bundle
from convert.codegen import wasm
from convert.commands.deploy import compile_network
from convert.run import host_tools
from groupcomm.errors import UserError
from tests.helpers.browser import node
from tests.helpers.cli import groupcomm, refused

pytestmark = [pytest.mark.bazel, pytest.mark.slow]

# Runs the golden features, then the golden sound and zeros that flush it, with the same network.
PROGRAM = """
  import fs from "node:fs";
  const [, , module, code, features, sound, out] = process.argv;
  const { GroupComm } = await import(module);
  const network = new GroupComm(fs.readFileSync(code));
  const { hop, sources, inputs, outputs, sampleRate, latency } = network;
  const bytes = (file) => new Uint8Array(fs.readFileSync(file)).buffer;
  const rows = (given, width) => Array.from({ length: Math.floor(given.length / width) },
    (_, i) => given.subarray(i * width, (i + 1) * width));
  const write = (name, parts) =>
    fs.writeFileSync(`${out}/${name}`, Buffer.concat(parts.map((part) =>
      Buffer.from(part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength)))));
  const copies = (list, work) => list.map((one) => work(one).slice());
  write("masks", copies(rows(new Int8Array(bytes(features)), inputs), (one) => network.run(one)));
  network.reset();
  const hops = [...rows(new Int16Array(bytes(sound)), hop), new Int16Array(hop)];
  const began = performance.now();
  const heard = copies(hops, (one) => network.process(one));
  const milliseconds = (performance.now() - began) / hops.length;
  write("heard", heard);
  network.reset();
  network.setStrength(0.5);
  write("half", copies(hops, (one) => network.process(one)));
  network.reset();
  network.setBypass(true);
  write("bypass", copies(hops, (one) => network.process(one)));
  let error = "";
  try {
    network.setStrength(NaN);
  } catch (e) {
    error = e.message;
  }
  console.log(JSON.stringify({ hop, sources, inputs, outputs, sampleRate, latency, milliseconds,
    error }));
"""


def in_node(folder, *arguments):
    (folder / "test.mjs").write_text(PROGRAM)
    command = [node(), folder / "test.mjs", *arguments, folder]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["enhance-nano", "separate"])
def test_webassembly_in_node_gives_the_golden_bytes_within_the_time_of_a_hop(name, tmp_path):
    opened = bundle.load(name)
    written = wasm.write(opened, tmp_path / "wasm")
    code, module = map(str, written["files"])
    assert written["bytes"] < 300_000
    golden = opened.description["golden"]
    files = [opened.path / golden[key]["file"] for key in ("features", "pcm")]
    found = in_node(tmp_path, module, code, *files)

    def read(file, width):
        return np.fromfile(tmp_path / file, "<i2").reshape(-1, opened.sources, width)

    signal = opened.signal
    assert found["sampleRate"] == signal.sample_rate and found["hop"] == signal.hop
    assert found["latency"] == signal.window - signal.hop and found["sources"] == opened.sources
    masks = np.fromfile(tmp_path / "masks", np.int8)
    np.testing.assert_array_equal(masks, opened.golden()[1].ravel())
    pcm = np.fromfile(files[1], "<i2")
    expected = host_tools.separate_pcm(opened, pcm)[2]  # TFLM and the C++ stream
    late = found["latency"]

    def aligned(file):
        sound = np.concatenate(list(read(file, signal.hop)), axis=1)
        return sound[:, late : late + len(pcm)]

    np.testing.assert_array_equal(aligned("heard"), expected)
    np.testing.assert_array_equal(aligned("bypass"), np.tile(pcm, (opened.sources, 1)))
    assert not np.array_equal(aligned("half"), expected)
    level = [np.abs(aligned(file).astype(float)).mean() for file in ("heard", "half", "bypass")]
    assert level[0] < level[1] < level[2]
    assert found["milliseconds"] < 1000 * signal.hop / signal.sample_rate
    assert found["error"] == "the network failed with status 1"


def test_the_command_writes_webassembly_and_refuses_a_model_without_a_signal_path(
    tmp_path, monkeypatch
):
    done = groupcomm("compile", "enhance-nano", "--target", "wasm", "--out", tmp_path / "w")
    assert done.returncode == 0 and "bytes of WebAssembly" in done.stdout
    names = [file.name for file in sorted((tmp_path / "w").iterdir())]
    assert names == ["enhance-nano.wasm", "groupcomm.mjs"]
    code = (tmp_path / "w" / names[0]).read_bytes()
    assert code == wasm.build(bundle.load("enhance-nano"))  # another run gives the same bytes
    model = bundle.BUNDLES / "enhance" / "model.tflite"
    refused(groupcomm("compile", model, "--target", "wasm"), "takes a bundle")
    monkeypatch.setattr(wasm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"ziglang is not installed; pip install '.*\[wasm\]'$"):
        compile_network("enhance-nano", tmp_path / "x", "wasm")
    assert not (tmp_path / "x").exists()
