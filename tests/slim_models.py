"""Random `.tflite` files as converters write them, for `test_slim.py`."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.flatbuffer import write_model

TYPES, OPS, OPTIONS = (
    schema.TensorType,
    schema.BuiltinOperator,
    schema.BuiltinOptions,
)
VERSIONS = {
    OPS.ADD: 2,
    OPS.CONV_2D: 3,
    OPS.DEPTHWISE_CONV_2D: 3,
    OPS.FULLY_CONNECTED: 4,
    OPS.MAX_POOL_2D: 2,
}
UNKNOWN_OP = b"Mystery"


class RandomModel:
    """A chain of layers, with all that a file may have around them.

    Args:
        seed: Of everything.
        always: True or False instead of whatever is left to chance.
    """

    def __init__(self, seed: int, *, always: bool | None = None) -> None:
        self.always = always
        self._rng = np.random.default_rng([5, seed])
        self._is_float = self._chance(0.3)
        self._type = TYPES.FLOAT32 if self._is_float else TYPES.INT8
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.operatorCodes = []
        self._model.buffers = [schema.BufferT()]
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._graph.name = b"main"
        self._model.subgraphs = [self._graph]

    def to_bytes(self) -> bytes:
        """Builds the file."""
        shape = (1, 6, 5, int(self._rng.integers(1, 9)))
        first = current = self._tensor("serving_default_x:0", shape)
        layers = (
            *(self._conv, self._depthwise, self._add, self._pool),
            *(self._reshapes, self._twice),
        )
        for _ in range(self._rng.integers(1, 6)):
            current = layers[self._rng.integers(len(layers))](current)
        if self._chance(0.6):
            current = self._dense(current)
        if self._chance(0.1):
            current = self._unknown(current)
        outputs = [current]
        if self._chance(0.2):
            outputs.append(self._add(current))
        self._graph.inputs, self._graph.outputs = [first], outputs
        self._decorate(first, current)
        return write_model(self._model)

    def _chance(self, probability: float) -> bool:
        if self.always is not None:
            return self.always
        return bool(self._rng.random() < probability)

    def _tensor(
        self, name, shape, *, data=None, scale=None, dtype=None, axis=0
    ):
        tensor = schema.TensorT()
        tensor.name = f"{name}/{len(self._graph.tensors)}".encode()
        tensor.shape = list(shape)
        tensor.type = self._type if dtype is None else dtype
        # Converters give every tensor a buffer, empty or not.
        buffer = schema.BufferT()
        buffer.data = data
        self._model.buffers.append(buffer)
        tensor.buffer = len(self._model.buffers) - 1
        if self._chance(0.1):
            tensor.shapeSignature = [-1, *shape[1:]]
        tensor.hasRank = self._chance(0.5)
        if scale is None and dtype is None and not self._is_float:
            scale = 0.05 * (1 + self._rng.integers(4))
        if scale is not None:
            tensor.quantization = self._quantization(scale, axis, data is None)
        elif self._is_float and self._chance(0.5):
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.min = np.float32([-1])
            tensor.quantization.max = np.float32([1])
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _quantization(self, scale, axis, is_activation):
        params = schema.QuantizationParametersT()
        params.scale = np.atleast_1d(np.float32(scale))
        params.zeroPoint = np.zeros(len(params.scale), np.int64)
        if is_activation:
            params.zeroPoint[:] = self._rng.integers(-20, 20)
        if self._chance(0.3):
            params.min, params.max = -128 * params.scale, 127 * params.scale
        if len(params.scale) > 1:
            params.quantizedDimension = axis
        return params

    def _weights(self, shape, axis):
        """Adds weights and their bias; the last axis of a bias is theirs."""
        num = shape[axis]
        per_channel = self._chance(0.7)
        if self._is_float:
            values = self._rng.normal(0, 0.3, shape).astype(np.float32)
            bias = self._rng.normal(0, 1, num).astype(np.float32)
        else:
            values = self._rng.integers(-127, 128, shape).astype(np.int8)
            bias = self._rng.integers(-500, 500, num).astype(np.int32)
        scale = None
        if not self._is_float:
            size = num if per_channel else 1
            scale = 0.01 + 0.01 * self._rng.random(size)
        weights = self._tensor(
            "w", shape, data=_bytes(values), scale=scale, axis=axis
        )
        inputs = self._graph.tensors[self._last_input].quantization
        bias_scale = None
        if scale is not None:
            bias_scale = scale * inputs.scale[0]
        bias_type = TYPES.FLOAT32 if self._is_float else TYPES.INT32
        bias = self._tensor(
            *("b", (num,)),
            data=_bytes(bias),
            scale=bias_scale,
            dtype=bias_type,
        )
        return weights, bias

    def _operator(self, code, inputs, shape, options=None, **fields):
        codes = [
            max(c.builtinCode, c.deprecatedBuiltinCode)
            for c in self._model.operatorCodes
        ]
        if code not in codes:
            operator_code = schema.OperatorCodeT()
            operator_code.deprecatedBuiltinCode = code
            # Files of before 2020 have the deprecated field alone.
            operator_code.builtinCode = 0 if self._chance(0.2) else code
            operator_code.version = VERSIONS.get(code, 1)
            if code == OPS.CUSTOM:
                operator_code.customCode = UNKNOWN_OP
            self._model.operatorCodes.append(operator_code)
            codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = codes.index(code)
        operator.inputs = list(inputs)
        operator.outputs = [self._tensor("y", shape)]
        if options is not None:
            operator.builtinOptionsType = getattr(OPTIONS, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
            for name, value in fields.items():
                setattr(operator.builtinOptions, name, value)
        self._graph.operators.append(operator)
        return operator.outputs[0]

    def _shape(self, index):
        return tuple(self._graph.tensors[index].shape)

    def _conv(self, current):
        self._last_input = current
        *spatial, channels = self._shape(current)
        filters, size = (int(self._rng.integers(1, 9)) for _ in range(2))
        size = 1 + size % 3
        weights, bias = self._weights((filters, size, size, channels), 0)
        inputs = [current, weights, bias]
        return self._operator(
            *(OPS.CONV_2D, inputs, (*spatial, filters), "Conv2DOptions"),
            **{"strideH": 1, "strideW": 1, "padding": schema.Padding.SAME},
            fusedActivationFunction=int(self._rng.integers(2)),
        )

    def _depthwise(self, current):
        self._last_input = current
        channels = self._shape(current)[-1]
        weights, bias = self._weights((1, 3, 3, channels), 3)
        return self._operator(
            *(OPS.DEPTHWISE_CONV_2D, [current, weights, bias]),
            *(self._shape(current), "DepthwiseConv2DOptions"),
            **{"strideH": 1, "strideW": 1, "depthMultiplier": 1},
        )

    def _dense(self, current):
        size = int(np.prod(self._shape(current)))
        current = self._reshape(current, (1, size))
        self._last_input = current
        weights, bias = self._weights((4, size), 0)
        inputs = [current, weights, -1 if self._chance(0.1) else bias]
        options = "FullyConnectedOptions"
        return self._operator(OPS.FULLY_CONNECTED, inputs, (1, 4), options)

    def _add(self, current):
        shape = self._shape(current)
        return self._operator(OPS.ADD, [current] * 2, shape, "AddOptions")

    def _pool(self, current):
        options = {"strideH": 1, "strideW": 1, "filterHeight": 2}
        pooled = self._operator(
            *(OPS.MAX_POOL_2D, [current], self._shape(current)),
            "Pool2DOptions",
            **{**options, "filterWidth": 2, "padding": schema.Padding.SAME},
        )
        return self._like(current, pooled)

    def _reshape(self, current, shape):
        data = _bytes(np.asarray(shape, np.int32))
        target = self._tensor(
            "shape", (len(shape),), data=data, dtype=TYPES.INT32
        )
        reshaped = self._operator(OPS.RESHAPE, [current, target], shape)
        return self._like(current, reshaped)

    def _like(self, current, result):
        """Gives the quantization of what is only copied."""
        tensors = self._graph.tensors
        tensors[result].quantization = tensors[current].quantization
        return result

    def _reshapes(self, current):
        *_, height, width, channels = shape = self._shape(current)
        flat = self._reshape(current, (1, height * width, channels))
        return self._reshape(flat, shape)

    def _twice(self, current):
        """Two layers of the same weights: shared buffers, or equal ones."""
        result = self._depthwise(current)
        weights, bias = self._graph.operators[-1].inputs[1:]
        for index in (weights, bias):
            tensor = self._graph.tensors[index]
            buffers = self._model.buffers
            if self._chance(0.5):
                copy = schema.BufferT()
                copy.data = buffers[tensor.buffer].data
                buffers.append(copy)
                tensor.buffer = len(buffers) - 1
        return self._operator(
            *(OPS.DEPTHWISE_CONV_2D, [current, weights, bias]),
            *(self._shape(result), "DepthwiseConv2DOptions"),
            **{"strideH": 1, "strideW": 1, "depthMultiplier": 1},
        )

    def _unknown(self, current):
        result = self._operator(OPS.CUSTOM, [current], self._shape(current))
        options = self._rng.integers(0, 256, 7).astype(np.uint8)
        self._graph.operators[-1].customOptions = options
        return result

    def _decorate(self, first, last):
        model = self._model
        if self._chance(0.5):
            model.description = b"MLIR Converted."
        if self._chance(0.5):
            model.metadata = [
                self._metadata(b"min_runtime_version", np.zeros(16, np.uint8))
            ]
        if self._chance(0.1):
            plan = [1, 0, len(self._graph.tensors)]
            plan += [-1] * len(self._graph.tensors)
            entry = self._metadata(
                b"OfflineMemoryAllocation", _bytes(np.int32(plan))
            )
            model.metadata = [*(model.metadata or []), entry]
        elif self._chance(0.2):
            self._tensor(
                "unused",
                (3,),
                data=_bytes(np.zeros(3, np.float32)),
                dtype=TYPES.FLOAT32,
            )
        if self._chance(0.5):
            signature = schema.SignatureDefT()
            signature.signatureKey = b"serving_default"
            signature.inputs = [_port(b"x", first)]
            signature.outputs = [_port(b"y", last)]
            model.signatureDefs = [signature]

    def _metadata(self, name, data):
        buffer = schema.BufferT()
        buffer.data = data
        self._model.buffers.append(buffer)
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(self._model.buffers) - 1
        return entry


def _bytes(values):
    return np.frombuffer(values.tobytes(), np.uint8)


def _port(name, index):
    port = schema.TensorMapT()
    port.name, port.tensorIndex = name, index
    return port
