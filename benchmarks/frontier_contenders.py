"""The contenders of the frontier: how each makes its pointwise kernels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_hypertinypw import WeightGenerator, convert_keras_model  # isort: skip
import tf_keras as keras
from frontier_layers import TiedKernel, split_low_rank

from keras_hypertinypw.freezing import to_dense_tflite
from keras_hypertinypw.generator import BaseGenerator


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to spend the bytes.

    Attributes:
        family: What the table groups by.
        generator: Makes the generator of a network of that many channels,
            None for stored kernels.
        keep_first: Whether the first pointwise kernel is stored all the same.
        rewrite: Changes the float network.
    """

    family: str
    generator: Callable[[int], BaseGenerator] | None = None
    keep_first: bool = True
    rewrite: Callable[[keras.Model], keras.Model] | None = None

    @property
    def needs_op(self) -> bool:
        """Whether firmware needs GeneratePW."""
        return self.family == "generated"

    def build(
        self,
        network: Callable[..., keras.Model],
        input_shape: tuple[int, ...],
        num_classes: int,
        width: int,
    ) -> keras.Model:
        """Returns a freshly initialized float network."""
        model = network(
            input_shape,
            num_classes,
            width=width,
            generator=self.generator and self.generator(width),
            keep_first=self.keep_first,
        )
        return self.rewrite(model) if self.rewrite else model

    def convert(self, model: keras.Model) -> bytes:
        """Returns the file of a quantized model, before slimming."""
        if self.needs_op:
            return convert_keras_model(model, verify=False)
        return to_dense_tflite(model)


def _generated(keep_first: bool = True, **arguments: Any) -> Contender:
    return Contender(
        "generated",
        lambda width: WeightGenerator(name="generator", **arguments),
        keep_first,
    )


_BINARY = {"code_bits": 1, "code_dim": 16, "hidden_units": (16,)}
# Generated ones are named by bits of code per weight.
CONTENDERS = {
    "stored_int8": Contender("stored_int8"),
    "low_rank": Contender("low_rank", rewrite=split_low_rank),
    "tied": Contender("tied", lambda width: TiedKernel(width)),
    "gen1_b64": _generated(),
    "gen1": _generated(
        code_bits=1, code_dim=16, block_size=16, hidden_units=(32,)
    ),
    "gen1_skip": _generated(**_BINARY, block_size=16, use_skip=True),
    "gen05": _generated(
        code_bits=1, code_dim=8, block_size=16, hidden_units=(32,)
    ),
    "gen05_skip": _generated(
        code_bits=1,
        code_dim=16,
        block_size=32,
        hidden_units=(32,),
        use_skip=True,
    ),
    "gen2_skip": _generated(
        code_bits=2,
        code_dim=16,
        block_size=16,
        hidden_units=(16,),
        use_skip=True,
    ),
    "gen025": _generated(
        code_bits=1, code_dim=8, block_size=32, hidden_units=(32,)
    ),
}
