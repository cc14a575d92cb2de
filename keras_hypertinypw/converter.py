"""Keras model in, `.tflite` with GeneratePW out."""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from keras_hypertinypw import checks
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.freezing import freeze
from keras_hypertinypw.op_insertion import insert_generate_ops
from keras_hypertinypw.planner import fit_arena
from keras_hypertinypw.spec import Residency, Synthesis
from keras_hypertinypw.verification import verify as verify_model

# What TFLM's kernels and this package's interpreter take at the ends.
_IO_TYPES = (tf.int8, tf.float32)


def convert_keras_model(
    model: keras.Model,
    *,
    inference_input_type: tf.DType = tf.int8,
    inference_output_type: tf.DType = tf.int8,
    residency: Residency = "cached",
    synthesis: Synthesis = "lazy",
    arena_budget: int | None = None,
    verify: bool = True,
) -> bytes:
    """Converts a quantized, trained model to an int8 `.tflite`.

    The stock converter makes a dense model; each generated kernel in it is
    compared with the integer definition and replaced by a GeneratePW op.

    Args:
        model: What `quantize_model` returned, trained.
        inference_input_type: `tf.int8` or `tf.float32`.
        inference_output_type: `tf.int8` or `tf.float32`.
        residency: "cached" keeps every kernel in the arena, "per_invoke"
            synthesizes it at every inference and needs less of it.
        synthesis: "lazy" at the first inference, "boot" when the interpreter
            allocates its tensors; boot needs cached kernels.
        arena_budget: Size of the tensor arena, in bytes. Kernels then stay
            in it as far as it has room, the ones that take longest to make
            first (see `plan_residency`); the others are made at every
            inference, also with boot synthesis.
        verify: Whether to run the result in TFLM against the dense model.

    Returns:
        Bytes of the file.

    Raises:
        ConversionError: If the model cannot be frozen (see `freeze`), a
            kernel differs from its definition, TFLM's outputs differ, or
            the model does not fit the budget.
        ValueError: If an option is not one of those above, or a budget meets
            a residency.
    """
    checks.one_of("inference_input_type", inference_input_type, _IO_TYPES)
    checks.one_of("inference_output_type", inference_output_type, _IO_TYPES)
    if arena_budget is not None:
        checks.positive_int("arena_budget", arena_budget)
        if residency != "cached":
            raise ValueError(
                "Expected either `arena_budget`, which chooses the residency "
                "of each kernel, or a `residency`. Received: arena_budget="
                f"{arena_budget} and residency='{residency}'. Leave one out."
            )
    if verify and (len(model.inputs), len(model.outputs)) != (1, 1):
        raise ConversionError(
            "Expected a model with one input and one output to verify. "
            f"Received: {len(model.inputs)} and {len(model.outputs)}. Convert "
            "it with `verify=False`."
        )
    frozen = freeze(
        model,
        inference_input_type=inference_input_type,
        inference_output_type=inference_output_type,
        residency=residency,
        synthesis=synthesis,
    )
    content = insert_generate_ops(frozen.dense_model, frozen.specs)
    if arena_budget is not None:
        content = fit_arena(content, arena_budget)
    if verify:
        result = verify_model(content, dense_model=frozen.dense_model)
        if not result.identical:
            raise ConversionError(
                "Expected TFLM's outputs to equal the dense model's. "
                f"Received: {result.num_differences} of {result.num_values} "
                f"values different, kernels different: "
                f"{result.different_kernels or 'none'}. This is a bug; "
                "please report it with the model."
            )
    return content
