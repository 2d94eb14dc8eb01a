import contextlib
import itertools

import pytest


@pytest.fixture
def train_and_stop(monkeypatch):
    """Return a function that stops `train.train` after a number of steps, as Ctrl-C does."""

    def run(steps, *arguments):
        from tf_model.training import train

        # The flag is read once per step.
        answers = itertools.chain([False] * (steps - 1), itertools.repeat(True))

        class Asked(list):
            def __bool__(self):
                return next(answers)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(train, "_finish_step_first", lambda: contextlib.nullcontext(Asked()))
            train.train(*arguments)

    return run
