"""Plan the memory of a network: states, activations and scratch."""

import dataclasses

from convert.tflite import kernel_params
from convert.tflite.graph import Graph, Operator, Tensor

ALIGNMENT = 8  # bytes, of every tensor: Helium code and the LSTM's scratch access whole words


@dataclasses.dataclass
class Buffer:
    """A buffer in a planned memory.

    Attributes
    ----------
    size : int
        Bytes.
    first, last : int
        Index of the first and the last operator that uses it.
    offset : int
        Where `plan` put it, in bytes.
    """

    size: int
    first: int
    last: int
    offset: int = -1


def plan(buffers: list[Buffer]) -> int:
    """Give every buffer an offset such that buffers in use at the same time do not overlap.

    The largest buffers are placed first, each at the lowest offset that is free during its whole
    lifetime.

    Parameters
    ----------
    buffers : list of Buffer
        Their offsets are set.

    Returns
    -------
    int
        Bytes of the whole memory.

    References
    ----------
    Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020, section 5:
    greedy by size, which TFLM also uses.
    """
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda b: -b.size):
        size, at = _align(buffer.size), 0
        for other in sorted(placed, key=lambda b: b.offset):
            alive = other.first <= buffer.last and buffer.first <= other.last
            if alive and at < other.offset + _align(other.size):
                if at + size <= other.offset:
                    break
                at = other.offset + _align(other.size)
        buffer.offset = at
        placed.append(buffer)
    return max((b.offset + _align(b.size) for b in placed), default=0)


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where a network's tensors are in its memory.

    Attributes
    ----------
    offsets : dict of Tensor to int
        Bytes from the start of the memory.
    scratch : dict of Operator to int
        The same, of the scratch of an operator that has one.
    state_bytes : int
        States come first.
    arena_bytes : int
        Activations and scratch, as planned.
    unplanned_bytes : int
        The same without overlap.
    buffers : dict of Tensor or Operator to Buffer
        Activations by their tensor and scratch by its operator. Their offsets start after the
        states.
    """

    offsets: dict[Tensor, int]
    scratch: dict[Operator, int]
    state_bytes: int
    arena_bytes: int
    unplanned_bytes: int
    buffers: dict[Tensor | Operator, Buffer]


def place(
    network: Graph, kernels: dict[Operator, object], roots: dict[Tensor, Tensor | None]
) -> Placement:
    """Place the states first, then the activations and the scratch, with overlap.

    Parameters
    ----------
    network : Graph
    kernels : dict of Operator to object
        The result of `kernel_params.prepare` for each operator.
    roots : dict of Tensor to Tensor or None
        The tensor whose memory another one shares; None for a tensor that is not in this memory.

    Returns
    -------
    Placement
    """
    offsets: dict[Tensor, int] = {}
    lives: dict[Tensor, Buffer] = {}
    scratch: dict[Operator, Buffer] = {}
    at = 0
    for number, op in enumerate(network.operators):
        for state in network.persistent_states(op):
            if state not in offsets:
                offsets[state] = at
                at += _align(state.byte_size)
        scratch_bytes = kernel_params.scratch_bytes(kernels[op])
        if scratch_bytes:
            scratch[op] = Buffer(scratch_bytes, number, number)
        for t in (*op.inputs, *op.outputs):
            if t is None or t.data is not None:
                continue
            root = roots.get(t, t)
            if root is not None and root.data is None and root not in offsets:
                lives.setdefault(root, Buffer(root.byte_size, number, number)).last = number
    buffers = [*lives.values(), *scratch.values()]
    arena_bytes = plan(buffers)
    return Placement(
        offsets | {t: at + buffer.offset for t, buffer in lives.items()},
        {op: at + buffer.offset for op, buffer in scratch.items()},
        at,
        arena_bytes,
        sum(_align(b.size) for b in buffers),
        {**lives, **scratch},
    )


def _align(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
