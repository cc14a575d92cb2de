"""Flash that the code of the ops takes, as measured."""

from __future__ import annotations

import functools
import json
import pathlib

# Written by `python benchmarks/op_size.py --write`.
RECORD = pathlib.Path(__file__).with_name("op_code_bytes.json")


def op_code_bytes(*, fastest: bool = True) -> int:
    """Returns the bytes of GeneratePW on a Cortex-M4, built with -Os.

    Code and constants; what it calls in TFLM and libc is not counted.

    Args:
        fastest: With the path that makes four blocks at once, or, compiled
            with `-DHYPERTINYPW_LANES=0`, without it.
    """
    return _sizes()["fastest" if fastest else "smallest"]


def widen_bias_code_bytes() -> int:
    """Returns the bytes of WidenBias, counted as GeneratePW's."""
    return _sizes()["widen_bias"]


@functools.cache
def _sizes() -> dict[str, int]:
    return json.loads(RECORD.read_text())
