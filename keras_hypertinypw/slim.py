"""Makes any `.tflite` file smaller for TFLM, without changing a value."""

from __future__ import annotations

from keras_hypertinypw.compact_writer import write_compact
from keras_hypertinypw.flatbuffer import check_constants, read_model
from keras_hypertinypw.slim_comparison import Comparison, compare
from keras_hypertinypw.slim_passes import (
    slim_buffers,
    slim_graphs,
    slim_metadata,
    slim_operators,
    slim_quantization,
)
from keras_hypertinypw.slim_report import SlimReport, report


def slim(
    model_content: bytes,
    *,
    desktop: bool = False,
    keep_metadata: bool = False,
    keep_signatures: bool = False,
    verify: bool = True,
    generator: bytes | None = None,
) -> bytes:
    """Removes from a `.tflite` what TFLM does not read, and shares the rest.

    Inputs, outputs and every value that a kernel computes stay what they are;
    names, metadata, signatures, the quantization of most biases, repeated zero
    points, reshapes that undo each other and tensors that no operator uses go.
    What is equal is stored once.

    Args:
        model_content: Bytes of a `.tflite`, int8 or float, with or without
            GeneratePW.
        desktop: Keep what desktop TensorFlow Lite needs: one zero point per
            channel, the quantization of biases and dynamic shapes. TFLM's
            kernels for ARC MLI need it too.
        keep_metadata: Keep metadata and the model's description.
        keep_signatures: Keep signatures.
        verify: Compare the result with `model_content`, value by value and in
            TFLM; with `desktop` in LiteRT too.
        generator: The shared blob that the file refers to, if it does. TFLM
            does not run the file without it.

    Returns:
        Bytes of a `.tflite`. Slimmed again it stays what it is.

    Raises:
        ConversionError: If the file is damaged or compressed by TFLM's tools,
            or if the comparison finds a difference.
    """
    slimmed = _slim(model_content, desktop, keep_metadata, keep_signatures)
    if verify:
        compare(model_content, slimmed, desktop=desktop, generator=generator)
    return slimmed


def slim_with_report(
    model_content: bytes,
    *,
    desktop: bool = False,
    keep_metadata: bool = False,
    keep_signatures: bool = False,
    generator: bytes | None = None,
) -> tuple[bytes, SlimReport]:
    """Slims and verifies like `slim`; also returns what went and what stayed.

    Args:
        model_content: See `slim`, as for the others.
        desktop: Keep what desktop TensorFlow Lite needs.
        keep_metadata: Keep metadata and the model's description.
        keep_signatures: Keep signatures.
        generator: The shared blob that the file refers to, if it does.

    Raises:
        ConversionError: As `slim` does.
    """
    slimmed = _slim(model_content, desktop, keep_metadata, keep_signatures)
    comparison: Comparison = compare(
        model_content, slimmed, desktop=desktop, generator=generator
    )
    return slimmed, report(model_content, slimmed, comparison)


def _slim(
    model_content: bytes,
    desktop: bool,
    keep_metadata: bool,
    keep_signatures: bool,
) -> bytes:
    model = read_model(model_content)
    check_constants(model)
    slim_metadata(
        model, keep_metadata=keep_metadata, keep_signatures=keep_signatures
    )
    slim_graphs(model, desktop=desktop)
    slim_quantization(model, desktop=desktop)
    slim_operators(model, desktop=desktop)
    slim_buffers(model)
    return write_compact(model)
