"""Runs whole `.tflite` files in TFLM's interpreter on the emulated board.

    python benchmarks/board_interpreter.py MODEL...
    python benchmarks/board_interpreter.py --compact MODEL...

The environment variables TFLM_LIB and TFLM_INCLUDE name a build of TFLM;
`tflm_ops/README.md` says how to make one. Every output has to be what the
official interpreter computes here, to the last bit. Prints a table of the
arena in use and of instructions, beside what is predicted of them. `--compact`
links the compact op, which makes all kernels in AllocateTensors and has no
state in the arena; what is predicted is of the usual op, that does it at boot.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import sys
import tempfile

import board
import board_tflm
from board_file import BoardFile
from board_tflm import Tflm

from keras_hypertinypw import ConversionError
from keras_hypertinypw.device import DeviceFootprint, device_footprint
from keras_hypertinypw.golden_cases import GoldenCases, golden_cases
from keras_hypertinypw.op_options import set_compact

EXAMPLES = board.TFLM_OPS.parent / "examples" / "mitdb"
MODELS = (EXAMPLES / "generated.tflite", EXAMPLES / "stored.tflite")
INVOKES = 3  # As in interpreter.cc.
MAX_ARENA = 8 << 20  # Likewise.


@dataclasses.dataclass(frozen=True)
class Step:
    """AllocateTensors or one inference.

    Attributes:
        is_right: Whether every value of the output is.
        instructions: What it took.
        syntheses: Kernels that it made.
    """

    is_right: bool
    instructions: int
    syntheses: int


@dataclasses.dataclass(frozen=True)
class ModelRun:
    """A model on the board.

    Attributes:
        allocation: AllocateTensors.
        inferences: The three of them, a Reset() before all but the first.
        arena_used_bytes: As TFLM counts them.
    """

    allocation: Step
    inferences: tuple[Step, ...]
    arena_used_bytes: int


def run(
    program: pathlib.Path,
    model_content: bytes,
    cases: GoldenCases,
    *,
    arena_size: int = MAX_ARENA,
) -> ModelRun:
    """Invokes a model three times.

    Args:
        program: What `build` returned for this model.
        model_content: Bytes of the `.tflite`.
        cases: Inputs, and outputs to compare.
        arena_size: Size of the tensor arena, in bytes.

    Raises:
        RuntimeError: If TFLM fails, or an output is wrong.
    """
    file = BoardFile()
    file.array(model_content)
    file.ints(arena_size, len(cases.inputs))
    for pair in zip(cases.inputs, cases.outputs, strict=True):
        for values in pair:
            file.array(values)
    path = program.with_suffix(".bin")
    path.write_bytes(file.to_bytes())
    lines = board.run(program, path).splitlines()
    steps = [
        Step(right == "1", int(count), int(syntheses))
        for right, count, syntheses in map(str.split, lines[:-1])
    ]
    allocation, *inferences = steps
    wrong = [i for i, step in enumerate(inferences) if not step.is_right]
    if wrong or len(inferences) != INVOKES:
        raise RuntimeError(
            "Expected the official interpreter's outputs. Received: others, "
            f"at inferences {wrong} of {len(inferences)}."
        )
    return ModelRun(allocation, tuple(inferences), int(lines[-1]))


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A model on the board, and what is predicted of it.

    Attributes:
        run: What was counted.
        predicted: None where an operator's memory is not known.
    """

    run: ModelRun
    predicted: DeviceFootprint | None

    def rows(self) -> dict[str, str]:
        """Returns the figures as text, by name."""
        first, *_, later = self.run.inferences
        names = ("arena in use, B", "first Invoke", "every later Invoke")
        counted = (
            self.run.arena_used_bytes,
            first.instructions,
            later.instructions,
        )
        expected = [0, 0, 0]
        if self.predicted:
            expected = [
                self.predicted.board.used_bytes,
                self.predicted.first_instructions,
                self.predicted.steady_instructions,
            ]
        found = {"AllocateTensors": f"{self.run.allocation.instructions:,}"}
        for name, actual, value in zip(names, counted, expected, strict=True):
            found[name] = f"{actual:,}"
            error = f"{value:,} ({value / actual - 1:+.2%})"
            found[f"{name}, predicted"] = error if value else "-"
        steps = (self.run.allocation, *self.run.inferences)
        syntheses = [str(step.syntheses) for step in steps]
        found["syntheses, step by step"] = " + ".join(syntheses)
        return found


def measure(
    model_content: bytes, tflm: Tflm, *, compact: bool = False
) -> Comparison:
    """Runs a model in a large arena, and in the one that is predicted.

    Args:
        model_content: Bytes of a `.tflite` with int8 input and output.
        tflm: What `find_tflm` returns.
        compact: Link the compact op.

    Raises:
        ConversionError: If the file does not run in the official interpreter.
        RuntimeError: As `run`.
        ValueError: If that TFLM does not fit.
    """
    cases = golden_cases(model_content)
    with tempfile.TemporaryDirectory() as folder:
        program = board_tflm.build(
            pathlib.Path(folder),
            model_content,
            tflm,
            flags=[board.COMPACT_FLAG] if compact else [],
        )
        found = run(program, model_content, cases)
        try:
            predicted = device_footprint(
                set_compact(model_content) if compact else model_content
            )
        except ConversionError:
            return Comparison(found, None)
        size = predicted.board.required_bytes
        run(program, model_content, cases, arena_size=size)
    return Comparison(found, predicted)


def table(models: dict[str, Comparison]) -> str:
    """Returns the figures in Markdown, a column for each model."""
    columns = [comparison.rows() for comparison in models.values()]
    lines = [
        f"| Instructions, or as named | {' | '.join(models)} |",
        "|" + " --- |" * (1 + len(models)),
    ]
    for name in columns[0]:
        cells = [column[name] for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Runs the models that are named, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "models", nargs="*", default=MODELS, type=pathlib.Path, metavar="MODEL"
    )
    parser.add_argument(
        "--compact", action="store_true", help="link the compact op"
    )
    options = parser.parse_args(arguments)
    try:
        tflm = board_tflm.find_tflm(
            os.environ.get("TFLM_LIB", ""), os.environ.get("TFLM_INCLUDE", "")
        )
        found = {
            path.name: measure(path.read_bytes(), tflm, compact=options.compact)
            for path in options.models
        }
    except (OSError, ValueError) as error:
        parser.error(str(error))
    sys.stdout.write(table(found))


if __name__ == "__main__":
    main()
