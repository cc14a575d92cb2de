"""Gate 5: a file in TFLM against its dense twin, or itself, in LiteRT."""

from __future__ import annotations

import dataclasses

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw import checks, flatbuffer, integer
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.formatting import format_count
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.materialize import materialize
from keras_hypertinypw.op_insertion import read_specs

NUM_INVOKES = 3
# A comparison that hardly varies compares nothing.
MIN_DISTINCT = 50
# Where `num_inputs` vary too little, so many times more are tried.
_MORE = 10


@dataclasses.dataclass(frozen=True)
class Verification:
    """What a comparison found.

    Attributes:
        identical: Whether all outputs and all generated kernels agree.
        num_inputs: Inputs compared, random and edge cases.
        num_values: Output values compared, over all invokes.
        num_distinct: Distinct values among them.
        num_differences: Output values that differ.
        max_difference: Largest difference, in steps of the output, or in
            its own unit if that is float32.
        num_kernels: Generated kernels compared.
        different_kernels: Names of the kernels that differ.
        arena_bytes: Arena that TFLM uses.
        generate_counts: Syntheses by kernel, after all invokes.
    """

    identical: bool
    num_inputs: int
    num_values: int
    num_distinct: int
    num_differences: int
    max_difference: float
    num_kernels: int
    different_kernels: tuple[str, ...]
    arena_bytes: int
    generate_counts: dict[str, int]

    def __str__(self) -> str:
        verdict = "identical" if self.identical else "DIFFERENT"
        lines = [
            verdict,
            f"{format_count(self.num_values, 'value')} compared, "
            f"{self.num_distinct} distinct, {self.num_differences} different"
            f" (by at most {self.max_difference:g})",
            f"{format_count(self.num_kernels, 'generated kernel')} compared, "
            f"{len(self.different_kernels)} different",
            f"{self.arena_bytes:,} B of arena",
        ]
        lines += [
            f"{format_count(number, 'synthesis', 'syntheses')} of {name}"
            for name, number in self.generate_counts.items()
        ]
        return "\n".join(lines)


def verify(
    model_content: bytes,
    *,
    dense_model: bytes | None = None,
    generator: bytes | None = None,
    num_inputs: int = 100,
    seed: int = 0,
) -> Verification:
    """Runs a file in TFLM and its dense twin in LiteRT, bit for bit.

    Every input is invoked three times, with a `reset()` between, so that a
    kernel lost after the first invoke or by a reset shows. Each generated
    kernel must equal its integer definition and be stored in the twin. A file
    without generated kernels is its own twin; one that computes in float may
    differ in last digits, for which runtimes promise nothing.

    Args:
        model_content: A `.tflite`, with or without GeneratePW ops.
        dense_model: The twin with stored kernels; by default the
            materialized file.
        generator: The blob that the file refers to, if it does.
        num_inputs: Number of random inputs, beside three edge cases (all
            -128, all 127, all zero). Ten times more are drawn if the outputs
            hardly vary over these.
        seed: Of the random inputs.

    Raises:
        ConversionError: If a runtime refuses the file, or there is too
            little variety in the outputs for the comparison to mean
            anything.
    """
    checks.positive_int("num_inputs", num_inputs)
    specs = read_specs(model_content, generator=generator)
    oracle_model = dense_model or materialize(
        model_content, generator=generator
    )
    inputs, expected = _vary(oracle_model, num_inputs, seed)
    outputs = []
    with Interpreter(model_content, generator=generator) as interpreter:
        for _ in range(NUM_INVOKES):
            outputs.append(interpreter.predict(inputs))
            interpreter.reset()
        kernels = interpreter.kernels
        counts = interpreter.generate_counts
        arena_bytes = interpreter.arena_used_bytes or 0
    stored = _stored_kernels(oracle_model)
    different_kernels = tuple(
        spec.layer_name
        for spec, kernel in zip(specs, kernels, strict=True)
        if not np.array_equal(kernel, integer.synthesize(spec))
        or not any(np.array_equal(kernel, other) for other in stored)
    )
    # Exact for int8 and for float32.
    stacked = np.stack(outputs).astype(np.float64)
    difference = np.abs(stacked - expected)
    return Verification(
        identical=not difference.any() and not different_kernels,
        num_inputs=len(inputs),
        num_values=difference.size,
        num_distinct=len(np.unique(expected)),
        num_differences=int(np.count_nonzero(difference)),
        max_difference=difference.max().item(),
        num_kernels=len(kernels),
        different_kernels=different_kernels,
        arena_bytes=arena_bytes,
        generate_counts=counts,
    )


def _vary(
    oracle_model: bytes, num_inputs: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs over which the outputs vary, and those outputs."""
    scale, zero_point = _input_quantization(oracle_model)
    with Interpreter(oracle_model, runtime="litert") as oracle:
        for number in (num_inputs, _MORE * num_inputs):
            inputs = draw_inputs(oracle.input_shape[1:], number, seed)
            if oracle.input_dtype == np.float32:
                inputs = (inputs - np.float32(zero_point)) * scale
            expected = oracle.predict(inputs)
            num_distinct = len(np.unique(expected))
            if num_distinct >= MIN_DISTINCT:
                return inputs, expected
    raise ConversionError(
        f"Expected at least {MIN_DISTINCT} distinct output values to "
        f"compare. Received: {num_distinct} over {len(inputs)} inputs. "
        "Give the network a last layer that varies (logits, not "
        "softmax), or compare more inputs (`num_inputs`)."
    )


def _input_quantization(model_content: bytes) -> tuple[np.float32, int]:
    """Returns scale and zero point of the QUANTIZE behind a float32 input."""
    model = flatbuffer.read_model(model_content)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        reads_input = operator.inputs == graph.inputs
        if reads_input and (
            flatbuffer.operator_name(model, operator) == "QUANTIZE"
        ):
            tensor = graph.tensors[operator.outputs[0]]
            zero_point = int(flatbuffer.zero_points(tensor)[0])
            return flatbuffer.scales(tensor)[0], zero_point
    return np.float32(1), 0


def _stored_kernels(model_content: bytes) -> list[np.ndarray]:
    model = flatbuffer.read_model(model_content)
    return [
        flatbuffer.tensor_data(model, tensor)
        for tensor in model.subgraphs[0].tensors
        if tensor.type == schema.TensorType.INT8
        and flatbuffer.is_constant(model, tensor)
    ]


def draw_inputs(shape: tuple[int, ...], count: int, seed: int) -> np.ndarray:
    """Returns int8 inputs: random ones, then edges.

    Half of the random inputs are white noise, half wander slowly, which
    drives a convolutional network much further from zero.

    Args:
        shape: Shape of one input, without the batch.
        count: Number of random inputs.
        seed: Of the generator of random numbers.

    Returns:
        int8 array of shape `(count + 3, ...)`; the edges are -128, 127, 0.
    """
    rng = np.random.default_rng(seed)
    noise = rng.integers(-128, 128, (count - count // 2, *shape))
    steps = rng.normal(0, 16, (count // 2, *shape)).cumsum(axis=1)
    edges = np.broadcast_to(
        np.array([-128, 127, 0]).reshape(3, *[1] * len(shape)), (3, *shape)
    )
    inputs = np.concatenate([noise, np.clip(steps, -128, 127), edges])
    return inputs.astype(np.int8)
