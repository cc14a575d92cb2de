"""The ways to compile the ops; see "Builds" in `tflm_ops/README.md`."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Literal

Build = Literal["fastest", "small", "unchecked", "compact"]

# What is defined for each.
MACROS: Mapping[Build, Mapping[str, int]] = types.MappingProxyType(
    {
        "fastest": {},
        "small": {"HYPERTINYPW_LANES": 0},
        "unchecked": {"HYPERTINYPW_LANES": 0, "HYPERTINYPW_CHECKS": 0},
        # Has another source of GeneratePW.
        "compact": {"HYPERTINYPW_CHECKS": 0},
    }
)
BUILDS: tuple[Build, ...] = tuple(MACROS)

# What is said of each, after its name.
DESCRIPTIONS: Mapping[Build, str] = types.MappingProxyType(
    {
        "fastest": "makes four blocks of a kernel at once",
        "small": "makes one block after the other",
        "unchecked": "is like 'small', and does not check the model's file",
        "compact": "takes the least flash, which `fit` counts, does not check "
        "the model's file, and keeps every kernel in the tensor arena, "
        "whatever the file says",
    }
)
