"""Compares a slimmed file with its original: by value, and by running both."""

from __future__ import annotations

import dataclasses

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_hypertinypw import litert_process, tflm_process
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.flatbuffer import DTYPES, read_model, tensor_shape
from keras_hypertinypw.formatting import format_count
from keras_hypertinypw.materialize import materialize
from keras_hypertinypw.slim_structure import (
    compare_structure,
    differs,
    require_same,
)

NUM_INPUTS = 50
_EDGES = 3
SEED = 0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What a comparison that found no difference compared.

    Attributes:
        num_tensors: Tensors whose data, shape and quantization are equal.
        num_values: Output values that are equal, by runtime.
        num_distinct: Distinct values among them, by runtime.
        not_run: Why the model was compared without running it, by runtime.
    """

    num_tensors: int
    num_values: dict[str, int]
    num_distinct: dict[str, int]
    not_run: dict[str, str]

    def __str__(self) -> str:
        tensors = format_count(self.num_tensors, "tensor")
        lines = [f"identical: {tensors} compared by value"]
        for runtime, number in self.num_values.items():
            values = format_count(number, "output value")
            lines.append(
                f"identical: {values} compared in {runtime}, "
                f"{self.num_distinct[runtime]:,} distinct"
            )
        lines += [
            f"not run in {runtime}: {reason}"
            for runtime, reason in self.not_run.items()
        ]
        return "\n".join(lines)


def compare(
    original: bytes,
    slimmed: bytes,
    *,
    desktop: bool = False,
    generator: bytes | None = None,
    num_inputs: int = NUM_INPUTS,
) -> Comparison:
    """Compares all that kernels read, then what TFLM computes of it.

    Args:
        original: Bytes of a `.tflite`.
        slimmed: Bytes of the smaller one.
        desktop: Compare what desktop runtimes read, and run LiteRT too.
        generator: The shared blob that both refer to, if they do.
        num_inputs: Random inputs to run, beside three edge cases.

    Raises:
        ConversionError: If a value differs.
    """
    models = read_model(original), read_model(slimmed)
    num_tensors = compare_structure(*models, desktop=desktop)
    graph = models[0].subgraphs[0]
    not_run: dict[str, str] = {}
    num_values: dict[str, int] = {}
    num_distinct: dict[str, int] = {}
    for runtime in _RUNNERS if desktop else ["TFLM"]:
        run = _RUNNERS[runtime]
        try:
            inputs = draw(graph, num_inputs)
            before = run(original, graph, inputs, generator)
        except ConversionError as error:
            not_run[runtime] = str(error)
            continue
        after = run(slimmed, graph, inputs, generator)
        num_values[runtime] = _require_equal(runtime, graph, before, after)
        num_distinct[runtime] = sum(
            len(np.unique(values)) for values in _values(graph, before)
        )
    return Comparison(num_tensors, num_values, num_distinct, not_run)


def draw(graph: schema.SubGraphT, count: int) -> list[np.ndarray]:
    """Returns inputs for every port: random ones, then edges.

    Raises:
        ConversionError: If a port's size or type is not fixed.
    """
    rng = np.random.default_rng(SEED)
    inputs = []
    for index in graph.inputs:
        tensor = graph.tensors[index]
        shape, dtype = tensor_shape(tensor), DTYPES.get(tensor.type)
        if dtype is None or min(shape, default=1) < 1:
            raise ConversionError(
                "Expected inputs of a numpy type and of a fixed shape. "
                f"Received: TensorType {tensor.type}, shape {shape}."
            )
        inputs.append(_draw(rng, np.dtype(dtype), (count, *shape)))
    return inputs


def _draw(
    rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]
) -> np.ndarray:
    """Draws white noise, and as much that wanders slowly, then edges."""
    if dtype.kind == "f":
        low, high = -8.0, 8.0
    elif dtype.kind == "b" or dtype.itemsize > 2:
        low, high = 0.0, 1.0  # May be indices, and leads no further then.
    else:
        limits = np.iinfo(dtype)
        low, high = float(limits.min), float(limits.max)
    count, *sample = shape
    drawn = rng.uniform(0, 1, shape)
    if sample:
        steps = rng.normal(0, 0.1, (count // 2, *sample)).cumsum(axis=1)
        steps += rng.uniform(0, 1, (count // 2, *[1] * len(sample)))
        drawn[: len(steps)] = np.clip(steps, 0, 1)
    values = low + drawn * (high - low)
    if dtype.kind != "f":
        values = np.floor(values + 0.5)
    edges = [np.full((1, *sample), value) for value in (low, high, 0)]
    return np.concatenate([values, *edges]).astype(dtype)


def run_tflm(
    model_content: bytes,
    graph: schema.SubGraphT,
    inputs: list[np.ndarray],
    generator: bytes | None = None,
) -> list[bytes]:
    """Returns the bytes of every output; see `TflmProcess.predict`."""
    process = tflm_process.start(model_content, None, generator)
    try:
        return process.predict(inputs, _num_samples(inputs), len(graph.outputs))
    finally:
        process.close()


def _run_litert(
    model_content: bytes,
    graph: schema.SubGraphT,
    inputs: list[np.ndarray],
    generator: bytes | None,
) -> list[bytes]:
    content = materialize(model_content, generator=generator)
    return litert_process.run(content, inputs, _num_samples(inputs))


def _num_samples(inputs: list[np.ndarray]) -> int:
    return len(inputs[0]) if inputs else _EDGES


_RUNNERS = {"TFLM": run_tflm, "LiteRT": _run_litert}


def _values(graph: schema.SubGraphT, outputs: list[bytes]) -> list[np.ndarray]:
    """Returns outputs as integers of the same bits, so that NaN equals NaN."""
    values = []
    for index, data in zip(graph.outputs, outputs, strict=True):
        dtype = np.dtype(DTYPES.get(graph.tensors[index].type, np.uint8))
        values.append(np.frombuffer(data, f"u{dtype.itemsize}"))
    return values


def _require_equal(
    runtime: str,
    graph: schema.SubGraphT,
    before: list[bytes],
    after: list[bytes],
) -> int:
    """Returns how many values were compared."""
    what = f"the size of the outputs in {runtime}"
    require_same(what, [*map(len, before)], [*map(len, after)])
    pairs = zip(_values(graph, before), _values(graph, after), strict=True)
    count = different = 0
    for old, new in pairs:
        count += old.size
        different += int(np.count_nonzero(old != new))
    if different:
        received = f"{different:,} of {count:,} values that differ"
        raise differs(f"the outputs in {runtime}", received)
    return count
