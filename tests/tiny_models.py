"""Small `.tflite` files, built by hand: no converter, no training."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw import integer
from keras_hypertinypw.spec import DenseSpec, GeneratorSpec, PointwiseSpec

HEIGHT, WIDTH = 4, 4
INPUT_SCALE, INPUT_ZERO_POINT = 0.05, -3
OUTPUT_SCALE, OUTPUT_ZERO_POINT = 0.4, 5
KERNEL_SCALE = 0.01


def random_generator(
    rng: np.random.Generator,
    *,
    code_dim: int = 8,
    hidden_units: tuple[int, ...] = (16,),
    block_size: int = 48,
    use_skip: bool = False,
    max_code: int = 1,
) -> GeneratorSpec:
    """Returns a generator whose outputs spread over the int8 range.

    Args:
        rng: Source of the weights.
        code_dim: Length of a code.
        hidden_units: Outputs of the hidden layers.
        block_size: Weights per code.
        use_skip: Whether it has the linear skip.
        max_code: Largest magnitude of a code; sets the first shift.
    """
    layers = []
    num_in, magnitude = code_dim, max_code
    for num_out in (*hidden_units, block_size):
        weights = rng.integers(-127, 128, (num_out, num_in)).astype(np.int8)
        bias = rng.integers(-128, 128, num_out).astype(np.int8)
        # About the deviation of the accumulator, in bits, less 6.
        spread = 73 * max(magnitude, 1) * np.sqrt(num_in)
        shift = int(np.clip(np.floor(np.log2(spread)) - 5, 1, 24))
        layers.append(DenseSpec(weights, bias, max(shift - 2, 0), shift))
        num_in, magnitude = num_out, 60
    skip = None
    if use_skip:
        skip = rng.integers(-127, 128, (block_size, code_dim)).astype(np.int8)
    return GeneratorSpec(tuple(layers), skip, 1 if use_skip else 0)


def random_codes(
    rng: np.random.Generator, shape: tuple[int, int], code_bits: int
) -> np.ndarray:
    """Returns int32 codes at the levels of `code_bits`."""
    if code_bits == 8:
        return rng.integers(-128, 128, shape).astype(np.int32)
    top = (1 << code_bits) - 1
    return (2 * rng.integers(0, top + 1, shape) - top).astype(np.int32)


def random_spec(
    rng: np.random.Generator,
    generator: GeneratorSpec,
    *,
    name: str = "pointwise",
    kernel_shape: tuple[int, ...] = (10, 1, 1, 12),
    code_bits: int = 2,
    with_signs: bool = True,
    residency="cached",
    synthesis="lazy",
) -> PointwiseSpec:
    """Returns a generated layer with random codes."""
    num_blocks = -(-int(np.prod(kernel_shape)) // generator.block_size)
    signs = np.zeros(kernel_shape[0], bool)
    if with_signs:
        signs = rng.random(kernel_shape[0]) < 0.5
    return PointwiseSpec(
        name,
        generator,
        random_codes(rng, (num_blocks, generator.code_dim), code_bits),
        code_bits,
        kernel_shape,
        signs,
        residency,
        synthesis,
    )


class _Builder(flatbuffers.Builder):
    """Aligns every byte vector to 16."""

    def CreateNumpyVector(self, x):
        if x.dtype == np.uint8:
            self.Prep(16, x.size)
        return super().CreateNumpyVector(x)


class _Model:
    """Collects tensors, buffers and operators of a one-subgraph model."""

    def __init__(self) -> None:
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.buffers = [schema.BufferT()]
        self.codes: list[schema.OperatorCodeT] = []

    def tensor(self, name, dtype, shape, *, scale=None, zero=0, data=None):
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name, list(shape)
        tensor.type = dtype
        tensor.buffer = 0
        if data is not None:
            tensor.buffer = len(self.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data, np.uint8)
            self.buffers.append(buffer)
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            params = schema.QuantizationParametersT()
            params.scale = scales
            params.zeroPoint = np.full(scales.shape, zero, np.int64)
            tensor.quantization = params
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, code, inputs, outputs, *, name=None, custom=None):
        keys = [(c.builtinCode, c.customCode) for c in self.codes]
        if (code, name) not in keys:
            operator_code = schema.OperatorCodeT()
            operator_code.builtinCode = code
            operator_code.deprecatedBuiltinCode = code
            operator_code.customCode = name
            operator_code.version = 3 if name is None else 1
            self.codes.append(operator_code)
            keys.append((code, name))
        operator = schema.OperatorT()
        operator.opcodeIndex = keys.index((code, name))
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        if custom is not None:
            operator.customOptions = np.frombuffer(custom, np.uint8)
        self.graph.operators.append(operator)
        return operator

    def to_bytes(self, inputs, outputs) -> bytes:
        self.graph.inputs, self.graph.outputs = inputs, outputs
        model = schema.ModelT()
        model.version = 3
        model.subgraphs, model.buffers = [self.graph], self.buffers
        model.operatorCodes = self.codes
        builder = _Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def build_model(
    specs: list[PointwiseSpec],
    *,
    generated: bool = True,
    options: bytes | None = None,
    codes: bytes | None = None,
    blob: bytes | None = None,
    short_bias: bool = False,
) -> bytes:
    """Returns an int8 model: one 1x1 CONV_2D per spec, one after the other.

    Args:
        specs: Layers of `(rows, 1, 1, channels)` that follow each other.
        generated: False stores the kernels as constants instead.
        options: Replaces every op's custom options.
        codes: Replaces every op's codes.
        blob: Replaces the generator.
        short_bias: Cuts the bias' data off.
    """
    model = _Model()
    types = schema.TensorType
    channels = specs[0].kernel_shape[3]
    first = current = model.tensor(
        "input",
        types.INT8,
        (1, HEIGHT, WIDTH, channels),
        scale=INPUT_SCALE,
        zero=INPUT_ZERO_POINT,
    )
    generator = None
    if generated:
        data = specs[0].generator.to_bytes() if blob is None else blob
        generator = model.tensor(
            "generator", types.UINT8, (len(data),), data=data
        )
    scale = INPUT_SCALE
    for index, spec in enumerate(specs):
        rows = spec.rows
        scales = KERNEL_SCALE * (1 + np.arange(rows) / rows)
        kernel = model.tensor(
            f"{spec.layer_name}/kernel",
            types.INT8,
            spec.kernel_shape,
            scale=scales,
            data=None if generated else integer.synthesize(spec).tobytes(),
        )
        if generated:
            data = spec.codes_to_bytes() if codes is None else codes
            packed = model.tensor(
                f"{spec.layer_name}/codes",
                types.UINT8,
                (len(data),),
                data=data,
            )
            model.operator(
                schema.BuiltinOperator.CUSTOM,
                (packed, generator),
                (kernel,),
                name="GeneratePW",
                custom=spec.options_to_bytes() if options is None else options,
            )
        bias = model.tensor(
            f"{spec.layer_name}/bias",
            types.INT32,
            (rows,),
            scale=scale * scales,
            data=(100 * np.arange(rows - short_bias, dtype=np.int32)).tobytes(),
        )
        output = model.tensor(
            f"output_{index}",
            types.INT8,
            (1, HEIGHT, WIDTH, rows),
            scale=OUTPUT_SCALE,
            zero=OUTPUT_ZERO_POINT,
        )
        conv = model.operator(
            schema.BuiltinOperator.CONV_2D,
            (current, kernel, bias),
            (output,),
        )
        conv.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
        conv.builtinOptions = schema.Conv2DOptionsT()
        conv.builtinOptions.strideH = conv.builtinOptions.strideW = 1
        current, scale = output, OUTPUT_SCALE
    return model.to_bytes([first], [current])


def build_add_model(*, output_scale: float) -> bytes:
    """Returns an int8 model that adds its input to itself."""
    model = _Model()
    int8, shape = schema.TensorType.INT8, (1, HEIGHT)
    first = model.tensor("input", int8, shape, scale=INPUT_SCALE)
    output = model.tensor("output", int8, shape, scale=output_scale)
    add = model.operator(schema.BuiltinOperator.ADD, (first, first), (output,))
    add.builtinOptionsType = schema.BuiltinOptions.AddOptions
    add.builtinOptions = schema.AddOptionsT()
    return model.to_bytes([first], [output])
