"""The kinds of networks that `hypertinypw fit` chooses from."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_hypertinypw.op_size import op_code_bytes


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way to spend the bytes of pointwise kernels.

    Attributes:
        title: As in "the stored int8 network".
        kernel_bits: Of stored kernels.
        config: Fields of `RunConfig` that make it.
    """

    title: str
    kernel_bits: int
    config: dict[str, Any]

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
        """Flash of the op, without its faster path."""
        return op_code_bytes(fastest=False) if self.needs_op else 0


def _generated(title: str, block_size: int, hidden_units: int) -> Kind:
    return Kind(
        title,
        4,
        {
            "generate_first": True,
            "hidden_units": (hidden_units,),
            "code_dim": 16,
            "code_bits": 1,
            "block_size": block_size,
            "use_skip": True,
        },
    )


# The best of each family in `benchmarks/results/frontier.jsonl`.
KINDS = {
    "stored_int8": Kind("stored int8", 8, {"stored": True}),
    "int4": Kind("int4", 4, {"stored": True}),
    "generated_1": _generated("generated (1 bit a weight)", 16, 16),
    "generated_0.5": _generated("generated (0.5 bit a weight)", 32, 32),
}
