"""The package's custom ops in a model: their names, and where they stand."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    add_buffer,
    custom_name,
    is_constant,
    tensor_name,
)
from keras_hypertinypw.model_checks import NO_BUFFER

GENERATE_PW_OP = "GeneratePW"
WIDEN_BIAS_OP = "WidenBias"
CUSTOM_OPS = (GENERATE_PW_OP, WIDEN_BIAS_OP)


def operator_code(model: schema.ModelT, name: str) -> int:
    """Returns the index of a custom op's code, adding it if needed."""
    for index, code in enumerate(model.operatorCodes):
        if code.customCode in (name, name.encode()):
            return index
    custom = schema.BuiltinOperator.CUSTOM
    code = schema.OperatorCodeT()
    code.deprecatedBuiltinCode = custom
    code.builtinCode = custom
    code.customCode = name
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def add_vector(
    model: schema.ModelT, name: str, tensor_type: int, data: bytes
) -> int:
    """Adds a constant vector of bytes, int8 or uint8; returns its index."""
    tensors = model.subgraphs[0].tensors
    tensor = schema.TensorT()
    tensor.name = name
    tensor.type = tensor_type
    tensor.shape = [len(data)]
    tensor.buffer = add_buffer(model, data)
    tensors.append(tensor)
    return len(tensors) - 1


def insert_operator(
    model: schema.ModelT,
    position: int,
    name: str,
    inputs: list[int],
    outputs: list[int],
    options: bytes,
) -> None:
    """Inserts a custom op, which makes what was constant until then.

    Args:
        model: Changed in place.
        position: Among the operators of the main subgraph.
        name: Of the op.
        inputs: Tensors.
        outputs: Tensors, which lose their data, and nothing else.
        options: Custom options.
    """
    graph = model.subgraphs[0]
    operator = schema.OperatorT()
    operator.opcodeIndex = operator_code(model, name)
    operator.inputs = inputs
    operator.outputs = outputs
    # A list: the builder aligns nothing but numpy data of buffers.
    operator.customOptions = list(options)
    graph.operators.insert(position, operator)
    for index in outputs:
        graph.tensors[index].buffer = NO_BUFFER


def custom_operators(model: schema.ModelT, name: str) -> list[schema.OperatorT]:
    """Returns the operators of a name.

    Raises:
        ConversionError: If some are not in the main subgraph.
    """
    found = [
        [op for op in graph.operators if custom_name(model, op) == name]
        for graph in model.subgraphs
    ]
    if any(found[1:]):
        raise ConversionError(
            f"Expected {name} in the main subgraph only. Received: "
            f"{[len(operators) for operators in found]} by subgraph. Convert "
            "a model without control flow."
        )
    return found[0]


def check_only_source(
    model: schema.ModelT, graph: schema.SubGraphT, operator: schema.OperatorT
) -> None:
    """Checks that tensors are what their op makes, and nothing else before.

    Raises:
        ConversionError: If something else gives one a value, or needs it
            earlier.
    """
    earlier = graph.operators[: graph.operators.index(operator)]
    for index in operator.outputs:
        tensor = graph.tensors[index]
        found = {
            "constant data": is_constant(model, tensor),
            "a variable": tensor.isVariable,
            "an input of the model": index in graph.inputs,
            "a use before it": any(index in op.inputs for op in earlier),
            "another op's output": any(
                index in op.outputs
                for op in graph.operators
                if op is not operator
            ),
        }
        wrong = [what for what, is_so in found.items() if is_so]
        if wrong:
            raise malformed(
                f"{custom_name(model, operator)} of '{tensor_name(tensor)}'",
                "to be the only source of its output",
                ", ".join(wrong),
            )


def malformed(who: str, expected: str, received: object) -> ConversionError:
    """Returns the error for an op that no converter wrote so."""
    return ConversionError(
        f"{who}: expected {expected}. Received: {received}. Convert the model "
        "again."
    )
