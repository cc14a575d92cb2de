"""Gate 5: a generated file in TFLM against its dense twin in LiteRT."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_hypertinypw import integer
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.materialize import materialize
from keras_hypertinypw.op_insertion import read_specs

NUM_INVOKES = 3
# A comparison that hardly varies compares nothing.
MIN_DISTINCT = 50


@dataclasses.dataclass(frozen=True)
class Verification:
    """What a comparison found.

    Attributes:
        identical: Whether all outputs and all generated kernels agree.
        num_inputs: Inputs compared, random and edge cases.
        num_values: Output values compared, over all invokes.
        num_distinct: Distinct values among them.
        num_differences: Output values that differ.
        max_difference: Largest difference, in steps of the output.
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
    max_difference: int
    num_kernels: int
    different_kernels: tuple[str, ...]
    arena_bytes: int
    generate_counts: dict[str, int]

    def __str__(self) -> str:
        verdict = "identical" if self.identical else "DIFFERENT"
        lines = [
            verdict,
            f"{self.num_values:,} values compared, {self.num_distinct} "
            f"distinct, {self.num_differences} different"
            f" (by at most {self.max_difference})",
            f"{self.num_kernels} generated kernels compared, "
            f"{len(self.different_kernels)} different",
            f"{self.arena_bytes:,} B of arena",
        ]
        lines += [
            f"{count} syntheses of {name}"
            for name, count in self.generate_counts.items()
        ]
        return "\n".join(lines)


def verify(
    model_content: bytes,
    *,
    dense_model: bytes | None = None,
    num_inputs: int = 100,
    seed: int = 0,
) -> Verification:
    """Runs a file in TFLM and its dense twin in LiteRT, bit for bit.

    Every input is invoked three times, with a `reset()` between, so that a
    kernel lost after the first invoke or by a reset shows.

    Args:
        model_content: A `.tflite` with GeneratePW ops.
        dense_model: The twin with stored kernels; by default the
            materialized file.
        num_inputs: Number of random inputs, beside three edge cases (all
            -128, all 127, all zero).
        seed: Of the random inputs.

    Raises:
        ConversionError: If a runtime refuses the file, or there is too
            little variety in the outputs for the comparison to mean
            anything.
    """
    specs = read_specs(model_content)
    oracle_model = dense_model or materialize(model_content)
    with Interpreter(oracle_model, runtime="litert") as oracle:
        inputs = draw_inputs(
            oracle.input_shape[1:], oracle.input_dtype, num_inputs, seed
        )
        expected = oracle.predict(inputs)
    outputs = []
    with Interpreter(model_content) as interpreter:
        for _ in range(NUM_INVOKES):
            outputs.append(interpreter.predict(inputs))
            interpreter.reset()
        kernels = interpreter.kernels
        counts = interpreter.generate_counts
        arena_bytes = interpreter.arena_used_bytes or 0
    different_kernels = tuple(
        spec.layer_name
        for spec, kernel in zip(specs, kernels, strict=True)
        if not np.array_equal(kernel, integer.synthesize(spec))
    )
    stacked = np.stack(outputs).astype(np.int64)
    difference = np.abs(stacked - expected.astype(np.int64))
    num_distinct = len(np.unique(expected))
    if num_distinct < MIN_DISTINCT:
        raise ConversionError(
            f"Expected at least {MIN_DISTINCT} distinct output values to "
            f"compare. Received: {num_distinct} over {len(inputs)} inputs. "
            "Give the network a last layer that varies (logits, not "
            "softmax), or compare more inputs (`num_inputs`)."
        )
    return Verification(
        identical=not difference.any() and not different_kernels,
        num_inputs=len(inputs),
        num_values=difference.size,
        num_distinct=num_distinct,
        num_differences=int(np.count_nonzero(difference)),
        max_difference=int(difference.max()),
        num_kernels=len(kernels),
        different_kernels=different_kernels,
        arena_bytes=arena_bytes,
        generate_counts=counts,
    )


def draw_inputs(
    shape: tuple[int, ...], dtype: np.dtype, count: int, seed: int
) -> np.ndarray:
    """Returns inputs in the model's input type: random ones, then edges.

    Half of the random inputs are white noise, half wander slowly, which
    drives a convolutional network much further from zero.

    Args:
        shape: Shape of one input, without the batch.
        dtype: Type of the result, int8 or float32.
        count: Number of random inputs.
        seed: Of the generator of random numbers.

    Returns:
        Array of shape `(count + 3, ...)`; the edges are -128, 127 and 0.
    """
    rng = np.random.default_rng(seed)
    noise = rng.integers(-128, 128, (count - count // 2, *shape))
    steps = rng.normal(0, 16, (count // 2, *shape)).cumsum(axis=1)
    edges = np.broadcast_to(
        np.array([-128, 127, 0]).reshape(3, *[1] * len(shape)), (3, *shape)
    )
    inputs = np.concatenate([noise, np.clip(steps, -128, 127), edges])
    return inputs.astype(np.int8).astype(dtype)
