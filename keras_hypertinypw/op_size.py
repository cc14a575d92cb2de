"""Flash that the code of the ops takes, as measured."""

from __future__ import annotations

import functools
import json
import pathlib

from keras_hypertinypw.op_builds import Build

# Written by `python benchmarks/op_size.py --write`.
RECORD = pathlib.Path(__file__).with_name("op_code_bytes.json")


def op_code_bytes(build: Build = "fastest") -> int:
    """Returns the bytes of GeneratePW on a Cortex-M4, built with -Os.

    Code and constants; what it calls in TFLM and libc is not counted.

    Args:
        build: How it is compiled.
    """
    return _sizes()[build]["generate_pw"]


def widen_bias_code_bytes(build: Build = "fastest") -> int:
    """Returns the bytes of WidenBias, counted as GeneratePW's."""
    return _sizes()[build]["widen_bias"]


def ops_code_bytes(build: Build, *, generates: bool, widens: bool) -> int:
    """Returns the bytes of the ops that a firmware needs.

    Args:
        build: How they are compiled.
        generates: Whether GeneratePW is one of them.
        widens: Whether WidenBias is.
    """
    generate = op_code_bytes(build) if generates else 0
    return generate + (widen_bias_code_bytes(build) if widens else 0)


@functools.cache
def _sizes() -> dict[str, dict[str, int]]:
    return json.loads(RECORD.read_text())
