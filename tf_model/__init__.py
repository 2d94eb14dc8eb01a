"""The Keras room: signal path, layers, networks, losses, training and evaluation.

TensorFlow's own Keras 3 does not convert an LSTM to the fused, stateful TFLite operator; tf_keras does. Importing this package
selects it, before TensorFlow is imported anywhere.
"""

import contextlib
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up log; it takes seconds, so a verb calls this only when it needs it."""
    from groupcomm.console import quiet

    with quiet():
        # tflite-runtime first: loaded after TensorFlow, its native module binds to TensorFlow's symbols and throws bad_alloc.
        with contextlib.suppress(ModuleNotFoundError):  # training does without it
            import tflite_runtime.interpreter  # noqa: F401
        import tensorflow as tf

        if not os.environ.get(
            "TF_CONFIG"
        ):  # many workers set up their collectives first: tf_model.distribution
            tf.config.list_logical_devices()
