"""Chooses which generated kernels stay in the arena, so that it fits."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from keras_hypertinypw import checks
from keras_hypertinypw.arena import ArenaModel, read_arena
from keras_hypertinypw.arena_layout import Target
from keras_hypertinypw.cost_model import synthesis_instructions
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.formatting import format_count
from keras_hypertinypw.memory_planner import align, live_bytes
from keras_hypertinypw.op_insertion import read_specs
from keras_hypertinypw.op_options import set_residencies
from keras_hypertinypw.spec import Residency

# 2**12 choices are looked through in about a second.
EXACT_LAYERS = 12
# What a budget is kept on.
_TARGETS: tuple[Target, ...] = ("host", "board")

Choice = tuple[Residency, ...]


@dataclasses.dataclass(frozen=True)
class _Problem:
    """What the search weighs.

    Attributes:
        arenas: The arena on the host and on the board.
        costs: Instructions that a kernel costs at every inference unless it
            is cached, one per GeneratePW op.
    """

    arenas: tuple[ArenaModel, ...]
    costs: tuple[int, ...]

    def required(self, choice: Choice) -> int:
        """Returns the larger of the arenas that a choice needs."""
        plans = [arena.plan(choice) for arena in self.arenas]
        return max(plan.required_bytes for plan in plans)

    def bound(self, choice: Choice) -> int:
        """Returns what `required` cannot be below; ten times as fast."""
        bounds = []
        for arena in self.arenas:
            cached = sum(
                align(size)
                for size, residency in zip(
                    arena.kernel_sizes, choice, strict=True
                )
                if residency == "cached"
            )
            live = live_bytes(
                [*arena.tensors(choice), *arena.lifetimes.scratch]
            )
            bounds.append(arena.tail.structures + cached + live)
        return max(bounds)

    def cost(self, choice: Choice) -> int:
        """Returns the instructions that a choice adds to an inference."""
        pairs = zip(self.costs, choice, strict=True)
        return sum(cost for cost, kept in pairs if kept == "per_invoke")


def fit_arena(model_content: bytes, arena_budget: int) -> bytes:
    """Returns the file with the residencies that `plan_residency` chooses.

    Args:
        model_content: See `plan_residency`, as for what is raised.
        arena_budget: Size of the tensor arena, in bytes.
    """
    choice = plan_residency(model_content, arena_budget)
    return set_residencies(model_content, choice)


def plan_residency(model_content: bytes, arena_budget: int) -> Choice:
    """Chooses the residency of every generated kernel.

    The fewest instructions added to an inference win. The budget holds for
    the larger of two arenas: that of the official wheel on x86-64, whose
    pointers are wider, and that of a Cortex-M4, which has CMSIS-NN's scratch
    buffers; usually it is the first. It holds for loading the model too.
    With up to 12 kernels no choice is better; with more, kernels leave the
    arena by instructions per saved byte, and come back where there is room.

    Args:
        model_content: Bytes of a `.tflite` with GeneratePW, residencies as
            they may be.
        arena_budget: Size of the tensor arena, in bytes.

    Returns:
        "cached" or "per_invoke" for each GeneratePW op, in their order.

    Raises:
        ConversionError: If no choice fits; it names the smallest budget that
            one fits in. Or if the arena cannot be predicted.
        ValueError: If the budget is not a positive integer.
    """
    budget = checks.positive_int("arena_budget", arena_budget)
    problem = _problem(model_content)
    search = _search if len(problem.costs) <= EXACT_LAYERS else _descend
    choice = search(problem, budget)
    if choice is None:
        smallest = _smallest_budget(problem)
        raise ConversionError(
            f"Expected `arena_budget` of at least {smallest} bytes, the least "
            "that this model loads in, with kernels made at every inference "
            f"where that helps. Received: {budget}. Pass that, or make the "
            "activations smaller: fewer channels, or more stride."
        )
    return choice


def smallest_budget(model_content: bytes) -> int:
    """Returns the smallest arena that some choice fits in, in bytes.

    Args:
        model_content: Bytes of a `.tflite` with GeneratePW, residencies as
            they may be.

    Raises:
        ConversionError: If the arena cannot be predicted.
    """
    return _smallest_budget(_problem(model_content))


def describe_residencies(model_content: bytes, arena_budget: int) -> str:
    """Says what an arena budget came to.

    Args:
        model_content: Bytes of what `fit_arena` returned.
        arena_budget: Size of the tensor arena, in bytes.

    Raises:
        ConversionError: If the arena cannot be predicted.
    """
    choice = tuple(spec.residency for spec in read_specs(model_content))
    required = _problem(model_content).required(choice)
    return (
        f"It loads in an arena of {required:,} B of the {arena_budget:,} B "
        f"given: {choice.count('cached')} of "
        f"{format_count(len(choice), 'kernel')} stay there, the others are "
        "made at every inference."
    )


def _problem(model_content: bytes) -> _Problem:
    return _Problem(
        tuple(read_arena(model_content, target) for target in _TARGETS),
        tuple(map(synthesis_instructions, read_specs(model_content))),
    )


def _smallest_budget(problem: _Problem) -> int:
    num_layers = len(problem.costs)
    if num_layers > EXACT_LAYERS:
        return problem.required(_smallest_known(problem))
    least = problem.required(_all("per_invoke", num_layers))
    for choice in sorted(_choices(num_layers), key=problem.bound):
        if problem.bound(choice) >= least:
            break
        least = min(least, problem.required(choice))
    return least


def _all(residency: Residency, num_layers: int) -> Choice:
    return (residency,) * num_layers


def _choices(num_layers: int) -> Iterator[Choice]:
    return itertools.product(("cached", "per_invoke"), repeat=num_layers)


def _search(problem: _Problem, budget: int) -> Choice | None:
    """Looks through all choices, the cheapest first."""
    for choice in sorted(_choices(len(problem.costs)), key=problem.cost):
        if problem.bound(choice) <= budget:
            if problem.required(choice) <= budget:
                return choice
    return None


def _descend(problem: _Problem, budget: int) -> Choice | None:
    """Takes kernels out one by one, then puts back what fits."""
    choice = _all("cached", len(problem.costs))
    required = problem.required(choice)
    while required > budget:
        best = None
        for index in _indices(choice, "cached"):
            smaller = _replace(choice, index, "per_invoke")
            saved = required - problem.required(smaller)
            if saved > 0:
                rate = problem.costs[index] / saved
                best = min(best or (rate, smaller), (rate, smaller))
        if best is None:
            # No single kernel helps: two that take turns still may.
            choice = _smallest_known(problem)
            if problem.required(choice) > budget:
                return None
            break
        choice = best[1]
        required = problem.required(choice)
    dearest = sorted(
        _indices(choice, "per_invoke"), key=lambda i: -problem.costs[i]
    )
    for index in dearest:
        larger = _replace(choice, index, "cached")
        if problem.required(larger) <= budget:
            choice = larger
    return choice


def _smallest_known(problem: _Problem) -> Choice:
    """All kernels out, and back in where even that saves."""
    choice = _all("per_invoke", len(problem.costs))
    for index in range(len(choice)):
        other = _replace(choice, index, "cached")
        if problem.required(other) <= problem.required(choice):
            choice = other
    return choice


def _indices(choice: Choice, residency: Residency) -> list[int]:
    return [i for i, kept in enumerate(choice) if kept == residency]


def _replace(choice: Choice, index: int, residency: Residency) -> Choice:
    return (*choice[:index], residency, *choice[index + 1 :])
