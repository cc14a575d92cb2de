"""Packs the stored kernels of a `.tflite` into four bits a weight.

TFLite's converter does it too, of TensorFlow 2.21, if every kernel is behind a
FakeQuant of `num_bits=4` (tfmot's own with that argument, say): it writes INT4
filters, with or without its `_experimental_low_bit_qat`, and TFLM runs the
file. There is then no int8 file to compare it with, tfmot leaves kernels
before a ReLU in eight bits, and LiteRT 1.2.0 refuses the file with reference
kernels, since it raises the version of DEPTHWISE_CONV_2D to 7. Here the
versions stay what they are in int8, TFLM does not look at them, and LiteRT's
reference kernels run CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED so packed,
with TFLM's outputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    read_model,
    tensor_name,
    write_model,
)
from keras_hypertinypw.int4_kernels import Kernel, find_kernels
from keras_hypertinypw.int4_rescaling import rescale
from keras_hypertinypw.int4_values import pack_nibbles
from keras_hypertinypw.pruning import prune_buffers


def pack_int4(
    model_content: bytes, *, layers: Iterable[str] | None = None
) -> bytes:
    """Packs int8 kernels into INT4, as TFLM's kernels read them.

    A kernel in [-8, 7], as one that `quantize_model(kernel_bits=4)` trained,
    is packed as it is, and the outputs stay the same to the last bit. Any
    other gets a new scale for each output channel, the one that squares the
    least error, weights in [-7, 7], and a bias in its new unit; what that
    costs is for data to say (`compare_outputs`, `hypertinypw int4`).
    FULLY_CONNECTED gets one scale for all: TFLM takes no other with INT4.

    Args:
        model_content: Bytes of an int8 `.tflite`, with or without GeneratePW;
            generated kernels stay what they are.
        layers: Names of the layers to pack, of their kernels' tensors, or
            "tensor 5" where it has no name; by default every CONV_2D,
            DEPTHWISE_CONV_2D and FULLY_CONNECTED that can be.

    Raises:
        ConversionError: If the file is damaged, a layer is unknown or cannot
            be packed, or there is nothing to pack.
    """
    model = read_model(model_content)
    chosen = _choose(find_kernels(model), layers)
    # Packed already: nothing to do, and no reason to write it anew.
    chosen = [kernel for kernel in chosen if not kernel.is_packed]
    if not chosen:
        return bytes(model_content)
    for kernel in chosen:
        data = pack_nibbles(rescale(model, kernel))
        kernel.tensor.type = schema.TensorType.INT4
        kernel.tensor.buffer = add_buffer(model, data)
    prune_buffers(model)
    return write_model(model)


def _choose(
    kernels: Mapping[int, Kernel], layers: Iterable[str] | None
) -> list[Kernel]:
    if layers is None:
        chosen = [kernel for kernel in kernels.values() if not kernel.fault]
        if not chosen:
            faults = [kernel.fault for kernel in kernels.values()]
            raise ConversionError(
                "Expected a CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED "
                "with a stored int8 kernel. Received: "
                f"{', '.join(faults) or 'none of these operators'}. Convert "
                "the model to int8 first."
            )
        return chosen
    if isinstance(layers, str):
        layers = [layers]
    found: dict[int, Kernel] = {}
    for layer in layers:
        named = {
            index: kernel
            for index, kernel in kernels.items()
            if kernel.answers_to(index, layer)
        }
        if not named:
            names = [
                tensor_name(kernel.tensor) or f"tensor {index}"
                for index, kernel in kernels.items()
            ]
            raise ConversionError(
                f"Expected the name of a layer with a kernel, or of a part "
                f"of {names}. Received: '{layer}'."
            )
        found |= named
    for kernel in found.values():
        if kernel.fault:
            raise ConversionError(
                f"Kernel '{tensor_name(kernel.tensor)}': expected a stored "
                "int8 kernel that TFLM can read in four bits. Received: "
                f"{kernel.fault}. Leave it out of `layers`."
            )
    return list(found.values())
