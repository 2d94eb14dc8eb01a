"""Models of one operator each, random and extreme, with inputs for them."""

import functools

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.helpers.tflite_models import (
    DTYPES,
    INT8,
    INT16,
    INT32,
    INT64,
    UINT8,
    Tensor,
    model_of,
)


def log_uniform(random, low, high, size=None):
    """Powers of two now and then: with those, sums fall exactly between two steps."""
    drawn = np.exp(random.uniform(np.log(low), np.log(high), size))
    return power_of_two(drawn) if random.random() < 0.5 else np.float32(drawn)


def power_of_two(x):
    return np.float32(2.0 ** np.round(np.log2(x)))


def zero_point(random) -> int:
    return int(random.choice([-128, 127, *np.round(random.normal(0, 30, 6)).clip(-128, 127)]))


def values(random, shape, type=INT8) -> np.ndarray:
    """Numbers of some character: noise, one extreme everywhere, only extremes, small."""
    kind, dtype = random.integers(0, 10), DTYPES[type]
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    if kind == 0:
        return np.full(shape, random.choice([low, high]), dtype)
    if kind == 1:
        return random.choice(np.array([low, high], dtype), shape)
    if kind == 2:
        return random.integers(-3, 4, shape, dtype=dtype)
    return random.integers(low, high, shape, dtype=dtype, endpoint=True)


def cases_for(random, *shapes, count=6, type=INT8):
    limits = np.iinfo(DTYPES[type])
    every = [tuple(np.full(s, v, DTYPES[type]) for s in shapes) for v in (limits.min, limits.max)]
    return every + [tuple(values(random, s, type) for s in shapes) for _ in range(count)]


def activation(random, shape, scale, type=INT8) -> Tensor:
    """Return an input or output: random zero point (int8), 256 times smaller steps (int16)."""
    return (
        Tensor(shape, scale, zero_point(random))
        if type == INT8
        else Tensor(shape, np.float32(scale / 256), type=type)
    )


def random_fully_connected(random, type=INT8):
    rows, inputs, outputs = (int(n) for n in random.integers(1, [20, 70, 40]))
    if random.random() < 0.3:  # the committed network's
        rows, inputs, outputs = (
            (16, 8, 16),
            (16, 16, 8),
            (16, 32, 8),
            (1, 16, 16),
            (1, 129, 128),
            (1, 128, 129),
        )[random.integers(0, 6)]
    x = activation(random, (rows, inputs), log_uniform(random, 1e-3, 0.1), type)
    scales = log_uniform(
        random, 1e-3, 0.1, outputs if random.random() < 0.6 and outputs > 1 else None
    )
    w = Tensor((outputs, inputs), scales, data=values(random, (outputs, inputs)))
    reach = 2**31 - 1 if random.random() < 0.1 else 2 ** random.integers(1, 14)
    if type == INT16 and reach < 2**30:
        reach *= 2**8
    bias_type = INT32 if type == INT8 else INT64
    bias = Tensor(
        (outputs,),
        x.scale * np.float32(scales),
        type=bias_type,
        data=random.integers(-reach, reach + 1, outputs),
    )
    cases = cases_for(random, x.shape, type=type)
    # Most output scales keep most values; some saturate them, some round them to almost nothing.
    sums = [(case[0].astype(int) - x.zero_point) @ w.data.T.astype(int) for case in cases[2:]]
    usual = power_of_two(
        np.median(np.abs(np.concatenate(sums) + bias.data) * x.scale * scales) / 50 + 1e-6
    )
    y = activation(
        random,
        (rows, outputs),
        usual * log_uniform(random, *random.choice([(0.5, 2), (0.5, 2), (1e-4, 1e4)])),
        type,
    )
    if type == INT16:
        y.scale = max(
            y.scale, np.float32(x.scale * np.max(scales) / 100)
        )  # TFLM shifts by 7 bits at the most
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = int(random.choice([0, 0, 1, 2, 3]))
    return model_of(
        "FULLY_CONNECTED", [x, w, bias if random.random() < 0.8 else None], [y], options
    ), cases


def fully_connected_at_ties(random):
    """Build a layer whose sums fall next to the middle of two output steps.

    All weights have one scale, and the biases are large, so the last bits of the product of the
    scales decide.
    """
    x, w = (np.float32(random.uniform(0.01, 0.1)) for _ in range(2))
    y = np.float32(2.0**22 * float(x) * float(w))
    ties = (np.arange(-120, 120) + 0.5) * float(y) / (float(x) * float(w))
    near = np.concatenate([np.round(ties) + i for i in (-8, -4, -2, -1, 0, 1, 2, 4, 8)])
    weights = Tensor((len(near), 1), w, data=np.ones((len(near), 1)))
    bias = Tensor((len(near),), x * w, type=INT32, data=near)
    options = schema.FullyConnectedOptionsT()
    model = model_of(
        "FULLY_CONNECTED", [Tensor((1, 1), x), weights, bias], [Tensor((1, len(near)), y)], options
    )
    return model, [(np.zeros((1, 1), np.int8),)]


def windows_of(random, options) -> tuple[tuple, tuple, tuple]:
    """Choose an input (batches, height, width), a window (height, width), and the output's shape.

    The strides, the dilations and the padding go into ``options``. Networks for audio have windows
    of one dimension, of length 1, or as large as the input.
    """
    dilations = [1, 1]
    while True:
        size, window, strides = random.integers(1, [(9, 9), (6, 6), (4, 4)], (3, 2))
        kind = random.integers(0, 6)
        if kind <= 1:  # one dimension
            size[kind] = window[kind] = 1
            size[1 - kind] = random.integers(1, 30)
        elif kind == 2:
            window[:] = strides[:] = 1
        elif kind == 3:
            window = size.copy()
        if hasattr(options, "dilationHFactor") and random.random() < 0.3:
            dilations = random.integers(1, 5, 2)
        options.padding = int(random.integers(0, 2))
        reach = (window - 1) * dilations + 1
        count = -(-size // strides) if options.padding == 0 else (size - reach) // strides + 1
        if (count > 0).all():
            break
    options.strideH, options.strideW = (int(n) for n in strides)
    if hasattr(options, "dilationHFactor"):
        options.dilationHFactor, options.dilationWFactor = (int(n) for n in dilations)
    batches = 1 if random.random() < 0.8 else 2
    return (batches, *map(int, size)), tuple(map(int, window)), (batches, *map(int, count))


def random_convolution(random, name):
    is_depthwise = name == "DEPTHWISE_CONV_2D"
    options = schema.DepthwiseConv2DOptionsT() if is_depthwise else schema.Conv2DOptionsT()
    options.fusedActivationFunction = int(random.choice([0, 0, 1, 2, 3]))
    size, window, count = windows_of(random, options)
    channels, outputs = (int(n) for n in random.integers(1, [20, 20]))
    if is_depthwise:
        options.depthMultiplier = int(random.choice([1, 1, 2, 3]))
        outputs = channels * options.depthMultiplier
    x = activation(random, (*size, channels), log_uniform(random, 1e-3, 0.1))
    scales = log_uniform(
        random, 1e-3, 0.1, outputs if random.random() < 0.6 and outputs > 1 else None
    )
    shape = (1, *window, outputs) if is_depthwise else (outputs, *window, channels)
    w = Tensor(shape, scales, data=values(random, shape), axis=3 if is_depthwise else 0)
    products = int(np.prod(shape)) // outputs
    reach = 2**31 - 1 if random.random() < 0.1 else 2 ** random.integers(1, 14)
    bias = Tensor(
        (outputs,),
        x.scale * np.float32(scales),
        type=INT32,
        data=random.integers(-reach, reach + 1, outputs),
    )
    usual = power_of_two(np.sqrt(products) * 5000 * x.scale * np.median(scales) / 50)
    y = activation(
        random,
        (*count, outputs),
        usual * log_uniform(random, *random.choice([(0.5, 2), (0.5, 2), (1e-4, 1e4)])),
    )
    return model_of(
        name, [x, w, bias] if random.random() < 0.8 else [x, w], [y], options
    ), cases_for(random, x.shape)


def random_transposed_convolution(random):
    options = schema.TransposeConvOptionsT()
    options.padding = int(random.integers(0, 2))
    channels, outputs, batches = (int(n) for n in random.integers(1, [12, 12, 3]))
    size, window, strides = random.integers(1, [(5, 5), (5, 5), (4, 4)], (3, 2))
    if random.random() < 0.7:  # one dimension
        size[0] = window[0] = strides[0] = 1
        if random.random() < 0.4:
            strides[1] = window[1]
    most = size * strides if options.padding == 0 else (size - 1) * strides + window
    count = np.maximum(most, window if options.padding == 1 else 1)
    options.strideH, options.strideW = (int(n) for n in strides)
    x = activation(random, (batches, *map(int, size), channels), log_uniform(random, 1e-3, 0.1))
    scales = log_uniform(
        random, 1e-3, 0.1, outputs if random.random() < 0.6 and outputs > 1 else None
    )
    shape = (outputs, *map(int, window), channels)
    w = Tensor(shape, scales, data=values(random, shape))
    bias = Tensor(
        (outputs,),
        x.scale * np.float32(scales),
        type=INT32,
        data=random.integers(-(2**12), 2**12, outputs),
    )
    usual = power_of_two(np.sqrt(channels) * 5000 * x.scale * np.median(scales) / 50)
    y = activation(random, (batches, *map(int, count), outputs), usual)
    given = [integers(*y.shape), w, x, *([bias] if random.random() < 0.8 else [])]
    return model_of("TRANSPOSE_CONV", given, [y], options), cases_for(random, x.shape)


def random_lstm(random, type=INT8, **fixed):
    batch, inputs, units = (int(n) for n in random.integers(1, [6, 20, 34]))
    if random.random() < 0.3:
        batch, inputs, units = 16, 8, 32  # the committed network's
    steps = 1
    if random.random() < 0.3:
        steps, batch = int(random.integers(2, 18)), batch if random.random() < 0.3 else 1
    x = activation(random, (batch, steps, inputs), log_uniform(random, 1e-3, 0.1), type)
    hidden = activation(random, (batch, units), log_uniform(random, 1 / 256, 1 / 100), type)
    hidden.variable = True
    cell = Tensor((batch, units), 2.0 ** -int(random.integers(9, 17)), type=INT16, variable=True)
    gain = float(log_uniform(random, 0.3, 10))  # of a usual sum before the activation
    weights = [
        Tensor(
            (units, n),
            log_uniform(random, 0.5, 2)
            * gain
            / (np.sqrt(n) * 70 * 70 * scale * (1 if type == INT8 else 256)),
            data=values(random, (units, n)),
        )
        for n, scale in [(inputs, x.scale)] * 4 + [(units, hidden.scale)] * 4
    ]
    bias_type, bias_unit = (INT32, 1) if type == INT8 else (INT64, 256)
    biases = [
        Tensor(
            (units,),
            x.scale * w.scale,
            type=bias_type,
            data=random.integers(-99, 100, units) * 2 ** random.integers(1, 14) * bias_unit,
        )
        for w in weights[:4]
    ]
    y = Tensor((batch, steps, units), hidden.scale, hidden.zero_point, type)
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.TANH
    options.cellClip = float(random.choice([0, 0, 0.5, 2, 10]))
    options.timeMajor = bool(random.random() < 0.3 or (steps > 1 and batch > 1))
    if options.timeMajor:
        x.shape, y.shape = (steps, batch, inputs), (steps, batch, units)
    for key, value in fixed.items():
        setattr(options, key, value)
    inputs = [x, *weights, *[None] * 3, *biases, None, None, hidden, cell, *[None] * 4]
    cases = cases_for(random, x.shape, count=8, type=type)
    steady = values(random, x.shape, type)  # the same for long drives the cells to their limits
    return model_of("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], options), [
        *cases,
        "reset",
        *[(steady,)] * 12,
        "reset",
        *cases,
    ]


SHAPES = [
    ((16, 8), (1, 8)),
    ((16, 8), (16, 8)),
    ((5, 7), (5, 1)),
    ((3, 4, 5), (1,)),
    ((1, 6), (9, 6)),
    ((1,), (2, 3)),
    ((2, 3, 5), (3, 5)),
    ((4, 1), (1, 5)),
]


def random_pair(random, name, type=INT8):
    shapes = SHAPES[random.integers(0, len(SHAPES))]
    a, b = (activation(random, s, log_uniform(random, 1e-3, 0.1), type) for s in shapes)
    if name in ("ADD", "SUB"):
        scale = max(a.scale, b.scale) * log_uniform(random, *random.choice([(0.5, 2), (0.05, 20)]))
        options = schema.AddOptionsT() if name == "ADD" else schema.SubOptionsT()
    else:
        scale = (
            a.scale
            * b.scale
            * (1 if type == INT8 else 256)
            * log_uniform(random, *random.choice([(30, 200), (0.05, 1000)]))
        )
        options = schema.MulOptionsT() if name == "MUL" else schema.SquaredDifferenceOptionsT()
    y = activation(random, np.broadcast_shapes(*shapes), scale * (1 if type == INT8 else 256), type)
    if name != "SQUARED_DIFFERENCE":
        options.fusedActivationFunction = int(random.integers(0, 4))
    return model_of(name, [a, b], [y], options), cases_for(random, *shapes, type=type)


def random_pool(random, name):
    options = schema.Pool2DOptionsT()
    options.fusedActivationFunction = int(random.integers(0, 4))
    size, window, count = windows_of(random, options)
    options.filterHeight, options.filterWidth = window
    channels = int(random.integers(1, 20))
    x = activation(random, (*size, channels), log_uniform(random, 1e-3, 0.1))
    y = Tensor((*count, channels), x.scale, x.zero_point)
    return model_of(name, [x], [y], options), cases_for(random, x.shape)


def random_mean(random, type=INT8):
    shape = tuple(int(n) for n in random.integers(1, 20, random.integers(2, 4)))
    first = int(random.integers(0, len(shape)))
    axes = list(range(first, int(random.integers(first + 1, len(shape) + 1))))
    x = activation(random, shape, log_uniform(random, 1e-3, 0.1), type)
    options = schema.ReducerOptionsT()
    options.keepDims = True
    scale = x.scale * log_uniform(random, 0.1, 2) * (1 if type == INT8 else 256)
    y = activation(random, tuple(1 if i in axes else n for i, n in enumerate(shape)), scale, type)
    axis = Tensor(
        (len(axes),),
        type=INT32,
        data=np.array([a - len(shape) * random.integers(0, 2) for a in axes]),
    )
    return model_of("MEAN", [x, axis], [y], options), cases_for(random, shape, type=type)


def all_bytes(random, type=INT8):
    limits = np.iinfo(DTYPES[type])
    return [(np.arange(limits.min, limits.max + 1).astype(DTYPES[type]).reshape(1, -1),)]


def random_lookup(random, name):
    x = Tensor((1, 256), log_uniform(random, 1e-4, 1), zero_point(random))
    y = Tensor(x.shape, 1 / 256, -128) if name == "LOGISTIC" else Tensor(x.shape, 1 / 128, 0)
    return model_of(name, [x], [y]), all_bytes(random)


def random_activation(random, name):
    """Build LEAKY_RELU, HARD_SWISH or RELU6."""
    x = activation(random, (1, 256), log_uniform(random, *random.choice([(1e-3, 0.1), (1e-4, 1)])))
    # HARD_SWISH requires an output whose scale is not below 1/128 of the input's.
    y = activation(random, x.shape, x.scale * log_uniform(random, 0.02, 20))
    options = schema.LeakyReluOptionsT() if name == "LEAKY_RELU" else None
    if options is not None:
        options.alpha = float(random.choice([0.0, 0.01, 0.2, 0.3, 1.5, random.random()]))
    return model_of(name, [x], [y], options), all_bytes(random)


def random_prelu(random):
    shape = random_shape(random, int(random.integers(1, 5)))
    slopes = tuple(n if random.random() < 0.5 else 1 for n in shape)
    first = next((i for i, n in enumerate(slopes) if n > 1), 0)
    slopes = (*(1 for _ in slopes[:first]), *shape[first:])  # a slope for each channel, or more
    if random.random() < 0.2:
        slopes = (1,) * len(shape)
    x = activation(random, shape, log_uniform(random, 1e-3, 0.1))
    scale = log_uniform(random, 1e-3, 0.02)
    b = Tensor(slopes, scale, zero_point(random), data=values(random, slopes))
    y = activation(random, shape, x.scale * log_uniform(random, 0.2, 5))
    return model_of("PRELU", [x, b], [y]), cases_for(random, shape)


def random_unsigned(random, types):
    x, y = (
        Tensor((1, 256), log_uniform(random, 1e-3, 0.1), zero_point(random) + 128 * unsigned, type)
        for type, unsigned in ((type, type == UINT8) for type in types)
    )
    y.scale = x.scale * log_uniform(random, *random.choice([(0.2, 5), (1e-4, 1e4)]))
    return model_of("QUANTIZE", [x], [y], schema.QuantizeOptionsT()), all_bytes(random, types[0])


def random_curve16(random, name):
    scale = (
        log_uniform(random, 1e-6, 1)
        if random.random() < 0.7
        else 2.0 ** -int(random.integers(9, 15))
    )
    x = Tensor((1, 65536), scale, type=INT16)
    return model_of(name, [x], [Tensor(x.shape, 2.0**-15, type=INT16)]), all_bytes(random, INT16)


def random_requantize(random, name, types=(INT8, INT8)):
    x = activation(
        random, (1, 256 if types[0] == INT8 else 65536), log_uniform(random, 1e-3, 0.1), types[0]
    )
    real = (
        x.scale
        * (1 if types[0] == INT8 else 256)
        * log_uniform(random, *random.choice([(0.2, 5), (1e-4, 1e4)]))
    )
    y = activation(random, x.shape, real, types[1])
    return model_of(
        name, [x], [y], schema.QuantizeOptionsT() if name == "QUANTIZE" else None
    ), all_bytes(random, types[0])


def random_concatenation(random, type=INT8):
    first, last = (int(n) for n in random.integers(1, 9, 2))
    axis = int(random.integers(0, 3))
    shapes = [
        tuple(
            int(random.integers(1, 9)) if i == axis else n for i, n in enumerate((first, 3, last))
        )
        for _ in range(3)
    ]
    total = tuple(sum(s[i] for s in shapes) if i == axis else n for i, n in enumerate(shapes[0]))
    options = schema.ConcatenationOptionsT()
    options.axis = axis - 3 * int(random.integers(0, 2))
    inputs = [Tensor(s, 0.1, type=type) for s in shapes]
    return model_of("CONCATENATION", inputs, [Tensor(total, 0.1, type=type)], options), cases_for(
        random, *shapes, type=type
    )


def random_reshape(random, type=INT8):
    options = schema.ReshapeOptionsT()
    options.newShape = [1, 24]
    shape = Tensor((2,), type=INT32, data=np.array([1, 24]))
    x, y = Tensor((4, 6), 0.1, type=type), Tensor((1, 24), 0.1, type=type)
    return model_of("RESHAPE", [x, shape], [y], options), cases_for(random, (4, 6), type=type)


def random_squeeze(random, type=INT8):
    options = schema.SqueezeOptionsT()
    options.squeezeDims = [0]
    shape = tuple(int(n) for n in random.integers(1, 20, 2))
    x, y = Tensor((1, *shape), 0.1, type=type), Tensor(shape, 0.1, type=type)
    return model_of("SQUEEZE", [x], [y], options), cases_for(random, (1, *shape), type=type)


def random_gather(random):
    shape = tuple(int(n) for n in random.integers(1, 20, 3))
    axis = int(random.integers(0, 3))
    shape = (1,) * axis + shape[axis:]
    options = schema.GatherOptionsT()
    options.axis = axis - 3 * int(random.integers(0, 2))
    last_first = Tensor((shape[axis],), type=INT32, data=np.arange(shape[axis])[::-1])
    return model_of(
        "GATHER", [Tensor(shape, 0.1), last_first], [Tensor(shape, 0.1)], options
    ), cases_for(random, shape)


def integers(*values) -> Tensor:
    """Return a constant vector."""
    return Tensor((len(values),), type=INT32, data=np.array(values))


def random_shape(random, rank, most=7) -> tuple[int, ...]:
    return tuple(int(n) for n in random.integers(1, most, rank))


def random_slice(random, type=INT8):
    shape = random_shape(random, int(random.integers(1, 5)))
    begin = [int(random.integers(0, n)) for n in shape]
    size = [int(random.integers(1, n - i + 1)) for n, i in zip(shape, begin, strict=True)]
    rest = [n if random.random() < 0.8 else -1 for n in size]
    out = tuple(n if r == n else s - i for n, r, s, i in zip(size, rest, shape, begin, strict=True))
    x, y = Tensor(shape, 0.1, type=type), Tensor(out, 0.1, type=type)
    options = schema.SliceOptionsT()
    return model_of("SLICE", [x, integers(*begin), integers(*rest)], [y], options), cases_for(
        random, shape, type=type
    )


def random_strided_slice(random, type=INT8):
    """Build an operator whose output has at least one value."""
    options = schema.StridedSliceOptionsT()
    while True:
        shape = random_shape(random, int(random.integers(1, 5)), 6)
        begin = [int(random.integers(-n, n)) for n in shape]
        end = [int(random.integers(-n - 1, n + 2)) for n in shape]
        strides = [int(random.choice([1, 1, 1, 2, 3, -1, -2])) for _ in shape]
        masks = random.integers(0, 1 << len(shape), 3)
        shrink = int(masks[2]) if random.random() < 0.4 else 0
        options.beginMask, options.endMask, options.shrinkAxisMask = (*map(int, masks[:2]), shrink)
        # A begin that is absent and an axis that is left out exclude each other.
        options.beginMask &= ~shrink
        parts = [
            slice(
                None if options.beginMask >> i & 1 else begin[i],
                None if options.endMask >> i & 1 else end[i],
                strides[i],
            )
            for i in range(len(shape))
        ]
        strides = [1 if shrink >> i & 1 else n for i, n in enumerate(strides)]
        out = np.empty(shape)[
            tuple(begin[i] if shrink >> i & 1 else part for i, part in enumerate(parts))
        ].shape
        if np.prod(out) > 0:
            break
    x, y = Tensor(shape, 0.1, type=type), Tensor(out, 0.1, type=type)
    inputs = [x, integers(*begin), integers(*end), integers(*strides)]
    return model_of("STRIDED_SLICE", inputs, [y], options), cases_for(random, shape, type=type)


def random_split(random, name, type=INT8):
    shape = list(random_shape(random, int(random.integers(1, 5))))
    axis, count = int(random.integers(0, len(shape))), int(random.integers(2, 5))
    sizes = [int(random.integers(1, 5))] * count
    if name == "SPLIT_V":
        sizes = [int(n) for n in random.integers(1, 5, count)]
    shape[axis] = sum(sizes)
    outputs = [Tensor((*shape[:axis], n, *shape[axis + 1 :]), 0.1, type=type) for n in sizes]
    x, at = Tensor(tuple(shape), 0.1, type=type), integers(axis - len(shape))
    if name == "SPLIT":
        options = schema.SplitOptionsT()
        inputs = [at, x]
    else:
        options = schema.SplitVOptionsT()
        inputs = [x, integers(*sizes), at]
    options.numSplits = count
    return model_of(name, inputs, outputs, options), cases_for(random, x.shape, type=type)


def random_pad(random, type=INT8):
    shape = random_shape(random, int(random.integers(1, 5)))
    paddings = random.integers(0, 4, (len(shape), 2)) * (random.random((len(shape), 1)) < 0.5)
    x = activation(random, shape, 0.1, type)
    out = tuple(int(n) for n in np.array(shape) + paddings.sum(1))
    y = Tensor(out, x.scale, x.zero_point, type)
    constant = Tensor(paddings.shape, type=INT32, data=paddings)
    return model_of("PAD", [x, constant], [y], schema.PadOptionsT()), cases_for(
        random, shape, type=type
    )


def random_expand_dims(random):
    shape = random_shape(random, int(random.integers(1, 4)))
    axis = int(random.integers(0, len(shape) + 1))
    x, y = Tensor(shape, 0.1), Tensor((*shape[:axis], 1, *shape[axis:]), 0.1)
    return model_of(
        "EXPAND_DIMS", [x, integers(axis)], [y], schema.ExpandDimsOptionsT()
    ), cases_for(random, shape)


def random_transpose(random, type=INT8):
    shape = random_shape(random, int(random.integers(1, 5)))
    order = [int(i) for i in random.permutation(len(shape))]
    x, y = Tensor(shape, 0.1, type=type), Tensor(tuple(shape[i] for i in order), 0.1, type=type)
    return model_of("TRANSPOSE", [x, integers(*order)], [y], schema.TransposeOptionsT()), cases_for(
        random, shape, type=type
    )


def random_pack(random, name):
    shape = random_shape(random, int(random.integers(1, 4)))
    axis, count = int(random.integers(0, len(shape) + 1)), int(random.integers(1, 5))
    parts = [Tensor(shape, 0.1) for _ in range(count)]
    whole = Tensor((*shape[:axis], count, *shape[axis:]), 0.1)
    options = schema.PackOptionsT() if name == "PACK" else schema.UnpackOptionsT()
    options.axis = axis
    if name == "PACK":
        options.valuesCount = count
        return model_of(name, parts, [whole], options), cases_for(random, *[shape] * count)
    options.num = count
    return model_of(name, [whole], parts, options), cases_for(random, whole.shape)


def random_blocks(random, name):
    """Build SPACE_TO_BATCH_ND without margins, or BATCH_TO_SPACE_ND with margins."""
    axes = int(random.integers(1, 3))
    block, counts = random.integers(1, 5, axes), random.integers(1, 6, axes)
    most = 1 if name == "SPACE_TO_BATCH_ND" else np.minimum(block * counts, 5)
    before, after = (random.integers(0, most, axes) for _ in range(2))
    after = np.minimum(after, block * counts - before - 1)
    batches, channels = random_shape(random, 2)
    space = (batches, *map(int, block * counts - before - after), channels)
    batch = (batches * int(np.prod(block)), *map(int, counts), channels)
    margins = Tensor((axes, 2), type=INT32, data=np.stack([before, after], 1))
    shapes = (space, batch) if name == "SPACE_TO_BATCH_ND" else (batch, space)
    point = zero_point(random)
    x, y = (Tensor(shape, 0.1, point) for shape in shapes)
    options = (
        schema.SpaceToBatchNDOptionsT()
        if name == "SPACE_TO_BATCH_ND"
        else schema.BatchToSpaceNDOptionsT()
    )
    return model_of(name, [x, integers(*block), margins], [y], options), cases_for(random, x.shape)


def random_svdf(random, type=INT8):
    """Build SVDF with a state of int8 or int16."""
    batch, inputs, rank, units, memory = (int(n) for n in random.integers(1, [4, 50, 4, 12, 20]))
    if random.random() < 0.3:  # sizes of a keyword spotter
        batch, inputs, rank, units, memory = 1, 40, 1, 16, 8
    filters, unit = units * rank, 1 if type == INT8 else 256
    x = activation(random, (batch, inputs), log_uniform(random, 1e-3, 0.1))
    w = Tensor(
        (filters, inputs), log_uniform(random, 1e-3, 0.1), data=values(random, (filters, inputs))
    )
    usual = power_of_two(np.sqrt(inputs) * 5000 * x.scale * w.scale / 50 / unit)
    state = Tensor(
        (batch, filters * memory),
        usual * log_uniform(random, *random.choice([(0.5, 2), (0.5, 2), (1e-3, 1e3)])),
        0 if type == INT16 or random.random() < 0.5 else zero_point(random),
        type,
        variable=True,
    )
    shape = (filters, memory)
    t = Tensor(
        shape, log_uniform(random, 1e-3, 0.1) / unit, type=type, data=values(random, shape, type)
    )
    reach = 2 ** random.integers(1, 18)
    bias = Tensor(
        (units,), state.scale * t.scale, type=INT32, data=random.integers(-reach, reach, units)
    )
    usual = power_of_two(np.sqrt(memory * rank) * 5000 * state.scale * t.scale * unit**2 / 50)
    y = activation(random, (batch, units), usual * log_uniform(random, 0.2, 5))
    options = schema.SVDFOptionsT()
    options.rank = rank
    cases = cases_for(random, x.shape, count=12)
    return model_of("SVDF", [x, w, t, bias, state], [y], options), [*cases, "reset", *cases]


def random_rsqrt(random):
    x = Tensor((1, 256), log_uniform(random, 1e-4, 1), -128)
    usual = 1 / np.sqrt(x.scale * 255)
    y = activation(
        random, x.shape, usual * log_uniform(random, *random.choice([(1e-3, 0.1), (1e-6, 10)]))
    )
    return model_of("RSQRT", [x], [y]), all_bytes(random)


def random_softmax(random):
    shape = tuple(int(n) for n in random.integers(1, [6, 60]))
    options = schema.SoftmaxOptionsT()
    options.beta = float(random.choice([1.0, 1.0, 0.3, 4.0]))
    x = activation(random, shape, log_uniform(random, 1e-4, 1.0))
    return model_of("SOFTMAX", [x], [Tensor(shape, 2.0**-8, -128)], options), cases_for(
        random, shape
    )


OPERATORS = {
    "FULLY_CONNECTED": (random_fully_connected, 400),
    "FULLY_CONNECTED 16": (functools.partial(random_fully_connected, type=INT16), 400),
    "CONV_2D": (functools.partial(random_convolution, name="CONV_2D"), 200),
    "DEPTHWISE_CONV_2D": (functools.partial(random_convolution, name="DEPTHWISE_CONV_2D"), 200),
    "TRANSPOSE_CONV": (random_transposed_convolution, 100),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (random_lstm, 100),
    "UNIDIRECTIONAL_SEQUENCE_LSTM 16": (functools.partial(random_lstm, type=INT16), 100),
    "ADD": (functools.partial(random_pair, name="ADD"), 200),
    "SUB": (functools.partial(random_pair, name="SUB"), 200),
    "MUL": (functools.partial(random_pair, name="MUL"), 200),
    "AVERAGE_POOL_2D": (functools.partial(random_pool, name="AVERAGE_POOL_2D"), 100),
    "MAX_POOL_2D": (functools.partial(random_pool, name="MAX_POOL_2D"), 60),
    "MEAN": (random_mean, 200),
    "LOGISTIC": (functools.partial(random_lookup, name="LOGISTIC"), 30),
    "TANH": (functools.partial(random_lookup, name="TANH"), 30),
    "RELU6": (functools.partial(random_activation, name="RELU6"), 40),
    "LEAKY_RELU": (functools.partial(random_activation, name="LEAKY_RELU"), 80),
    "HARD_SWISH": (functools.partial(random_activation, name="HARD_SWISH"), 80),
    "PRELU": (random_prelu, 100),
    "RSQRT": (random_rsqrt, 60),
    "SQUARED_DIFFERENCE": (functools.partial(random_pair, name="SQUARED_DIFFERENCE"), 200),
    "SVDF": (random_svdf, 200),
    "SVDF 16": (functools.partial(random_svdf, type=INT16), 200),
    "SOFTMAX": (random_softmax, 100),
    "QUANTIZE": (functools.partial(random_requantize, name="QUANTIZE"), 40),
    "QUANTIZE to unsigned": (functools.partial(random_unsigned, types=(INT8, UINT8)), 40),
    "QUANTIZE from unsigned": (functools.partial(random_unsigned, types=(UINT8, INT8)), 40),
    "RELU": (functools.partial(random_requantize, name="RELU"), 40),
    "CONCATENATION": (random_concatenation, 20),
    "RESHAPE": (random_reshape, 2),
    "SQUEEZE": (random_squeeze, 2),
    "GATHER": (random_gather, 20),
    "SLICE": (random_slice, 60),
    "STRIDED_SLICE": (random_strided_slice, 100),
    "SPLIT": (functools.partial(random_split, name="SPLIT"), 40),
    "SPLIT_V": (functools.partial(random_split, name="SPLIT_V"), 40),
    "PAD": (random_pad, 60),
    "EXPAND_DIMS": (random_expand_dims, 10),
    "TRANSPOSE": (random_transpose, 40),
    "PACK": (functools.partial(random_pack, name="PACK"), 20),
    "UNPACK": (functools.partial(random_pack, name="UNPACK"), 20),
    "SPACE_TO_BATCH_ND": (functools.partial(random_blocks, name="SPACE_TO_BATCH_ND"), 60),
    "BATCH_TO_SPACE_ND": (functools.partial(random_blocks, name="BATCH_TO_SPACE_ND"), 60),
    "ADD 16": (functools.partial(random_pair, name="ADD", type=INT16), 200),
    "MUL 16": (functools.partial(random_pair, name="MUL", type=INT16), 200),
    "MEAN 16": (functools.partial(random_mean, type=INT16), 200),
    "LOGISTIC 16": (functools.partial(random_curve16, name="LOGISTIC"), 40),
    "TANH 16": (functools.partial(random_curve16, name="TANH"), 40),
    "QUANTIZE 8 to 16": (
        functools.partial(random_requantize, name="QUANTIZE", types=(INT8, INT16)),
        40,
    ),
    "QUANTIZE 16 to 8": (
        functools.partial(random_requantize, name="QUANTIZE", types=(INT16, INT8)),
        40,
    ),
    "QUANTIZE 16": (
        functools.partial(random_requantize, name="QUANTIZE", types=(INT16, INT16)),
        40,
    ),
    "RELU 16": (functools.partial(random_requantize, name="RELU", types=(INT16, INT16)), 40),
    "CONCATENATION 16": (functools.partial(random_concatenation, type=INT16), 20),
    "RESHAPE 16": (functools.partial(random_reshape, type=INT16), 2),
    "SLICE 16": (functools.partial(random_slice, type=INT16), 20),
    "STRIDED_SLICE 16": (functools.partial(random_strided_slice, type=INT16), 20),
    "SPLIT 16": (functools.partial(random_split, name="SPLIT", type=INT16), 20),
    "SPLIT_V 16": (functools.partial(random_split, name="SPLIT_V", type=INT16), 20),
    "TRANSPOSE 16": (functools.partial(random_transpose, type=INT16), 20),
    "PAD 16": (functools.partial(random_pad, type=INT16), 20),
    "SQUEEZE 16": (functools.partial(random_squeeze, type=INT16), 2),
}
