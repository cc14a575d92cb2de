"""The kinds of networks that `hypertinypw fit` chooses from."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_hypertinypw.op_size import op_code_bytes, widen_bias_code_bytes


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way to spend the bytes of pointwise kernels.

    Attributes:
        title: As in "the stored int8 network".
        kernel_bits: Of stored kernels.
        config: Fields of `RunConfig` that make it, where it is not the
            default.
        narrow: Whether biases take eight bits, and WidenBias to read them.
        kernel_per_channel: Whether each channel of stored kernels of four
            bits has a scale of its own.
    """

    title: str
    kernel_bits: int
    config: dict[str, Any]
    narrow: bool = False
    kernel_per_channel: bool = True

    @property
    def needs_op(self) -> bool:
        """Whether its firmware needs GeneratePW."""
        return not self.config.get("stored")

    @property
    def least_width(self) -> int:
        """Least channels: a generated kernel holds a block at least."""
        return 8 if self.needs_op else 2

    @property
    def code_bytes(self) -> int:
        """Flash of its ops in their smallest build, which checks no file."""
        generate = self.needs_op * op_code_bytes("compact")
        return generate + self.narrow * widen_bias_code_bytes("compact")


_STORED = {"stored": True}
_TWO_BITS = {"code_bits": 2, "per_channel": False}
# What wins somewhere in `benchmarks/results/frontier.jsonl`.
KINDS = {
    "stored_int8": Kind("stored int8", 8, _STORED),
    "int4": Kind("int4", 4, _STORED),
    "int4_bare": Kind(
        "int4 (one scale a kernel, biases of 8 bits)",
        4,
        _STORED,
        narrow=True,
        kernel_per_channel=False,
    ),
    "generated_1": Kind("generated (1 bit a weight)", 4, {}, narrow=True),
    "generated_2": Kind(
        "generated (2 bits a weight)",
        4,
        _TWO_BITS,
        narrow=True,
    ),
    "generated_least": Kind(
        "generated (2 bits a weight, least bytes beside it)",
        4,
        {
            **_TWO_BITS,
            "hidden_units": (8,),
            "code_dim": 8,
            "block_size": 8,
        },
        narrow=True,
    ),
}
