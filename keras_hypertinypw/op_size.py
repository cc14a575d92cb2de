"""Flash that the code of GeneratePW takes, as measured."""

from __future__ import annotations

import functools
import json
import pathlib

# Written by `python benchmarks/op_size.py --write`.
RECORD = pathlib.Path(__file__).with_name("op_code_bytes.json")


@functools.cache
def op_code_bytes(*, fastest: bool = True) -> int:
    """Returns the bytes of code and constants on a Cortex-M4, built with -Os.

    Args:
        fastest: With the path that makes four blocks at once, or, compiled
            with `-DHYPERTINYPW_LANES=0`, without it.
    """
    sizes = json.loads(RECORD.read_text())
    return sizes["fastest" if fastest else "smallest"]
