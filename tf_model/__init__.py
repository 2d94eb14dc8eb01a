"""Signal path, layers, networks, losses, training and evaluation, in TensorFlow and Keras.

Keras 3, which TensorFlow includes, does not convert an LSTM to the fused, stateful TFLite operator;
tf_keras does. Importing this package selects tf_keras before TensorFlow is imported anywhere.
"""

import contextlib
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up log.

    The import takes seconds, so a command calls this function only when it needs TensorFlow.
    """
    from groupcomm.console import quiet

    with quiet():
        # tflite-runtime must come first: loaded after TensorFlow, its native module binds to
        # TensorFlow's symbols and throws bad_alloc. Training does not need it.
        with contextlib.suppress(ModuleNotFoundError):
            import tflite_runtime.interpreter  # noqa: F401
        import tensorflow as tf

        # Several workers set up their collective operations first, see
        # tf_model.training.distribution.
        if not os.environ.get("TF_CONFIG"):
            tf.config.list_logical_devices()
