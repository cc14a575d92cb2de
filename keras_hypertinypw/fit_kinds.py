"""The kinds of networks that `hypertinypw fit` chooses from."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_hypertinypw.op_size import (
    Build,
    op_code_bytes,
    widen_bias_code_bytes,
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way to spend the bytes of pointwise kernels.

    Attributes:
        title: As in "the stored int8 network".
        kernel_bits: Of stored kernels.
        config: Fields of `RunConfig` that make it, where it is not the
            default.
    """

    title: str
    kernel_bits: int
    config: dict[str, Any]

    @property
    def needs_op(self) -> bool:
        """Whether its firmware needs GeneratePW, and so WidenBias."""
        return not self.config.get("stored")

    @property
    def least_width(self) -> int:
        """Least channels: a generated kernel holds a block at least."""
        return 8 if self.needs_op else 2

    @property
    def code_bytes(self) -> int:
        """Flash of the ops in their smallest build, which checks no file."""
        return _code_bytes("compact") if self.needs_op else 0


def checks_bytes(build: Build) -> int:
    """Flash that the ops take in another build, beyond the smallest."""
    return _code_bytes(build) - _code_bytes("compact")


def _code_bytes(build: Build) -> int:
    return op_code_bytes(build) + widen_bias_code_bytes(build)


# What wins somewhere in `benchmarks/results/frontier.jsonl`, or is half a bit.
KINDS = {
    "stored_int8": Kind("stored int8", 8, {"stored": True}),
    "int4": Kind("int4", 4, {"stored": True}),
    "generated_1": Kind("generated (1 bit a weight)", 4, {}),
    "generated_0.5": Kind(
        "generated (0.5 bit a weight)",
        4,
        {"block_size": 32, "hidden_units": (32,)},
    ),
    "generated_least": Kind(
        "generated (1 bit a weight, least bytes beside it)",
        4,
        {
            "hidden_units": (8,),
            "code_dim": 8,
            "block_size": 8,
            "per_channel": False,
        },
    ),
}
