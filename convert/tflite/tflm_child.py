"""Try models in the official TFLM, each in a process of its own: a program for `tflm.py`.

It reads one line of JSON and the models from stdin, and writes one line of JSON to stdout.
"""

import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable

import numpy as np
from tflite_micro.python.tflite_micro import runtime

INVOKE = runtime.Interpreter.invoke
REFUSES, FAILS = 1, 2  # exit status of a process in which TFLM refuses or cannot invoke a model


def allow(seconds: int) -> None:
    """End this process when it has used so many more seconds of CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds
    # A process may not raise its hard limit again.
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def attempt(
    model: bytes, arena: int, seconds: int, use: Callable[[runtime.Interpreter], None] | None
) -> tuple[int, str]:
    """Allocate a model, and use it; return the exit status and what was printed."""
    with tempfile.TemporaryFile() as log:
        child = os.fork()
        if not child:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            status = REFUSES
            try:
                allow(seconds)
                interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena)
                status = FAILS
                if use:
                    use(interpreter)
                status = 0
            except Exception as e:
                if not os.fstat(1).st_size:  # TFLM printed no reason
                    os.write(1, str(e).encode())
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        log.seek(0)
        return status, log.read().decode(errors="replace")


def smallest_arena(model: bytes, largest: int, seconds: int) -> int | None:
    """Return the smallest arena that suffices, a multiple of 16 bytes; None when none does."""
    low, high = 0, 1024
    while high <= largest and attempt(model, high, seconds, INVOKE)[0]:
        low, high = high, 2 * high
    while high <= largest and high - low > 16:
        middle = (low + high) // 2
        if attempt(model, middle, seconds, INVOKE)[0]:
            low = middle
        else:
            high = middle
    return -(-high // 16) * 16 if high <= largest else None


def run(model: bytes, unlimited: int, largest: int, seconds: int) -> dict:
    """Allocate a model in a very large arena, invoke it in a large one, search the smallest one.

    A model that needs more than the large arena is not invoked, because that can take long.
    """
    status, log = attempt(model, unlimited, seconds, None)
    arena = None
    if status == 0:
        status, log = attempt(model, largest, seconds, INVOKE)
        if status == 0:
            arena = smallest_arena(model, largest, seconds)
        elif status == REFUSES:
            status, log = 0, ""
        elif status not in (FAILS, -signal.SIGXCPU):  # some crash when the arena is too small
            status, log = attempt(model, unlimited, seconds, INVOKE)
    return {"status": status, "log": log, "arena_bytes": arena}


def run_all(
    model: bytes, inputs: list[np.ndarray], outputs: int, arena: int, seconds: int
) -> tuple[int, str, bytes]:
    """Invoke a model on one input after the other; return status, words and the outputs.

    Each invocation may take so many seconds.
    """
    with tempfile.TemporaryFile() as made:

        def use(interpreter: runtime.Interpreter) -> None:
            for values in zip(*inputs, strict=True):
                allow(seconds)
                for i, x in enumerate(values):
                    interpreter.set_input(x, i)
                interpreter.invoke()
                for i in range(outputs):
                    made.write(interpreter.get_output(i).tobytes())
            made.flush()

        status, log = attempt(model, arena, seconds, use)
        made.seek(0)
        return status, log, made.read()


def main() -> None:
    """Answer the request on stdin."""
    request = json.loads(sys.stdin.buffer.readline())
    models = [sys.stdin.buffer.read(size) for size in request["sizes"]]
    unlimited, seconds = request["unlimited"], request["seconds"]
    if request["outputs"]:
        inputs = [
            np.frombuffer(sys.stdin.buffer.read(size), dtype).reshape(shape)
            for size, dtype, shape in request["inputs"]
        ]
        status, log, made = run_all(
            models[0], inputs, request["outputs"], request["largest"], seconds
        )
        print(json.dumps([{"status": status, "log": log, "arena_bytes": None}]), flush=True)
        sys.stdout.buffer.write(made)
        return
    if request["largest"]:
        found = [run(model, unlimited, request["largest"], seconds) for model in models]
    else:
        tried = [attempt(model, unlimited, seconds, None) for model in models]
        found = [{"status": status, "log": log, "arena_bytes": None} for status, log in tried]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
