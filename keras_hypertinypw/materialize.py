"""Folds every GeneratePW into a constant, for desktop runtimes."""

from __future__ import annotations

from keras_hypertinypw import integer
from keras_hypertinypw.flatbuffer import add_buffer, read_model, write_model
from keras_hypertinypw.op_insertion import generate_operators, read_spec
from keras_hypertinypw.pruning import (
    prune_buffers,
    prune_operator_codes,
    remove_unused_tensors,
)


def materialize(model_content: bytes) -> bytes:
    """Folds every GeneratePW op into the constant kernel that it synthesizes.

    The result holds only builtin operators as far as the model does, runs in
    plain LiteRT, and is the oracle for what a device computes.

    Args:
        model_content: Bytes of a `.tflite`, with or without GeneratePW.

    Returns:
        Bytes of an equivalent `.tflite` without GeneratePW; `model_content`
        itself if it has none.

    Raises:
        ConversionError: If the file is damaged, or a GeneratePW op is
            malformed.
    """
    model = read_model(model_content)
    operators = generate_operators(model)
    if not operators:
        return bytes(model_content)
    graph = model.subgraphs[0]
    orphans = set()
    for operator in operators:
        kernel = integer.synthesize(read_spec(model, operator))
        tensor = graph.tensors[operator.outputs[0]]
        tensor.buffer = add_buffer(model, kernel.tobytes())
        orphans.update(operator.inputs)
    graph.operators = [op for op in graph.operators if op not in operators]
    remove_unused_tensors(model, orphans)
    prune_operator_codes(model)
    prune_buffers(model)
    return write_model(model)
