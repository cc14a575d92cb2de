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
from keras_hypertinypw.spec import PointwiseSpec, padded

# As in `tflm_ops/generate_pw_lanes.{h,cc}`.
LANES = 4
GROUP = 4
MAX_LANE_WIDTH = 64


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
    signs = {
        "negated_weight": int(spec.row_signs.sum())
        * (spec.num_weights // spec.rows),
        "row": spec.rows * bool(spec.row_signs.any()),
    }
    if max([generator.code_dim, *hidden]) > MAX_LANE_WIDTH:
        return Features("synthesis_blocks", {**_block_work(spec), **signs})
    passes = -(-spec.num_blocks // LANES)
    has_skip = generator.skip_weights is not None
    code_groups = padded(generator.code_dim) // GROUP
    # A single block in the last pass ends where the kernel does.
    outputs = passes * generator.block_size
    if spec.num_blocks % LANES == 1:
        outputs -= -spec.num_weights % generator.block_size
    *hidden_layers, last = generator.layers
    groups = passes * sum(
        layer.num_out * padded(layer.num_in) // GROUP for layer in hidden_layers
    )
    groups += outputs * (padded(last.num_in) // GROUP + code_groups * has_skip)
    return Features(
        "synthesis_lanes",
        {
            "call": 1,
            "pass": passes,
            "layer": passes * len(generator.layers),
            "code": passes * LANES * generator.code_dim,
            "group": groups,
            "hidden_output": passes * sum(hidden),
            "output": outputs,
            "skip_output": outputs * has_skip,
            "skip_code": passes * LANES * code_groups * GROUP * has_skip,
            **signs,
        },
    )


def _block_work(spec: PointwiseSpec) -> dict[str, int]:
    """Returns the work of one block after the other, the last one cut off."""
    *hidden, last = spec.generator.layers
    num_in = last.num_in
    outputs = 1
    if spec.generator.skip_weights is not None:
        num_in += spec.generator.code_dim
        outputs = 2
    return {
        "call": 1,
        "block": spec.num_blocks,
        "layer": spec.num_blocks * len(spec.generator.layers),
        "code": spec.num_blocks * spec.generator.code_dim,
        "mac": spec.num_blocks * sum(w.num_in * w.num_out for w in hidden)
        + spec.num_weights * num_in,
        "hidden_output": spec.num_blocks * sum(w.num_out for w in hidden),
        "output": spec.num_weights * outputs,
    }


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
