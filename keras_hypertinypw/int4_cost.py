"""What packing costs, measured with both files in TFLM."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_hypertinypw import scoring
from keras_hypertinypw.datasets.windows import Windows
from keras_hypertinypw.errors import ConversionError
from keras_hypertinypw.interpreter import Interpreter
from keras_hypertinypw.tasks import Task
from keras_hypertinypw.verification import draw_inputs

NUM_RANDOM_INPUTS = 1000


@dataclasses.dataclass(frozen=True)
class OutputDifferences:
    """How outputs of two files differ on the same inputs.

    Attributes:
        inputs: "given" or "random".
        num_inputs: Inputs compared.
        num_values: Output values compared.
        num_differences: Those that differ.
        max_difference: The largest difference, in steps of the output, or in
            its own unit if that is float32.
        mean_difference: The mean of all, likewise.
        argmax_agreement: Fraction of inputs with the same largest output.
        min_output: The smallest output of the first file, likewise.
        max_output: The largest.
        step: What a step of the output is worth; None if it is float32.
    """

    inputs: str
    num_inputs: int
    num_values: int
    num_differences: int
    max_difference: float
    mean_difference: float
    argmax_agreement: float
    min_output: float
    max_output: float
    step: float | None

    def __str__(self) -> str:
        unit = "" if self.step is None else f" steps of {self.step:.3g}"
        return (
            f"{self.num_inputs:,} {self.inputs} inputs: "
            f"{self.num_differences:,} of {self.num_values:,} output values "
            f"differ, by at most {self.max_difference:g}, in the mean "
            f"{self.mean_difference:.3g}; outputs before packing range from "
            f"{self.min_output:g} to {self.max_output:g}{unit}; the largest "
            f"output is the same one for {self.argmax_agreement:.2%}."
        )


@dataclasses.dataclass(frozen=True)
class ScoreDifferences:
    """Scores of two files on the test records of a data set.

    Attributes:
        before: Of the int8 file, as `scoring.evaluate` gives them.
        after: Of the packed one, likewise.
    """

    before: dict
    after: dict

    def __str__(self) -> str:
        lines = [f"{'test records':<28}{'before':>8}{'packed':>8}"]
        for name, before in self.before["metrics"].items():
            after = self.after["metrics"][name]
            lines.append(
                f"{name.replace('_', ' '):<28}"
                f"{before['value']:>8.3f}{after['value']:>8.3f}"
            )
        return "\n".join(lines)


Cost = OutputDifferences | ScoreDifferences


def compare_outputs(
    before: bytes, after: bytes, inputs: np.ndarray | None = None
) -> OutputDifferences:
    """Runs two files on the same inputs.

    Args:
        before: Bytes of a `.tflite`.
        after: Bytes of another, with the same input and output.
        inputs: Array of shape `(num_inputs, ...)`, floating point or of the
            model's own type; by default 1,000 random int8 inputs and three
            edge cases, which say that both compute, not how well.

    Raises:
        ConversionError: If a runtime refuses a file, or outputs differ in
            shape.
        ValueError: If shape or type of `inputs` do not fit.
    """
    with Interpreter(before) as one, Interpreter(after) as two:
        if inputs is None:
            x = draw_inputs(one.input_shape[1:], NUM_RANDOM_INPUTS, 0)
            x = x.astype(one.input_dtype)
        else:
            x = one.quantize(inputs)
        first, second = one.predict(x), two.predict(x)
        step = one.output_scale
    if not len(x) or first.shape != second.shape:
        raise ConversionError(
            "Expected at least one input, and outputs of one shape, to "
            f"compare. Received: {len(x)} inputs, shapes {first.shape} and "
            f"{second.shape}."
        )
    flat = [y.reshape(len(x), -1).astype(np.float64) for y in (first, second)]
    difference = np.abs(flat[0] - flat[1])
    same = flat[0].argmax(axis=1) == flat[1].argmax(axis=1)
    return OutputDifferences(
        inputs="random" if inputs is None else "given",
        num_inputs=len(x),
        num_values=difference.size,
        num_differences=int(np.count_nonzero(difference)),
        max_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        argmax_agreement=float(same.mean()),
        min_output=float(flat[0].min()),
        max_output=float(flat[0].max()),
        step=step,
    )


def compare_scores(
    before: bytes,
    after: bytes,
    validation: Windows,
    test: Windows,
    *,
    task: Task,
) -> ScoreDifferences:
    """Scores two files on a data set; t* is tuned for each on validation."""
    scores = [
        scoring.evaluate(content, validation, test, task=task).scores.to_dict()
        for content in (before, after)
    ]
    return ScoreDifferences(*scores)
