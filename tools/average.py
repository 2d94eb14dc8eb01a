"""Average the weights of two checkpoints of the same sizes.

    python tools/average.py OLD NEW SHARE OUT

Every weight of OUT is SHARE times that of NEW plus 1 - SHARE times that of OLD. NEW continues the
training of OLD; otherwise an average has no meaning.
"""

import sys
from pathlib import Path

from groupcomm.errors import UserError
from tf_model import load_tensorflow
from tf_model.training import checkpoint


def average(old: str, new: str, share: float, out: Path) -> None:
    """Write the average of two checkpoints.

    Parameters
    ----------
    old, new : str
        Names or paths of checkpoints.
    share : float
        Weight of ``new``, in 0..1.
    out : Path
        Folder of the new checkpoint.

    Raises
    ------
    UserError
        When the sizes differ, or the share is not in 0..1.
    """
    before, after = checkpoint.load(old), checkpoint.load(new)
    if before.net != after.net:
        raise UserError(f"{old} and {new} have different sizes; name checkpoints of one network")
    if not 0 <= share <= 1:
        raise UserError(f"share {share}: choose a value in 0..1")
    model = after.model()
    model.set_weights(
        [
            share * b + (1 - share) * a
            for a, b in zip(before.model().get_weights(), model.get_weights(), strict=True)
        ]
    )
    training = after.training | {
        "average": {"share": share, "with_weights_sha256": before.sha256()}
    }
    checkpoint.save(out, after.name, after.net, training, model)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    load_tensorflow()
    try:
        average(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]))
    except (UserError, ValueError) as error:
        sys.exit(f"average.py: {error}")
