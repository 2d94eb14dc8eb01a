import contextlib
import itertools

import pytest


@pytest.fixture
def train_and_stop(monkeypatch):
    """Function: `train.train` with these arguments, stopped after so many steps as Ctrl-C does it."""

    def run(steps, *arguments):
        from tf_model import train

        answers = itertools.chain(
            [False] * (steps - 1), itertools.repeat(True)
        )  # it is asked once a step

        class Asked:
            def __bool__(self):
                return next(answers)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(train, "_finish_step_first", lambda: contextlib.nullcontext(Asked()))
            train.train(*arguments)

    return run
