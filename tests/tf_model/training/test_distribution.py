"""Training with two workers on this machine equals training with one: same mixtures, same loss."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from calibration_data import corpus as corpora
from calibration_data.mixing import mixer
from groupcomm.errors import UserError
from groupcomm.files import REPO
from tf_model.training import batches, distribution, train

pytestmark = [pytest.mark.tensorflow, pytest.mark.train]

RECIPE = train.Recipe(
    steps=4,
    batch=4,
    seconds=0.5,
    learning_rate=1e-2,
    validate_every=1,
    validation_mixtures=3,
    patience=9,
    corpus="tiny",
)
WORKER = """
import json, pathlib, sys
import tf_model
tf_model.load_tensorflow()
from groupcomm.errors import UserError
from tf_model import networks
from tf_model.training import train
net, recipe, folder = json.loads(sys.argv[1])
try:
    net = networks.from_dict("streaming", net)
    train.train("tiny", net, train.Recipe(**recipe), pathlib.Path(folder))
except UserError as e:
    sys.exit(f"UserError: {e}")
"""


def start(net, recipe, folders):
    """Start one worker process per folder."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in folders]
    workers = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    running = []
    for index, folder in enumerate(folders):
        config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        arguments = json.dumps([dataclasses.asdict(net), dataclasses.asdict(recipe), str(folder)])
        environment = os.environ | {"TF_CONFIG": json.dumps(config)}
        command = [sys.executable, "-c", WORKER, arguments]
        running.append(
            subprocess.Popen(command, env=environment, cwd=REPO, stderr=subprocess.PIPE, text=True)
        )
    return running


def ends(running):
    """Return the stderr and the exit code of each worker."""
    return [(process.communicate(timeout=240)[1], process.returncode) for process in running]


def history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def test_two_workers_have_the_loss_of_one_and_resume(tiny_net, tiny_corpus, tmp_path):
    train.train("tiny", tiny_net, RECIPE, tmp_path / "one")
    outputs = ends(start(tiny_net, RECIPE, [tmp_path / "two"] * 2))
    assert [code for _, code in outputs] == [0, 0], outputs
    one, two = history(tmp_path / "one"), history(tmp_path / "two")
    assert [h["step"] for h in two] == [1, 2, 3, 4]
    for key in ("loss", "sisdri_db"):
        np.testing.assert_allclose(
            [h[key] for h in two], [h[key] for h in one], rtol=1e-4, atol=1e-4, err_msg=key
        )
    assert one[0]["loss"] != one[3]["loss"]
    done = [path.stat().st_mtime_ns for path in (tmp_path / "two" / "state").iterdir()]
    outputs = ends(start(tiny_net, RECIPE, [tmp_path / "two"] * 2))
    assert all("resuming at step 4 of 4" in text for text, _ in outputs)
    assert [path.stat().st_mtime_ns for path in (tmp_path / "two" / "state").iterdir()] == done


def test_a_signal_to_one_worker_saves_the_state_and_stops_all(tiny_net, tiny_corpus, tmp_path):
    recipe = dataclasses.replace(RECIPE, steps=100_000, validate_every=50)
    running = start(tiny_net, recipe, [tmp_path / "run"] * 2)
    while not (tmp_path / "run" / "history.jsonl").exists() and all(
        process.poll() is None for process in running
    ):
        time.sleep(0.2)
    running[1].send_signal(signal.SIGTERM)
    (first, _), (_, code) = ends(running)
    assert "KeyboardInterrupt" in first and code == 143
    latest = tf.train.latest_checkpoint(str(tmp_path / "run" / "state"))
    assert int(tf.train.load_variable(latest, "done/.ATTRIBUTES/VARIABLE_VALUE")) > 50


def test_workers_that_do_not_share_a_folder_are_rejected(tiny_net, tiny_corpus, tmp_path):
    train.train("tiny", tiny_net, RECIPE, tmp_path / "there")
    outputs = ends(start(tiny_net, RECIPE, [tmp_path / "there", tmp_path / "elsewhere"]))
    for text, code in outputs:
        assert code == 1 and "the same --out on a disk that all of them see" in text


@pytest.mark.parametrize(("workers", "local"), [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_every_mixture_is_used_by_exactly_one_worker(workers, local, tiny_corpus, monkeypatch):
    recipe = dataclasses.replace(RECIPE, steps=5, batch=12)
    seen = {}

    def spy(corpus, spec, *, seed, indices):
        seen[worker].append(list(indices))
        return np.zeros((len(indices), spec.samples), np.float32), np.zeros(
            (len(indices), 1, spec.samples), np.float32
        )

    monkeypatch.setattr(mixer, "batch", spy)
    corpus = corpora.open_corpus("train", name="tiny")
    spec = dataclasses.replace(mixer.ENHANCE, seconds=recipe.seconds)
    for worker in range(workers):
        seen[worker] = []
        context = tf.distribute.InputContext(workers, worker, workers * local)
        for _ in batches.dataset(corpus, spec, recipe, 2, context):
            pass
        assert len(seen[worker]) == local * 3
    for step in range(3):  # from step 2 on, as for a resumed run
        rows = [
            row
            for worker in range(workers)
            for part in sorted(seen[worker])[step * local : (step + 1) * local]
            for row in part
        ]
        assert rows == list(range((2 + step) * 12, (3 + step) * 12))


@pytest.mark.parametrize(
    "config",
    [
        "no json",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
    ],
)
def test_an_invalid_tf_config_is_rejected(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError, match="TF_CONFIG.*use the form"):
        distribution.strategy()


def test_a_batch_that_replicas_cannot_share_is_rejected(
    tiny_net, tiny_corpus, tmp_path, monkeypatch
):
    strategy = distribution.strategy()
    monkeypatch.setattr(type(strategy), "num_replicas_in_sync", 3)
    with pytest.raises(UserError, match="batch 4: 3 replicas.*use 3 or 6"):
        train.train("tiny", tiny_net, RECIPE, tmp_path / "run")
    assert not (tmp_path / "run").exists()
