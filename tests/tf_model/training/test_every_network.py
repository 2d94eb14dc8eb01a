"""Every named network learns: its loss falls in 20 steps on one batch (40 for an ablation).

Of the papers' family, one network of each kind stands for those that differ in sizes only, and it
has two blocks, which takes a fraction of the time.
"""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from typer.testing import CliRunner

from groupcomm.cli import app
from tf_model import networks
from tf_model.training import train

pytestmark = [pytest.mark.tensorflow, pytest.mark.train]

SAMPLES = 700  # two chunks of 100 frames; a third chunk would take half as long again


@pytest.fixture(autouse=True)
def _forget():
    """Release the memory of each network, which would otherwise add up to gigabytes."""
    yield
    keras.backend.clear_session()


def _kind(name: str) -> tuple:
    """Return what distinguishes a network from others that differ in sizes only."""
    net = networks.find(name)
    if isinstance(net, networks.Streaming):
        return (name,)
    return net.separator, net.group_comm, net.causal, net.context > 0


KINDS = {_kind(name): name for name in reversed(networks.NETWORKS)}


@pytest.mark.parametrize("name", reversed(KINDS.values()))
def test_it_trains(name, random):
    net = networks.find(name)
    if isinstance(net, networks.TasNet):
        net = dataclasses.replace(net, blocks=2)
    keras.utils.set_random_seed(0)
    family = networks.family(net)
    model = family.build(net)
    t = np.arange(SAMPLES) / 16000
    pitches = random.uniform(100, 400, (2, net.sources, 1))
    sources = tf.constant(0.1 * np.sin(2 * np.pi * pitches * t), tf.float32)
    noise = 0.05 * random.standard_normal((2, SAMPLES)).astype(np.float32)
    mixtures = tf.reduce_sum(sources, 1) + noise
    optimizer = keras.optimizers.Adam(1e-3, global_clipnorm=5.0)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(train.objective(family.separate(model, mixtures, net), sources))
        optimizer.apply_gradients(
            zip(
                tape.gradient(loss, model.trainable_variables),
                model.trainable_variables,
                strict=True,
            )
        )
        return loss

    losses = [float(step()) for _ in range(40 if name in networks.ABLATIONS else 20)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 3  # dB


def test_help_names_them_all():
    help_text = CliRunner().invoke(app, ["train", "--help"]).stdout
    assert list(networks.NETWORKS) == re.split(r",\s+", help_text.partition("Networks:")[2].strip())
