"""Rewrites the options of a finished `.tflite`'s GeneratePW ops."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from keras_hypertinypw import checks
from keras_hypertinypw.compact_writer import writer_of
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.op_insertion import generate_operators, read_spec
from keras_hypertinypw.spec import (
    SYNTHESES,
    PointwiseSpec,
    Residency,
    Synthesis,
)


def set_residencies(
    model_content: bytes, residencies: Sequence[Residency]
) -> bytes:
    """Rewrites how long kernels stay, and nothing else.

    Args:
        model_content: Bytes of a `.tflite` with GeneratePW.
        residencies: One per op, in their order. A kernel that does not stay
            is made lazily: boot synthesis would be lost.

    Raises:
        ConversionError: If the file is damaged.
        ValueError: If there are not as many residencies as ops.
    """

    def change(specs: list[PointwiseSpec]) -> Iterable[PointwiseSpec]:
        for spec, residency in zip(specs, residencies, strict=True):
            synthesis = spec.synthesis if residency == "cached" else "lazy"
            yield dataclasses.replace(
                spec, residency=residency, synthesis=synthesis
            )

    return _rewrite(model_content, change)


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

    def change(specs: list[PointwiseSpec]) -> Iterable[PointwiseSpec]:
        if all(spec.residency != "cached" for spec in specs):
            raise ConversionError(
                "Expected a model with cached kernels, to choose when they "
                f"are made. Received: none, and synthesis='{synthesis}'. "
                "Leave `synthesis` out."
            )
        for spec in specs:
            if spec.residency == "cached":
                spec = dataclasses.replace(spec, synthesis=synthesis)
            yield spec

    return _rewrite(model_content, change)


def set_compact(model_content: bytes) -> bytes:
    """Says of every kernel what the compact op does, whatever a file says.

    It makes all when tensors are allocated, and keeps them.

    Args:
        model_content: Bytes of a `.tflite`, with GeneratePW or without.

    Returns:
        The same model with other custom options.

    Raises:
        ConversionError: If the file is damaged.
    """

    def change(specs: list[PointwiseSpec]) -> Iterable[PointwiseSpec]:
        for spec in specs:
            yield dataclasses.replace(
                spec, residency="cached", synthesis="boot"
            )

    return _rewrite(model_content, change)


def _rewrite(
    model_content: bytes,
    change: Callable[[list[PointwiseSpec]], Iterable[PointwiseSpec]],
) -> bytes:
    """Writes the options of changed specs back into their ops."""
    changed = False
    model = read_model(model_content)
    operators = generate_operators(model)
    specs = [read_spec(model, operator) for operator in operators]
    for operator, old, new in zip(operators, specs, change(specs), strict=True):
        if new is not old:
            operator.customOptions = list(new.options_to_bytes())
            changed = True
    return writer_of(model_content)(model) if changed else model_content
