"""Parameters of operators that move values unchanged."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from convert.tflite import graph
from convert.tflite.graph import Operator, Tensor
from convert.tflite.kernel_params.common import (
    constant,
    dense,
    is_wide,
    lowers,
    merge_axes,
    need_int8,
    unsupported,
)
from groupcomm.errors import UserError

# Copies of one operator, each of which is a line of generated C.
_COPIES = 256
_Place = tuple[list[int], int]  # strides and offset, see `_copies`


@dataclasses.dataclass(frozen=True)
class Copy:
    """Copy of rows of bytes, by operators that move values unchanged.

    Row r is from ``in_offset + r * in_stride`` on in an input, and from ``offset + r * stride`` on
    in an output. A stride can be negative.

    Attributes
    ----------
    rows, columns : int
        Columns are bytes.
    in_offset, in_stride, offset, stride : int
        Bytes.
    input, output : int
        Positions in ``op.inputs`` and ``op.outputs``.
    """

    rows: int
    columns: int
    in_offset: int
    in_stride: int
    offset: int
    stride: int
    input: int = 0
    output: int = 0


@dataclasses.dataclass(frozen=True)
class Fill:
    """The same byte in the whole of the first output, before copies to a part of it."""

    value: int
    count: int


def need_inside(op: Operator, parts: Sequence[Copy | Fill]) -> None:
    """Check that all rows of copies are inside of their tensors."""
    for part in parts:
        if isinstance(part, Copy):
            _need_rows(op, op.inputs[part.input], part, part.in_offset, part.in_stride)
            _need_rows(op, op.outputs[part.output], part, part.offset, part.stride)


def _need_rows(op: Operator, t: Tensor, copy: Copy, offset: int, stride: int) -> None:
    last = offset + (copy.rows - 1) * stride
    if min(offset, last) < 0 or max(offset, last) + copy.columns > t.byte_size:
        if -1 in (t.shape_signature or ()):
            raise UserError(
                f"{op.name}: tensor {t.label} has an axis of unknown length, which this operator "
                "makes longer than the file stores it; convert with a fixed shape"
            )
        unsupported(op, f"it moves values outside of tensor {t.label}")


def _element(op: Operator, x: Tensor) -> int:
    """Return the bytes of an element that is moved unchanged: int8, or int16."""
    for out in op.outputs:
        if x.dtype != out.dtype or x.dtype not in ("int8", "int16"):
            unsupported(
                op, f"tensor {x.label} is not int8 or int16, or differs in type from the output"
            )
    return np.dtype(x.dtype).itemsize


def _copies(
    op: Operator,
    shape: tuple[int, ...],
    element: int,
    source: tuple[Sequence[int], int],
    to: tuple[Sequence[int], int],
    **positions: int,
) -> list[Copy]:
    """Copy a block of elements between two tensors.

    Parameters
    ----------
    op : Operator
    shape : tuple of int
        Of the block.
    element : int
        Bytes of an element.
    source, to : tuple of sequence of int and int
        Stride of each axis and offset, in bytes.
    **positions : int
        ``input`` and ``output`` of `Copy`.
    """
    (in_strides, in_offset), (strides, offset) = source, to
    axes = merge_axes(shape, in_strides, strides)
    columns = element
    if axes and axes[-1][1:] == [element, element]:
        columns *= axes.pop()[0]
    rows, in_stride, stride = axes.pop() if axes else (1, columns, columns)
    count = math.prod(n for n, *_ in axes)
    if count > _COPIES:
        unsupported(op, f"it moves {count} separate blocks; at most {_COPIES} are possible")
    copies = []
    for at in itertools.product(*(range(n) for n, *_ in axes)):
        in_at = in_offset + sum(i * step for i, (_, step, _) in zip(at, axes, strict=True))
        out_at = offset + sum(i * step for i, (_, _, step) in zip(at, axes, strict=True))
        copies.append(Copy(rows, columns, in_at, in_stride, out_at, stride, **positions))
    return copies


@lowers(graph.Reshape, graph.Squeeze, graph.ExpandDims, graph.Transfer)
def _copy(op: graph.Move) -> list[Copy]:
    """Copy all bytes unchanged: int8, or the int16 cells of an LSTM."""
    element = _element(op, op.input)
    if op.input.size != op.output.size:
        unsupported(op, "its input and its output differ in size")
    return _copies(op, (op.output.size,), element, ([element], 0), ([element], 0))


@lowers(graph.Gather)
def _gather(op: graph.Gather) -> list[Copy]:
    x, rows = op.input, op.positions
    need_int8(op, x, op.output)  # TFLM does not support int16
    axis = op.axis % len(x.shape)
    count, columns = x.shape[axis], math.prod(x.shape[axis + 1 :])
    last_first = rows.data is not None and np.array_equal(rows.data.ravel(), range(count)[::-1])
    if not last_first or x.size != count * columns:
        unsupported(op, "it does not reverse the order of all rows")
    return _copies(
        op, (count, columns), 1, ([-columns, 1], (count - 1) * columns), ([columns, 1], 0)
    )


@lowers(graph.Concatenation)
def _concatenate(op: graph.Concatenation) -> list[Copy]:
    element = 2 if is_wide(op, *op.inputs, op.output) else 1
    if op.activation != "NONE":
        unsupported(op, "it has a fused activation")
    shape = op.output.shape
    axis = op.axis % len(shape)
    strides = dense(shape, element)
    offset, copies = 0, []
    for i, t in enumerate(op.inputs):
        copies += _copies(
            op, t.shape, element, (dense(t.shape, element), 0), (strides, offset), input=i
        )
        offset += t.shape[axis] * strides[axis]
    return copies


def _part(op: Operator, ranges: Sequence[range], **positions: int) -> list[Copy]:
    """Copy a part of the input, a range of each axis, to a whole output."""
    x, element = op.input, _element(op, op.input)
    strides = dense(x.shape, element)
    shape = tuple(len(r) for r in ranges)
    out = op.outputs[positions.get("output", 0)]
    if math.prod(shape) != out.size:
        unsupported(op, f"its output has the shape {out.shape}, and its part the shape {shape}")
    offset = sum(r.start * step for r, step in zip(ranges, strides, strict=True))
    steps = [r.step * step for r, step in zip(ranges, strides, strict=True)]
    return _copies(op, shape, element, (steps, offset), (dense(shape, element), 0), **positions)


@lowers(graph.Slice)
def _slice(op: graph.Slice) -> list[Copy]:
    begin, size = constant(op, op.begin, "begin"), constant(op, op.size, "size")
    return _part(
        op,
        [
            range(first, n if count == -1 else first + count)
            for first, count, n in zip(begin, size, op.input.shape, strict=True)
        ],
    )


@lowers(graph.StridedSlice)
def _strided_slice(op: graph.StridedSlice) -> list[Copy]:
    if op.ellipsis_mask or op.new_axis_mask or op.end_is_size:
        unsupported(op, "it has an ellipsis, a new axis or sizes instead of ends")
    limits = (
        constant(op, t, what)
        for t, what in ((op.begin, "begin"), (op.end, "end"), (op.strides, "stride"))
    )
    ranges = []
    for i, (begin, end, step, n) in enumerate(zip(*limits, op.input.shape, strict=True)):
        first = None if op.begin_mask >> i & 1 else begin
        last = None if op.end_mask >> i & 1 else end
        whole = range(*slice(first, last, step).indices(n))
        ranges.append(
            range(whole.start, whole.start + 1) if op.shrink_axis_mask >> i & 1 else whole
        )
    return _part(op, ranges)


@lowers(graph.Split, graph.SplitV)
def _split(op: graph.Split | graph.SplitV) -> list[Copy]:
    x = op.input
    axis = constant(op, op.axis, "axis")[0] % len(x.shape)
    whole = [range(n) for n in x.shape]
    first, copies = 0, []
    for i, out in enumerate(op.outputs):
        part = range(first, first + out.shape[axis])
        copies += _part(
            op, [*whole[:axis], part, *whole[axis + 1 :]], input=op.inputs.index(x), output=i
        )
        first = part.stop
    return copies


@lowers(graph.Transpose)
def _transpose(op: graph.Transpose) -> list[Copy]:
    x, out, element = op.input, op.output, _element(op, op.input)
    strides = dense(x.shape, element)
    moved = [strides[axis] for axis in constant(op, op.order, "order of axes")]
    return _copies(op, out.shape, element, (moved, 0), (dense(out.shape, element), 0))


@lowers(graph.Pack)
def _pack(op: graph.Pack) -> list[Copy]:
    element, shape = _element(op, op.input), op.output.shape
    strides = dense(shape, element)
    step = strides.pop(op.axis % len(shape))
    copies = []
    for i, t in enumerate(op.inputs):
        source = dense(t.shape, element)
        copies += _copies(op, t.shape, element, (source, 0), (strides, i * step), input=i)
    return copies


@lowers(graph.Unpack)
def _unpack(op: graph.Unpack) -> list[Copy]:
    element, shape = _element(op, op.input), op.input.shape
    strides = dense(shape, element)
    step = strides.pop(op.axis % len(shape))
    copies = []
    for i, t in enumerate(op.outputs):
        to = dense(t.shape, element)
        copies += _copies(op, t.shape, element, (strides, i * step), (to, 0), output=i)
    return copies


@lowers(graph.SpaceToBatch)
def _space_to_batch(op: graph.SpaceToBatch) -> list[Copy]:
    if any(constant(op, op.margins, "padding")):
        raise UserError(
            f"{op.name} to tensor {op.output.label}: TFLM pads it with uninitialized memory; "
            "put a PAD in front of it, and no padding in it"
        )
    return [
        copy
        for shape, space, batch in _blocks(op, op.input, op.output)
        for copy in _copies(op, shape, 1, space, batch)
    ]


@lowers(graph.BatchToSpace)
def _batch_to_space(op: graph.BatchToSpace) -> list[Copy]:
    return [
        copy
        for shape, space, batch in _blocks(op, op.output, op.input)
        for copy in _copies(op, shape, 1, batch, space)
    ]


def _blocks(
    op: graph.SpaceToBatch | graph.BatchToSpace, space: Tensor, batch: Tensor
) -> Iterator[tuple[tuple[int, ...], _Place, _Place]]:
    """Yield, for each offset in the block, a shape and its place in both tensors."""
    need_int8(op, op.input, op.output)
    block = constant(op, op.block, "block")
    if min(block) < 1 or math.prod(block) > _COPIES:
        unsupported(op, f"its block is {block}")
    before = constant(op, op.margins, "padding or crop")[::2]
    steps, batch_steps = dense(space.shape), dense(batch.shape)
    batches, *sizes = space.shape[: len(block) + 1]
    for number, offsets in enumerate(itertools.product(*map(range, block))):
        at, batch_at, counts = 0, number * batches * batch_steps[0], []
        for i, (size, every, margin, offset) in enumerate(
            zip(sizes, block, before, offsets, strict=True), 1
        ):
            first = max(-((offset - margin) // every), 0)
            last = min((size - 1 + margin - offset) // every, batch.shape[i] - 1)
            counts.append(max(last - first + 1, 0))
            at += (first * every + offset - margin) * steps[i]
            batch_at += first * batch_steps[i]
        strides = [step * n for step, n in zip(steps[1:], block, strict=False)]
        strides = [steps[0], *strides, *steps[len(block) + 1 :]]
        if all(counts):
            shape = (batches, *counts, *space.shape[len(block) + 1 :])
            yield shape, (strides, at), (batch_steps, batch_at)


@lowers(graph.Pad)
def _pad(op: graph.Pad) -> list[Copy | Fill]:
    x, out = op.input, op.output
    element = _element(op, x)
    before = constant(op, op.paddings, "padding")[::2]
    strides = dense(out.shape, element)
    offset = sum(n * step for n, step in zip(before, strides, strict=True))
    copies = _copies(op, x.shape, element, (dense(x.shape, element), 0), (strides, offset))
    return [Fill(out.zero_point if element == 1 else 0, out.byte_size), *copies]
