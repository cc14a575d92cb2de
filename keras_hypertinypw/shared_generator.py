"""Takes the generator out of models that share it, and puts it back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.compact_writer import writer_of
from keras_hypertinypw.custom_ops import GENERATE_PW_OP
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    read_model,
    tensor_data,
)
from keras_hypertinypw.op_insertion import (
    GENERATOR_INPUT,
    generate_operators,
    read_spec,
)
from keras_hypertinypw.slim_comparison import draw, run_tflm
from keras_hypertinypw.spec import (
    REFERENCE_SIZE,
    GeneratorSpec,
    reference_to,
)
from keras_hypertinypw.spec_reader import read_generator, resolve_reference

NUM_INPUTS = 50


@dataclasses.dataclass(frozen=True)
class SharedFirmware:
    """Several models and the one generator that they refer to.

    Attributes:
        generator: The generator blob, for the firmware to hold once.
        model_contents: Bytes of a `.tflite` for each model, with a reference
            of 8 bytes in the place of the blob.
    """

    generator: bytes
    model_contents: tuple[bytes, ...]

    @property
    def num_bytes(self) -> int:
        """Size of all of it, in bytes of flash."""
        return len(self.generator) + sum(map(len, self.model_contents))


def share_generator(
    model_contents: Sequence[bytes],
    *,
    generator: bytes | None = None,
    names: Sequence[str] | None = None,
    verify: bool = True,
) -> SharedFirmware:
    """Takes the generator out of models, to be stored once for all of them.

    Nothing else changes: codes, options and what TFLM computes stay. A
    slimmed file stays as small as slimming makes it.

    Args:
        model_contents: Bytes of `.tflite` files with GeneratePW, all with the
            same generator; see `convert_keras_model`.
        generator: The blob that a firmware has already, for a model that is
            to run there; the model may refer to it already. None takes that
            of the models.
        names: What errors call the models; by default
            `model_contents[0]` and so on.
        verify: Whether to run each model in TFLM before and after, on inputs
            that differ.

    Returns:
        The blob, and the files without it, in the same order.

    Raises:
        ConversionError: If a file is damaged or has no GeneratePW, if two
            generators differ, which names the first difference, or if
            outputs do.
        ValueError: If there is no model, or not a name for each.
    """
    if not model_contents:
        raise ValueError(
            "Expected `model_contents` of at least one model. Received: none."
        )
    if names is None:
        names = [f"`model_contents[{i}]`" for i in range(len(model_contents))]
    named = list(zip(names, model_contents, strict=True))
    blobs = [
        (name, blob)
        for name, content in named
        for blob in _blobs(content, name, generator)
    ]
    if generator is not None:
        blobs.insert(0, ("`generator`", bytes(generator)))
    shared = _require_equal(blobs)
    reference = reference_to(shared)
    contents = tuple(
        _exchange(content, reference) for content in model_contents
    )
    if verify:
        for (name, content), after in zip(named, contents, strict=True):
            _compare(name, content, after, shared)
    return SharedFirmware(shared, contents)


def embed_generator(model_content: bytes, generator: bytes) -> bytes:
    """Puts a shared generator back into a file; inverts `share_generator`.

    Args:
        model_content: Bytes of a `.tflite` that refers to a generator.
        generator: The blob that it refers to.

    Returns:
        Bytes of a `.tflite` that needs no other: what it was before it was
        shared, to the last byte, if this package wrote it.

    Raises:
        ConversionError: If the file is damaged, refers to nothing, or to
            another blob.
    """
    model = read_model(model_content)
    operators = generate_operators(model)
    for operator in operators:  # Checks the blob, and the reference to it.
        read_spec(model, operator, generator)
    sizes = {len(blob) for blob in _tensor_blobs(model, operators)}
    if sizes != {REFERENCE_SIZE}:
        raise ConversionError(
            "Expected a file that refers to a shared generator. Received: one "
            "that does not. It needs no other: take it as it is."
        )
    return _exchange(model_content, bytes(generator))


def _blobs(content: bytes, name: str, shared: bytes | None) -> list[bytes]:
    """Returns the generator of every op of a model, checked."""
    try:
        model = read_model(content)
        operators = generate_operators(model)
        for operator in operators:
            read_spec(model, operator, shared)
    except ConversionError as error:
        raise ConversionError(f"{name}: {error}") from error
    if not operators:
        raise ConversionError(
            f"Expected models with {GENERATE_PW_OP} ops. Received: {name} "
            "without any. Leave it out."
        )
    blobs = _tensor_blobs(model, operators)
    return [resolve_reference(blob, shared) for blob in blobs]


def _tensor_blobs(
    model: schema.ModelT, operators: Sequence[schema.OperatorT]
) -> list[bytes]:
    tensors = model.subgraphs[0].tensors
    return [
        tensor_data(model, tensors[op.inputs[GENERATOR_INPUT]]).tobytes()
        for op in operators
    ]


def _exchange(content: bytes, data: bytes) -> bytes:
    """Writes a file anew with other bytes as its generator."""
    model = read_model(content)
    tensors = model.subgraphs[0].tensors
    operators = generate_operators(model)
    indices = {op.inputs[GENERATOR_INPUT] for op in operators}
    holders = {
        tensor.buffer
        for graph in model.subgraphs
        for index, tensor in enumerate(graph.tensors)
        if graph is not model.subgraphs[0] or index not in indices
    }
    for index in indices:
        tensor = tensors[index]
        tensor.shape = [len(data)]
        if tensor.buffer in holders:  # Something else reads these bytes.
            tensor.buffer = add_buffer(model, data)
        else:
            buffer = model.buffers[tensor.buffer]
            buffer.data = np.frombuffer(data, np.uint8)
    return writer_of(content)(model)


def _require_equal(blobs: Sequence[tuple[str, bytes]]) -> bytes:
    """Returns the one blob of all; the error names the first difference."""
    first_name, first = blobs[0]
    expected = read_generator(first)
    for name, blob in blobs[1:]:
        if blob != first:
            difference = _first_difference(expected, read_generator(blob))
            raise ConversionError(
                f"Expected one generator in all models. Received: {first_name} "
                f"and {name}, which differ in {difference}. "
                "Train one `WeightGenerator` with all of them, or freeze it "
                "(`generator.trainable = False`) once the first is trained."
            )
    return first


def _first_difference(one: GeneratorSpec, other: GeneratorSpec) -> str:
    pairs = {
        name: (getattr(one, name), getattr(other, name))
        for name in ("code_dim", "block_size", "skip_shift")
    }
    pairs["num_layers"] = len(one.layers), len(other.layers)
    arrays = {"skip_weights": (one.skip_weights, other.skip_weights)}
    for index, layers in enumerate(zip(one.layers, other.layers, strict=False)):
        for name in ("num_out", "shift", "bias_shift"):
            values = tuple(getattr(layer, name) for layer in layers)
            pairs[f"layer {index}, {name}"] = values
        for name in ("bias", "weights"):
            values = tuple(getattr(layer, name) for layer in layers)
            arrays[f"layer {index}, {name}"] = values
    for name, (before, after) in pairs.items():
        if before != after:
            return f"{name}: {before} and {after}"
    for name, (before, after) in arrays.items():
        if (before is None) != (after is None):
            return f"{name}: only one of them has any"
        if before is not None and after is not None and (before != after).any():
            place = tuple(np.argwhere(before != after)[0].tolist())
            return f"{name}{list(place)}: {before[place]} and {after[place]}"
    return "padding"


def _compare(name: str, before: bytes, after: bytes, generator: bytes) -> None:
    """Runs a model in TFLM as it was, and with the shared generator."""
    graph = read_model(before).subgraphs[0]
    inputs = draw(graph, NUM_INPUTS)
    expected = run_tflm(before, graph, inputs, generator)
    if run_tflm(after, graph, inputs, generator) != expected:
        raise ConversionError(
            f"Expected {name} to compute the same with the shared "
            "generator. Received: outputs that differ. This is a bug; please "
            "report it with the model."
        )
