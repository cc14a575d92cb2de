"""Replaces constant pointwise kernels by GeneratePW outputs, and reads back.

Only bytes and integers: the dense model comes from the stock converter, the
specs from `freeze.py`.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.custom_ops import (
    GENERATE_PW_OP,
    add_vector,
    check_only_source,
    custom_operators,
    insert_operator,
    malformed,
)
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    consumers,
    custom_name,
    is_constant,
    read_model,
    tensor_data,
    tensor_name,
    tensor_shape,
    write_model,
)
from keras_hypertinypw.kernel_search import (
    KernelTensor,
    find_kernel,
    find_kernel_tensors,
)
from keras_hypertinypw.pruning import prune_buffers
from keras_hypertinypw.spec import GeneratorSpec, PointwiseSpec
from keras_hypertinypw.spec_reader import (
    read_generator,
    read_pointwise,
    resolve_reference,
)

CODES_INPUT = 0
GENERATOR_INPUT = 1


def insert_generate_ops(
    model_content: bytes, specs: Sequence[PointwiseSpec]
) -> bytes:
    """Replaces each constant pointwise kernel by a GeneratePW output.

    A kernel is found by its data, since the names of tensors do not survive
    the TFLite converter: what is replaced is what the spec synthesizes, to
    the last bit.

    Args:
        model_content: The dense int8 `.tflite`, kernels constant.
        specs: One spec per generated layer, in any order.

    Returns:
        Bytes of a `.tflite` in which every kernel of `specs` is the output of
        a GeneratePW op, placed before the kernel's first consumer.

    Raises:
        ConversionError: If the file is damaged, or no constant kernel equals
            what a spec synthesizes.
    """
    model = read_model(model_content)
    kernels = find_kernel_tensors(model)
    claims: collections.Counter[int] = collections.Counter()
    generators: dict[bytes, int] = {}
    for spec in specs:
        kernel = find_kernel(kernels, spec, claims)
        claims[kernel.index] += 1
        if claims[kernel.index] == 1:
            generator = _add_generator(model, spec.generator, generators)
            _insert_op(model, spec, kernel, generator)
    prune_buffers(model)
    return write_model(model)


def _add_generator(
    model: schema.ModelT,
    generator: GeneratorSpec,
    generators: dict[bytes, int],
) -> int:
    """Returns the generator's tensor index, adding each blob only once."""
    blob = generator.to_bytes()
    if blob not in generators:
        suffix = len(generators) or ""
        generators[blob] = add_vector(
            model, f"generator{suffix}", schema.TensorType.UINT8, blob
        )
    return generators[blob]


def _insert_op(
    model: schema.ModelT,
    spec: PointwiseSpec,
    kernel: KernelTensor,
    generator: int,
) -> None:
    graph = model.subgraphs[0]
    first_consumer = min(index for index, _ in consumers(graph, kernel.index))
    count = sum(
        custom_name(model, o) == GENERATE_PW_OP for o in graph.operators
    )
    codes = add_vector(
        model,
        f"codes{count or ''}",
        schema.TensorType.UINT8,
        spec.codes_to_bytes(),
    )
    # Scales, shape, type and name stay; the data goes.
    insert_operator(
        model,
        first_consumer,
        GENERATE_PW_OP,
        [codes, generator],
        [kernel.index],
        spec.options_to_bytes(),
    )


def read_specs(
    model_content: bytes, *, generator: bytes | None = None
) -> tuple[PointwiseSpec, ...]:
    """Reads the GeneratePW ops of a file; inverse of `insert_generate_ops`.

    Args:
        model_content: Bytes of a `.tflite`, with or without GeneratePW.
        generator: The blob that the file refers to, if it does.

    Returns:
        One spec per op, in order of execution. `layer_name` is the name of
        the kernel tensor: the file does not hold the Keras layer's.

    Raises:
        ConversionError: If the file is damaged, an op says what
            `tflm_ops/README.md` does not allow, or the blob that it refers
            to is missing.
    """
    model = read_model(model_content)
    return tuple(
        read_spec(model, operator, generator)
        for operator in generate_operators(model)
    )


def generate_operators(model: schema.ModelT) -> list[schema.OperatorT]:
    """Returns the GeneratePW operators, all of them in the main subgraph."""
    return custom_operators(model, GENERATE_PW_OP)


def read_spec(
    model: schema.ModelT,
    operator: schema.OperatorT,
    generator: bytes | None = None,
) -> PointwiseSpec:
    """Reads one GeneratePW operator; see `read_specs`."""
    tensors = model.subgraphs[0].tensors
    indices = [*operator.inputs, *operator.outputs]
    if len(operator.inputs) != 2 or len(indices) != 3 or min(indices) < 0:
        raise malformed(
            GENERATE_PW_OP,
            "2 inputs and 1 output",
            (operator.inputs, operator.outputs),
        )
    kernel = tensors[operator.outputs[0]]
    name, shape = tensor_name(kernel), tensor_shape(kernel)
    if kernel.type != schema.TensorType.INT8 or min(shape, default=0) < 1:
        raise malformed(
            f"{GENERATE_PW_OP} of '{name}'",
            "an int8 output of at least one weight",
            (kernel.type, shape),
        )
    check_only_source(model, model.subgraphs[0], operator)
    codes = _bytes_of(model, tensors[operator.inputs[CODES_INPUT]], name)
    blob = _bytes_of(model, tensors[operator.inputs[GENERATOR_INPUT]], name)
    blob = resolve_reference(blob, generator)
    options = operator.customOptions
    try:
        return read_pointwise(
            name,
            read_generator(blob),
            codes,
            b"" if options is None else bytes(options),
            shape,
        )
    except ValueError as error:
        raise ConversionError(
            f"{GENERATE_PW_OP} of '{name}': {error} Convert the model again, "
            "with the version of keras_hypertinypw that reads it."
        ) from error


def _bytes_of(
    model: schema.ModelT, tensor: schema.TensorT, kernel_name: str
) -> bytes:
    constant = is_constant(model, tensor)
    if tensor.type != schema.TensorType.UINT8 or not constant:
        raise malformed(
            f"{GENERATE_PW_OP} of '{kernel_name}'",
            f"constant uint8 data in '{tensor_name(tensor)}'",
            f"type {tensor.type}, constant={constant}",
        )
    return tensor_data(model, tensor).tobytes()
