"""What a model costs on a microcontroller: arena and instructions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from keras_hypertinypw import cost_model
from keras_hypertinypw.arena import ArenaPlan, predict_arena
from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.int4_kernels import find_kernels
from keras_hypertinypw.op_insertion import read_specs

NOT_MEASURED = "not measured"


@dataclasses.dataclass(frozen=True)
class DeviceFootprint:
    """Predictions, none of which needs a device.

    Attributes:
        host: The arena in the official wheel on x86-64.
        board: The arena on a Cortex-M4 with CMSIS-NN, whose pointers are
            narrower and whose kernels need more scratch.
        first_instructions: Of the first inference on a Cortex-M4, kernels
            that it makes included.
        steady_instructions: Of every later one.
        num_int4_kernels: Filters of four bits. The host's arena has room to
            unpack each, the board's needs none; instructions are estimated
            as if they were int8, since nobody has counted the others.
        cost_errors: Largest relative error of those estimates against counts
            of an emulated Cortex-M4, by kind of operator; empty where nobody
            has measured it.
    """

    host: ArenaPlan
    board: ArenaPlan
    first_instructions: int
    steady_instructions: int
    num_int4_kernels: int
    cost_errors: Mapping[str, float]

    @property
    def cost_error(self) -> str:
        """The largest error of the instructions, as text."""
        if not self.cost_errors:
            return NOT_MEASURED
        return f"{max(self.cost_errors.values()):.1%}"

    def arena_rows(self) -> list[tuple[str, int, int]]:
        """Returns names and bytes, on the host and on the board."""
        host, board = self.host, self.board
        rows = [
            (field.name, getattr(host, field.name), getattr(board, field.name))
            for field in dataclasses.fields(ArenaPlan)
            if field.name != "allocation"
        ]
        rows.append(("arena in use", host.used_bytes, board.used_bytes))
        rows.append(
            ("arena to load", host.required_bytes, board.required_bytes)
        )
        return [(name.replace("_", " "), *sizes) for name, *sizes in rows]

    def __str__(self) -> str:
        lines = [f"{'arena, predicted':<24}{'x86-64 B':>12}{'Cortex-M4 B':>13}"]
        lines += [
            f"{name:<24}{host:>12,}{board:>13,}"
            for name, host, board in self.arena_rows()
        ]
        lines.append(f"{'instructions, estimated':<36}{'Cortex-M4':>13}")
        lines.append(f"{'first inference':<36}{self.first_instructions:>13,}")
        lines.append(f"{'every later one':<36}{self.steady_instructions:>13,}")
        lines.append(f"{'error against QEMU, up to':<36}{self.cost_error:>13}")
        lines += [self.int4_note.strip()] * bool(self.int4_note)
        return "\n".join(lines)

    @property
    def int4_note(self) -> str:
        """What int4 kernels mean for these figures; empty without any."""
        if not self.num_int4_kernels:
            return ""
        return (
            f" Kernels of four bits: {self.num_int4_kernels}. The reference "
            "kernels on x86-64 unpack each into the arena, CMSIS-NN does not. "
            "Instructions are estimated as if they were int8."
        )

    def to_dict(self) -> dict[str, object]:
        """Returns plain values for JSON."""
        return {
            **dataclasses.asdict(self),
            "host": _arena_dict(self.host),
            "board": _arena_dict(self.board),
        }


def _arena_dict(plan: ArenaPlan) -> dict[str, int]:
    return {
        **dataclasses.asdict(plan),
        "used_bytes": plan.used_bytes,
        "required_bytes": plan.required_bytes,
    }


def device_footprint(model_content: bytes) -> DeviceFootprint:
    """Predicts arena and instructions of a model.

    Args:
        model_content: Bytes of an int8 `.tflite`.

    Raises:
        ConversionError: If the file is damaged, or its arena cannot be
            predicted (see `read_arena`).
    """
    # First, since it checks ranks and operators.
    host = predict_arena(model_content, "host")
    board = predict_arena(model_content, "board")
    steady = first = cost_model.inference_instructions(model_content)
    for spec in read_specs(model_content):
        cost = cost_model.synthesis_instructions(spec)
        if spec.synthesis == "lazy":
            first += cost
        if spec.residency == "per_invoke":
            steady += cost
    kernels = find_kernels(read_model(model_content)).values()
    return DeviceFootprint(
        host,
        board,
        first,
        steady,
        sum(kernel.is_packed for kernel in kernels),
        cost_model.errors(),
    )
