"""Writes into a finished `.tflite` when kernels are synthesized."""

from __future__ import annotations

import dataclasses

from keras_hypertinypw import checks
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import read_model, write_model
from keras_hypertinypw.op_insertion import generate_operators, read_spec
from keras_hypertinypw.spec import SYNTHESES, Synthesis


def set_synthesis(model_content: bytes, synthesis: Synthesis) -> bytes:
    """Makes cached kernels at the first inference ("lazy"), or before it.

    Args:
        model_content: Bytes of a `.tflite`.
        synthesis: "lazy" or "boot". Kernels that are made at every inference
            stay what they are.

    Returns:
        The same model with other custom options.

    Raises:
        ConversionError: If the file is damaged, or has no cached kernel.
        ValueError: If `synthesis` is something else.
    """
    synthesis = checks.one_of("synthesis", synthesis, SYNTHESES)
    model = read_model(model_content)
    num_cached = 0
    for operator in generate_operators(model):
        spec = read_spec(model, operator)
        if spec.residency == "cached":
            num_cached += 1
            spec = dataclasses.replace(spec, synthesis=synthesis)
            operator.customOptions = list(spec.options_to_bytes())
    if not num_cached:
        raise ConversionError(
            "Expected a model with cached kernels, to choose when they are "
            f"made. Received: none, and synthesis='{synthesis}'. Leave "
            "`synthesis` out."
        )
    return write_model(model)
