"""The front door: `groupcomm VERB`. It knows the rooms by name only and opens one when its verb is called.

Exit codes: 0 ok, 1 the answer is no, 2 misuse or bad input.
"""

import importlib
import signal
import sys

import typer

from groupcomm.console import err
from groupcomm.errors import UserError, missing_package

app = typer.Typer(
    help="Group Communication speech networks, from Keras to a microcontroller.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# Left to right as sound flows. A room's commands module is light: it imports TensorFlow only inside its functions.
for room in ("calibration_data", "tf_model", "convert"):
    importlib.import_module(f"{room}.commands").register(app)


def main() -> None:
    """Console script. Turns a `UserError` into one line on stderr and exit code 2, Ctrl-C into 130."""
    try:
        try:
            app()
        except ModuleNotFoundError as e:
            raise missing_package(e) from e
    except UserError as e:
        err.print(f"groupcomm: {e}", style="red", soft_wrap=True, markup=False)
        sys.exit(2)
    except SystemExit as e:
        if e.code == 128 + signal.SIGINT:  # what Typer makes of Ctrl-C
            err.print("groupcomm: stopped; what was finished is kept, run the same command to go on", style="yellow")
        raise


if __name__ == "__main__":
    main()
