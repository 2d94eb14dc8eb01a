"""The Python runtimes that can run a streaming `.tflite`, behind one function each: hops in, masks out, state carried along."""

import warnings

import numpy as np

from groupcomm.errors import UserError


class Runtime:
    """A streaming model in one runtime.

    Call with features [shape=(hops, inputs), int8 or float32]; returns masks [shape=(hops, sources * values), same dtype]. State goes on
    from call to call until `reset`. (For the papers' family: samples in, estimates [shape=(hops, sources, samples)] out.) ``width`` is the
    length of a row of the input.
    """

    width: int

    def __init__(self, model: bytes):
        raise NotImplementedError

    def _invoke(self, frame: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def reset(self) -> None:
        """Zero the state."""
        raise NotImplementedError

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return np.concatenate([self._invoke(frame[None]) for frame in features])


class Tflm(Runtime):
    """Official TensorFlow Lite Micro, from its Python wheel: the truth that everything int8 is held against.

    ``arena_bytes`` is memory for the model's tensors.
    """

    def __init__(self, model: bytes, arena_bytes: int = 2**24):
        from tflite_micro.python.tflite_micro import runtime

        try:
            self._interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
        except (RuntimeError, ValueError) as e:
            raise UserError(f"TFLM does not take this model ({e}); `groupcomm inspect` names what it lacks") from e
        self.width = int(self._interpreter.get_input_details(0)["shape"][1])

    def _invoke(self, frame):
        self._interpreter.set_input(frame, 0)
        self._interpreter.invoke()
        return self._interpreter.get_output(0)

    def reset(self):
        self._interpreter.reset()


class _Lite(Runtime):
    """What tflite-runtime and LiteRT share."""

    def _open(self, interpreter) -> None:
        self._interpreter = interpreter
        interpreter.allocate_tensors()
        self._in = interpreter.get_input_details()[0]["index"]
        self.width = int(interpreter.get_input_details()[0]["shape"][1])
        self._out = interpreter.get_output_details()[0]["index"]

    def _invoke(self, frame):
        self._interpreter.set_tensor(self._in, frame)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._out)

    def reset(self):
        self._interpreter.reset_all_variables()


class TfliteRuntime(_Lite):
    """tflite-runtime with its optimised kernels (its reference kernels are wrong on the fused int8 LSTM)."""

    def __init__(self, model: bytes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tflite_runtime import interpreter

        self._open(interpreter.Interpreter(model_content=model))


class LiteRT(_Lite):
    """ai-edge-litert, the successor of TFLite, with its default kernels."""

    def __init__(self, model: bytes):
        from ai_edge_litert import interpreter

        self._open(interpreter.Interpreter(model_content=model))
