"""What ops do, in numbers that the cost model multiplies by coefficients.

A kind is a path through the code that runs: `GeneratePwWeights` for several
blocks at once or for one, and for stock ops the function that CMSIS-NN's
wrappers choose.
"""

from __future__ import annotations

import dataclasses
import math

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.flatbuffer import operator_name, tensor_shape
from keras_hypertinypw.spec import MAX_HIDDEN_UNITS, PointwiseSpec, padded

# As in `tflm_ops/generate_pw.cc`.
LANES_AT_ONCE = 4
GROUP = 4


@dataclasses.dataclass(frozen=True)
class Features:
    """Amounts of work of one op.

    Attributes:
        kind: Which coefficients apply.
        amounts: Number of times that each thing is done, by name.
    """

    kind: str
    amounts: dict[str, int]


def synthesis_features(spec: PointwiseSpec) -> Features:
    """Returns the work of one synthesis of a layer's kernel."""
    generator = spec.generator
    hidden = [layer.num_out for layer in generator.layers[:-1]]
    width = max([generator.code_dim, *hidden])
    fits = padded(width) * LANES_AT_ONCE <= MAX_HIDDEN_UNITS
    lanes = LANES_AT_ONCE if fits else 1
    passes = -(-spec.num_blocks // lanes)
    code_groups = padded(generator.code_dim) // GROUP
    has_skip = generator.skip_weights is not None
    groups = sum(
        layer.num_out * padded(layer.num_in) // GROUP
        for layer in generator.layers
    )
    if has_skip:
        groups += generator.block_size * code_groups
    row_size = spec.num_weights // spec.rows
    return Features(
        f"synthesis_{lanes}_lanes",
        {
            "call": 1,
            "pass": passes,
            "layer": passes * len(generator.layers),
            "code": passes * lanes * generator.code_dim,
            "group": passes * groups,
            "hidden_output": passes * sum(hidden),
            "output": passes * generator.block_size,
            "skip_output": passes * generator.block_size * has_skip,
            "skip_code": passes * lanes * code_groups * GROUP * has_skip,
            "negated_weight": int(spec.row_signs.sum()) * row_size,
            "row": spec.rows * bool(spec.row_signs.any()),
        },
    )


def operator_features(
    model: schema.ModelT, operator: schema.OperatorT
) -> Features | None:
    """Returns the work of a stock op, None if the model knows none of it."""
    name = operator_name(model, operator)
    tensors = model.subgraphs[0].tensors
    shapes = [tensor_shape(tensors[i]) for i in operator.inputs if i >= 0]
    output = tensor_shape(tensors[operator.outputs[0]])
    options = operator.builtinOptions
    if name == "CONV_2D":
        return _convolution(options, shapes[0], shapes[1], output)
    if name == "DEPTHWISE_CONV_2D":
        return _depthwise(options, shapes[1], output)
    if name == "FULLY_CONNECTED":
        batch = math.prod(output) // output[-1]
        return _work("fully_connected", batch * math.prod(shapes[1]), output)
    if name == "AVERAGE_POOL_2D":
        window = options.filterHeight * options.filterWidth
        return _work("average_pool", window * math.prod(output), output)
    if name in ("MEAN", "PAD"):
        return _work(name.lower(), math.prod(shapes[0]), output)
    return None


def _work(kind: str, amount: int, output: tuple[int, ...]) -> Features:
    return Features(
        kind, {"call": 1, "mac": amount, "output": math.prod(output)}
    )


def _convolution(options, inputs, kernel, output) -> Features:
    filters, height, width, channels = kernel
    pixels = math.prod(output) // filters
    is_pointwise = (height, width) == (1, 1)
    strided = (options.strideH, options.strideW) != (1, 1)
    amounts = {
        "call": 1,
        "mac": pixels * math.prod(kernel),
        "output": math.prod(output),
    }
    if is_pointwise and not strided:
        return Features("conv_1x1", {**amounts, "weight": math.prod(kernel)})
    if is_pointwise:
        return Features("conv_1x1_strided", amounts)
    taps = pixels * height * width
    column = {"tap": taps, "column": taps * channels}
    return Features("conv", {**amounts, **column})


def _depthwise(options, kernel, output) -> Features:
    _, height, width, _ = kernel
    pixels = math.prod(output) // output[-1]
    kind = "depthwise"
    if options.depthMultiplier != 1:
        kind = "depthwise_multiplied"
    elif (height, width) == (3, 3):
        kind = "depthwise_3x3"
    return Features(
        kind,
        {
            "call": 1,
            "mac": math.prod(output) * height * width,
            "output": math.prod(output),
            "tap": pixels * height * width,
        },
    )
