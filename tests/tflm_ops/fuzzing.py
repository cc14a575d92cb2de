"""Runs `fuzz_op.cc` and reads what it says about every execution."""

from __future__ import annotations

import dataclasses
import pathlib
import struct
import subprocess
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import pytest
from cpp_build import (
    ARITHMETIC,
    COMPACT,
    GLUE,
    REPOSITORY,
    TFLM_OPS,
    host_compiler,
    run,
    tflm_flags,
    xmos_runtime,
)

from keras_hypertinypw.spec import PointwiseSpec, reference_to

# TfLiteType.
UINT8, INT8 = 3, 9
REFUSED, PREPARED, INVOKED = range(3)

# In the options, after the code bits: cached lazily, at boot, per invocation.
KINDS = ((0, 0), (0, 1), (1, 0))

# Options, codes, blob and kernel shape, and the shared blob if there is one.
Parts = tuple[bytes, bytes, bytes, tuple[int, ...], bytes]


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One tensor as the op saw it.

    Attributes:
        type: A TfLiteType.
        dims: Its dimensions, as told.
        data: What its memory really holds; None if the op got no pointer.
    """

    type: int
    dims: tuple[int, ...]
    data: bytes | None


@dataclasses.dataclass(frozen=True)
class Record:
    """One execution.

    Attributes:
        index: Of the execution.
        outcome: REFUSED, PREPARED without room to invoke, or INVOKED.
        error: The FormatError reported, as a number.
        arena_was_full: Whether an allocation was refused.
        kernel: What the op made; empty unless INVOKED.
        options: Custom options.
        shared: The generator of the firmware; None if there was none.
        inputs: Indices into `tensors`.
        outputs: Indices into `tensors`.
        tensors: Codes, generator and kernel, unless swapped.
    """

    index: int
    outcome: int
    error: int
    arena_was_full: bool
    kernel: bytes
    options: bytes
    shared: bytes | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    tensors: tuple[Tensor, ...]


def parts(spec: PointwiseSpec) -> Parts:
    """Returns an op whose generator stands in the model."""
    return (
        spec.options_to_bytes(),
        spec.codes_to_bytes(),
        spec.generator.to_bytes(),
        spec.kernel_shape,
        b"",
    )


def of_kind(op: Parts, index: int) -> Parts:
    """Returns the same op of one of `KINDS`, in turn."""
    options, *rest = op
    kind = bytes(KINDS[index % len(KINDS)])
    return (options[:2] + kind + options[4:], *rest)


def sharing(op: Parts) -> Parts:
    """Returns the same op with a reference to its generator."""
    options, codes, blob, shape, _ = op
    return options, codes, reference_to(blob), shape, blob


def build(program: pathlib.Path, *flags: str) -> pathlib.Path:
    """Compiles the fuzzer with the shipped sources, under sanitizers."""
    run(
        [
            host_compiler(),
            "-std=c++17",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O1",
            "-g",
            "-fsanitize=address,undefined",
            "-fno-sanitize-recover=all",
            *flags,
            *tflm_flags(),
            f"-I{TFLM_OPS}",
            REPOSITORY / "tests" / "tflm_ops" / "fuzz_op.cc",
            *(TFLM_OPS / name for name in (*ARITHMETIC, COMPACT, GLUE)),
            xmos_runtime() / "lib" / "libhost_xtflitemicro.a",
            "-o",
            program,
        ]
    )
    return program


def write_corpus(path: pathlib.Path, corpus: Iterable[Parts]) -> None:
    """Writes ops, one after the other."""
    with path.open("wb") as file:
        for options, codes, blob, shape, shared in corpus:
            for data in (options, codes, blob):
                file.write(struct.pack("<I", len(data)) + data)
            file.write(struct.pack(f"<I{len(shape)}i", len(shape), *shape))
            file.write(struct.pack("<I", len(shared)) + shared)


def executions(
    program: pathlib.Path, corpus: pathlib.Path, *, seed: int, count: int
) -> Iterator[Record]:
    """Yields the first `count` executions while the program goes on.

    Fails the test if the program ends in any other way than it should.
    """
    errors = corpus.with_suffix(".errors")
    command = [str(x) for x in (program, corpus, seed, 0, count)]
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, bufsize=1 << 20
        ) as process,
    ):
        for index in range(count):
            try:
                record = _record(process.stdout, index)
            except EOFError:
                break
            yield record
    if process.returncode:
        said = errors.read_text(errors="replace")
        pytest.fail(f"{' '.join(command)} ended: {process.returncode}\n{said}")


def _record(file: BinaryIO, index: int) -> Record:
    outcome, error, arena_was_full = struct.unpack("<3I", _take(file, 12))
    kernel, options, shared = _bytes(file), _bytes(file), _bytes(file)
    inputs, outputs = _integers(file), _integers(file)
    tensors = []
    for _ in range(3):
        kind, has_data = struct.unpack("<2I", _take(file, 8))
        dims, data = _integers(file), _bytes(file)
        tensors.append(Tensor(kind, dims, data if has_data else None))
    return Record(
        index,
        outcome,
        error,
        bool(arena_was_full),
        kernel,
        options,
        shared or None,
        inputs,
        outputs,
        tuple(tensors),
    )


def _take(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _count(file: BinaryIO) -> int:
    return int.from_bytes(_take(file, 4), "little")


def _bytes(file: BinaryIO) -> bytes:
    return _take(file, _count(file))


def _integers(file: BinaryIO) -> tuple[int, ...]:
    count = _count(file)
    return struct.unpack(f"<{count}i", _take(file, 4 * count))
