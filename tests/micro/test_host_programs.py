"""The C++ tests under Bazel, and the host programs as the Python package calls them."""

import json
import os
import shutil
import subprocess
import sys
import zlib

import flatbuffers
import numpy as np
import pytest
import soundfile
from ai_edge_litert import schema_py_generated as schema

import groupcomm
from calibration_data import clips
from convert import bundle
from convert.run import host_tools
from convert.tflite import counts, flatbuffer, runtimes
from groupcomm.files import REPO, sha256
from tf_model import signal as sig
from tf_model.signal import to_pcm

pytestmark = pytest.mark.bazel

ENHANCE = bundle.BUNDLES / "enhance"


def call(name, *arguments):
    return subprocess.run(
        [host_tools.program(name), *map(str, arguments)], capture_output=True, text=True
    )


def refused(name, *arguments) -> str:
    """Call a program that must fail with exit code 2, no stdout, and one line on stderr."""
    done = call(name, *arguments)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert (
        done.stderr.startswith(f"{name}: ")
        and done.stderr.endswith("\n")
        and done.stderr.count("\n") == 1
    ), done.stderr
    return done.stderr.removeprefix(f"{name}: ").strip()


@pytest.fixture
def copy(tmp_path):
    """Copy the committed bundle, so that a test can damage it."""
    return shutil.copytree(ENHANCE, tmp_path / "bundle")


@pytest.fixture
def wav(tmp_path, random):
    """Write amplitude-modulated noise [shape=(12345,), dtype=int16], not a whole number of hops."""
    pcm = (random.standard_normal(12345) * 3000 * (1 + np.sin(np.arange(12345) / 500))).astype(
        np.int16
    )
    soundfile.write(tmp_path / "a.b.wav", pcm, 16000, subtype="PCM_16")
    return tmp_path / "a.b.wav"


@pytest.fixture
def two_sources(copy):
    """Make a bundle of two sources from one untrained layer; the committed one has one source."""
    import tensorflow as tf
    import tf_keras as keras

    opened = bundle.load(str(copy))
    inputs, values = opened.signal.n_features, opened.signal.n_values
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input(batch_shape=(1, inputs)), keras.layers.Dense(2 * values, activation="sigmoid")]
    )
    features = opened.golden()[0].astype(np.float32) / 128 + 1
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter.representative_dataset = lambda: ([frame[None]] for frame in features[:50])
    return rewrite(copy, converter.convert(), sources=2)


def rewrite(folder, model: bytes, **changes):
    """Put another model into a bundle, with a matching description and golden masks."""
    (folder / "model.tflite").write_bytes(model)
    parsed = counts.read(folder / "model.tflite")
    d = json.loads((folder / "bundle.json").read_text()) | changes
    d["model"] |= {
        "bytes": len(model),
        "sha256": sha256(folder / "model.tflite"),
        "crc32": zlib.crc32(model),
    }
    d["features"], d["masks"] = parsed.inputs[0].as_dict(), parsed.outputs[0].as_dict()
    d["operators"] = [
        {"name": o.name, "version": o.version, "count": o.count} for o in parsed.operators
    ]
    features = np.fromfile(folder / "golden_features.i8", np.int8).reshape(d["golden"]["hops"], -1)
    masks = runtimes.Tflm(model)(features).tobytes()
    (folder / "golden_masks.i8").write_bytes(masks)
    d["golden"]["masks"]["crc32"] = zlib.crc32(masks)
    (folder / "bundle.json").write_text(json.dumps(d))
    return bundle.load(str(folder))


def bazel_test(*options):
    command = ["bazel", "test", "--noshow_progress", *options, "//micro/..."]
    done = subprocess.run(
        command,
        cwd=REPO,
        env={**os.environ, "GROUPCOMM_PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def test_bazel_tests_pass():
    bazel_test()


def test_bazel_tests_pass_under_sanitizers():
    bazel_test("--config=asan")


@pytest.mark.parametrize("name", bundle.names())
@pytest.mark.parametrize("kernels", ["tflm", "groupcomm"])
def test_replay_equals_the_official_tflm_on_the_golden_vectors(name, kernels):
    opened = bundle.load(name)
    features, masks = opened.golden()
    assert np.array_equal(host_tools.replay(opened, features, kernels=kernels), masks)
    assert np.array_equal(runtimes.Tflm(opened.model)(features), masks)


@pytest.mark.parametrize("name", bundle.names())
@pytest.mark.parametrize("kernels", ["tflm", "groupcomm"])
def test_replay_equals_the_official_tflm_on_any_bytes_and_after_resets(random, name, kernels):
    opened = bundle.load(name)
    features = random.integers(-128, 128, (200, opened.signal.n_features), dtype=np.int8)
    python = runtimes.Tflm(opened.model)
    expected = []
    for _ in range(3):
        expected.append(python(features))
        python.reset()
    assert np.array_equal(expected[0], expected[1])
    assert np.array_equal(
        host_tools.replay(opened, features, passes=3, kernels=kernels), np.concatenate(expected)
    )


def test_a_model_that_only_tflms_kernels_support_is_rejected_with_a_reason(copy, tmp_path):
    model = schema.ModelT.InitFromPackedBuf((copy / "model.tflite").read_bytes(), 0)
    names = [
        op.name for op in flatbuffer.read((copy / "model.tflite").read_bytes()).graph.operators
    ]
    op = model.subgraphs[0].operators[names.index("FULLY_CONNECTED")]
    weights = model.subgraphs[0].tensors[op.inputs[1]].quantization
    weights.zeroPoint = np.full(len(weights.scale), 1, np.int64)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    opened = rewrite(copy, bytes(builder.Output()))
    features, masks = opened.golden()
    assert np.array_equal(host_tools.replay(opened, features), masks)
    arguments = [
        "--bundle",
        copy,
        "--features",
        copy / "golden_features.i8",
        "--masks",
        tmp_path / "m",
        "--kernels",
        "groupcomm",
    ]
    assert (
        f"FULLY_CONNECTED to tensor {op.outputs[0]}: its weights have a zero point; "
        "this project's kernel does not" in refused("replay", *arguments)
    )


def check_stream(opened, wav, tmp_path):
    pcm = soundfile.read(wav, dtype="int16")[0]
    seen, given = tmp_path / "features.i8", tmp_path / "masks.i8"
    wavs = host_tools.separate_wav(
        opened, wav, tmp_path / "out" / "deep", "--features", seen, "--masks", given
    )
    signal, sources = opened.signal, opened.sources
    seen = np.fromfile(seen, np.int8).reshape(-1, signal.n_features)
    given = np.fromfile(given, np.int8).reshape(-1, sources * signal.n_values)
    assert len(seen) == len(given) == signal.frames(len(pcm))

    # Features: a float32 FFT against double precision. A value close to a threshold may differ by
    # one.
    spectrum = sig.stft(pcm.astype(np.float32) / np.float32(sig.PCM_SCALE), signal)
    difference = seen.astype(int) - opened.quantize_features(sig.features(spectrum, signal))
    assert (
        np.abs(difference).max() <= 1 and np.count_nonzero(difference) <= difference.size // 10_000
    )

    # Masks: byte for byte those of the official TFLM.
    assert np.array_equal(given, runtimes.Tflm(opened.model)(seen))

    # Sound: as long as the input, aligned with it, and within one unit of Python's.
    masked = sig.apply_masks(spectrum, opened.dequantize_masks(given), sources, signal)
    expected = to_pcm(sig.istft(masked, len(pcm), signal))
    for path, source in zip(wavs, expected, strict=True):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype, info.frames) == (
            16000,
            1,
            "PCM_16",
            len(pcm),
        )
        out = soundfile.read(path, dtype="int16")[0]
        assert np.abs(out.astype(int) - source).max() <= 1
        assert np.abs(out).max() > 100
    return wavs


def test_separate_equals_python(wav, tmp_path):
    wavs = check_stream(bundle.load("enhance"), wav, tmp_path)
    assert [p.name for p in wavs] == ["a.b_speech.wav"]
    assert sorted(p.name for p in wavs[0].parent.iterdir()) == ["a.b_speech.wav"]


@pytest.mark.tensorflow
def test_separate_equals_python_with_two_sources(two_sources, wav, tmp_path):
    wavs = check_stream(two_sources, wav, tmp_path)
    assert [p.name for p in wavs] == ["a.b_speaker1.wav", "a.b_speaker2.wav"]


def test_separate_equals_python_with_a_dc_offset(copy, tmp_path):
    """Test speech with a DC offset of 0.1, from which the running mean is subtracted."""
    description = json.loads((copy / "bundle.json").read_text())
    description["signal"]["dc"] = 0.5
    (copy / "bundle.json").write_text(json.dumps(description))
    speech = clips.demo_mixtures()[0].references[0, :40001]
    soundfile.write(tmp_path / "a.wav", to_pcm(speech + np.float32(0.1)), 16000, subtype="PCM_16")
    wavs = check_stream(bundle.load(str(copy)), tmp_path / "a.wav", tmp_path)
    assert abs(soundfile.read(wavs[0])[0][8000:].mean()) < 1e-3


def test_attenuation_limit_equals_python(wav, tmp_path):
    pcm = soundfile.read(wav, dtype="int16")[0]
    wavs = host_tools.separate_wav(
        bundle.load("enhance"), wav, tmp_path, "--attenuation-limit", "12"
    )
    expected = 32768 * groupcomm.load("enhance").process(pcm, attenuation_limit_db=12)[0]
    out = soundfile.read(wavs[0], dtype="int16")[0]
    assert np.abs(out - np.clip(np.rint(expected), -32768, 32767)).max() <= 1
    arguments = ["--bundle", ENHANCE, "--input", wav, "--output", tmp_path]
    words = refused("separate", *arguments, "--attenuation-limit", "-3")
    assert "--attenuation-limit -3 is not a number of dB from 0" in words


@pytest.mark.parametrize("samples", [1, 127, 128, 129, 256])
def test_separate_keeps_the_length_of_short_files(tmp_path, samples):
    given = tmp_path / "x.wav"
    soundfile.write(given, np.full(samples, 1000, np.int16), 16000, subtype="PCM_16")
    assert (
        soundfile.info(host_tools.separate_wav(bundle.load("enhance"), given, tmp_path)[0]).frames
        == samples
    )


def other_format(path, **how):
    soundfile.write(
        path,
        np.zeros((1600, how.pop("channels", 1)), np.float32),
        **{"samplerate": 16000, "subtype": "PCM_16"} | how,
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: None, "cannot read (No such file or directory)"),
        (lambda p: p.mkdir(), "not a file"),
        (
            lambda p: p.write_text("This is text, not sound.\n" * 9),
            "not a WAV file; `groupcomm process` converts",
        ),
        (lambda p: p.write_bytes(b""), "not a WAV file"),
        (lambda p: other_format(p, samplerate=44100), "44100 Hz, 1 channels, 16 bits"),
        (lambda p: other_format(p, channels=2), "16000 Hz, 2 channels"),
        (lambda p: other_format(p, subtype="PCM_24"), "24 bits, format 1"),
        (lambda p: other_format(p, subtype="FLOAT"), "32 bits, format 3"),
        (lambda p: other_format(p, format="FLAC"), "not a WAV file"),
        (lambda p: (other_format(p), p.write_bytes(p.read_bytes()[:1000])), "cut short"),
        (lambda p: soundfile.write(p, np.zeros(0), 16000, subtype="PCM_16"), "without sound"),
    ],
)
def test_separate_rejects_files_of_another_format(tmp_path, make, words):
    make(tmp_path / "in.wav")
    message = refused(
        "separate",
        "--bundle",
        ENHANCE,
        "--input",
        tmp_path / "in.wav",
        "--output",
        tmp_path / "out",
    )
    assert message.startswith(f"{tmp_path}/in.wav: ") and words in message
    assert not (tmp_path / "out").exists()


def damage(name, change):
    def do(folder):
        file = folder / name
        file.write_bytes(change(file.read_bytes()))

    return do


def describe_otherwise(**changes):
    return damage("bundle.json", lambda text: json.dumps(json.loads(text) | changes).encode())


@pytest.mark.parametrize(
    ("hurt", "words"),
    [
        (shutil.rmtree, "bundle.json: cannot read (No such file"),
        (
            lambda folder: (folder / "model.tflite").unlink(),
            "model.tflite: cannot read (No such file",
        ),
        (damage("model.tflite", lambda b: b[:-100]), "bytes, bundle.json says"),
        (
            damage("model.tflite", lambda b: b[:5000] + bytes([b[5000] ^ 16]) + b[5001:]),
            "model.tflite: CRC-32 differs from bundle.json",
        ),
        (
            damage("golden_pcm.i16", lambda b: bytes([b[0] ^ 1]) + b[1:]),
            "golden_pcm.i16: CRC-32 differs",
        ),
        (damage("bundle.json", lambda b: b[: len(b) // 2]), "bundle.json: not a JSON object"),
        (describe_otherwise(schema=1), "bundle.json: schema is 1, not in 2..2"),
        (describe_otherwise(sources=2), "bundle.json: masks.shape is "),
        (describe_otherwise(arena_bytes=4096), "in an arena of 4096 bytes"),
        (describe_otherwise(operators=[{"name": "ADD"}]), ", which the bundle does not name"),
        (describe_otherwise(operators=[{"name": "GELU"}]), "operator GELU is not in this build"),
    ],
)
def test_programs_reject_a_damaged_bundle(copy, wav, tmp_path, hurt, words):
    hurt(copy)
    out, masks = tmp_path / "out", tmp_path / "masks.i8"
    messages = [
        refused("separate", "--bundle", copy, "--input", wav, "--output", out, "--masks", masks),
        refused(
            "replay",
            "--bundle",
            copy,
            "--features",
            ENHANCE / "golden_features.i8",
            "--masks",
            masks,
        ),
        refused("describe", "--bundle", copy),
    ]
    for message in messages:
        assert message.startswith(str(copy)) and words in message
        assert "`groupcomm convert`" in message or "check the path" in message
    assert not out.exists() and not masks.exists()


def test_an_arena_that_crashes_tflm_is_an_error(copy):
    # In some arenas that are too small, kernels of TFLM write to address 0. The sizes depend on the
    # model.
    smallest = json.loads(host_tools.run("describe", "--bundle", copy))["arena"]["smallest"]
    for arena in range(smallest - 16, 1024, -1024):
        describe_otherwise(arena_bytes=arena)(copy)
        assert f"in an arena of {arena} bytes" in refused("describe", "--bundle", copy)


def test_no_file_remains_when_the_output_cannot_be_written(wav, tmp_path):
    (tmp_path / "out").write_text("a file, not a folder")
    arguments = ["--bundle", ENHANCE, "--input", wav, "--output"]
    assert "out: cannot create this folder" in refused("separate", *arguments, tmp_path / "out")
    assert "cannot create this folder" in refused("separate", *arguments, "/proc/none/out")
    assert "out/deep: cannot create this folder" in refused(
        "separate", *arguments, tmp_path / "out" / "deep"
    )
    # a folder has the name of the output
    (tmp_path / "there" / "a.b_speech.wav").mkdir(parents=True)
    assert "a.b_speech.wav: cannot write" in refused("separate", *arguments, tmp_path / "there")
    assert [p.name for p in (tmp_path / "there").iterdir()] == ["a.b_speech.wav"]
    assert "nowhere/f: cannot write" in refused(
        "separate", *arguments, tmp_path / "new", "--features", tmp_path / "nowhere" / "f"
    )
    assert not any((tmp_path / "new").iterdir())


def test_a_full_disk_keeps_the_old_output(wav, tmp_path):
    old = tmp_path / "a.b_speech.wav"
    old.write_text("old")
    # A limit on the size of files acts like a disk that is full after 4 KiB. Its signal is ignored.
    command = (
        f'trap "" XFSZ; ulimit -f 4; exec {host_tools.program("separate")} '
        f"--bundle {ENHANCE} --input {wav} --output {tmp_path}"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2 and "a.b_speech.wav: cannot write (File too large)" in done.stderr
    assert old.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.b.wav", "a.b_speech.wav"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            [],
            "--bundle is missing; usage: replay --bundle DIR --features FILE --masks FILE ",
        ),
        (["--bundle", ENHANCE, "--features"], "--features has no value"),
        (["--model", "x"], "--model is not known"),
        (["--bundle", "a", "--bundle", "b"], "--bundle is given twice"),
        (
            ["--bundle", ENHANCE, "--features", "f", "--masks", "m", "--repeat", "0"],
            "--repeat 0 is not a positive integer",
        ),
        (
            ["--bundle", ENHANCE, "--features", "f", "--masks", "m", "--repeat", "2x"],
            "--repeat 2x is not a positive integer",
        ),
        (
            ["--bundle", ENHANCE, "--features", "f", "--masks", "m", "--kernels", "fast"],
            "--kernels fast is not known; give tflm or groupcomm",
        ),
        (["--bundle", "a\nb\x1b", "--features", "f", "--masks", "m"], "a\\x0ab\\x1b/bundle.json: "),
        (
            ["--bundle", ENHANCE, "--features", "/none", "--masks", "m"],
            "/none: cannot read (No such file",
        ),
        (
            ["--bundle", ENHANCE, "--features", ENHANCE / "bundle.json", "--masks", "m"],
            "bytes are not whole hops of ",
        ),
        (
            [
                "--bundle",
                ENHANCE,
                "--features",
                ENHANCE / "golden_features.i8",
                "--masks",
                "/none/m",
            ],
            "/none/m: cannot write",
        ),
    ],
)
def test_misuse_is_one_line_with_the_reason(arguments, words):
    assert words in refused("replay", *arguments)


def test_help_prints_the_usage():
    for name in ("separate", "replay", "describe"):
        done = call(name, "--help")
        assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith(f"{name} ")


def test_describe_reports_operators_and_memory():
    opened = bundle.load("enhance")
    found = json.loads(host_tools.run("describe", "--bundle", opened.path, "--codes", "9,44,150"))
    assert found["codes"] == {
        "9": True,
        "44": True,
        "150": False,
    }  # FULLY_CONNECTED, the fused LSTM, GELU
    arena = found["arena"]
    assert arena["used"] < arena["smallest"] <= arena["bundle"] == opened.description["arena_bytes"]
    assert found["model_bytes"] == len(opened.model)
    ours = json.loads(
        host_tools.run("describe", "--bundle", opened.path, "--kernels", "groupcomm")
    )["arena"]
    assert (
        ours["bundle"] == arena["bundle"]
        and ours["used"] < ours["smallest"] < arena["smallest"] + 4096
    )
    assert "is not a list of codes" in refused("describe", "--codes", "9,x")
    assert "no option is given" in refused("describe")
