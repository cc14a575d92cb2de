"""Folds GeneratePW and WidenBias into constants, for desktop runtimes."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw import integer
from keras_hypertinypw.bias_narrowing import read_biases, widen_operators
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    read_model,
    scales,
    write_model,
    zero_points,
)
from keras_hypertinypw.op_insertion import generate_operators, read_spec
from keras_hypertinypw.pruning import (
    prune_buffers,
    prune_operator_codes,
    remove_unused_tensors,
)


def materialize(
    model_content: bytes, *, generator: bytes | None = None
) -> bytes:
    """Folds GeneratePW and WidenBias ops into the constants that they make.

    The result holds only builtin operators as far as the model does, runs in
    plain LiteRT, and is the oracle for what a device computes. In a slimmed
    file zero points are repeated for every channel, which LiteRT asks for.

    Args:
        model_content: Bytes of a `.tflite`, with or without GeneratePW.
        generator: The blob that the file refers to, if it does; see
            `share_generator`.

    Returns:
        Bytes of an equivalent `.tflite` without these ops; `model_content`
        itself if there is nothing to do.

    Raises:
        ConversionError: If the file is damaged, one of the ops is malformed,
            or the blob that it refers to is missing.
    """
    model = read_model(model_content)
    generating, widening = generate_operators(model), widen_operators(model)
    operators = [*generating, *widening]
    if not _repeat_zero_points(model) and not operators:
        return bytes(model_content)
    made = {}
    for operator in generating:
        # Checks that there is an output.
        kernel = integer.synthesize(read_spec(model, operator, generator))
        made[operator.outputs[0]] = kernel
    for operator in widening:
        for bias in read_biases(model, operator):
            made[bias.index] = bias.widen()
    graph = model.subgraphs[0]
    for index, values in made.items():
        graph.tensors[index].buffer = add_buffer(model, values.tobytes())
    orphans = {index for operator in operators for index in operator.inputs}
    graph.operators = [op for op in graph.operators if op not in operators]
    remove_unused_tensors(model, orphans)
    prune_operator_codes(model)
    prune_buffers(model)
    return write_model(model)


def _repeat_zero_points(model: schema.ModelT) -> bool:
    """Gives every channel a zero point; returns whether some had none."""
    found = False
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            count, values = len(scales(tensor)), zero_points(tensor)
            if len(values) == 1 < count:
                tensor.quantization.zeroPoint = np.repeat(values, count)
                found = True
    return found
