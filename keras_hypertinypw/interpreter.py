"""Runs a `.tflite` in the official TFLM interpreter, or in LiteRT."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw import checks, flatbuffer
from keras_hypertinypw.custom_ops import GENERATE_PW_OP, check_only_source
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.op_insertion import GENERATOR_INPUT
from keras_hypertinypw.runtimes import Backend, LiteRtBackend, TflmBackend
from keras_hypertinypw.spec_reader import resolve_reference

Runtime = Literal["tflm", "litert"]
RUNTIMES: tuple[Runtime, ...] = ("tflm", "litert")


class _Port(NamedTuple):
    """The model's input or output; scale 0 without quantization."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    def quantize(self, x: np.ndarray) -> np.ndarray:
        if not self.scale:
            return x.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.floor(x.astype(np.float64) / self.scale + 0.5)
        steps = np.clip(steps + self.zero_point, limits.min, limits.max)
        return steps.astype(self.dtype)

    def dequantize(self, y: np.ndarray) -> np.ndarray:
        if not self.scale:
            return y.astype(np.float32)
        steps = y.astype(np.int32) - self.zero_point
        return steps.astype(np.float32) * np.float32(self.scale)


class _Generated(NamedTuple):
    """The output of one GeneratePW op."""

    name: str
    shape: tuple[int, ...]


class Interpreter:
    """Runs a `.tflite` sample by sample.

    Args:
        model_content: Bytes of a `.tflite` file with one input and one
            output, both of batch size 1.
        runtime: "tflm" is the official TensorFlow Lite Micro interpreter, in
            a child process. "litert" is desktop TensorFlow Lite with
            reference kernels; it has no GeneratePW, so `materialize` first.
        arena_size: Size of TFLM's tensor arena, in bytes. None takes what the
            model needs.
        generator: The blob that the file refers to, if it does; see
            `share_generator`.

    Raises:
        ConversionError: If the file is damaged, the runtime refuses it, the
            arena is too small, or the blob that it refers to is missing.
        RuntimeError: If TFLM's host library cannot be compiled.

    Examples:
        >>> with Interpreter(model_content) as interpreter:
        ...     y_score = interpreter.predict(x_test)
    """

    def __init__(
        self,
        model_content: bytes,
        *,
        runtime: Runtime = "tflm",
        arena_size: int | None = None,
        generator: bytes | None = None,
    ) -> None:
        if runtime not in RUNTIMES:
            raise ValueError(
                f"Expected `runtime` to be one of {RUNTIMES}. Received: "
                f"runtime={runtime!r}."
            )
        if arena_size is not None:
            arena_size = checks.positive_int("arena_size", arena_size)
        model = flatbuffer.read_model(model_content)
        flatbuffer.check_constants(model)
        graph = model.subgraphs[0]
        self._input = _read_port(graph, "input", graph.inputs)
        self._output = _read_port(graph, "output", graph.outputs)
        self._generated = _read_generated(model)
        _check_references(model, generator)
        self._backend: Backend
        if runtime == "tflm":
            self._backend = TflmBackend(
                bytes(model_content), arena_size, generator
            )
        else:
            self._backend = LiteRtBackend(bytes(model_content))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Runs every sample of a batch.

        Args:
            x: Array of shape `(num_samples, ...)`. Floating point is
                quantized with the input's scale, ties upwards; the input's
                own type passes through.

        Returns:
            Array of shape `(num_samples, ...)`: float32 for floating point
            `x`, else the output's own type, not dequantized.

        Raises:
            ValueError: If shape or type of `x` do not fit the model.
            ConversionError: If the runtime fails.
        """
        is_float = np.issubdtype(np.asarray(x).dtype, np.floating)
        inputs = self.quantize(x)
        outputs = self._backend.run(
            inputs.reshape(len(inputs), *self._input.shape), self._output.dtype
        )
        outputs = outputs.reshape(len(inputs), *self._output.shape[1:])
        return self._output.dequantize(outputs) if is_float else outputs

    def quantize(self, x: np.ndarray) -> np.ndarray:
        """Returns a batch in the input's own type, as `predict` runs it.

        Args:
            x: As for `predict`.

        Raises:
            ValueError: If shape or type of `x` do not fit the model.
        """
        x = np.asarray(x)
        sample_shape = self._input.shape[1:]
        if x.ndim == 0 or x.shape[1:] != sample_shape:
            raise ValueError(
                f"Expected `x` of shape (num_samples, "
                f"{', '.join(map(str, sample_shape))}). Received: "
                f"shape={x.shape}. One sample is a batch as `x[None]`."
            )
        is_float = np.issubdtype(x.dtype, np.floating)
        if is_float and not np.isfinite(x).all():
            raise ValueError(
                "Expected finite values in `x`. Received: NaN or infinity; "
                "drop or repair those samples."
            )
        if not is_float and x.dtype != self._input.dtype:
            raise ValueError(
                f"Expected `x` as float32, or as {self._input.dtype} to pass "
                f"through. Received: dtype={x.dtype}. Use `x.astype`."
            )
        return self._input.quantize(x) if is_float else x

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the model's input, `(1, ...)`."""
        return self._input.shape

    @property
    def input_dtype(self) -> np.dtype:
        """Type of the model's input."""
        return np.dtype(self._input.dtype)

    @property
    def output_scale(self) -> float | None:
        """What a step of the output is worth; None if it has no scale."""
        return self._output.scale or None

    def reset(self) -> None:
        """Resets the model's state; cached kernels survive."""
        self._backend.reset()

    @property
    def arena_used_bytes(self) -> int | None:
        """Bytes of the arena in use; None with "litert", which has none."""
        return self._backend.arena_used_bytes()

    @property
    def generate_counts(self) -> dict[str, int]:
        """Syntheses so far by kernel tensor, in the order of the ops."""
        counts, _ = self._backend.ops()
        names = [op.name for op in self._generated]
        return dict(zip(names, counts, strict=True))

    @property
    def generate_count(self) -> int:
        """Syntheses of the op that synthesized most; 0 without any op.

        1 after any number of `predict` means that every cached kernel was
        synthesized at most once; `generate_counts` has all ops.
        """
        return max(self.generate_counts.values(), default=0)

    def reset_generate_counts(self) -> None:
        """Sets every op's count of syntheses to 0."""
        self._backend.reset_counts()

    @property
    def kernels(self) -> list[np.ndarray]:
        """The int8 kernels, in the order of the ops, in the tensors' shapes.

        A cached kernel is read from the arena as it is now; one that is made
        per invocation is a copy, since activations may overwrite it.

        Raises:
            ValueError: If an op did not synthesize yet: `predict` first.
        """
        _, kernels = self._backend.ops()
        for op, data in zip(self._generated, kernels, strict=True):
            if not data:
                raise ValueError(
                    f"Kernel '{op.name}': expected at least one `predict` "
                    "before `kernels`. Received: none, and its synthesis is "
                    "lazy."
                )
        return [
            np.frombuffer(data, np.int8).reshape(op.shape)
            for op, data in zip(self._generated, kernels, strict=True)
        ]

    def close(self) -> None:
        """Frees the runtime; may be called twice."""
        self._backend.close()

    def __enter__(self) -> Interpreter:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _read_port(graph: schema.SubGraphT, what: str, indices: list[int]) -> _Port:
    if len(indices) != 1:
        raise ConversionError(
            f"Expected a model with one {what}. Received: {len(indices)}."
        )
    tensor = graph.tensors[indices[0]]
    shape = flatbuffer.tensor_shape(tensor)
    if not shape or shape[0] != 1 or min(shape) < 1:
        raise ConversionError(
            f"Expected an {what} of shape (1, ...). Received: {shape}. "
            "Convert the model with batch size 1."
        )
    if tensor.type not in flatbuffer.DTYPES:
        raise ConversionError(
            f"Expected an {what} of a numpy type. Received: TensorType "
            f"{tensor.type}."
        )
    scales = flatbuffer.scales(tensor)
    zero_points = flatbuffer.zero_points(tensor)
    if len(scales) > 1:
        raise ConversionError(
            f"Expected one scale for the {what}. Received: {len(scales)}."
        )
    return _Port(
        shape,
        np.dtype(flatbuffer.DTYPES[tensor.type]),
        float(scales[0]) if len(scales) else 0.0,
        int(zero_points[0]) if len(zero_points) else 0,
    )


def _check_references(model: schema.ModelT, shared: bytes | None) -> None:
    """Explains what TFLM would only report; leaves all else to it."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            if flatbuffer.custom_name(model, operator) != GENERATE_PW_OP:
                continue
            for index in operator.inputs[GENERATOR_INPUT:]:
                data = model.buffers[graph.tensors[index].buffer].data
                if data is not None:
                    resolve_reference(bytes(bytearray(data)), shared)


def _read_generated(model: schema.ModelT) -> list[_Generated]:
    generated: list[_Generated] = []
    for graph in model.subgraphs:
        for operator in graph.operators:
            if flatbuffer.custom_name(model, operator) != GENERATE_PW_OP:
                continue
            if len(operator.outputs) != 1:
                raise ConversionError(
                    f"Expected {GENERATE_PW_OP} with one output. Received: "
                    f"{len(operator.outputs)}."
                )
            # What the op itself cannot see, such as a variable tensor.
            check_only_source(model, graph, operator)
            tensor = graph.tensors[operator.outputs[0]]
            name = flatbuffer.tensor_name(tensor)
            # Slimmed files have no names.
            if not name or name in [op.name for op in generated]:
                name = f"{name or GENERATE_PW_OP}:{len(generated)}"
            shape = flatbuffer.tensor_shape(tensor)
            generated.append(_Generated(name, shape))
    return generated
