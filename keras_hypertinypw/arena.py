"""Predicts TFLM's tensor arena from the bytes of a `.tflite`."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from keras_hypertinypw.arena_layout import (
    LAYOUTS,
    PLANNER_ENTRY,
    SPARE_SCRATCH_REQUESTS,
    Layout,
    Target,
)
from keras_hypertinypw.arena_tail import Tail, lay_structures
from keras_hypertinypw.flatbuffer import read_model
from keras_hypertinypw.lifetimes import Lifetimes, find_lifetimes
from keras_hypertinypw.memory_planner import Buffer, align, planned_bytes
from keras_hypertinypw.op_insertion import generate_operators, read_spec
from keras_hypertinypw.spec import Residency


@dataclasses.dataclass(frozen=True)
class ArenaPlan:
    """What the tensor arena of a model holds; all sizes in bytes.

    Attributes:
        structures: What the interpreter and the kernels keep for good.
        cached_kernels: Generated kernels that stay.
        activations: The plan of the activations, which share memory.
        per_invoke_kernels: What kernels made at every inference add to it.
        scratch: What the kernels' scratch buffers add to it.
        allocation: What allocating the tensors takes on top, and gives back:
            lists and temporary tensors, where they are larger than the plan.
    """

    structures: int
    cached_kernels: int
    activations: int
    per_invoke_kernels: int
    scratch: int
    allocation: int

    @property
    def used_bytes(self) -> int:
        """Bytes in use, as TFLM's `arena_used_bytes` counts them."""
        return sum(dataclasses.astuple(self)) - self.allocation

    @property
    def required_bytes(self) -> int:
        """Smallest arena that the model loads in, as a multiple of 16."""
        return align(self.used_bytes + self.allocation)


@dataclasses.dataclass(frozen=True)
class ArenaModel:
    """What an arena depends on, before residencies are chosen.

    Attributes:
        layout: Sizes of TFLM's structures.
        tail: What lies there for good, kernels aside.
        lifetimes: Buffers that are planned.
        kernel_sizes: Weights of every GeneratePW op, in their order.
        residencies: Those of the file.
    """

    layout: Layout
    tail: Tail
    lifetimes: Lifetimes
    kernel_sizes: tuple[int, ...]
    residencies: tuple[Residency, ...]

    def plan(self, residencies: Sequence[Residency]) -> ArenaPlan:
        """Predicts the arena for one residency per GeneratePW op."""
        cached = [
            align(size) if residency == "cached" else 0
            for size, residency in zip(
                self.kernel_sizes, residencies, strict=True
            )
        ]
        tensors = self.tensors(residencies)
        buffers = [*tensors, *self.lifetimes.scratch]
        planned = planned_bytes(buffers)
        everything_cached = self.tensors(["cached"] * len(residencies))
        # A plan with more in it can be the smaller one.
        activations = min(planned_bytes(everything_cached), planned)
        with_kernels = min(planned_bytes(tensors), planned)
        per_invoke = max(with_kernels - activations, 0)
        used = self.tail.structures + sum(cached) + planned
        return ArenaPlan(
            structures=self.tail.structures,
            cached_kernels=sum(cached),
            activations=activations,
            per_invoke_kernels=per_invoke,
            scratch=planned - activations - per_invoke,
            allocation=max(0, self._allocation(cached, buffers) - used),
        )

    def tensors(self, residencies: Sequence[Residency]) -> list[Buffer]:
        """Returns the tensors to plan, in their order in the file."""
        return [
            buffer
            for buffer, kernel in self.lifetimes.tensors
            if kernel is None or residencies[kernel] == "per_invoke"
        ]

    def _allocation(
        self, cached: Sequence[int], buffers: Sequence[Buffer]
    ) -> int:
        """Returns the most that is needed while tensors are allocated."""
        steps = self.tail.steps
        behind = [0, *itertools.accumulate(cached)]
        needs = [
            step.structures + behind[step.num_kernels] + step.temporary
            for step in steps
        ]
        layout, num_scratch = self.layout, len(self.lifetimes.scratch)
        infos = self.lifetimes.num_tensors + num_scratch
        lists = (
            layout.scratch_request * (num_scratch + SPARE_SCRATCH_REQUESTS)
            + layout.pointer  # Where the only subgraph's tensors start.
            + layout.allocation_info * infos
        )
        planning = (
            align(self.tail.before_planning + sum(cached))
            + align(lists)
            + PLANNER_ENTRY * len(buffers)
        )
        return align(max(planning, *needs))


def read_arena(model_content: bytes, target: Target) -> ArenaModel:
    """Reads what the arena of a model depends on.

    Args:
        model_content: Bytes of an int8 `.tflite`.
        target: "host" is the official wheel on x86-64, "board" a Cortex-M4
            with CMSIS-NN, "arduino" that of Chirale_TensorFLowLite 2.0.0.

    Raises:
        ConversionError: If the file is damaged, or holds what this cannot
            predict: an operator of another kind, several subgraphs, an
            offline memory plan or variables.
    """
    model = read_model(model_content)
    layout = LAYOUTS[target]
    specs = [read_spec(model, op) for op in generate_operators(model)]
    lifetimes = find_lifetimes(model, target)
    return ArenaModel(
        layout,
        lay_structures(model, target, lifetimes),
        lifetimes,
        tuple(spec.num_weights for spec in specs),
        tuple(spec.residency for spec in specs),
    )


def predict_arena(model_content: bytes, target: Target) -> ArenaPlan:
    """Predicts the tensor arena of a model without running it.

    Args:
        model_content: Bytes of an int8 `.tflite`.
        target: "host" is the official wheel on x86-64, "board" a Cortex-M4
            with CMSIS-NN, "arduino" that of Chirale_TensorFLowLite 2.0.0.

    Raises:
        ConversionError: As `read_arena`.
    """
    arena = read_arena(model_content, target)
    return arena.plan(arena.residencies)
