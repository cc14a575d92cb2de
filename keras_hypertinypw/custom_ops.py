"""The package's custom ops in a model: their names, and where they stand."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    custom_name,
    is_constant,
    tensor_name,
)

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
