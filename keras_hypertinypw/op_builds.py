"""The ways to compile the ops; see "Builds" in `tflm_ops/README.md`."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Literal

# "fastest" makes four blocks at once, "small" one after the other; "unchecked"
# checks no file either, nor does "compact", which has another source of
# GeneratePW.
Build = Literal["fastest", "small", "unchecked", "compact"]

# What is defined for each.
MACROS: Mapping[Build, Mapping[str, int]] = types.MappingProxyType(
    {
        "fastest": {},
        "small": {"HYPERTINYPW_LANES": 0},
        "unchecked": {"HYPERTINYPW_LANES": 0, "HYPERTINYPW_CHECKS": 0},
        "compact": {"HYPERTINYPW_CHECKS": 0},
    }
)
BUILDS: tuple[Build, ...] = tuple(MACROS)

# What is said of them where they are written.
DESCRIPTIONS: Mapping[Build, str] = types.MappingProxyType(
    {
        "fastest": "The fastest build of the ops.",
        "small": "A small build of the ops.",
        "unchecked": "A build of the ops that does not check the model's file.",
        "compact": "The smallest build of the ops: it does not check the "
        "model's file, and keeps\nevery kernel in the tensor arena.",
    }
)
