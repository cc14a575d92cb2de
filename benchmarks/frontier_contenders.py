"""The contenders of the frontier: how each makes its pointwise kernels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from keras_hypertinypw import WeightGenerator  # isort: skip
import tf_keras as keras

from keras_hypertinypw.generator import BaseGenerator


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to spend the bytes.

    Attributes:
        family: What the table groups by.
        generator: Makes the generator of a network, None for stored kernels.
    """

    family: str
    generator: Callable[[], BaseGenerator] | None = None

    def build(
        self,
        network: Callable[..., keras.Model],
        input_shape: tuple[int, ...],
        num_classes: int,
        width: int,
    ) -> keras.Model:
        """Returns a freshly initialized float network."""
        generator = None if self.generator is None else self.generator()
        return network(
            input_shape, num_classes, width=width, generator=generator
        )


def _generated(**arguments: object) -> Contender:
    return Contender(
        "generated", lambda: WeightGenerator(name="generator", **arguments)
    )


# Generated ones are named by bits of code per weight.
CONTENDERS = {
    "stored_int8": Contender("stored_int8"),
    "gen1_b64": _generated(),
    "gen1": _generated(
        code_bits=1, code_dim=16, block_size=16, hidden_units=(32,)
    ),
    "gen1_skip": _generated(
        code_bits=1,
        code_dim=16,
        block_size=16,
        hidden_units=(16,),
        use_skip=True,
    ),
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
