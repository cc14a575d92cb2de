"""The kinds of networks that `hypertinypw fit` chooses from."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_hypertinypw.op_size import ops_code_bytes


@dataclasses.dataclass(frozen=True)
class Kind:
    """One way to spend the bytes of pointwise kernels.

    Attributes:
        title: As in "the stored int8 network".
        kernel_bits: Of stored kernels.
        config: Fields of `RunConfig` that make it, where it is not the
            default.
        bare: Whether least bytes stand beside weights: biases take eight
            bits, and WidenBias to read them, and kernels have one scale each.
    """

    title: str
    kernel_bits: int
    config: dict[str, Any]
    bare: bool = False

    @property
    def generates(self) -> bool:
        """Whether pointwise kernels are generated, which takes GeneratePW."""
        return not self.config.get("stored")

    @property
    def least_width(self) -> int:
        """Least channels: a generated kernel holds a block at least."""
        return 8 if self.generates else 2

    @property
    def code_bytes(self) -> int:
        """Flash of its ops in their smallest build, which checks no file."""
        return ops_code_bytes(
            "compact", generates=self.generates, widens=self.bare
        )


_STORED = {"stored": True}
_ONE_SCALE = {"per_channel": False}
# What leads somewhere in `benchmarks/frontier.md`, and `train` can make.
KINDS = {
    "stored_int8": Kind("stored int8", 8, _STORED),
    "int4": Kind("int4", 4, _STORED),
    "int4_bare": Kind("int4 (least bytes beside it)", 4, _STORED, bare=True),
    "generated_1": Kind("generated (1 bit a weight)", 4, _ONE_SCALE, bare=True),
    "generated_least": Kind(
        "generated (2 bits a weight, least bytes beside it)",
        4,
        {
            **_ONE_SCALE,
            "code_bits": 2,
            "hidden_units": (8,),
            "code_dim": 8,
            "block_size": 8,
        },
        bare=True,
    ),
}
