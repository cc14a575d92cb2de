"""Invokes an int8 `.tflite` layer by layer on the emulated board.

Every layer's output has to be what the reference kernels give, to the last
bit. Kernels are CMSIS-NN's, compiled from the sources in the PyPI package
`bakenn` (in the `dev` extra).
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
import pathlib
import subprocess
import tempfile
from collections.abc import Iterator

import board
import numpy as np
from ai_edge_litert import interpreter as litert
from board_file import BoardFile, add_spec
from board_layers import LAYER_KINDS, Layer, layer_of

from keras_hypertinypw import integer, materialize
from keras_hypertinypw.custom_ops import GENERATE_PW_OP
from keras_hypertinypw.flatbuffer import (
    is_constant,
    read_model,
    tensor_data,
    tensor_shape,
)
from keras_hypertinypw.op_insertion import read_spec

INVOKES = 3  # As in network.cc.


@dataclasses.dataclass(frozen=True)
class LayerCount:
    """One layer of a network on the board.

    Attributes:
        kind: One of `LAYER_KINDS`.
        instructions: Instructions in each of three invocations.
    """

    kind: str
    instructions: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class NetworkCount:
    """What a network executes; a sum over layers, without an interpreter."""

    layers: tuple[LayerCount, ...]

    def invocation(self, index: int) -> int:
        """Instructions of one invocation: the sum over its layers."""
        return sum(layer.instructions[index] for layer in self.layers)

    @property
    def synthesis(self) -> int:
        """Instructions of GeneratePW in the first invocation."""
        return sum(
            layer.instructions[0]
            for layer in self.layers
            if layer.kind == GENERATE_PW_OP
        )


def cmsis_nn() -> pathlib.Path | None:
    """Returns the folder with CMSIS-NN's sources, None without `bakenn`."""
    package = importlib.util.find_spec("bakenn")
    if package is None or package.origin is None:
        return None
    return pathlib.Path(package.origin).parent / "backend/cmsis_nn/vendor"


def build(folder: pathlib.Path, vendor: pathlib.Path) -> pathlib.Path:
    """Compiles `network.cc` with CMSIS-NN's kernels as a release does."""
    includes = [
        word
        for name in ("cmsis_nn", "cmsis_core")
        for word in ("-isystem", str(vendor / name / "Include"))
    ]
    sources = sorted((vendor / "cmsis_nn/Source").rglob("*.c"))
    subprocess.run(
        [
            *("arm-none-eabi-gcc", *board.CORTEX_M4, "-O2", *includes),
            *("-ffunction-sections", "-c", *sources),
        ],
        cwd=folder,
        check=True,
    )
    return board.build(
        folder / "network.elf",
        [
            board.FIRMWARE / "network.cc",
            board.FIRMWARE / "layers.cc",
            *board.ARITHMETIC,
        ],
        flags=includes,
        objects=sorted(folder.glob("*.o")),
    )


@contextlib.contextmanager
def built() -> Iterator[pathlib.Path]:
    """Yields what `build` returned, in a folder that goes afterwards.

    Raises:
        SystemExit: Without CMSIS-NN.
    """
    vendor = cmsis_nn()
    if vendor is None:
        raise SystemExit("No CMSIS-NN: pip install -e '.[dev]'.")
    with tempfile.TemporaryDirectory() as folder:
        yield build(pathlib.Path(folder), vendor)


def count(program: pathlib.Path, model_content: bytes) -> NetworkCount:
    """Invokes a network three times and counts its layers.

    Args:
        program: What `build` returned.
        model_content: Bytes of an int8 `.tflite`, kernels generated or not.

    Raises:
        RuntimeError: If an output differs from the reference kernels'.
    """
    kinds, content = network_file(model_content, _sample(model_content))
    path = program.with_suffix(".bin")
    path.write_bytes(content)
    lines = board.run(program, path).splitlines()
    rows = np.array([line.split() for line in lines], np.int64)
    counts = rows.reshape(INVOKES, len(kinds), 4)
    wrong = counts[counts[..., 2] != 1][:, :2].tolist()
    if wrong:
        raise RuntimeError(
            "Expected the reference kernels' outputs. Received: others, at "
            f"invocation and layer {wrong}, of {list(enumerate(kinds))}."
        )
    return NetworkCount(
        tuple(
            LayerCount(kind, tuple(counts[:, index, 3].tolist()))
            for index, kind in enumerate(kinds)
        )
    )


def _sample(model_content: bytes) -> np.ndarray:
    graph = read_model(model_content).subgraphs[0]
    shape = tensor_shape(graph.tensors[graph.inputs[0]])
    rng = np.random.default_rng(0)
    return rng.integers(-128, 128, shape).astype(np.int8)


def network_file(
    model_content: bytes, sample: np.ndarray
) -> tuple[list[str], bytes]:
    """Returns the kinds of the layers, and the file that `network.cc` reads."""
    model = read_model(model_content)
    graph = model.subgraphs[0]
    layers = [layer_of(model, operator) for operator in graph.operators]
    own = _memory(layers)
    file = BoardFile()
    file.ints(len(graph.tensors), len(layers))
    for tensor in graph.tensors:
        # Elements: a byte each, where the file has no data.
        file.ints(math.prod(tensor_shape(tensor)))
        constant = is_constant(model, tensor)
        file.array(tensor_data(model, tensor) if constant else b"")
    file.ints(graph.inputs[0])
    file.array(sample)
    expected = _reference_outputs(model_content, sample)
    for operator, layer in zip(graph.operators, layers, strict=True):
        record = dataclasses.replace(
            layer.record,
            input=own.get(layer.record.input, layer.record.input),
            output=own.get(layer.record.output, layer.record.output),
        )
        multipliers = np.array(layer.multipliers, "<i4").reshape(-1, 2)
        file.ints(LAYER_KINDS.index(layer.kind))
        file.array(record.to_array())
        file.array(multipliers[:, 0])
        file.array(multipliers[:, 1])
        if layer.kind == GENERATE_PW_OP:
            spec = read_spec(model, operator)
            file.array(integer.synthesize(spec))
            add_spec(file, spec)
        else:
            file.array(next(expected))
    return [layer.kind for layer in layers], file.to_bytes()


def _memory(layers: list[Layer]) -> dict[int, int]:
    """Returns whose memory a reshaped tensor has: its input's."""
    own: dict[int, int] = {}
    for layer in layers:
        if layer.kind == "RESHAPE":
            source = layer.record.input
            own[layer.record.output] = own.get(source, source)
    return own


def _reference_outputs(model_content: bytes, sample: np.ndarray):
    """Yields the stock ops' outputs from LiteRT's reference kernels."""
    content = materialize(model_content)
    runtime = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    runtime.allocate_tensors()
    runtime.set_tensor(runtime.get_input_details()[0]["index"], sample)
    runtime.invoke()
    for operator in read_model(content).subgraphs[0].operators:
        yield runtime.get_tensor(operator.outputs[0])
