"""Compares two files by all that a kernel reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import (
    custom_name,
    operator_name,
    scales,
    tensor_shape,
    zero_points,
)
from keras_hypertinypw.idle_reshapes import remove_idle_reshapes
from keras_hypertinypw.model_checks import OPTIONAL_TENSOR
from keras_hypertinypw.slim_passes import can_renumber
from keras_hypertinypw.unread_parts import (
    convolution_filters,
    is_quantized,
    num_channels,
    unread_biases,
)


def compare_structure(
    original: schema.ModelT, slimmed: schema.ModelT, *, desktop: bool
) -> int:
    """Compares ports, operators, options and tensors, one after the other.

    Args:
        original: The model before; loses reshapes that undo each other, as
            the slimmed one did. Whether that shows only running both tells.
        slimmed: The model after.
        desktop: Compare what desktop TensorFlow Lite reads as well.

    Returns:
        How many tensors were compared.

    Raises:
        ConversionError: If something differs.
    """
    require_same(
        "the number of subgraphs",
        len(original.subgraphs),
        len(slimmed.subgraphs),
    )
    require_same("the model's version", original.version, slimmed.version)
    if can_renumber(original):
        remove_idle_reshapes(original, desktop=desktop)
    count = 0
    for graphs in zip(original.subgraphs, slimmed.subgraphs, strict=True):
        pair = _Graphs((original, slimmed), graphs, desktop)
        pair.compare()
        count += pair.num_tensors
    return count


def require_same(what: str, before: object, after: object) -> None:
    """Raises the error for something that is not what it was."""
    if before != after:
        raise differs(what, f"{after!r:.200} instead of {before!r:.200}")


def differs(what: str, received: str) -> ConversionError:
    """Returns the error for a slimmed file that is not what it should be."""
    return ConversionError(
        f"Expected {what} of the slimmed file to be the original's. "
        f"Received: {received}. Keep the original, and report this with it."
    )


class _Graphs:
    """The same subgraph of both models, walked in step."""

    def __init__(
        self,
        models: tuple[schema.ModelT, schema.ModelT],
        graphs: tuple[schema.SubGraphT, schema.SubGraphT],
        desktop: bool,
    ) -> None:
        self._models = models
        self._graphs = graphs
        self._desktop = desktop
        self._unread = [
            set() if desktop else unread_biases(model, graph)
            for model, graph in zip(models, graphs, strict=True)
        ]
        self._filters = [
            convolution_filters(model, graph)
            for model, graph in zip(models, graphs, strict=True)
        ]
        self._twins: dict[int, int] = {OPTIONAL_TENSOR: OPTIONAL_TENSOR}

    @property
    def num_tensors(self) -> int:
        """Tensors that were met."""
        return len(self._twins) - 1

    def compare(self) -> None:
        """Compares ports and operators, and every tensor on the way."""
        before, after = self._graphs
        self._compare_tensors("the inputs", before.inputs, after.inputs)
        self._compare_tensors("the outputs", before.outputs, after.outputs)
        require_same(
            "the number of operators",
            len(before.operators),
            len(after.operators),
        )
        for index, (old, new) in enumerate(
            zip(before.operators, after.operators, strict=True)
        ):
            what = f"operator {index}"
            require_same(
                what,
                _operator(self._models[0], old),
                _operator(self._models[1], new),
            )
            self._compare_tensors(what, old.inputs, new.inputs)
            self._compare_tensors(what, old.outputs, new.outputs)
            self._compare_tensors(
                what, old.intermediates or [], new.intermediates or []
            )
        # Else two tensors of the original would be one.
        twins = len(set(self._twins.values()))
        require_same("the number of tensors", len(self._twins), twins)

    def _compare_tensors(
        self, what: str, before: list[int], after: list[int]
    ) -> None:
        require_same(f"the tensors of {what}", len(before), len(after))
        for old, new in zip(before, after, strict=True):
            if old not in self._twins and new >= 0:
                self._twins[old] = new
                what_tensor = f"tensor {old} at {what}"
                require_same(
                    what_tensor, self._view(0, old), self._view(1, new)
                )
                self._compare_data(what_tensor, old, new)
            require_same(f"the tensors of {what}", self._twins[old], new)

    def _view(self, side: int, index: int) -> tuple[object, ...]:
        """Returns what a kernel reads of a tensor, but for its data."""
        tensor = self._graphs[side].tensors[index]
        shape = tensor_shape(tensor)
        is_variable = bool(tensor.isVariable)
        view = (tensor.type, shape, is_variable, plain(tensor.sparsity))
        params = tensor.quantization
        details = None if params is None else plain(params.details)
        if index in self._unread[side] or not is_quantized(tensor):
            return (*view, details)
        values, zeros = scales(tensor), zero_points(tensor)
        if self._desktop:
            signature = plain(tensor.shapeSignature) or None
            return (
                *(*view, details, params.quantizedDimension, signature),
                *(values.tobytes(), zeros.tobytes()),
            )
        if index in self._filters[side] and len(values) == 1:
            # TFLM takes it for all channels.
            values = np.full(num_channels(tensor), values[0])
        if len(zeros) != len(values):
            zeros = np.full(len(values), zeros[0])
        return (
            *(*view, details, params.quantizedDimension),
            *(values.tobytes(), zeros.tobytes()),
        )

    def _compare_data(self, what: str, old: int, new: int) -> None:
        before, after = (
            _array(model.buffers[graph.tensors[index].buffer].data)
            for model, graph, index in zip(
                self._models, self._graphs, (old, new), strict=True
            )
        )
        require_same(f"the size of {what}", before.size, after.size)
        different = np.count_nonzero(before != after)
        if different:
            received = f"{different:,} of {after.size:,} bytes that differ"
            raise differs(f"the data of {what}", received)


def _array(data: np.ndarray | list[int] | None) -> np.ndarray:
    return np.asarray([] if data is None else data, np.uint8)


def _operator(model: schema.ModelT, operator: schema.OperatorT) -> tuple:
    code = model.operatorCodes[operator.opcodeIndex]
    return (
        *(operator_name(model, operator), custom_name(model, operator)),
        *(code.version, operator.builtinOptionsType),
        plain(operator.builtinOptions),
        plain(operator.customOptions),
        *(operator.builtinOptions2Type, plain(operator.builtinOptions2)),
    )


def plain(value: Any) -> Any:
    """Returns tuples and scalars for an object of the schema."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, (list, tuple)):
        return tuple(plain(item) for item in value)
    if hasattr(value, "__dict__"):
        return tuple((name, plain(item)) for name, item in vars(value).items())
    return value
