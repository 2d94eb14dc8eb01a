"""The command line: names, JSON keys, exit codes, one line for bad input and no partial output."""

import json

import numpy as np
import pytest
import soundfile

from calibration_data import clips
from tests.helpers.cli import groupcomm, ok, refused
from tests.helpers.release_gates import GATES
from tf_model.training.checkpoint import TRAINED

pytestmark = [pytest.mark.tensorflow, pytest.mark.bazel]  # in the commands' own processes


def test_cost_keys():
    found = ok("cost", "enhance", "--json")
    assert {"params", "macs_per_second", "macs_per_hop", "state_bytes"} <= found.keys()
    assert ok("cost", TRAINED / "enhance", "--json") == found | {"name": str(TRAINED / "enhance")}


def test_evaluate(tiny_corpus, tmp_path):
    asked = (
        "evaluate",
        "enhance",
        "--corpus",
        tiny_corpus,
        "--mixtures",
        3,
        "--worst",
        tmp_path / "worst",
    )
    found = ok(*asked, "--json")
    assert (found["name"], found["runtime"], found["split"], found["mixtures"]) == (
        "enhance",
        "tflm",
        "test",
        3,
    )
    assert found["measures"].keys() == {"sisdr", "sdr", "pesq", "stoi", "estoi"}
    assert found["measures"]["sisdr"]["improvement"] == found["sisdri_db"]
    assert len(found["worst"]) == 3 and all(
        len(soundfile.read(file)[0]) == 64000 for file in found["files"]
    )
    table = groupcomm(*asked).stdout
    for words in (
        "SI-SDR (dB)",
        "PESQ-WB",
        "eSTOI",
        *found["by"]["speaker"],
        *found["by"]["noise"],
        "000_estimate1.wav",
    ):
        assert words in table, words


def test_robustness(tiny_corpus):
    asked = ("robustness", "enhance-nano", "--corpus", tiny_corpus, "--mixtures", 2)
    found = ok(*asked, "--json")
    assert (found["name"], found["runtime"], found["corpus"]) == (
        "enhance-nano",
        "tflm",
        tiny_corpus,
    )
    table = groupcomm(*asked, "--runtime", "keras", columns=160).stdout  # no cell is wrapped
    for words in (
        *found["conditions"],
        "without noise: SI-SDR",
        "noise alone is attenuated",
        "silence",
    ):
        assert words in table, words


def test_inspect_keys():
    found = ok("inspect", "enhance", "--json")
    assert {"operators", "arena_bytes", "model_bytes", "unsupported"} <= found.keys()


def test_convert_float_of_an_untrained_network(tmp_path):
    found = ok("convert", "gc-dprnn-causal", "--float", "--out", tmp_path / "m.tflite", "--json")
    assert found == {
        "model": str(tmp_path / "m.tflite"),
        "model_bytes": (tmp_path / "m.tflite").stat().st_size,
        "trained": False,
    }
    refused(
        groupcomm(
            "convert", "gc-dprnn", "--float", "--seconds", "0.001", "--out", tmp_path / "n.tflite"
        ),
        "16 samples, a window is 32",
    )
    assert [p.name for p in tmp_path.iterdir()] == ["m.tflite"]


def test_convert_to_16x8(tmp_path):
    found = ok("convert", "enhance", "--activations", 16, "--out", tmp_path / "wide", "--json")
    assert (found["method"], found["ranges"], found["activations"]) == ("ptq", "min-max", 16)
    proof = ok("parity", tmp_path / "wide", "--json")
    rows = {row["name"]: row for row in proof["runtimes"]}
    assert (
        rows["static_c"]["equal_bytes"] == rows["simulation"]["equal_bytes"] == 1
        and "litert" not in rows
    )
    assert rows["tflm_cpp"]["snr_db"] > GATES["enhance"].int16_snr_db


def test_process_improves_a_demo_mixture_given_in_another_format(tmp_path):
    from tf_model.evaluation.metrics import si_sdr_db

    demo = clips.demo_mixtures()[0]
    soundfile.write(
        tmp_path / "noisy.wav", np.stack([demo.mixture, demo.mixture], 1), 16000, subtype="PCM_24"
    )
    found = ok(
        "process",
        tmp_path / "noisy.wav",
        "--out",
        tmp_path / "out",
        "--plot",
        tmp_path / "out" / "p.png",
        "--json",
    )
    assert found["conversions"] == ["2 channels mixed to mono", "PCM 24 to 16-bit PCM"]
    got, rate = soundfile.read(found["outputs"][0], dtype="float32")
    assert rate == 16000 and got.shape == demo.mixture.shape
    assert si_sdr_db(got, demo.references[0]) > si_sdr_db(demo.mixture, demo.references[0]) + 1
    assert (tmp_path / "out" / "p.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["noisy_speech.wav", "p.png"]


def test_process_refuses_text_and_leaves_nothing(tmp_path):
    (tmp_path / "a.wav").write_text("text")
    refused(
        groupcomm("process", tmp_path / "a.wav", "--out", tmp_path / "out"),
        "a.wav: not a sound file",
    )
    assert not (tmp_path / "out").exists()


def test_process_refuses_a_folder_that_cannot_be(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(2000), 16000)
    (tmp_path / "file").write_text("")
    refused(
        groupcomm("process", tmp_path / "a.wav", "--out", tmp_path / "file" / "out"),
        "is a file, and a folder is to be made there",
    )


def test_process_writes_nothing_when_the_plot_cannot_be_written(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(2000), 16000)
    (tmp_path / "file").write_text("")
    done = groupcomm(
        "process",
        tmp_path / "a.wav",
        "--out",
        tmp_path / "out",
        "--plot",
        tmp_path / "file" / "p.png",
    )
    refused(done, "is a file, and a folder is to be made there")
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize("command", ["inspect", "parity", "evaluate"])
def test_a_truncated_model_is_refused_by_every_command(bundle_copy, command):
    model = bundle_copy / "model.tflite"
    model.write_bytes(model.read_bytes()[:-1])
    refused(groupcomm(command, bundle_copy), "model.tflite")


def test_a_trained_network_is_evaluated_in_keras_and_a_bundle_in_tflm(tiny_corpus):
    asked = ("--corpus", tiny_corpus, "--mixtures", 2, "--json")
    assert ok("evaluate", TRAINED / "enhance-nano", *asked)["runtime"] == "keras"
    assert ok("evaluate", "enhance-nano", *asked)["runtime"] == "tflm"


def test_convert_with_a_name_and_own_sounds(tmp_path, random):
    (tmp_path / "sounds" / "deeper").mkdir(parents=True)
    noise = random.normal(0, 0.1, (44100, 2))
    soundfile.write(tmp_path / "sounds" / "a.wav", noise, 44100)
    soundfile.write(tmp_path / "sounds" / "deeper" / "b.flac", noise[:16000, 0], 16000)
    found = ok("convert", "enhance-nano", "--name", "mine", "--calibration", tmp_path / "sounds",
               "--ranges", "min-max", "--out", tmp_path / "mine", "--json")  # fmt: skip
    assert found["ranges"] == "min-max" and found["calibration_hops"] < 300  # two clips of a second
    assert json.loads((tmp_path / "mine" / "bundle.json").read_text())["name"] == "mine"


def test_convert_refuses_sounds_and_names_that_cannot_be_used(tmp_path):
    refused(
        groupcomm("convert", "enhance-nano", "--calibration", tmp_path / "no", "--ranges", "error"),
        "is not a folder",
    )
    refused(groupcomm("convert", "enhance-nano", "--name", "a b"), "bundle name 'a b': ")
