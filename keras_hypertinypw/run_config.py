"""What decides a run's result, as plain data."""

from __future__ import annotations

import dataclasses
from typing import Any

from keras_hypertinypw import checks, generator_defaults
from keras_hypertinypw.int4_values import INT4_BITS, require_kernel_steps


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        float_epochs: Epochs before quantization.
        quantized_epochs: Quantization-aware epochs.
        learning_rate: Of Adam, at the start of the float phase; each phase
            decays to zero by a cosine.
        quantized_learning_rate: At the start of the second phase.
        batch_size: Windows in a batch.
        seed: Of the initial values and of the batches' order.
        kernel_bits: Of stored kernels in the second phase, as in
            `quantize_model`; 8 or 4, which is more accurate at equal bytes
            (`python benchmarks/frontier.py`).
        kernel_per_channel: Whether each output channel of a stored kernel has
            a step of its own, as in `quantize_model`.

    Raises:
        ValueError: If epochs or batch size are not positive, or no kernel
            has these bits, or them with one step.
    """

    float_epochs: int = 12
    quantized_epochs: int = 6
    learning_rate: float = 2e-3
    quantized_learning_rate: float = 5e-4
    batch_size: int = 128
    seed: int = 0
    kernel_bits: int = INT4_BITS
    kernel_per_channel: bool = True

    def __post_init__(self) -> None:
        for name in ("float_epochs", "quantized_epochs", "batch_size"):
            checks.positive_int(name, getattr(self, name))
        require_kernel_steps(
            self.kernel_bits, kernel_per_channel=self.kernel_per_channel
        )


def complete_schedule(values: dict[str, Any]) -> dict[str, Any]:
    """Returns a schedule as a dictionary with what was no choice once.

    Args:
        values: Of `dataclasses.asdict`, maybe of an earlier version.
    """
    return {"kernel_per_channel": True, **values}


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's result, beside the data's files.

    By default the generator that was best of those tried at equal bytes, of
    16 kB and more (`python benchmarks/frontier.py`). The networks measured
    there have one scale a kernel, too, and narrow biases, as those of
    `hypertinypw fit`.

    Attributes:
        dataset: Name of the data set, a key of `tasks.TASKS`.
        stored: Whether every pointwise kernel is stored, not generated.
        width: Channels of the network, at least 2.
        hidden_units: Of the generator.
        code_dim: Of the generator.
        code_bits: Of the generator.
        block_size: Of the generator.
        use_skip: Of the generator.
        generate_first: Whether the first pointwise kernel is generated, too.
        per_channel: Whether each filter of a generated kernel has a scale of
            its own, as in `HyperPointwise`.
        schedule: Epochs, rates and seed.

    Raises:
        ValueError: If the width is below 2.
    """

    dataset: str = "synthetic"
    stored: bool = False
    width: int = 64
    hidden_units: tuple[int, ...] = generator_defaults.HIDDEN_UNITS
    code_dim: int = generator_defaults.CODE_DIM
    code_bits: int = generator_defaults.CODE_BITS
    block_size: int = generator_defaults.BLOCK_SIZE
    use_skip: bool = generator_defaults.USE_SKIP
    generate_first: bool = True
    per_channel: bool = True
    schedule: Schedule = Schedule()

    def __post_init__(self) -> None:
        if checks.positive_int("width", self.width) < 2:
            raise ValueError(
                "Expected `width` of at least 2: the stem has half of it. "
                f"Received: width={self.width}."
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Inverts `dataclasses.asdict`.

        Raises:
            KeyError: If a field is missing: its default may have changed since.
        """
        # Of files written before there was a choice.
        values = {"per_channel": True, **values}
        schedule = complete_schedule(values["schedule"])
        for kind, given in ((cls, values), (Schedule, schedule)):
            for field in dataclasses.fields(kind):
                if field.name not in given:
                    raise KeyError(field.name)
        values["schedule"] = Schedule(**schedule)
        values["hidden_units"] = tuple(values["hidden_units"])
        return cls(**values)
